"""Folders of images as data sets: any folder of class/images, and Omniglot's folder of alphabet/character/images.

A class is a folder that holds images, however deep it lies; its name is its path below the root,
``"Greek/character01"``. Images are read in the order of their names, so the same folder always gives the
same tensors.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.utils.validation import check_int, require

# What torchvision.datasets.ImageFolder reads; its import would take over a second.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

__all__ = ["images_in", "hold_out"]


def images_in(folder, size=28, invert=False):
    """All images below ``folder`` as a :class:`~lossbook.data.Split`: grey, ``size`` × ``size`` pixels.

    Parameters
    ----------
    folder : path
        One folder a class, with images in it (jpg, png, bmp, …); deeper ones too.
    size : int
        Pixels of a side; each image is resized to it, averaging over what a new pixel covers.
    invert : bool
        Turn black into white: for dark ink on white paper, where the digits of MNIST are light on black.

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 1.
    DataError
        If the folder is missing, holds no class folder with images, or an image cannot be read.
    """
    size = check_int("size", size)
    require(
        Path(folder).is_dir(),
        f"{folder} is not a folder: expected one folder a class, with images",
        DataError,
    )
    classes = _class_folders(Path(folder))
    pixels, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((Path(folder) / name).iterdir()):
            if path.suffix.lower() in EXTENSIONS:
                pixels.append(grey(path, size))
                labels.append(label)
    images = torch.from_numpy(np.stack(pixels))[:, None].float() / 255
    return Split(1 - images if invert else images, torch.tensor(labels), tuple(classes))


def hold_out(split, every=5, name="folder"):
    """A :class:`~lossbook.data.Dataset`: of each class, every ``every``-th image for testing, the rest for training.

    Raises ``ValueError`` if ``every`` is below 2 or a class has fewer images than that.
    """
    every = check_int("every", every, 2)
    counts = torch.bincount(split.labels, minlength=len(split.classes))
    few = int(counts.argmin())
    require(
        counts[few] >= every,
        f"class {split.classes[few]!r} has {int(counts[few])} images: with every = {every} "
        f"none of them is left for testing; give each class at least {every}, or ask for a smaller every",
    )
    order = torch.argsort(split.labels, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - (counts.cumsum(0) - counts)[split.labels[order]]
    test = place % every == every - 1
    return Dataset(
        name,
        *(Split(split.images[half], split.labels[half], split.classes) for half in (~test, test)),
    )


def _class_folders(root):
    """Every folder below ``root`` that directly holds images, in the order of their names."""
    holding = {path.parent for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS}
    classes = sorted(path.relative_to(root).as_posix() for path in holding - {root})
    require(
        classes,
        f"{root} has no folder with images in it: expected one folder a class, "
        f"with files that end in {', '.join(EXTENSIONS)}",
        DataError,
    )
    nested = next(
        (
            str(parent)
            for name in classes
            for parent in Path(name).parents
            if parent.as_posix() in classes
        ),
        None,
    )
    require(
        nested is None,
        f"{root}: folder {nested!r} holds images and folders with images: "
        "is it a class or a group of classes? Move its images",
        DataError,
    )
    return classes


def grey(path, size):
    """One image file as grey pixels, ``(size, size)`` uint8. Raises ``DataError`` if it cannot be read."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
                # 16 bits of grey, which convert would cut off at 255
                image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
            require(
                image.mode not in ("I", "F"),
                f"{path} has more than 16 bits a pixel ({image.mode}): "
                "which of its values is white is not known; save it with 8 or 16 bits",
                DataError,
            )
            return np.asarray(
                image.convert("L").resize((size, size), Image.Resampling.BOX), dtype=np.uint8
            )
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): replace or remove it"
        ) from error

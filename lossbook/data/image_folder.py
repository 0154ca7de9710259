"""Folders of images as data sets: one folder per class, at any depth.

A class is a folder that holds images; its name is its path below the root, ``"Greek/character01"``.
Images are read in the order of their names, so the same folder always gives the same tensors.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.utils.validation import check_int, require

__all__ = ["EXTENSIONS", "hold_out", "images_in", "read_grey"]

# Those of torchvision.datasets.ImageFolder, the import of which would take over a second.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def images_in(folder, size=28, invert=False):
    """All images below ``folder`` as a :class:`~lossbook.data.Split`: grey, ``size`` × ``size``.

    Parameters
    ----------
    folder : path
        One folder per class, with images in it (jpg, png, bmp, …), at any depth.
    size : int
        Height and width in pixels; each image is resized to it, averaging over the area that a
        new pixel covers.
    invert : bool
        Turn black into white: for dark ink on white paper, where MNIST has light digits on black.

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 1.
    DataError
        If the folder is missing, holds no class folder with images, or an image cannot be read.
    """
    folder, size = Path(folder), check_int("size", size)
    require(
        folder.is_dir(),
        f"{folder} is not a folder: expected one folder per class, with images",
        DataError,
    )
    files = _files_by_class(folder)
    pixels = [read_grey(file, size) for class_files in files.values() for file in class_files]
    labels = [label for label, class_files in enumerate(files.values()) for _ in class_files]
    images = torch.from_numpy(np.stack(pixels))[:, None].float() / 255
    return Split(1 - images if invert else images, torch.tensor(labels), tuple(files))


def hold_out(split, every=5, name="folder"):
    """A :class:`~lossbook.data.Dataset` that tests on every ``every``-th image of each class.

    The other images are for training. Raises ``ValueError`` if ``every`` is below 2 or a class has
    fewer images than that.
    """
    every = check_int("every", every, 2)
    counts = torch.bincount(split.labels, minlength=len(split.classes))
    smallest = int(counts.argmin())
    require(
        counts[smallest] >= every,
        f"class {split.classes[smallest]!r} has {int(counts[smallest])} images: with every = "
        f"{every} none of them is left for testing; give each class at least {every}, or choose a "
        "smaller every",
    )
    is_test = torch.zeros(len(split), dtype=torch.bool)
    for j in range(len(split.classes)):
        members = torch.nonzero(split.labels == j)[:, 0]
        is_test[members[every - 1 :: every]] = True
    train, test = (
        Split(split.images[half], split.labels[half], split.classes) for half in (~is_test, is_test)
    )
    return Dataset(name, train, test)


def read_grey(path, size):
    """An image file as grey pixels, ``(size, size)`` uint8.

    Raises ``DataError`` if it cannot be read or has more than 16 bits a pixel.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
                # 16 bits of grey, which convert would cut off at 255.
                image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
            require(
                image.mode not in ("I", "F"),
                f"{path} has more than 16 bits a pixel ({image.mode}): it is not known which of "
                "its values is white; save it with 8 or 16 bits",
                DataError,
            )
            resized = image.convert("L").resize((size, size), Image.Resampling.BOX)
            return np.asarray(resized, dtype=np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): replace or remove it"
        ) from error


def _files_by_class(root):
    """{class name: its image files}, both in the order of their names."""
    files = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in EXTENSIONS and path.is_file() and path.parent != root:
            files.setdefault(path.parent.relative_to(root).as_posix(), []).append(path)
    require(
        files,
        f"{root} has no folder with images in it: expected one folder per class, "
        f"with files that end in {', '.join(EXTENSIONS)}",
        DataError,
    )
    for name in files:
        for parent in Path(name).parents:
            require(
                parent.as_posix() not in files,
                f"{root}: folder {str(parent)!r} holds images and folders with images: "
                "is it a class or a group of classes? Move its images",
                DataError,
            )
    return {name: files[name] for name in sorted(files)}

"""Folders of images as data sets: any folder of class/images, and Omniglot's folder of alphabet/character/images.

A class is a folder that holds images, however deep it lies; its name is its path below the root,
``"Greek/character01"``. Images are read in the order of their names, so the same folder always gives the
same tensors.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torchvision import datasets
from torchvision.datasets.folder import IMG_EXTENSIONS

from .data import DataError
from .dataset import Dataset, Split
from .errors import require, whole
from .files import cache

__all__ = ["images_in", "hold_out", "omniglot"]


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
    size = whole("size", size)
    require(Path(folder).is_dir(), f"{folder} is not a folder: expected one folder a class, with images", DataError)
    found = _ImageFolder(folder, loader=lambda path: grey(path, size))
    pixels = np.stack([found.loader(path) for path, _ in found.samples])
    images = torch.from_numpy(pixels)[:, None].float() / 255
    labels = torch.tensor([label for _, label in found.samples])
    return Split(1 - images if invert else images, labels, tuple(found.classes))


def hold_out(split, every=5, name="folder"):
    """A :class:`~lossbook.data.Dataset`: of each class, every ``every``-th image for testing, the rest for training.

    Raises ``ValueError`` if ``every`` is below 2 or a class has fewer images than that.
    """
    every = whole("every", every, 2)
    counts = torch.bincount(split.labels, minlength=len(split.classes))
    few = int(counts.argmin())
    require(counts[few] >= every, f"class {split.classes[few]!r} has {int(counts[few])} images: with every = {every} "
            f"none of them is left for testing; give each class at least {every}, or ask for a smaller every")
    order = torch.argsort(split.labels, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - (counts.cumsum(0) - counts)[split.labels[order]]
    test = place % every == every - 1
    return Dataset(name, *(Split(split.images[half], split.labels[half], split.classes) for half in (~test, test)))


def omniglot(folder=None):
    """Omniglot's background characters, light on black, 28×28: 20 drawings each, by as many people.

    Source: Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning", Science 2015.

    Parameters
    ----------
    folder : path, optional
        An extracted folder of alphabet/character/images, whole or a part. Without it, torchvision
        downloads the 964 characters of 30 alphabets into lossbook's cache, once.

    Returns
    -------
    Dataset
        Every fifth drawing of a character is for testing: four people whom no training image shows.

    Raises
    ------
    DataError
        If the folder holds no images, or the download fails.
    """
    if folder is None:
        root = cache()
        try:
            folder = datasets.Omniglot(root, background=True, download=True).target_folder
        except (OSError, RuntimeError) as error:
            raise DataError(f"Omniglot is not in {root} and could not be downloaded: {error}\nExtract its "
                            "images_background.zip anywhere and give that folder's path") from error
    return hold_out(images_in(folder, invert=True), name="omniglot")


class _ImageFolder(datasets.ImageFolder):
    """torchvision's, for which every folder that directly holds images is a class."""

    def find_classes(self, directory):
        root = Path(directory)
        holding = {path.parent for path in root.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS}
        classes = sorted(path.relative_to(root).as_posix() for path in holding - {root})
        require(classes, f"{directory} has no folder with images in it: expected one folder a class, "
                         f"with files that end in {', '.join(IMG_EXTENSIONS)}", DataError)
        nested = next((str(parent) for one in classes for parent in Path(one).parents if parent.as_posix() in classes), None)
        require(nested is None, f"{directory}: folder {nested!r} holds images and folders with images: "
                                "is it a class or a group of classes? Move its images", DataError)
        return classes, {name: number for number, name in enumerate(classes)}


def grey(path, size):
    """One image file as grey pixels, ``(size, size)`` uint8. Raises ``DataError`` if it cannot be read."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
                # 16 bits of grey, which convert would cut off at 255
                image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
            require(image.mode not in ("I", "F"), f"{path} has more than 16 bits a pixel ({image.mode}): "
                    "which of its values is white is not known; save it with 8 or 16 bits", DataError)
            return np.asarray(image.convert("L").resize((size, size), Image.Resampling.BOX), dtype=np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} cannot be read as an image ({error}): replace or remove it") from error

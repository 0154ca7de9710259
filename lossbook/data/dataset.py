"""Split and Dataset: images and labels as tensors, checked once when they are put together."""

import hashlib
from dataclasses import dataclass

import torch

from lossbook.utils.validation import check_int, require

__all__ = ["DataError", "Dataset", "Split", "checksums", "stratified_positions"]


class DataError(RuntimeError):
    """A data set that cannot be found, read or trusted. The message says what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels: the training or the test half of a :class:`Dataset`.

    Parameters
    ----------
    images : Tensor, shape (N, channels, height, width), float32 in [0, 1] or uint8
        Bytes take a quarter of the memory; training and embedding divide them by 255, a batch at
        a time.
    labels : Tensor, shape (N,), int64: indices into ``classes``
    classes : tuple of str, the name of each class

    Raises
    ------
    TypeError
        If a tensor has another dtype, or ``classes`` is not a tuple of strings.
    ValueError
        If the shapes do not fit, there is no image, a pixel is not finite or lies outside [0, 1],
        or a label names no class.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]

    def __post_init__(self):
        images, labels, classes = self.images, self.labels, self.classes
        _check_dtype("images", images, torch.float32, torch.uint8)
        _check_dtype("labels", labels, torch.int64)
        require(
            isinstance(classes, tuple) and all(isinstance(c, str) for c in classes),
            f"classes must be a tuple of strings, got {classes!r}",
            TypeError,
        )
        require(
            len(set(classes)) == len(classes),
            f"classes must have different names, got {classes!r}",
        )
        require(
            images.ndim == 4 and labels.shape == images.shape[:1],
            "images must have shape (N, channels, height, width) and labels (N,), "
            f"got {tuple(images.shape)} and {tuple(labels.shape)}",
        )
        require(
            images.numel() > 0,
            f"images of shape {tuple(images.shape)} are empty: give at least one",
        )
        low, high = map(float, images.aminmax())  # NaN if any pixel is NaN
        require(
            0 <= low <= high <= 1 or images.dtype == torch.uint8,
            "pixels must be finite and in [0, 1] (bytes divided by 255), "
            f"got values from {low} to {high}",
        )
        low, high = map(int, labels.aminmax())
        require(
            0 <= low <= high < len(classes),
            f"labels must be at least 0 and below {len(classes)}, "
            f"the number of classes, got {low} to {high}",
        )

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        """(image, label) as tensors, (channels, height, width) and (); for a slice, of several.

        So a split is a map-style dataset for ``torch.utils.data.DataLoader``.
        """
        return self.images[index], self.labels[index]

    def select_classes(self, names):
        """The images of the classes with these names; labels are renumbered in the order given.

        Raises ``ValueError`` for a name that is not one of ``classes``, or that is given twice.
        """
        names = tuple(names)
        for name in names:
            require(
                name in self.classes,
                f"no class is called {name!r}; there are {', '.join(self.classes[:12])}"
                + (", …" if len(self.classes) > 12 else ""),
            )
        require(
            0 < len(set(names)) == len(names),
            f"names = {names}: expected at least one class, and each once",
        )
        new_label = torch.full((len(self.classes),), -1, device=self.labels.device)
        for label, name in enumerate(names):
            new_label[self.classes.index(name)] = label
        labels = new_label[self.labels]
        kept = labels >= 0
        return Split(self.images[kept], labels[kept], names)

    def __repr__(self):
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"Split({len(self)} images of {shape}, {len(self.classes)} classes)"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test :class:`Split` with the same classes and image shape.

    Parameters
    ----------
    name : str
    train, test : Split

    Raises
    ------
    ValueError
        If classes or image shapes of the two differ.
    """

    name: str
    train: Split
    test: Split

    def __post_init__(self):
        train, test = self.train, self.test
        require(
            train.classes == test.classes,
            f"train and test must have the same classes, got {train.classes} and {test.classes}",
        )
        require(
            train.images.shape[1:] == test.images.shape[1:],
            "train and test images must have the same "
            f"shape, got {tuple(train.images.shape[1:])} and {tuple(test.images.shape[1:])}",
        )

    @property
    def classes(self):
        """Tuple of str: the name of each class, in label order."""
        return self.train.classes

    def first_classes(self, num_classes):
        """The images of the first ``num_classes`` classes: ``mnist.first_classes(8)`` has 0 to 7.

        Raises ``ValueError`` unless 2 ≤ ``num_classes`` ≤ the number of classes.
        """
        require(
            2 <= num_classes <= len(self.classes),
            f"num_classes = {num_classes}: {self.name} has {len(self.classes)} classes, keep at "
            "least 2 and at most all of them",
        )
        if num_classes == len(self.classes):
            return self
        return self.select_classes(self.classes[:num_classes], f"first {num_classes} classes")

    def split_classes(self, held_out):
        """(known, strangers): the data set without the classes named in ``held_out``, and of these.

        Train on the first, and test on the second how the embedding does on classes that it was
        not trained on: ``known, strangers = digits.split_classes(["7", "8", "9"])``. Labels are
        renumbered in both.

        Raises ``ValueError`` for an unknown name, and unless there are at least 2 classes in each.
        """
        held_out = tuple(dict.fromkeys(held_out))
        known = tuple(name for name in self.classes if name not in held_out)
        require(
            len(held_out) >= 2 and len(known) >= 2,
            f"{len(held_out)} of {len(self.classes)} classes held out: keep at least 2 to train "
            "on, and hold out at least 2, so that there are strangers to tell apart",
        )
        return (
            self.select_classes(known, f"{len(known)} known classes"),
            self.select_classes(held_out, f"{len(held_out)} strangers"),
        )

    def select_classes(self, names, description=None):
        """The images of the classes with these names, see :meth:`Split.select_classes`.

        ``description``, if given, is appended to the data set's name.
        """
        return Dataset(
            self.name if description is None else f"{self.name}, {description}",
            self.train.select_classes(names),
            self.test.select_classes(names),
        )


def stratified_positions(labels, size):
    """Positions (n,) of n = min(``size``, N) samples, each class in its share; no randomness.

    ``labels`` is a tensor (N,) of integers. A :class:`~lossbook.training.Snapshot` holds the
    images ``stratified_positions(split.labels, snapshot_size)`` of its split, in that order.
    """
    size = min(check_int("size", size), len(labels))
    by_class = torch.argsort(labels, stable=True)
    evenly_spaced = torch.linspace(0, len(by_class) - 1, size, device=labels.device).long()
    return by_class[evenly_spaced].sort().values


def checksums(dataset):
    """SHA-256 of the pixels and labels of each half, ``{"train": …, "test": …}``.

    Two data sets are the same if and only if their checksums are.
    """
    return {"train": _checksum(dataset.train), "test": _checksum(dataset.test)}


def _checksum(split):
    content = hashlib.sha256()
    for tensor in (split.images, split.labels):
        content.update(tensor.cpu().contiguous().numpy().tobytes())
    return content.hexdigest()


def _check_dtype(name, tensor, *dtypes):
    given = getattr(tensor, "dtype", type(tensor).__name__)
    require(
        torch.is_tensor(tensor) and given in dtypes,
        f"{name} must be a tensor of {' or '.join(map(str, dtypes))}, got {given}",
        TypeError,
    )

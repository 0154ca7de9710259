"""Split and Dataset: images and labels as tensors, checked once when they are put together."""

import hashlib
from dataclasses import dataclass

import torch

from lossbook.utils.validation import check_int, require

__all__ = ["DataError", "Dataset", "Split", "stratified_positions", "checksums"]


class DataError(RuntimeError):
    """A data set that cannot be found, read or trusted. The message says what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels: the training or the test half of a :class:`Dataset`.

    Parameters
    ----------
    images : Tensor, shape (N, channels, height, width), float32 in [0, 1]
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
        for what, tensor, dtype in (
            ("images", images, torch.float32),
            ("labels", labels, torch.int64),
        ):
            given = getattr(tensor, "dtype", type(tensor).__name__)
            require(
                torch.is_tensor(tensor) and given == dtype,
                f"{what} must be a tensor of {dtype}, got {given}",
                TypeError,
            )
        require(
            isinstance(classes, tuple) and all(isinstance(c, str) for c in classes),
            f"classes must be a tuple of strings, got {classes!r}",
            TypeError,
        )
        require(
            len(set(classes)) == len(classes),
            f"classes must have names of their own, got {classes!r}",
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
        low, high = (bound.item() for bound in images.aminmax())  # NaN if any pixel is NaN
        require(
            0 <= low <= high <= 1,
            "pixels must be finite and in [0, 1] (bytes divided by 255), "
            f"got values from {low} to {high}",
        )
        low, high = (bound.item() for bound in labels.aminmax())
        require(
            0 <= low <= high < len(classes),
            f"labels must be at least 0 and below {len(classes)}, "
            f"the number of classes, got {low} to {high}",
        )

    def __len__(self):
        return len(self.labels)

    def only(self, classes):
        """The images of these classes alone, a sequence of names; labels count anew in the order given.

        Raises ``ValueError`` for a name that is not one of ``classes``, or that is given twice.
        """
        classes = tuple(classes)
        unknown = [name for name in classes if name not in self.classes]
        require(
            not unknown,
            f"no class is called {unknown and unknown[0]!r}; there are {', '.join(self.classes[:12])}"
            + (", …" if len(self.classes) > 12 else ""),
        )
        require(
            0 < len(set(classes)) == len(classes),
            f"classes = {classes}: name at least one, and each once",
        )
        place = torch.full((len(self.classes),), -1)
        place[[self.classes.index(name) for name in classes]] = torch.arange(len(classes))
        kept = place[self.labels] >= 0
        return Split(self.images[kept], place[self.labels[kept]], classes)

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

    def first(self, num_classes):
        """The images of the first ``num_classes`` classes alone, e.g. ``mnist.first(8)``: the digits 0 to 7.

        Raises ``ValueError`` unless 2 ≤ ``num_classes`` ≤ the number of classes.
        """
        require(
            2 <= num_classes <= len(self.classes),
            f"num_classes = {num_classes}: {self.name} has "
            f"{len(self.classes)} classes, keep at least 2 and at most all of them",
        )
        if num_classes == len(self.classes):
            return self
        return self.only(self.classes[:num_classes], f"first {num_classes} classes")

    def split_classes(self, held_out):
        """(known, strangers): this data set without the classes named in ``held_out``, and with them alone.

        Train on the first, and ask of the second how it fares with classes that no training saw:
        ``known, strangers = digits.split_classes(["7", "8", "9"])``. Labels count anew in both.

        Raises ``ValueError`` for an unknown name, and unless 2 classes or more are left on each side.
        """
        held_out = tuple(dict.fromkeys(held_out))
        known = tuple(name for name in self.classes if name not in held_out)
        require(
            len(held_out) >= 2 and len(known) >= 2,
            f"{len(held_out)} of {len(self.classes)} classes held out: "
            "keep at least 2 to train on, and hold out at least 2, so that there are strangers to tell apart",
        )
        return self.only(known, f"{len(known)} known classes"), self.only(
            held_out, f"{len(held_out)} strangers"
        )

    def only(self, classes, what=None):
        """The images of the named classes alone, see :meth:`Split.only`; ``what``, if given, is added to the name."""
        name = self.name if what is None else f"{self.name}, {what}"
        return Dataset(name, self.train.only(classes), self.test.only(classes))


def stratified_positions(labels, size):
    """Positions (n,) of n = min(``size``, N) samples, each class in its share, always the same ones.

    ``labels`` is a tensor (N,) of integers. A :class:`~lossbook.training.Snapshot` holds the
    images ``spread(split.labels, snapshot_size)`` of its split, in that order.
    """
    size, by_class = check_int("size", size), torch.argsort(labels, stable=True)
    return (
        by_class[torch.linspace(0, len(by_class) - 1, min(size, len(by_class))).long()]
        .sort()
        .values
    )


def checksums(dataset):
    """SHA-256 of each half's pixels and labels, ``{"train": …, "test": …}``: tells whether two data sets are the same."""

    def digest(half):
        return hashlib.sha256(
            half.images.cpu().contiguous().numpy().tobytes()
            + half.labels.cpu().contiguous().numpy().tobytes()
        ).hexdigest()

    return {"train": digest(dataset.train), "test": digest(dataset.test)}

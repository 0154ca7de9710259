"""Batches of P classes with K images each, as losses on pairs and triplets need them."""

import torch
from torch.utils.data import Sampler

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["MPerClassSampler"]


class MPerClassSampler(Sampler):
    """Image indices in batches of P = ``batch_size`` / ``per_class`` classes, K images of each.

    In a random batch of a data set with many classes, most images are the only one of their
    class, so :class:`~lossbook.heads.Contrastive` and :class:`~lossbook.heads.Triplet` have no
    positive pair for them. Here every image has K − 1 of them. An instance is a sampler of
    single indices for ``torch.utils.data.DataLoader``, to be used with the same ``batch_size``:
    every ``batch_size`` indices in turn are one batch.

    An epoch has N // ``batch_size`` batches, and at least one. The classes come in a random
    order, and again in a new one when fewer than P are left; the images of a class do the same
    with K. Every class therefore has about the same number of images in an epoch, whatever its
    size. If all classes have the same size, K divides it and P divides the number of classes, an
    epoch visits every image once. The K images of a batch differ from each other; a class with
    fewer than K repeats its images, each as often as the others or once more.

    Source: Hermans et al., arXiv 1703.07737, section 2 (P classes, K images).

    Parameters
    ----------
    labels : Tensor or array, shape (N,), integers from 0
        The class of every image, such as ``dataset.train.labels``.
    per_class : int
        K, at least 1; a pair needs 2.
    batch_size : int
        P·K, a multiple of ``per_class``.
    generator : torch.Generator, optional
        Draws the orders, on the CPU. The same state gives the same epoch. Default: torch's global
        generator.

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If there are no labels or one is negative, if ``batch_size`` is not a multiple of
        ``per_class``, or if there are fewer than P classes.

    Examples
    --------
    Two classes with two images each fill a batch of four.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
    >>> sampler = MPerClassSampler(labels, per_class=2, batch_size=4)
    >>> len(sampler)
    8
    >>> [len(labels[batch].unique()) for batch in torch.tensor(list(sampler)).split(4)]
    [2, 2]
    """

    def __init__(self, labels, per_class, batch_size, generator=None):
        super().__init__()
        per_class = check_int("per_class", per_class)
        batch_size = check_int("batch_size", batch_size)
        labels = torch.as_tensor(check_labels(labels, len(labels)), device="cpu")
        require(len(labels) > 0, "labels are empty: expected the class of at least one image")
        require(
            batch_size % per_class == 0,
            f"batch_size = {batch_size}: expected a multiple of per_class = {per_class}, such as "
            f"{-(-batch_size // per_class) * per_class}",
        )
        sizes = labels.unique(return_counts=True)[1].tolist()
        self.rows = labels.argsort(stable=True).split(sizes)  # of each class
        self.classes_per_batch = batch_size // per_class
        require(
            self.classes_per_batch <= len(self.rows),
            f"a batch of {batch_size} with {per_class} images of each class holds "
            f"{self.classes_per_batch} classes, and there are {len(self.rows)}: expected a "
            f"batch_size of at most {per_class * len(self.rows)}, or more images per_class",
        )
        self.per_class, self.batch_size, self.generator = per_class, batch_size, generator
        self.num_batches = max(1, len(labels) // batch_size)

    def __len__(self):
        return self.num_batches * self.batch_size

    def __iter__(self):
        classes = torch.empty(0, dtype=torch.int64, device="cpu")
        unused = [rows[:0] for rows in self.rows]
        for _ in range(self.num_batches):
            if len(classes) < self.classes_per_batch:
                classes = self._shuffled(torch.arange(len(self.rows), device="cpu"))
            for j in classes[: self.classes_per_batch].tolist():
                if len(unused[j]) < self.per_class:
                    repeats = -(-self.per_class // len(self.rows[j]))
                    unused[j] = self._shuffled(self.rows[j]).repeat(repeats)
                yield from unused[j][: self.per_class].tolist()
                unused[j] = unused[j][self.per_class :]
            classes = classes[self.classes_per_batch :]

    def _shuffled(self, values):
        order = torch.randperm(len(values), generator=self.generator, device="cpu")
        return values[order]

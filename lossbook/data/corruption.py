"""Data gone wrong on purpose: labels flipped, classes made rare. Training halves only; tests stay as they are."""

import torch

from lossbook.data.dataset import Dataset, Split
from lossbook.utils.validation import require

__all__ = ["flip_labels", "imbalance"]


def flip_labels(dataset, share, seed=0):
    """The data set with a ``share`` of its training labels changed to another class, drawn evenly.

    Exactly round(share · N) labels are wrong. Returns ``(Dataset, flipped)``; ``flipped`` ``(N,)`` bool says
    which. Raises ``ValueError`` unless 0 ≤ share < 1.
    """
    require(0 <= share < 1, f"share = {share!r}: expected a fraction of labels in [0, 1)")
    train, random = dataset.train, torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(train), generator=random)[: round(share * len(train))]
    away = torch.randint(1, len(train.classes), (len(chosen),), generator=random)
    labels, flipped = train.labels.clone(), torch.zeros(len(train), dtype=torch.bool)
    labels[chosen] = (labels[chosen] + away) % len(train.classes)
    flipped[chosen] = True
    return Dataset(
        f"{dataset.name}, {share:.0%} of labels flipped",
        Split(train.images, labels, train.classes),
        dataset.test,
    ), flipped


def imbalance(dataset, ratio):
    """The data set with classes of unequal size: the first keeps all its training images, the last 1/``ratio`` of them.

    Sizes fall geometrically in between; a class keeps its first images, and at least one. Raises
    ``ValueError`` unless ratio ≥ 1.
    """
    require(ratio >= 1, f"ratio = {ratio!r}: the largest class over the smallest, at least 1")
    train = dataset.train
    last = max(1, len(train.classes) - 1)
    kept = torch.zeros(len(train), dtype=torch.bool)
    for j in range(len(train.classes)):
        rows = torch.nonzero(train.labels == j)[:, 0]
        kept[rows[: max(1, round(len(rows) * ratio ** (-j / last)))]] = True
    rarer = Split(train.images[kept], train.labels[kept], train.classes)
    return Dataset(f"{dataset.name}, sizes 1 to 1/{ratio:g}", rarer, dataset.test)

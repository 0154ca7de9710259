"""Training images made worse on purpose, by wrong labels or rare classes; test images stay."""

import torch

from lossbook.data.dataset import Dataset, Split
from lossbook.utils.validation import require

__all__ = ["flip_labels", "imbalance"]


def flip_labels(dataset, share, seed=0):
    """The data set with a ``share`` of its training labels changed to other classes at random.

    Exactly round(share · N) labels are wrong, spread evenly over the other classes. Returns
    ``(Dataset, flipped)``, where ``flipped`` ``(N,)`` bool is true for the wrong ones.

    Raises ``ValueError`` unless 0 ≤ share < 1.
    """
    require(0 <= share < 1, f"share = {share!r}: expected a fraction of labels in [0, 1)")
    train, num_classes = dataset.train, len(dataset.classes)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(train), generator=generator)[: round(share * len(train))]
    offset = torch.randint(1, num_classes, (len(rows),), generator=generator)
    labels = train.labels.clone()
    labels[rows] = (labels[rows] + offset) % num_classes
    flipped = torch.zeros(len(train), dtype=torch.bool)
    flipped[rows] = True
    noisy = Dataset(
        f"{dataset.name}, {share:.0%} of labels flipped",
        Split(train.images, labels, train.classes),
        dataset.test,
    )
    return noisy, flipped


def imbalance(dataset, ratio):
    """The data set with training classes of unequal size, from all images down to 1/``ratio``.

    The first class keeps all its training images, the last 1/``ratio`` of them, and sizes fall
    geometrically in between; a class keeps its first images, and at least one.

    Raises ``ValueError`` unless ratio ≥ 1.
    """
    require(ratio >= 1, f"ratio = {ratio!r}: the largest class over the smallest, at least 1")
    train = dataset.train
    last = max(1, len(train.classes) - 1)
    kept = torch.zeros(len(train), dtype=torch.bool)
    for j in range(len(train.classes)):
        rows = torch.nonzero(train.labels == j)[:, 0]
        count = max(1, round(len(rows) * ratio ** (-j / last)))
        kept[rows[:count]] = True
    smaller = Split(train.images[kept], train.labels[kept], train.classes)
    return Dataset(f"{dataset.name}, sizes 1 to 1/{ratio:g}", smaller, dataset.test)

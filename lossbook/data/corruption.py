"""Data made worse on purpose: wrong labels and rare classes in training, and degraded images."""

import torch
import torch.nn.functional as F

from lossbook.backbones import scale_bytes
from lossbook.data.dataset import Dataset, Split
from lossbook.utils.validation import check_int, require

__all__ = [
    "flip_labels",
    "imbalance",
    "blur",
    "blur_at_random",
    "add_noise",
    "lower_resolution",
]


def flip_labels(dataset, share, seed=0):
    """The data set with a ``share`` of its training labels changed to other classes at random.

    Exactly round(share · N) labels are wrong, spread evenly over the other classes. Returns
    ``(Dataset, flipped)``, where ``flipped`` ``(N,)`` bool is true for the wrong ones.

    Raises ``ValueError`` unless 0 ≤ share < 1.
    """
    require(0 <= share < 1, f"share = {share!r}: expected a fraction of labels in [0, 1)")
    train, num_classes = dataset.train, len(dataset.classes)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=generator, device="cpu")
    rows = order[: round(share * len(train))]
    offset = torch.randint(1, num_classes, (len(rows),), generator=generator, device="cpu")
    labels = train.labels.clone()
    labels[rows] = (labels[rows] + offset) % num_classes
    flipped = torch.zeros(len(train), dtype=torch.bool, device="cpu")
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
    kept = torch.zeros(len(train), dtype=torch.bool, device="cpu")
    for j in range(len(train.classes)):
        rows = torch.nonzero(train.labels == j)[:, 0]
        count = max(1, round(len(rows) * ratio ** (-j / last)))
        kept[rows[:count]] = True
    smaller = Split(train.images[kept], train.labels[kept], train.classes)
    return Dataset(f"{dataset.name}, sizes 1 to 1/{ratio:g}", smaller, dataset.test)


def blur(images, sigma):
    """Images blurred with a Gaussian of standard deviation ``sigma``, in pixels.

    ``images`` are ``(N, channels, height, width)``, float32 in [0, 1] or uint8; float32 of the same
    shape is returned. Outside of an image all is black. The Gaussian ends at 4 ``sigma``.

    Raises ``ValueError`` unless ``sigma`` is at least 0 and finite.
    """
    require(0 <= sigma < float("inf"), f"sigma = {sigma!r}: expected pixels, at least 0")
    images = scale_bytes(images)
    if sigma == 0:
        return images
    radius = int(4 * sigma + 0.5)
    offset = torch.arange(-radius, radius + 1, device=images.device).float()
    weight = torch.exp(-0.5 * (offset / sigma) ** 2)
    weight = weight / weight.sum()
    planes = images.flatten(0, 1)[:, None]  # every channel for itself
    planes = F.conv2d(planes, weight[None, None, None, :], padding=(0, radius))
    planes = F.conv2d(planes, weight[None, None, :, None], padding=(radius, 0))
    return planes.reshape(images.shape)


def blur_at_random(images, strongest, seed=0):
    """``(blurred, sigma)``: every image blurred with a standard deviation of its own.

    ``sigma`` ``(N,)`` is uniform from 0 to ``strongest`` pixels, in twelfths of it. Takes and
    gives images as :func:`blur`, and raises as it does.
    """
    images = scale_bytes(images)
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 13, (len(images),), generator=generator, device="cpu")
    blurred = images.clone()
    for step in steps.unique().tolist():
        rows = steps == step
        blurred[rows] = blur(images[rows], strongest * step / 12)
    return blurred, strongest * steps / 12


def add_noise(images, std, seed=0):
    """Images with Gaussian noise of standard deviation ``std`` on every pixel, cut to [0, 1].

    Images as in :func:`blur`; white is 1. Raises ``ValueError`` unless ``std`` is at least 0 and
    finite.
    """
    require(0 <= std < float("inf"), f"std = {std!r}: expected a part of white, at least 0")
    images = scale_bytes(images)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(images.shape, generator=generator, device="cpu")
    return (images + std * noise.to(images.device)).clamp(0, 1)


def lower_resolution(images, size):
    """Images brought to ``size`` × ``size`` pixels, and back to their own size.

    Pixels are averaged on the way down, and interpolated (bilinearly) on the way up. Images as in
    :func:`blur`. Raises ``ValueError`` if ``size`` is less than 1.
    """
    size = check_int("size", size)
    images = scale_bytes(images)
    small = F.interpolate(images, size=(size, size), mode="area")
    return F.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)

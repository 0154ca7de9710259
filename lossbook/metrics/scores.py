"""Accuracies and angles of one trained network on all images of a split."""

import numpy as np
import torch

from lossbook import metrics
from lossbook.backbones import embed

__all__ = ["score"]

# What score measures in radians; the last three in the plane alone.
ANGLES = (
    "median_angle_own",
    "median_angle_other",
    "within",
    "between_min",
    "between_mean",
    "gap_min",
    "gap_median",
    "largest_empty_arc",
)


def score(backbone, head, split):
    """Accuracies and angles of all images of a split, as a dict that JSON can hold; see :func:`measure`."""
    x = embed(backbone, split.images)
    with torch.no_grad():
        logits, weight = head(x.to(head.weight.device)), head.weight
    own, other = metrics.angles(x, weight, split.labels)
    angular = metrics.angular_spread(x, split.labels)
    found = {
        "images": len(split),
        "accuracy": metrics.accuracy(logits, split.labels),
        "accuracy_by_angle": metrics.angular_accuracy(x, weight, split.labels),
        "median_angle_own": float(np.median(own)),
        "median_angle_other": float(np.median(other)),
        **angular._asdict(),
    }
    if x.shape[1] == 2:
        gaps = metrics.angular_gaps(x, split.labels)
        found.update(
            gap_min=float(gaps.min()),
            gap_median=float(np.median(gaps)),
            largest_empty_arc=metrics.largest_empty_arc(x),
        )
    return found

"""Accuracies and angles of a trained network on all images of a split."""

import numpy as np
import torch

from lossbook.backbones import embed
from lossbook.metrics.angular import (
    accuracy,
    angles,
    angular_accuracy,
    angular_gaps,
    angular_spread,
    largest_empty_arc,
)

__all__ = ["ANGLES", "score"]

# What score measures in radians; the last three for 2-D embeddings only.
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
    """Accuracies and angles over all images of a split, as a dict that JSON can hold.

    ``images`` counts the images; ``accuracy`` and ``accuracy_by_angle`` are fractions, by the
    head's logits without margin and by the nearest class vector. The others are angles in radians,
    see ``ANGLES`` and :mod:`lossbook.metrics`: to the class vector of the label
    (``median_angle_own``) and to the nearest other (``median_angle_other``).
    """
    labels = split.labels
    x = embed(backbone, split.images)
    with torch.no_grad():
        logits, weight = head(x.to(head.weight.device)), head.weight
    target_angle, other_angle = angles(x, weight, labels)
    measures = {
        "images": len(split),
        "accuracy": accuracy(logits, labels),
        "accuracy_by_angle": angular_accuracy(x, weight, labels),
        "median_angle_own": float(np.median(target_angle)),
        "median_angle_other": float(np.median(other_angle)),
        **angular_spread(x, labels)._asdict(),
    }
    if x.shape[1] == 2:
        gaps = angular_gaps(x, labels)
        measures["gap_min"] = float(gaps.min())
        measures["gap_median"] = float(np.median(gaps))
        measures["largest_empty_arc"] = largest_empty_arc(x)
    return measures

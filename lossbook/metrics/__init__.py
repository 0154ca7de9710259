"""Metrics: accuracy and angles of a set of embeddings, measured without any margin."""

from lossbook.metrics.angular import (
    AngularSpread,
    accuracy,
    angles,
    angular_accuracy,
    angular_gaps,
    angular_spread,
    largest_empty_arc,
)

__all__ = [
    "accuracy",
    "angles",
    "angular_accuracy",
    "angular_gaps",
    "angular_spread",
    "AngularSpread",
    "largest_empty_arc",
]

"""Metrics: what a set of embeddings is worth, measured without any margin."""

from lossbook.metrics.angular import (
    Spread,
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
    "largest_empty_arc",
    "Spread",
]

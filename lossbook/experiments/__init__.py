"""Experiments: what makes the saved results of the book."""

from lossbook.experiments import (
    label_noise,
    omniglot,
    omniglot_gains,
    reproduce,
    results,
    resumable,
    rows,
    scale_margin_grid,
)

__all__ = [
    "label_noise",
    "omniglot",
    "omniglot_gains",
    "reproduce",
    "results",
    "resumable",
    "rows",
    "scale_margin_grid",
]

"""Experiments: what makes the saved results of the book."""

from lossbook.experiments import (
    closed_set,
    label_noise,
    omniglot,
    omniglot_gains,
    reproduce,
    results,
    resumable,
    rows,
    scale_margin_grid,
    scales,
    typefaces,
    typefaces_gains,
)

__all__ = [
    "closed_set",
    "label_noise",
    "omniglot",
    "omniglot_gains",
    "reproduce",
    "results",
    "resumable",
    "rows",
    "scale_margin_grid",
    "scales",
    "typefaces",
    "typefaces_gains",
]

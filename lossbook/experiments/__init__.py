"""Experiments: what makes the saved results of the book."""

from lossbook.experiments import (
    closed_set,
    degraded_digits,
    embeddings,
    label_noise,
    omniglot,
    omniglot_gains,
    one_softmax,
    reproduce,
    results,
    resumable,
    rows,
    scale_margin_grid,
    scales,
    typefaces,
    typefaces_gains,
    typefaces_rows,
)

__all__ = [
    "closed_set",
    "degraded_digits",
    "embeddings",
    "label_noise",
    "omniglot",
    "omniglot_gains",
    "one_softmax",
    "reproduce",
    "results",
    "resumable",
    "rows",
    "scale_margin_grid",
    "scales",
    "typefaces",
    "typefaces_gains",
    "typefaces_rows",
]

"""The losses of the experiment on typefaces: rows of margins and scales, and which are chosen.

A row is a loss with its margin and its scale. Of each loss the row with the lowest error on the
tuning characters is taken.
"""

import re

import numpy as np

from lossbook import bounds, heads
from lossbook.heads.presets import head_from_preset, preset_from_name
from lossbook.utils.validation import require

__all__ = ["ADAPTIVE", "GRID", "LOSSES", "best_row", "build_head", "rows_of"]

# What is chosen: each loss with its rows, which differ in margin and scale. A scale is a multiple
# of the rule's, so that the choice made with 400 classes holds for any number: "_x2" is twice it.
GRID = {
    "softmax": ("softmax",),
    "norm-softmax": ("norm-softmax_x1", "norm-softmax_x2", "norm-softmax_x3"),
    "A-softmax": ("A-softmax_m2", "A-softmax_m3", "A-softmax_m4"),
    "CosFace": tuple(f"CosFace_m{m}{x}" for m in (0.1, 0.2, 0.35) for x in ("", "_x2")),
    "ArcFace": tuple(f"ArcFace_m{m}{x}" for m in (0.1, 0.3, 0.5) for x in ("", "_x2")),
    "combined": tuple(f"combined_m{m}{x}" for m in ("0.1_m0.1", "0.3_m0.1") for x in ("", "_x2")),
    "contrastive": ("contrastive_m0.5", "contrastive_m1", "contrastive_m2"),
    "triplet": tuple(
        f"triplet-{mining}_m{m}" for mining in ("semi-hard", "batch-all") for m in (0.2, 0.5, 1)
    ),
}
LOSSES = tuple(GRID)
# Losses whose margin adapts, with the margin, and so the scale, that was chosen for ArcFace.
# MagFace's is 0.45 for the shortest embeddings.
ADAPTIVE = ("MagFace_m0.45", "AdaFace_m0.3", "CurricularFace_m0.3")
ADAPTIVE_HEADS = {  # the head, and what it calls the margin in a row
    "MagFace": (heads.MagFace, "low_margin"),
    "AdaFace": (heads.AdaFace, "margin"),
    "CurricularFace": (heads.CurricularFace, "margin"),
}
NUMBER = r"(\d+(?:\.\d+)?)"


def build_head(row, embedding_dim, num_classes):
    """(head, kind of similarity) of a row.

    A row is ``"softmax"``, ``"contrastive_m1"``, ``"triplet-batch-all_m0.5"`` (how triplets are
    mined, and the margin), ``"combined_m0.3_m0.2"`` (m2 and m3), ``"AdaFace_m0.3"``,
    ``"CurricularFace_m0.3"``, ``"MagFace_m0.45"`` (its lowest margin), or a name that
    :func:`lossbook.heads.head_from_name` takes. Unless it gives a scale with ``_s``, the scale is
    that of :func:`lossbook.bounds.working_scale`, times the number after ``_x`` at its end.

    Raises ``KeyError`` as :func:`lossbook.heads.preset_from_name`.
    """
    if match := re.fullmatch(rf"contrastive_m{NUMBER}", row):
        return heads.Contrastive(embedding_dim, num_classes, float(match[1])), "distance"
    if match := re.fullmatch(rf"triplet-(.+)_m{NUMBER}", row):
        return heads.Triplet(embedding_dim, num_classes, float(match[2]), match[1]), "distance"
    name, _, factor = row.partition("_x")
    factor = float(factor or 1)
    if match := re.fullmatch(rf"combined_m{NUMBER}_m{NUMBER}", name):
        m2, m3 = float(match[1]), float(match[2])
        scale = factor * bounds.working_scale(num_classes, m2=m2, m3=m3)
        return heads.CombinedMargin(embedding_dim, num_classes, scale, 1, m2, m3), "cosine"
    loss, _, margin = name.partition("_m")
    if loss in ADAPTIVE_HEADS:
        head, margin_name = ADAPTIVE_HEADS[loss]
        scale = factor * bounds.working_scale(num_classes, m2=float(margin))
        return head(embedding_dim, num_classes, scale, **{margin_name: float(margin)}), "cosine"
    preset = preset_from_name(name)
    if preset.unit_embedding and "_s" not in name:
        scale = factor * bounds.working_scale(num_classes, preset.m1, preset.m2, preset.m3)
        preset = preset._replace(scale=scale)
    return head_from_preset(preset, embedding_dim, num_classes), "cosine"


def rows_of(losses, record=None):
    """The rows of losses: a loss by its name has the row that tuning chose; a row is itself.

    ``record`` holds the tuning. Raises ``ValueError`` if a loss has margins to choose from, and
    ``record`` has not measured all of them.
    """
    return [best_row(loss, record) if loss in GRID else loss for loss in losses]


def best_row(loss, record):
    """The row of ``GRID[loss]`` with the lowest mean equal error rate on the tuning characters."""
    rows = GRID[loss]
    if len(rows) == 1:
        return rows[0]
    rates = {row: [] for row in rows}
    for cell in (record or {"cells": {}})["cells"].values():
        if cell["tuning"] and cell["row"] in rates:
            rates[cell["row"]].append(cell["strangers"]["eer"][0])
    missing = [row for row in rows if not rates[row]]
    require(
        not missing,
        f"the margin and scale of {loss} are not chosen yet, {', '.join(missing)} are not "
        "measured: run "
        f"lossbook typefaces --tune --losses {loss}, or name a row such as {rows[-1]}",
    )
    return min(rows, key=lambda row: np.mean(rates[row]))

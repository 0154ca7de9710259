"""Rows: the losses of the results tables, each named by a preset or by a loss with its scale and margin.

``"ArcFace_v1"`` is the preset; ``"ArcFace_v1_s16"`` the same with scale 16; ``"CosFace_s30_m0.4"``
and ``"A-softmax_m4"`` name a loss with a scale and a margin of their own.
"""

import math

from lossbook import bounds
from lossbook.heads.presets import PRESETS, preset_from_name

__all__ = ["with_feasible_scale", "all_rows"]


def with_feasible_scale(name, num_classes, embedding_dim=2):
    """The name of the row's twin with a feasible scale, or None if its own scale will do.

    Feasible is the least scale of :func:`lossbook.bounds.limits`, rounded up to a whole number.
    There is no twin where no bound is known, nor for heads that keep the embeddings' lengths:
    these set their own scale.
    """
    row, least = preset_from_name(name), bounds.limits(num_classes, embedding_dim).least_scale
    if not row.x_norm or least is None or row.scale >= least:
        return None
    return f"{name}_s{math.ceil(least)}"


def all_rows(num_classes, embedding_dim=2):
    """All presets, each followed by its mended twin where it has one."""
    return [
        name
        for preset in PRESETS
        for name in (preset, with_feasible_scale(preset, num_classes, embedding_dim))
        if name
    ]

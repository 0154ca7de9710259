"""Rows of the results tables: losses named by a preset, or by a loss with its scale and margin.

``"ArcFace_v1"`` is the preset; ``"ArcFace_v1_s16"`` the same with scale 16; ``"CosFace_s30_m0.4"``
and ``"A-softmax_m4"`` name a loss with a scale and a margin of their own.
"""

import math

import torch

from lossbook import bounds
from lossbook.heads.adaptive import AdaCos
from lossbook.heads.margin_heads import NormSoftmax
from lossbook.heads.presets import PRESETS, preset_from_name

__all__ = ["FREE_SCALE", "with_feasible_scale", "all_rows", "learned_scale"]


def with_feasible_scale(name, num_classes, embedding_dim=2):
    """The name of the same row with a feasible scale, or None if its own scale is feasible.

    Feasible is the least scale of :func:`lossbook.bounds.limits`, rounded up to a whole number.
    The result is None, too, where no bound is known, and for heads that keep the embeddings'
    lengths: these have no scale to set.
    """
    preset = preset_from_name(name)
    least_scale = bounds.limits(num_classes, embedding_dim).least_scale
    if not preset.unit_embedding or least_scale is None or preset.scale >= least_scale:
        return None
    return f"{name}_s{math.ceil(least_scale)}"


def all_rows(num_classes, embedding_dim=2):
    """The names of all presets, each followed by its twin with a feasible scale, if it has one."""
    names = []
    for preset in PRESETS:
        names.append(preset)
        twin = with_feasible_scale(preset, num_classes, embedding_dim)
        if twin is not None:
            names.append(twin)
    return names


def learned_scale(embedding_dim, num_classes):
    """NormSoftmax whose scale is a weight like any other; it begins at 16."""
    head = NormSoftmax(embedding_dim, num_classes, scale=16)
    head.scale = torch.nn.Parameter(torch.tensor(16.0))
    return head


# Heads whose scale is not fixed: name -> function of embedding_dim and num_classes.
FREE_SCALE = {"AdaCos": AdaCos, "learned-scale": learned_scale}

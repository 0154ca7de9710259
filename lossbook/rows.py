"""Rows: the losses of the results tables, each named by a preset or by a loss with its scale and margin.

``"ArcFace_v1"`` is the preset; ``"ArcFace_v1_s16"`` the same with scale 16; ``"CosFace_s30_m0.4"``
and ``"A-softmax_m4"`` name a loss with a scale and a margin of their own.
"""

import math
import re

from . import bounds
from .heads import MORE_PRESETS, PRESETS, from_preset, head_of

__all__ = ["row_named", "head_named", "mended", "everything"]

MARGIN_OF = {"L-softmax": "m1", "A-softmax": "m1", "ArcFace": "m2", "CosFace": "m3"}


def row_named(name):
    """The :class:`~lossbook.heads.Preset` that ``name`` stands for.

    Raises ``KeyError`` naming the nearest presets and the way to write a scale and a margin, and for
    a preset of ``MORE_PRESETS``, which no row describes.
    """
    if name in MORE_PRESETS:
        raise KeyError(f"{name!r} is a preset that no row of lengths, scale and margins describes: take head_named")
    loss, scale, margin = re.fullmatch(r"(.*?)(?:_s(\d+(?:\.\d+)?))?(?:_m(\d+(?:\.\d+)?))?", name, re.DOTALL).groups()
    family = re.sub(r"_v\d+$", "", loss)
    if loss in PRESETS:
        row = PRESETS[loss]
    elif loss in MARGIN_OF and margin is not None:
        row = next(row for preset, row in PRESETS.items() if preset.startswith(f"{loss}_v"))
    else:
        hint = f"{loss} needs a margin, for instance {loss}_m0.3. " if loss in MARGIN_OF else ""
        try:
            from_preset(loss, 2, 10)
        except KeyError as error:
            raise KeyError(f"{hint}{error.args[0]}; add _s16 for another scale, _m0.3 for another margin") from None
    if scale is not None:
        if not row.x_norm:
            raise KeyError(f"{name!r}: {loss} keeps the embeddings' lengths and has no scale to set; leave _s{scale} out")
        row = row._replace(scale=float(scale))
    if margin is not None:
        if family not in MARGIN_OF:
            raise KeyError(f"{name!r}: {loss} has no margin to set; leave _m{margin} out")
        value = int(margin) if margin.isdigit() and MARGIN_OF[family] == "m1" else float(margin)
        row = row._replace(**{MARGIN_OF[family]: value})
    return row


def head_named(name, embedding_dim, num_classes):
    """The head of a row, e.g. ``head_named("ArcFace_v1_s16", 2, 10)``, or of any preset.

    Raises as :func:`row_named`, and ``ValueError`` for a margin that the loss cannot take.
    """
    if name in MORE_PRESETS:
        return from_preset(name, embedding_dim, num_classes)
    return head_of(row_named(name), embedding_dim, num_classes)


def mended(name, num_classes, embedding_dim=2):
    """The name of the row's twin with a feasible scale, or None if its own scale will do.

    Feasible is the least scale of :func:`lossbook.bounds.limits`, rounded up to a whole number.
    There is no twin where no bound is known, nor for heads that keep the embeddings' lengths:
    these set their own scale.
    """
    row, least = row_named(name), bounds.limits(num_classes, embedding_dim).least_scale
    if not row.x_norm or least is None or row.scale >= least:
        return None
    return f"{name}_s{math.ceil(least)}"


def everything(num_classes, embedding_dim=2):
    """All presets, each followed by its mended twin where it has one."""
    return [name for preset in PRESETS for name in (preset, mended(preset, num_classes, embedding_dim)) if name]

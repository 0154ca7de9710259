"""From a name, a preset or a record to a head: the one place that does it."""

import difflib
import re
from inspect import signature
from typing import NamedTuple

from lossbook import heads
from lossbook.heads.margin_heads import (
    ArcFace,
    CombinedMargin,
    CosFace,
    LSoftmax,
    NormSoftmax,
    Softmax,
    SphereFace,
)
from lossbook.utils.validation import require

__all__ = [
    "Preset",
    "PRESETS",
    "MORE_PRESETS",
    "preset_names",
    "from_preset",
    "head_from_preset",
    "head_from_run",
    "preset_from_name",
    "head_from_name",
]


class Preset(NamedTuple):
    """One row of the presets table: which lengths are normalised, the scale, the three margins."""

    w_norm: bool
    x_norm: bool
    scale: float
    m1: float
    m2: float
    m3: float


# The ten settings of a well-known MNIST comparison (niyunsheng/Visualization-of-Face-Losses), by its names.
PRESETS = {
    "softmax": Preset(False, False, 1, 1, 0, 0),
    "L-softmax_v1": Preset(False, False, 1, 2, 0, 0),
    "A-softmax_v1": Preset(True, False, 1, 2, 0, 0),
    "A-softmax_v2": Preset(True, False, 1, 3, 0, 0),
    "norm-softmax": Preset(True, True, 1, 1, 0, 0),
    "CosFace_v1": Preset(True, True, 4, 1, 0, 0.1),
    "CosFace_v2": Preset(True, True, 4, 1, 0, 0.2),
    "ArcFace_v1": Preset(True, True, 4, 1, 0.1, 0),
    "ArcFace_v2": Preset(True, True, 4, 1, 0.2, 0),
    "ArcFace_v3": Preset(True, True, 4, 1, 0.3, 0),
}

# Settings of losses that no row of that table describes: name -> function of embedding_dim and num_classes.
MORE_PRESETS = {}


def preset_names():
    """The names that :func:`from_preset` knows, those of :data:`PRESETS` first."""
    return [*PRESETS, *MORE_PRESETS]


def from_preset(name, embedding_dim, num_classes):
    """The head of a row of :data:`PRESETS` or of :data:`MORE_PRESETS`, e.g. ``from_preset("ArcFace_v1", 2, 10)``.

    Raises ``KeyError`` naming the nearest presets if there is none of that name.
    """
    if name in MORE_PRESETS:
        return MORE_PRESETS[name](embedding_dim, num_classes)
    if name not in PRESETS:
        lowered = {preset.lower(): preset for preset in preset_names()}
        near = difflib.get_close_matches(str(name).lower(), lowered, n=3, cutoff=0.4)
        hint = (
            "did you mean " + " or ".join(lowered[match] for match in near) + "? " if near else ""
        )
        raise KeyError(f"no preset {name!r}: {hint}The presets are {', '.join(preset_names())}")
    return head_from_preset(PRESETS[name], embedding_dim, num_classes)


def head_from_preset(row, embedding_dim, num_classes):
    """The head of a :class:`Preset`: the plainest class that has its lengths and margins.

    Raises ``ValueError`` for a row that no head here can follow.
    """
    if row.x_norm:
        require(
            row.w_norm,
            f"{row}: no head here normalises embeddings and leaves the class vectors their lengths",
        )
        if row.m1 == 1 and row.m2 == 0 and row.m3 == 0:
            return NormSoftmax(embedding_dim, num_classes, scale=row.scale)
        if row.m1 == 1 and row.m2 == 0:
            return CosFace(embedding_dim, num_classes, scale=row.scale, margin=row.m3)
        if row.m1 == 1 and row.m3 == 0:
            return ArcFace(embedding_dim, num_classes, scale=row.scale, margin=row.m2)
        return CombinedMargin(embedding_dim, num_classes, *row[2:])
    require(
        row.scale == 1 and row.m2 == 0 and row.m3 == 0,
        f"{row}: a head that keeps the embeddings' lengths takes them for its scale, and knows the margin m1 alone",
    )
    if row.m1 == 1 and not row.w_norm:
        return Softmax(embedding_dim, num_classes, bias=False)
    return (SphereFace if row.w_norm else LSoftmax)(embedding_dim, num_classes, margin=row.m1)


def head_from_run(run, epoch=None):
    """A head with the settings of the one that ``run`` was trained with, and its margin as at that epoch.

    λ annealing stands as at the end of ``epoch``; without it, at the end of training.
    Raises ``ValueError`` if the run does not tell: its head is not one of :mod:`lossbook.heads`.
    """
    kind = next(
        (kind for kind in _kinds(heads.Head) if kind.__name__ == run.name.partition("(")[0]), None
    )
    require(
        kind is not None and run.config.get("head"),
        f"{run.name} does not tell its margin: it was not trained with a head of lossbook.heads; give the head "
        "it was trained with, heads={title: head}, or caps=False",
    )
    head = kind(
        **{
            name: value
            for name, value in run.config["head"].items()
            if name in signature(kind).parameters
        }
    )
    head.set_progress(1.0 if epoch is None else min(1.0, epoch / run.config["recipe"]["epochs"]))
    return head


def _kinds(kind):
    """A class of heads and all that are made from it."""
    yield kind
    for own in kind.__subclasses__():
        yield from _kinds(own)


MARGIN_OF = {"L-softmax": "m1", "A-softmax": "m1", "ArcFace": "m2", "CosFace": "m3"}


def preset_from_name(name):
    """The :class:`~lossbook.heads.Preset` that ``name`` stands for.

    Raises ``KeyError`` naming the nearest presets and the way to write a scale and a margin, and for
    a preset of ``MORE_PRESETS``, which no row describes.
    """
    if name in MORE_PRESETS:
        raise KeyError(
            f"{name!r} is a preset that no row of lengths, scale and margins describes: take head_named"
        )
    loss, scale, margin = re.fullmatch(
        r"(.*?)(?:_s(\d+(?:\.\d+)?))?(?:_m(\d+(?:\.\d+)?))?", name, re.DOTALL
    ).groups()
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
            raise KeyError(
                f"{hint}{error.args[0]}; add _s16 for another scale, _m0.3 for another margin"
            ) from None
    if scale is not None:
        if not row.x_norm:
            raise KeyError(
                f"{name!r}: {loss} keeps the embeddings' lengths and has no scale to set; leave _s{scale} out"
            )
        row = row._replace(scale=float(scale))
    if margin is not None:
        if family not in MARGIN_OF:
            raise KeyError(f"{name!r}: {loss} has no margin to set; leave _m{margin} out")
        value = int(margin) if margin.isdigit() and MARGIN_OF[family] == "m1" else float(margin)
        row = row._replace(**{MARGIN_OF[family]: value})
    return row


def head_from_name(name, embedding_dim, num_classes):
    """The head of a row, e.g. ``head_named("ArcFace_v1_s16", 2, 10)``, or of any preset.

    Raises as :func:`row_named`, and ``ValueError`` for a margin that the loss cannot take.
    """
    if name in MORE_PRESETS:
        return from_preset(name, embedding_dim, num_classes)
    return head_from_preset(preset_from_name(name), embedding_dim, num_classes)

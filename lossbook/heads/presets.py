"""From a name, a preset or a run's record to a head.

``"ArcFace_v1"`` is a preset, ``"ArcFace_v1_s16"`` the same with another scale, and
``"CosFace_s30_m0.4"`` and ``"A-softmax_m4"`` are a loss with its scale and margin in the name.
"""

import difflib
import re
from functools import partial
from inspect import signature
from typing import NamedTuple

from lossbook.heads.adaptive import (
    AdaCos,
    AdaFace,
    CurricularFace,
    ElasticFace,
    MagFace,
    MVSoftmax,
)
from lossbook.heads.base import Head
from lossbook.heads.margin_heads import (
    ArcFace,
    CombinedMargin,
    CosFace,
    LSoftmax,
    NormSoftmax,
    Softmax,
    SphereFace,
)
from lossbook.heads.sphereface2 import SphereFace2
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.utils.validation import require

__all__ = [
    "Preset",
    "PRESETS",
    "MORE_PRESETS",
    "preset_names",
    "from_preset",
    "head_from_preset",
    "preset_from_name",
    "head_from_name",
    "head_from_run",
]


class Preset(NamedTuple):
    """One row of the presets table: which lengths are read as 1, the scale, the three margins."""

    unit_weight: bool
    unit_embedding: bool
    scale: float
    m1: float
    m2: float
    m3: float


# The ten settings of a well-known MNIST comparison (niyunsheng/Visualization-of-Face-Losses),
# under its names.
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

# Losses that no such row describes: name -> function of embedding_dim and num_classes, and of
# scale and margin where a name may set them. A scale of 16 suits ten classes.
MORE_PRESETS = {
    "AdaCos": AdaCos,
    "AdaFace": partial(AdaFace, scale=16),
    "CurricularFace": partial(CurricularFace, scale=16),
    "ElasticFace": partial(ElasticFace, scale=16),
    "MagFace": partial(MagFace, scale=16),
    "MV-softmax": partial(MVSoftmax, scale=16),
    "SphereFace2": partial(SphereFace2, scale=16),
    "SubCenterArcFace": partial(SubCenterArcFace, scale=16),
}

# The losses that a name may give a margin, and the field of a Preset that holds it.
MARGIN_FIELDS = {"L-softmax": "m1", "A-softmax": "m1", "ArcFace": "m2", "CosFace": "m3"}

NUMBER = r"\d+(?:\.\d+)?"
NAME_PATTERN = re.compile(rf"(.*?)(?:_s({NUMBER}))?(?:_m({NUMBER}))?", re.DOTALL)


def preset_names():
    """The names that :func:`from_preset` takes, those of :data:`PRESETS` first."""
    return [*PRESETS, *MORE_PRESETS]


def from_preset(name, embedding_dim, num_classes):
    """The head of a preset, one of :data:`PRESETS` or :data:`MORE_PRESETS`.

    Raises ``KeyError`` with the nearest presets if there is none of that name.

    >>> from_preset("ArcFace_v1", embedding_dim=2, num_classes=10).name
    'ArcFace(scale=4, margin=0.1)'
    """
    if name in MORE_PRESETS:
        return MORE_PRESETS[name](embedding_dim, num_classes)
    if name not in PRESETS:
        raise KeyError(_no_such_preset(name))
    return head_from_preset(PRESETS[name], embedding_dim, num_classes)


def _no_such_preset(name):
    """The message for a name that is no preset, with the nearest ones."""
    names = {preset.lower(): preset for preset in preset_names()}
    nearest = difflib.get_close_matches(str(name).lower(), names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(names[match] for match in nearest)}? " if nearest else ""
    return f"no preset {name!r}: {hint}The presets are {', '.join(preset_names())}"


def head_from_preset(preset, embedding_dim, num_classes):
    """The head of a :class:`Preset`: the plainest class that has its lengths and margins.

    Raises ``ValueError`` for settings that no head has.

    >>> head_from_preset(Preset(True, True, scale=16, m1=1, m2=0.3, m3=0.1), 2, 10).name
    'CombinedMargin(scale=16, m1=1, m2=0.3, m3=0.1)'
    """
    if preset.unit_embedding:
        return _unit_head(preset, embedding_dim, num_classes)
    require(
        preset.scale == 1 and preset.m2 == 0 and preset.m3 == 0,
        f"{preset}: a head that keeps the embeddings' lengths takes them for its scale, "
        "and has the margin m1 alone",
    )
    if preset.unit_weight:
        return SphereFace(embedding_dim, num_classes, margin=preset.m1)
    if preset.m1 == 1:
        return Softmax(embedding_dim, num_classes, bias=False)
    return LSoftmax(embedding_dim, num_classes, margin=preset.m1)


def _unit_head(preset, embedding_dim, num_classes):
    """The head of a preset with unit embeddings."""
    require(
        preset.unit_weight,
        f"{preset}: no head normalises embeddings and leaves the class vectors their lengths",
    )
    scale, m1, m2, m3 = preset.scale, preset.m1, preset.m2, preset.m3
    if m1 == 1 and m2 == 0 and m3 == 0:
        return NormSoftmax(embedding_dim, num_classes, scale=scale)
    if m1 == 1 and m2 == 0:
        return CosFace(embedding_dim, num_classes, scale=scale, margin=m3)
    if m1 == 1 and m3 == 0:
        return ArcFace(embedding_dim, num_classes, scale=scale, margin=m2)
    return CombinedMargin(embedding_dim, num_classes, scale, m1, m2, m3)


def preset_from_name(name):
    """The :class:`Preset` of a name with a scale ``_s`` and a margin ``_m``, both optional.

    Raises ``KeyError`` with what is wrong in the name: an unknown preset, a scale or margin that
    the loss does not have, or a preset of :data:`MORE_PRESETS`, which no :class:`Preset` describes.

    >>> preset_from_name("ArcFace_v1_s16")
    Preset(unit_weight=True, unit_embedding=True, scale=16.0, m1=1, m2=0.1, m3=0)
    >>> preset_from_name("A-softmax_m4")
    Preset(unit_weight=True, unit_embedding=False, scale=1, m1=4, m2=0, m3=0)
    """
    if name in MORE_PRESETS:
        raise KeyError(
            f"{name!r} is a preset that no row of lengths, scale and margins describes: "
            "make its head with head_from_name"
        )
    loss, scale, margin = NAME_PATTERN.fullmatch(name).groups()
    if loss in MORE_PRESETS:
        _extra_settings(name)
        raise KeyError(
            f"{name!r}: {loss} is a preset that no row of lengths, scale and margins describes: "
            "make its head with head_from_name"
        )
    preset = _look_up(loss, margin)
    if scale is not None:
        preset = _with_scale(preset, name, loss, scale)
    if margin is not None:
        preset = _with_margin(preset, name, loss, margin)
    return preset


def _extra_settings(name):
    """``(loss, settings)`` of a name of :data:`MORE_PRESETS`, with the settings that it gives.

    Raises ``KeyError`` for a scale or a margin that the loss does not have.
    """
    if name in MORE_PRESETS:
        return name, {}
    loss, *values = NAME_PATTERN.fullmatch(name).groups()
    taken = signature(MORE_PRESETS[loss]).parameters
    settings = {}
    for setting, value in zip(("scale", "margin"), values):
        if value is not None and setting not in taken:
            raise KeyError(
                f"{name!r}: {loss} is a preset without a {setting} to set; "
                f"leave _{setting[0]}{value} out"
            )
        if value is not None:
            settings[setting] = float(value)
    return loss, settings


def _look_up(loss, margin):
    """The preset named ``loss``, or the first of a loss that gets its margin from the name."""
    if loss in PRESETS:
        return PRESETS[loss]
    if loss in MARGIN_FIELDS and margin is not None:
        return PRESETS[f"{loss}_v1"]
    hint = f"{loss} needs a margin, for instance {loss}_m0.3. " if loss in MARGIN_FIELDS else ""
    raise KeyError(
        f"{hint}{_no_such_preset(loss)}; add _s16 for another scale, _m0.3 for another margin"
    )


def _with_scale(preset, name, loss, scale):
    if not preset.unit_embedding:
        raise KeyError(
            f"{name!r}: {loss} keeps the embeddings' lengths and has no scale to set; "
            f"leave _s{scale} out"
        )
    return preset._replace(scale=float(scale))


def _with_margin(preset, name, loss, margin):
    family = re.sub(r"_v\d+$", "", loss)
    if family not in MARGIN_FIELDS:
        raise KeyError(f"{name!r}: {loss} has no margin to set; leave _m{margin} out")
    field = MARGIN_FIELDS[family]
    value = int(margin) if field == "m1" and margin.isdigit() else float(margin)
    return preset._replace(**{field: value})


def head_from_name(name, embedding_dim, num_classes):
    """The head of a preset, or of a name as :func:`preset_from_name` takes it.

    Raises as :func:`preset_from_name`, and ``ValueError`` for a margin that the loss cannot have.

    >>> head_from_name("CosFace_s30_m0.4", embedding_dim=2, num_classes=10).name
    'CosFace(scale=30, margin=0.4)'
    >>> head_from_name("AdaCos", embedding_dim=2, num_classes=10).name
    'AdaCos(scale=3.10734)'
    """
    if name in MORE_PRESETS or NAME_PATTERN.fullmatch(name)[1] in MORE_PRESETS:
        loss, settings = _extra_settings(name)
        return MORE_PRESETS[loss](embedding_dim, num_classes, **settings)
    return head_from_preset(preset_from_name(name), embedding_dim, num_classes)


def head_from_run(run, epoch=None):
    """A head with the settings of the one that ``run`` was trained with.

    A margin or scale that changed in training, was annealed or learned is the one at the end of
    ``epoch``; without it, at the end of training.
    Raises ``ValueError`` if the run does not record them: its head is not one of
    :mod:`lossbook.heads`, nor of a subclass that has been imported.
    """
    class_name = run.name.partition("(")[0]
    head_class = next((kind for kind in _subclasses(Head) if kind.__name__ == class_name), None)
    require(
        head_class is not None and run.config.get("head"),
        f"{run.name} does not record its margin: it was not trained with a head of lossbook.heads; "
        "pass the head that it was trained with, heads={title: head}, or caps=False",
    )
    arguments = signature(head_class).parameters
    settings = dict(run.config["head"])
    for change in run.config.get("head_changes", []):
        if epoch is None or change["epoch"] <= epoch:
            settings.update(change)
    head = head_class(**{name: settings[name] for name in settings if name in arguments})
    for name in head.hyperparameters.keys() & settings.keys() - arguments.keys():
        setattr(head, name, settings[name])  # such as AdaCos's scale
    head.set_progress(1.0 if epoch is None else min(1.0, epoch / run.config["recipe"]["epochs"]))
    return head


def _subclasses(head_class):
    """A class of heads and all classes that are derived from it."""
    yield head_class
    for subclass in head_class.__subclasses__():
        yield from _subclasses(subclass)

"""The margin explorer: target curve, derivative and decision regions of any combined margin."""

from inspect import signature

from lossbook import figures, heads, margins
from lossbook.figures.style import CLASS_COLORS
from lossbook.interactive.widget import Widget
from lossbook.utils.validation import require

__all__ = ["margin_explorer"]


TWIN_SCALE = 16  # enough for ten classes on a circle, which the presets' own scales are not
PRESETS = {
    **heads.PRESETS,
    **{
        f"{name}_s{TWIN_SCALE}": row._replace(scale=TWIN_SCALE)
        for name, row in heads.PRESETS.items()
        if row.unit_embedding
    },
    "AdaFace": heads.Preset(True, True, TWIN_SCALE, 1, 0, 0.4),
    "MagFace": heads.Preset(True, True, TWIN_SCALE, 1, 0.625, 0),
}
# Their margins follow the length of the embedding: the slider for it, where it and the dimensions
# start, and the constants of the head. Margins this large take more dimensions than two.
ADAPTIVE = {
    "AdaFace": {"slider": "v", "start": {"v": 0, "d": 30}},
    "MagFace": {"slider": "a", "start": {"a": 60, "d": 30}},
}


def margin_explorer(preset="ArcFace_v3_s16", num_classes=10, embedding_dim=2):
    """Sliders for m1, m2, m3 and s, with the curve, boundaries, circle, posterior and feasibility.

    The boundary of a class and an embedding can be dragged on the circle. With AdaFace and MagFace
    the margins follow a slider for the length of the embedding.

    Parameters
    ----------
    preset : str
        A row of ``heads.PRESETS`` to start from, or one of those with unit embeddings and
        ``"_s16"`` after its name, for the same with that scale, or ``"AdaFace"`` or ``"MagFace"``;
        all of these are buttons.
    num_classes, embedding_dim : int, in 2 … 30
        C and d to start from; they have sliders too.

    Returns
    -------
    Widget

    Raises
    ------
    KeyError
        If there is no such preset.
    ValueError
        If ``num_classes`` or ``embedding_dim`` is outside its domain.
    """
    if preset not in PRESETS:
        raise KeyError(f"no preset {preset!r}: the presets are {', '.join(PRESETS)}")
    for name, value in (("num_classes", num_classes), ("embedding_dim", embedding_dim)):
        require(
            isinstance(value, int) and 2 <= value <= 30,
            f"{name} = {value!r}: expected a whole number from 2 to 30",
        )
    start = PRESETS[preset]
    still = figures.target_curves(
        {
            "cos θ": lambda cos: 1 * cos,
            preset: lambda cos: margins.combined(cos, start.m1, start.m2, start.m3),
        }
    )
    data = {
        "presets": {name: row._asdict() for name, row in PRESETS.items()},
        "adaptive": {name: row | _defaults(name) for name, row in ADAPTIVE.items()},
        "preset": preset,
        "C": num_classes,
        "d": embedding_dim,
        "colors": CLASS_COLORS[:2],
    }
    return Widget(
        "explorer",
        data,
        still,
        f"Target logit against angle, without margin and with that of {preset} (m1 = {start.m1:g}, "
        f"m2 = {start.m2:g}, m3 = {start.m3:g}), and below it the derivatives",
    )


def _defaults(name):
    """The numbers that the head of a preset starts from if nothing else is given."""
    parameters = signature(heads.MORE_PRESETS[name]).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}

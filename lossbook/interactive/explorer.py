"""The margin explorer: target curve, derivative and decision regions of any combined margin."""

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
}


def margin_explorer(preset="ArcFace_v3_s16", num_classes=10, embedding_dim=2):
    """Sliders for m1, m2, m3 and s, with the curve, boundaries, circle, posterior and feasibility.

    Parameters
    ----------
    preset : str
        A row of ``heads.PRESETS`` to start from, or one of those with unit embeddings and
        ``"_s16"`` after its name, for the same with that scale; all of these are buttons.
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

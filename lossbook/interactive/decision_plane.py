"""Who wins where in the plane of the angles to two class vectors, with sliders for the margin."""

from lossbook import figures, margins
from lossbook.figures.style import CLASS_COLORS
from lossbook.interactive.widget import Widget
from lossbook.utils.validation import check_number, require

__all__ = ["decision_plane"]

SETTINGS = {
    "no margin": (1, 0, 0),
    "SphereFace": (2, 0, 0),
    "ArcFace": (1, 0.5, 0),
    "CosFace": (1, 0, 0.35),
    "combined": (0.9, 0.4, 0.15),
}
NO_MARGIN = (1, 0, 0)
SLIDERS = {"m1": (0.5, 4), "m2": (0, 1.5), "m3": (0, 1)}  # as web/margin_sliders.js has them
APART = 10, 180  # degrees between the class vectors


def decision_plane(settings=SETTINGS, apart=90):
    """The boundaries and the margin of two classes in the plane of θ₁ and θ₂, with sliders.

    :func:`lossbook.figures.decision_boundaries` that moves: a button for each setting, sliders for
    those of its numbers m1, m2 and m3 that make a margin, and one for the angle Δ between the class
    vectors. That angle frames the pairs of angles that an embedding can have, and the width of the
    margin on the way from one class vector to the other is written in degrees.

    Parameters
    ----------
    settings : dict: title → (m1, m2, m3)
        Where the sliders start: m1 from 0.5 to 4, m2 from 0 to 1.5 radians, m3 from 0 to 1. The
        first one that has a margin is shown first.
    apart : float
        Where Δ starts, from 10 to 180 degrees.

    Returns
    -------
    Widget

    Raises
    ------
    ValueError
        If there is no setting, or a number is outside its slider.
    """
    require(len(settings) > 0, "settings is empty: expected a dict of title → (m1, m2, m3)")
    for title, setting in settings.items():
        require(
            len(setting) == len(SLIDERS),
            f"settings[{title!r}] = {setting!r}: expected three numbers, m1, m2 and m3",
        )
        for (name, ends), value in zip(SLIDERS.items(), setting):
            _check_on_slider(f"{name} of {title!r}", value, ends)
    _check_on_slider("apart", apart, APART)
    still = figures.decision_boundaries(
        {
            title: lambda cos, setting=setting: margins.combined(cos, *setting)
            for title, setting in settings.items()
        },
        apart=apart,
    )
    data = {
        "settings": {title: dict(zip(SLIDERS, setting)) for title, setting in settings.items()},
        "start": next(
            (title for title, setting in settings.items() if tuple(setting) != NO_MARGIN),
            next(iter(settings)),
        ),
        "apart": apart,
        "colors": CLASS_COLORS[:2],
    }
    listed = "; ".join(
        f"{title}: m1 = {m1:g}, m2 = {m2:g}, m3 = {m3:g}"
        for title, (m1, m2, m3) in settings.items()
    )
    return Widget(
        "decision_plane",
        data,
        still,
        "Where each of two classes wins in the plane of the angles to their class vectors, with an "
        f"empty margin between them, one square per setting ({listed}); a dotted frame holds the "
        f"angles that an embedding can have if the class vectors are {apart:g} degrees apart",
    )


def _check_on_slider(name, value, ends):
    check_number(name, value, zero_allowed=True)
    require(
        ends[0] <= value <= ends[1],
        f"{name} = {value:g}: its slider goes from {ends[0]:g} to {ends[1]:g}",
    )

"""The directions that each class wins on the circle, as a ring that follows a slider for m."""

import math

from lossbook import bounds, figures, margins
from lossbook.interactive.epoch_slider import encode_classes
from lossbook.interactive.widget import Widget
from lossbook.utils.validation import check_int, check_number, require

__all__ = ["sector_ring"]

# loss: the margin function, which of the combined margin's numbers m is, the m that changes
# nothing, its unit, and the bound: as a function of C, None where every m can be met, and as text.
LOSSES = {
    "SphereFace": (margins.sphereface, "m1", 1, "", None, ""),
    "CosFace": (margins.cosface, "m3", 0, "", bounds.greatest_cosine_margin, "1 − cos(2π/C)"),
    "ArcFace": (margins.arcface, "m2", 0, " rad", bounds.greatest_angular_margin, "2π/C"),
}
LARGEST_FACTOR = 4  # the m of A-softmax, the largest in the papers
BEYOND = 1.25  # how far beyond the bound the slider goes


def sector_ring(loss="ArcFace", margin=0.3, num_classes=10):
    """Who wins which direction of the circle, with a slider for the margin m of one loss.

    :func:`lossbook.figures.sectors` that moves: the class vectors are evenly spaced, a class's
    colour marks the directions that it wins with its margin, and grey those that no class wins.

    Parameters
    ----------
    loss : "SphereFace", "CosFace" or "ArcFace"
    margin : float
        Where the slider starts: m, a factor from 1 to 4 for SphereFace, and for the others from 0
        to a quarter beyond the largest m that C classes can meet; in radians for ArcFace.
    num_classes : int, from 2 to 10
        C, the number of class vectors.

    Returns
    -------
    Widget

    Raises
    ------
    ValueError
        If there is no such loss, or ``margin`` or ``num_classes`` is outside its domain.
    """
    require(loss in LOSSES, f"loss = {loss!r}: expected one of {', '.join(LOSSES)}")
    function, name, least, unit, bound, formula = LOSSES[loss]
    check_int("num_classes", num_classes, 2)
    limit = bound(num_classes) if bound else None
    most = math.ceil(20 * BEYOND * limit) / 20 if limit else LARGEST_FACTOR
    check_number("margin", margin, zero_allowed=True)
    require(
        least <= margin <= most,
        f"margin = {margin}: the slider of {loss} with {num_classes} classes goes from {least} "
        f"to {most:g}{unit}",
    )
    still = figures.sectors(
        {f"m = {m:g}": lambda cos, m=m: function(cos, m) for m in sorted({least, margin, most})},
        num_classes,
    )
    data = {
        **encode_classes([str(j) for j in range(num_classes)]),
        "loss": loss,
        "name": name,
        "unit": unit,
        "least": least,
        "most": most,
        "margin": margin,
        "limit": limit,
        "formula": formula,
    }
    return Widget(
        "sector_ring",
        data,
        still,
        f"The directions that {num_classes} evenly spaced classes win on the circle with the "
        f"margin of {loss}, m = {margin:g}{unit}, and with the ends of its slider, {least} and "
        f"{most:g}; grey is won by no class",
    )

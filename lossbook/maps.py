"""A map of what a scale and a margin give on the circle, with the bounds drawn on it."""

import math

import numpy as np

from . import bounds
from .palette import INK, LINE_STYLES, axes, headline, on, styled

__all__ = ["scale_margin_map"]

QUANTITIES = [
    ("test accuracy (%)", lambda cell: 100 * cell["accuracy"], "viridis"),
    ("median gap between neighbours (degrees)", lambda cell: math.degrees(cell["gap_median"]), "cividis"),
]


@styled
def scale_margin_map(record):
    """Test accuracy, and the empty angle between neighbouring classes, over s × m.

    ``record`` is what ``sweep`` returns. The gap is from the 99th percentile of
    one class's directions to the 1st of the next, negative where they overlap; its median over
    the classes is shown. Right of the upright line a class centre can be sure
    enough, below the level line all centres can meet the margin: :func:`lossbook.bounds.limits`.
    """
    scales = sorted({cell["scale"] for cell in record["cells"]})
    margins = sorted({cell["margin"] for cell in record["cells"]})
    cells = {(cell["scale"], cell["margin"]): cell for cell in record["cells"]}
    missing = [(s, m) for s in scales for m in margins if (s, m) not in cells]
    if missing:
        raise ValueError(f"the sweep is not finished: {len(missing)} of {len(scales) * len(margins)} cells are missing, "
                         f"the first at s = {missing[0][0]:g}, m = {missing[0][1]:g}; run the same command again")
    angular = record["loss"] == "ArcFace"
    classes = record["classes"]
    limits = bounds.limits(classes)
    greatest = limits.greatest_angular_margin if angular else limits.greatest_cosine_margin
    column = sum(s < limits.least_scale for s in scales)      # so many cells lie on the near side
    row = sum(m <= greatest for m in margins)
    figure, grid = axes(None, (7.2, 7.6), 2, 1)
    for ax, (title, value, colors) in zip(grid[:, 0], QUANTITIES):
        values = np.array([[value(cells[s, m]) for s in scales] for m in margins])
        image = ax.pcolormesh(values, cmap=colors, edgecolors="white", linewidth=1.5)
        for (j, i), number in np.ndenumerate(values):
            ax.text(i + 0.5, j + 0.5, f"{number:.0f}", ha="center", va="center", fontsize=11,
                    color=on(image.cmap(image.norm(number))))
        for look in ({"color": "white", "linewidth": 5}, {"color": INK, "linestyle": LINE_STYLES[1], "linewidth": 2}):
            ax.axvline(column, **look)
            ax.axhline(row, **look)
        ax.set(title=title, xticks=np.arange(len(scales)) + 0.5, xticklabels=[f"{s:g}" for s in scales],
               yticks=np.arange(len(margins)) + 0.5, yticklabels=[f"{m:g}" for m in margins],
               xlabel="scale s", ylabel=f"margin m ({'radians' if angular else 'cosine'})")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return headline(figure, f"{record['loss']} on {record['dataset']}, {classes} classes in 2-D")

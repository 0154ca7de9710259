"""Pictures of saved experiments: maps over scale and margin, ratios of error rates, wrong labels."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

from lossbook import bounds
from lossbook.figures.style import (
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    LINE_STYLES,
    axes,
    headline,
    on,
    styled,
)

__all__ = ["error_ratios", "scale_margin_map", "against_noise"]


@styled
def error_ratios(frame, xlabel="error rate with the margin / without it"):
    """Ratios of error rates with their intervals, a line a setting and a mark a measure; left of 1 the margin helps.

    ``frame`` is what :func:`lossbook.experiments.omniglot_gains.error_ratios` returns: ``setting``, ``measure``, ``ratio``, ``low``, ``high``;
    ``xlabel`` says which two rates are divided.
    """
    settings, measures = (list(dict.fromkeys(frame[column])) for column in ("setting", "measure"))
    figure, grid = axes(None, (7.2, 1.3 + 0.2 * len(frame) + 0.25 * len(settings)))
    ax = grid[0, 0]
    for k, (measure, marker) in enumerate(zip(measures, "os^D")):
        own = frame[frame.measure == measure]
        y = [
            settings.index(setting) + (k - (len(measures) - 1) / 2) * 0.2 for setting in own.setting
        ]
        color = [CLASS_COLORS[i] for i in (8, 0, 6, 4)][k]
        ax.errorbar(
            own.ratio,
            y,
            xerr=[own.ratio - own.low, own.high - own.ratio],
            fmt=marker,
            color=color,
            label=measure,
            capsize=3,
            markersize=7,
            linewidth=1.6,
        )
    ax.axvline(1, color=INK, linestyle=LINE_STYLES[1], linewidth=1.3)
    ax.set(
        yticks=range(len(settings)),
        yticklabels=settings,
        xlabel=xlabel,
        ylim=(len(settings) - 0.5, -0.5),
    )
    ax.grid(True, axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


QUANTITIES = [
    ("test accuracy (%)", lambda cell: 100 * cell["accuracy"], "viridis"),
    (
        "median gap between neighbours (degrees)",
        lambda cell: math.degrees(cell["gap_median"]),
        "cividis",
    ),
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
        raise ValueError(
            f"the sweep is not finished: {len(missing)} of {len(scales) * len(margins)} cells are missing, "
            f"the first at s = {missing[0][0]:g}, m = {missing[0][1]:g}; run the same command again"
        )
    angular = record["loss"] == "ArcFace"
    classes = record["classes"]
    limits = bounds.limits(classes)
    greatest = limits.greatest_angular_margin if angular else limits.greatest_cosine_margin
    column = sum(s < limits.least_scale for s in scales)  # so many cells lie on the near side
    row = sum(m <= greatest for m in margins)
    figure, grid = axes(None, (7.2, 7.6), 2, 1)
    for ax, (title, value, colors) in zip(grid[:, 0], QUANTITIES):
        values = np.array([[value(cells[s, m]) for s in scales] for m in margins])
        image = ax.pcolormesh(values, cmap=colors, edgecolors="white", linewidth=1.5)
        for (j, i), number in np.ndenumerate(values):
            ax.text(
                i + 0.5,
                j + 0.5,
                f"{number:.0f}",
                ha="center",
                va="center",
                fontsize=11,
                color=on(image.cmap(image.norm(number))),
            )
        for look in (
            {"color": "white", "linewidth": 5},
            {"color": INK, "linestyle": LINE_STYLES[1], "linewidth": 2},
        ):
            ax.axvline(column, **look)
            ax.axhline(row, **look)
        ax.set(
            title=title,
            xticks=np.arange(len(scales)) + 0.5,
            xticklabels=[f"{s:g}" for s in scales],
            yticks=np.arange(len(margins)) + 0.5,
            yticklabels=[f"{m:g}" for m in margins],
            xlabel="scale s",
            ylabel=f"margin m ({'radians' if angular else 'cosine'})",
        )
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return headline(figure, f"{record['loss']} on {record['dataset']}, {classes} classes in 2-D")


@styled
def against_noise(frame, ylabel, columns=4):
    """One measure against the share of wrong labels: a panel a loss, a point a seed, a line through their means.

    Parameters
    ----------
    frame : DataFrame with columns ``loss``, ``share`` (a fraction) and ``value``, one row a training
        The other losses' means are drawn in each panel too, thin and grey.
    ylabel : str
        What ``value`` is, with its unit.
    """
    means = frame.groupby(["loss", "share"], sort=False)["value"].mean().unstack(0).sort_index()
    rows = -(-len(means.columns) // columns)
    figure, grid = axes(None, (7.2, 0.7 + 1.75 * rows), rows, columns, sharex=True, sharey=True)
    for ax, loss in zip(grid.flat, means):
        ax.plot(100 * means.index, means.drop(columns=loss), color=LIGHT, linewidth=1.3)
        ax.plot(100 * means.index, means[loss], color=CLASS_COLORS[0], linewidth=2)
        own = frame[frame.loss == loss]
        ax.plot(
            100 * own.share,
            own.value,
            "o",
            color=INK,
            markersize=3.5,
            markerfacecolor="none",
            markeredgewidth=1,
        )
        ax.set_title(loss, fontsize=11)
        ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
        ax.grid(True, color=GREY, alpha=0.25)
    for above, ax in zip(
        grid.flat[len(means.columns) - columns :], grid.flat[len(means.columns) :]
    ):
        ax.remove()
        above.tick_params(labelbottom=True)
    figure.supxlabel("wrong labels (%)", fontsize=12)
    figure.supylabel(ylabel, fontsize=12)
    return figure

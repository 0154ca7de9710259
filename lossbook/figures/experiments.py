"""Pictures of saved experiments: accuracies, scale and margin, error ratios, wrong labels."""

import itertools
import math

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from lossbook import bounds
from lossbook.figures.style import (
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    LINE_STYLES,
    line_colors,
    new_axes,
    new_panels,
    set_title,
    styled,
)

__all__ = [
    "scale_margin_map",
    "error_ratios",
    "row_accuracies",
    "against_noise",
    "against_scale",
    "margin_gains",
]

FREE_MARKERS = {"AdaCos": "s", "learned-scale": "D"}  # of scales that a training sets itself

# The panels of scale_margin_map: (title, measure, its unit's factor).
QUANTITIES = [
    ("test accuracy (%)", "accuracy", 100),
    ("median gap between neighbours (degrees)", "gap_median", math.degrees(1)),
]
QUIET = LinearSegmentedColormap.from_list("quiet", ["white", "#8fbce6"])  # ink is read on all of it


@styled
def scale_margin_map(record):
    """Test accuracy, and the empty angle between neighbouring classes, over s × m.

    ``record`` is what :mod:`lossbook.experiments.scale_margin_grid` saves; each number is the mean
    over its seeds, with the standard deviation over the seeds below it. The gap is from the
    99th percentile of one class's directions to the 1st of the next, negative where they overlap;
    its median over the classes is shown. The darker a cell, the greater its number. The frame holds
    the settings within both bounds of :func:`lossbook.bounds.limits`: right of its left edge a
    class centre can be sure enough, below its upper edge all centres can meet the margin.

    Raises ``ValueError`` if a cell of the grid is missing.
    """
    runs = pd.DataFrame(record["cells"].values())
    scales, margins = sorted(set(runs.scale)), sorted(set(runs.margin))
    trained = set(zip(runs.scale, runs.margin))
    missing = [(s, m) for s in scales for m in margins if (s, m) not in trained]
    if missing:
        raise ValueError(
            f"the grid is not finished: {len(missing)} of {len(scales) * len(margins)} cells "
            f"are missing, the first at s = {missing[0][0]:g}, m = {missing[0][1]:g}; "
            "run the same command again"
        )
    angular = record["loss"] == "ArcFace"
    classes = record["classes"]
    limits = bounds.limits(classes)
    greatest = limits.greatest_angular_margin if angular else limits.greatest_cosine_margin
    column = sum(s < limits.least_scale for s in scales)  # so many cells lie on the near side
    row = sum(m <= greatest for m in margins)
    figure, axes = new_axes((7.2, 7.6), 2, 1)
    for ax, (title, measure, factor) in zip(axes[:, 0], QUANTITIES):
        by_seed = factor * runs.set_index(["margin", "scale", "seed"])[measure]
        over_seeds = by_seed.groupby(["margin", "scale"])
        _draw_cells(ax, over_seeds.mean().unstack(), over_seeds.std().unstack())
        within = Rectangle(
            (column, 0), len(scales) - column, row, fill=False, edgecolor=INK, linewidth=2.5
        )
        ax.add_patch(within).set_clip_on(False)
        ax.set(
            title=title,
            xticks=np.arange(len(scales)) + 0.5,
            xticklabels=[f"{s:g}" for s in scales],
            yticks=np.arange(len(margins)) + 0.5,
            yticklabels=[f"{m:g}" for m in margins],
            xlabel="scale s",
            ylabel=f"margin m ({'radians' if angular else 'cosine'})",
        )
    return set_title(figure, f"{record['loss']} on {record['dataset']}, {classes} classes in 2-D")


def _draw_cells(ax, means, deviations):
    """A table of means, (rows, columns), each on its colour and above its standard deviation."""
    ax.pcolormesh(means, cmap=QUIET, edgecolors="white", linewidth=1.5)
    deviations = np.asarray(deviations)
    for (j, i), mean in np.ndenumerate(np.asarray(means)):
        deviation = deviations[j, i]
        text = f"{mean:.0f}" if np.isnan(deviation) else f"{mean:.0f}\n±{deviation:.0f}"
        text = text.replace("-", "−")
        ax.text(
            i + 0.5,
            j + 0.5,
            text,
            ha="center",
            va="center",
            fontsize=11,
            linespacing=1.0,
            color=INK,
        )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


@styled
def error_ratios(frame, xlabel="error rate with the margin / without it"):
    """Ratios of error rates with their intervals; left of 1 the margin helps.

    ``frame`` is what :func:`lossbook.experiments.omniglot_gains.error_ratios` returns, with the
    columns ``setting``, ``measure``, ``ratio``, ``low`` and ``high``: one line per setting and one
    mark per measure, at most four. ``xlabel`` names the two rates that are divided.
    """
    settings, measures = frame.setting.unique().tolist(), frame.measure.unique()
    figure, axes = new_axes((7.2, 1.3 + 0.2 * len(frame) + 0.25 * len(settings)))
    ax = axes[0, 0]
    for k, (measure, marker, color) in enumerate(zip(measures, "os^D", (8, 0, 6, 4))):
        rows = frame[frame.measure == measure]
        offset = (k - (len(measures) - 1) / 2) * 0.2
        ax.errorbar(
            rows.ratio,
            [settings.index(setting) + offset for setting in rows.setting],
            xerr=[rows.ratio - rows.low, rows.high - rows.ratio],
            fmt=marker,
            color=CLASS_COLORS[color],
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


@styled
def row_accuracies(table, twins):
    """Test accuracy of every row, with its 95 % interval, beside the source's figure and the twin.

    Parameters
    ----------
    table : DataFrame
        One line per row, with the columns ``test``, ``test_interval`` and ``source_test``
        (fractions), as :func:`lossbook.experiments.results.table` returns it. NaN is not drawn.
    twins : dict
        Row → its twin, the same loss with another scale. A twin is drawn on its row's line, and
        has no line of its own.
    """
    names = [name for name in table.index if name not in twins.values()]
    percent = 100 * table[["test", "test_interval", "source_test"]]
    figure, axes = new_axes((7.2, 1.3 + 0.42 * len(names)))
    ax = axes[0, 0]
    ax.plot(
        percent.source_test[names],
        range(len(names)),
        "o",
        color=GREY,
        markerfacecolor="white",
        markersize=10,
        markeredgewidth=2,
        label="source",
    )
    for label, rows, marker, color, offset in (
        ("lossbook", {name: name for name in names}, "o", CLASS_COLORS[0], -0.12),
        ("its twin", {name: twins[name] for name in names if name in twins}, "^", INK, 0.12),
    ):
        scores = percent.loc[list(rows.values())]
        ax.errorbar(
            scores.test.to_numpy(),
            [names.index(name) + (offset if name in twins else 0) for name in rows],
            xerr=scores.test_interval.to_numpy(),
            fmt=marker,
            color=color,
            label=label,
            capsize=3,
            markersize=7,
            linewidth=1.6,
        )
    ax.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="test accuracy (%)",
        ylim=(len(names) - 0.5, -0.5),
    )
    ax.grid(True, axis="x")
    figure.legend(loc="outside upper left", ncols=3)
    return figure


@styled
def against_noise(frame, ylabel, columns=4):
    """One measure against the share of wrong labels, one panel per loss.

    Each point is one seed; the line runs through the means over seeds. The means of the other
    losses are drawn in each panel too, thin and grey.

    Parameters
    ----------
    frame : DataFrame
        One row per training, with the columns ``loss``, ``share`` (a fraction) and ``value``.
    ylabel : str
        What ``value`` is, with its unit.
    columns : int
        Panels side by side, at most.
    """
    means = frame.groupby(["loss", "share"], sort=False)["value"].mean().unstack(0).sort_index()
    columns = min(columns, len(means.columns))
    figure, panels = new_panels(
        len(means.columns), columns, (7.2 / columns, 1.75), (0, 0.7), sharex=True, sharey=True
    )
    percent = 100 * means.index
    for ax, loss in zip(panels, means):
        ax.plot(percent, means.drop(columns=loss), color=LIGHT, linewidth=1.3)
        ax.plot(percent, means[loss], color=CLASS_COLORS[0], linewidth=2)
        trainings = frame[frame.loss == loss]
        ax.plot(
            100 * trainings.share,
            trainings.value,
            "o",
            color=INK,
            markersize=3.5,
            markerfacecolor="none",
            markeredgewidth=1,
        )
        ax.set_title(loss, fontsize=11)
        ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
        ax.grid(True, color=GREY, alpha=0.25)
    for ax in panels[-columns:]:  # with nothing below, in a last row that is not full too
        ax.tick_params(labelbottom=True)
    figure.supxlabel("wrong labels (%)", fontsize=12)
    figure.supylabel(ylabel, fontsize=12)
    return figure


@styled
def against_scale(panels, measure, ylabel):
    """A measure against the scale s, one panel per problem and one line per loss.

    Each small point is one seed; the line runs through the means over the seeds of the fixed
    scales. A large mark is a scale that was not fixed, at the mean of where it ended. The
    upright line of a loss is the scale that a rule gives.

    Parameters
    ----------
    panels : dict, title → (DataFrame, dict)
        The frame is what :mod:`lossbook.experiments.scales` returns, one row per training; the
        dict gives the rule's scale of a loss.
    measure, ylabel : str
        The column to draw, and what it is, with its unit.
    """
    figure, axes = new_axes((7.2, 3.6), 1, len(panels))
    for ax, (title, (frame, rule)) in zip(axes[0], panels.items()):
        for loss, color, style in zip(frame.loss.unique(), (0, 4), LINE_STYLES):
            line = {"color": CLASS_COLORS[color], "linestyle": style}
            trainings = frame[frame.loss == loss]
            fixed = trainings[trainings.fixed]
            means = fixed.groupby("scale")[measure].mean()
            ax.plot(means.index, means, linewidth=2, label=loss, **line)
            ax.plot(fixed.scale, fixed[measure], "o", markersize=3, color=line["color"], alpha=0.5)
            for name, ended in trainings[~trainings.fixed].groupby("name"):
                ax.plot(
                    ended.scale.mean(),
                    ended[measure].mean(),
                    FREE_MARKERS[name],
                    markersize=8,
                    color=line["color"],
                    markeredgecolor=INK,
                    label=name.replace("-", " "),
                )
            if loss in rule:
                ax.axvline(rule[loss], linewidth=1.2, alpha=0.8, **line)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set(title=title, xlabel="scale s")
        ax.grid(True, color=GREY, alpha=0.25)
    axes[0, 0].set_ylabel(ylabel)
    entries = {}
    for ax in axes[0]:
        entries.update(zip(*ax.get_legend_handles_labels()[::-1]))
    figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=2)
    return figure


ALWAYS_FIRST = "softmax", "ArcFace", "CosFace"  # so that a loss has one colour in all pictures


@styled
def margin_gains(panels, varied, xlabel, baseline="norm-softmax"):
    """Error rates of losses over those of a baseline, against what was varied, with bands.

    Below 1 a loss makes fewer errors than the baseline; where its band (the 95 % interval) does not
    reach 1, that is more than chance.

    Parameters
    ----------
    panels : dict, title → DataFrame
        One panel for each measure. The frame is a part of what
        :func:`lossbook.experiments.typefaces_gains.ratios` returns, with the column ``loss`` in the
        place of its rows' names.
    varied : str
        The column that is varied, drawn on a logarithmic axis: "classes", "typefaces" or "steps".
    xlabel : str
        What that is.
    baseline : str
        The loss that the others are compared with.
    """
    figure, axes = new_axes((7.2, 3.9), 1, len(panels), sharey=True)
    for ax, (title, frame) in zip(axes[0], panels.items()):
        ax.axhline(1, color=INK, linewidth=1.3)
        ticks = sorted(set(frame[varied]))
        losses = list(dict.fromkeys([*ALWAYS_FIRST, *frame.loss]))
        for loss, color, style in zip(losses, line_colors(losses), itertools.cycle(LINE_STYLES)):
            line = frame[frame.loss == loss].sort_values(varied)
            if line.empty:
                continue
            ax.plot(line[varied], line.ratio, "o", linestyle=style, color=color, label=loss)
            ax.fill_between(line[varied], line.low, line.high, color=color, alpha=0.15, linewidth=0)
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        ax.minorticks_off()
        ax.set(title=title, xlabel=xlabel)
        ax.grid(True, color=GREY, alpha=0.25)
    # On a logarithmic axis a half is as far from 1 as a double.
    axes[0, 0].set(ylabel=f"error rate / that of {baseline}", yscale="log")
    axes[0, 0].yaxis.set_major_locator(FixedLocator((0.6, 0.8, 0.9, 1, 1.2, 1.5, 2, 3)))
    axes[0, 0].yaxis.set_major_formatter("{x:g}")
    axes[0, 0].minorticks_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure

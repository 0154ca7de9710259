"""Pictures of a training: losses and accuracies over the epochs, angles of its embeddings."""

import itertools
import math

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lossbook import metrics
from lossbook.figures.style import (
    AMBER,
    BLUE,
    GREY,
    LINE_STYLES,
    RED,
    NotebookFigure,
    check_not_empty,
    label_ends,
    line_colors,
    new_axes,
    set_title,
    styled,
)
from lossbook.figures.views import labels_of, snapshot_at

__all__ = [
    "angle_histograms",
    "own_angle_histogram",
    "small_angles",
    "training_curves",
    "over_epochs",
]


@styled
def angle_histograms(run, split="test", epoch=-1, ax=None):
    """How far the embeddings are from their own class vector, and from the nearest other one.

    Works for embeddings of any dimension. Where the two histograms overlap, angle alone does not
    tell the classes apart. The axis ends at the largest angle to the nearest other class; the
    samples farther than that from their own are counted in its label. Angles are margin-free.

    Raises ``ValueError`` if the split or the epoch is not in the run.
    """
    snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
    angles = metrics.angles(getattr(snapshot, split), snapshot.weight, labels)
    to_own, to_nearest = map(np.degrees, angles)
    figure, axes = new_axes((7.2, 4.1), ax=ax)
    ax = axes[0, 0]
    width = max(1, math.ceil(to_nearest.max() / 60))
    edges = np.arange(0, to_nearest.max() + width, width)
    counts = [np.histogram(theta, edges)[0] for theta in (to_own, to_nearest)]
    for count, theta, color, label in zip(
        counts, (to_own, to_nearest), (BLUE, AMBER), ("own class", "nearest other")
    ):
        ax.stairs(
            count,
            edges,
            fill=True,
            color=color,
            alpha=0.4,
            label=f"{label} (median {np.median(theta):.1f}°)",
        )
        ax.stairs(count, edges, color=color, linewidth=1.6)
        ax.axvline(np.median(theta), color=color, linestyle="--", linewidth=1.6)
    ax.stairs(np.minimum(*counts), edges, fill=True, color=RED, label="overlap")
    beyond = to_own[to_own > edges[-1]]
    note = ""
    if len(beyond):
        note = f"; {len(beyond)} samples lie beyond this axis, up to {beyond.max():.0f}°"
    share = 100 * np.mean(to_own < to_nearest)
    ax.set_title(f"{split}, epoch {snapshot.epoch}: {share:.1f} % nearest to their own")
    ax.set(xlabel=f"angle (degrees{note})", ylabel=f"samples per {width}°", xlim=(0, edges[-1]))
    if isinstance(figure, NotebookFigure):
        figure.legend(loc="outside lower center", ncols=3, columnspacing=1, handlelength=1)
    else:
        ax.legend()
    return set_title(figure, run.name)


@styled
def own_angle_histogram(run, marks=(), split="test", epoch=-1):
    """The angle between each embedding and the class vector of its own class, over 0° to 180°.

    ``marks`` are angles in degrees, each drawn as a dotted line. Angles are margin-free.

    Raises ``ValueError`` if the split or the epoch is not in the run.
    """
    snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
    to_own, _ = metrics.angles(getattr(snapshot, split), snapshot.weight, labels)
    figure, axes = new_axes((7.2, 3.2))
    ax = axes[0, 0]
    ax.hist(np.degrees(to_own), bins=np.arange(0, 181, 3), color=BLUE)
    for mark in marks:
        ax.axvline(mark, color=RED, linestyle=":")
    ax.set(xlabel="angle to the own class vector (degrees)", ylabel=f"{split} images per 3°")
    ax.set(xlim=(-3, 183), xticks=range(0, 181, 30))
    return figure


@styled
def small_angles(theta, marks):
    """How many samples are at which angle from their class vector, on a logarithmic axis.

    ``theta`` ``(N,)`` in radians, as the first result of :func:`lossbook.metrics.angles`. ``marks``
    is a dict: label → angle in radians at which an upright line stands. The axis goes from 0.001°
    to 100°; what lies outside is not drawn.
    """
    figure, axes = new_axes((7.2, 3.6))
    ax = axes[0, 0]
    ax.hist(np.degrees(theta), bins=np.logspace(-3, 2, 60), color=BLUE)
    styles = itertools.cycle(LINE_STYLES)
    # not in the colour of the bars, which is the first
    for (label, angle), color, style in zip(marks.items(), line_colors(range(5))[1:], styles):
        ax.axvline(math.degrees(angle), color=color, linestyle=style, label=label)
    ax.set(xscale="log", xlim=(1e-3, 100), ylabel="samples")
    ax.set(xlabel="θ, angle to the sample's own class vector (degrees)")
    ticks = ["0.001", "0.01", "0.1", "1", "10", "100"]
    ax.set_xticks([float(tick) for tick in ticks], ticks)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def training_curves(runs):
    """Training loss, and train and test accuracy (without margin), after each epoch.

    ``runs`` is a Run, or a dict: label → Run. Losses of different heads are not comparable with
    each other, only with themselves over time: each has its own scale and margin.

    Raises ``ValueError`` for an empty dict or more than ten runs.
    """
    single = not isinstance(runs, dict)
    runs = {"train": runs} if single else check_not_empty("runs", runs)
    figure, axes = new_axes((7.2, 5.6), 2, 1, sharex=True)
    loss, accuracy = axes[:, 0]
    for (label, run), color in zip(runs.items(), line_colors(runs)):
        history = run.history
        loss.plot(history["epoch"], history["train_loss"], color=color, marker=".", label=label)
        accuracy.plot(
            history["epoch"],
            100 * history["train_acc"],
            color=color,
            linestyle="--",
            linewidth=1.2,
            label=f"train {100 * history['train_acc'].iloc[-1]:.1f} %" if single else "_train",
        )
        accuracy.plot(
            history["epoch"],
            100 * history["test_acc"],
            color=color,
            marker=".",
            label=f"{'test' if single else label} {100 * history['test_acc'].iloc[-1]:.1f} %",
        )
    loss.set(ylabel="training loss (nats)", ylim=(0, None))
    accuracy.set(ylabel="accuracy (%)", xlabel="epoch")
    accuracy.set_ylim(top=100)  # else a training that fails looks like one that succeeds
    for ax in (loss, accuracy):
        ax.grid(True)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.margins(x=0)
        label_ends(ax)
    if not single:
        accuracy.legend(
            handles=[
                Line2D([], [], color=GREY, label="test"),
                Line2D([], [], color=GREY, linestyle="--", linewidth=1.2, label="train"),
            ],
            loc="lower right",
        )
    return set_title(figure, next(iter(runs.values())).name) if single else figure


@styled
def over_epochs(curves, ylabel, colors=None):
    """One line for each of up to ten measures, against the epoch.

    ``curves`` is a dict: label → values, one per epoch from the first; ``ylabel`` names them, with
    their unit. ``colors`` has one colour per line, by default all different; lines of one colour
    have one style too. Raises ``ValueError`` for an empty dict or more than ten curves.
    """
    check_not_empty("curves", curves)
    colors = colors or line_colors(curves)
    styles = dict(zip(dict.fromkeys(colors), itertools.cycle(LINE_STYLES)))
    figure, axes = new_axes((7.2, 3.6))
    ax = axes[0, 0]
    for (label, values), color in zip(curves.items(), colors):
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            color=color,
            linestyle=styles[color],
            marker=".",
            label=label,
        )
    ax.set(xlabel="epoch", ylabel=ylabel, ylim=(0, None))
    ax.grid(True)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.margins(x=0)
    label_ends(ax)
    return figure

"""Pictures of functions and of distributions: margins, decision regions, angles, training."""

import itertools
import math

import numpy as np
import torch
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from . import metrics
from .palette import CLASS_COLORS, GREY, INK, LINE_STYLES, axes, colors_of, headline, styled
from .views import labels_of, snapshot_at

__all__ = ["target_curves", "decision_boundaries", "angle_histograms", "training_curves", "over_epochs"]

BLUE, AMBER, RED = CLASS_COLORS[:3]
LINE_ORDER = (0, 6, 4, 5, 2, 8, 1, 7, 3, 9)                 # of the class colours: the strongest first


@styled
def target_curves(functions, points=721):
    """The target logit as a function of θ_y, and below it the derivative that gradient descent follows.

    ``functions`` is a dict: label → callable from target cosines ``(N,)`` to targets ``(N,)``, in
    torch, such as ``lambda cos: margins.arcface(cos, 0.5)``; any differentiable function will do,
    monotone or not. Targets are in units of s, derivatives in units of s per radian, by autograd,
    at ``points`` angles inside (0°, 180°).

    Raises ``ValueError`` for an empty dict or more than ten functions, ``TypeError`` for a function
    that does not return a differentiable tensor of the shape it was given.
    """
    _filled("functions", functions)
    theta = (torch.arange(points, dtype=torch.float64) + 0.5) * math.pi / points
    figure, grid = axes(None, (7.2, 6.0), 2, 1, sharex=True)
    curves = [_target_and_slope(label, function, theta) for label, function in functions.items()]
    degrees = np.degrees(theta.numpy())
    for ax, row, ylabel in zip(grid[:, 0], zip(*curves), ("target logit / s", "derivative / s (per radian)")):
        for label, y, color, style in zip(functions, row, _line_colors(functions), itertools.cycle(LINE_STYLES)):
            ax.plot(degrees, y, color=color, linestyle=style, label=label)
        ax.set(ylabel=ylabel, xlim=(0, 180), xticks=range(0, 181, 30))
        ax.grid(True)
        ax.locator_params(axis="y", nbins=6)
    _label_ends(grid[0, 0])
    grid[1, 0].axhline(0, color=INK, linewidth=0.8)
    grid[1, 0].set_xlabel("θ, angle to the sample's own class vector (degrees)")
    return figure


def _target_and_slope(label, function, theta):
    theta = theta.clone().requires_grad_()
    target = _targets(label, function, torch.cos(theta))
    if not target.requires_grad:
        raise TypeError(f"{label!r} returned a tensor without a gradient: it must be differentiable, in torch")
    (slope,) = torch.autograd.grad(target.sum(), theta)
    return target.detach().numpy(), slope.numpy()


def _targets(label, function, cos):
    target = function(cos)
    if not torch.is_tensor(target) or target.shape != cos.shape:
        raise TypeError(f"{label!r} must turn a tensor of cosines (N,) into a tensor of targets (N,), but returned "
                        f"{type(target).__name__} of shape {tuple(np.shape(target))} for N = {len(cos)}")
    return target


@styled
def decision_boundaries(functions, points=361):
    """Who wins where, for two classes, in the plane of the angles θ₁ and θ₂ to their class vectors.

    ``functions`` is a dict: label → callable from target cosines to margined targets (as for
    :func:`target_curves`; ``lambda cos: cos`` is norm-softmax). In training a sample of class 1
    counts as won where its margined target beats the other cosine, f(cos θ₁) > cos θ₂, and a
    sample of class 2 where f(cos θ₂) > cos θ₁. Where neither holds is the margin; where both
    hold, which only a function above cos θ can bring about, is drawn as claimed by both.
    The regions are computed on a grid of ``points`` × ``points`` angles in [0°, 180°].

    Raises as :func:`target_curves`, but needs no gradient.
    """
    _filled("functions", functions)
    theta = torch.linspace(0, math.pi, points, dtype=torch.float64)
    degrees, cos = np.degrees(theta.numpy()), torch.cos(theta)
    columns = {1: 1, 2: 2, 4: 2}.get(len(functions), 3)
    rows = math.ceil(len(functions) / columns)
    figure, grid = axes(None, (0.8 + columns * 2.4, 0.9 + rows * 2.7), rows, columns, sharex=True, sharey=True)
    kinds = set()
    for ax, (label, function) in zip(grid.flat, functions.items()):
        with torch.no_grad():
            target = _targets(label, function, cos)
        first = (target[None, :] - cos[:, None]).numpy()        # θ₁ along x, θ₂ along y
        kinds |= _regions(ax, degrees, first, second=first.T)
        ax.set(title=label, aspect="equal", xticks=(0, 60, 120, 180), yticks=(0, 60, 120, 180),
               xlabel="θ₁ (degrees)", ylabel="θ₂ (degrees)")
        ax.label_outer()
    for ax in grid.flat[len(functions):]:
        ax.remove()
    figure.legend(handles=[Patch(facecolor=face, edgecolor=GREY, hatch=hatch, label=text)
                           for text, (face, hatch) in REGIONS.items() if text in kinds],
                  loc="outside lower center", ncols=2 if columns == 1 else 4, handlelength=1.2, columnspacing=1.2)
    return figure


REGIONS = {"class 1": ("#b9d8f2", None), "class 2": ("#ffdc9c", None), "margin": ("white", None),
           "claimed by both": ("#d9d9d9", "////")}


def _regions(ax, degrees, first, second):
    """Fill where ``first`` and ``second`` are above 0, draw their zero lines; the kinds of region found."""
    both = np.minimum(first, second)
    found = {"class 1": first.max() > 0, "class 2": second.max() > 0,
             "margin": np.maximum(first, second).min() < 0, "claimed by both": both.max() > 0}
    for kind, value, line in (("class 1", first, BLUE), ("class 2", second, AMBER), ("claimed by both", both, None)):
        if found[kind]:
            face, hatch = REGIONS[kind]
            ax.contourf(degrees, degrees, value, levels=[0, np.inf], colors=[face], hatches=[hatch])
        alone = (value > 0) & (both <= 0)
        if alone.any():
            ax.contour(degrees, degrees, value, levels=[0], colors=[line], linewidths=2)
            row, column = _deepest(alone)
            ax.text(degrees[column], degrees[row], kind[-1], ha="center", va="center", fontsize=15, weight="bold")
    return {kind for kind, there in found.items() if there}


def _deepest(inside):
    """(row, column) of a point as far inside the region as can be: peel the region until nothing is left."""
    left = inside
    while left.any():
        inside = left
        padded = np.pad(left, 1)
        left = left & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    points = np.argwhere(inside)
    return points[len(points) // 2]


@styled
def angle_histograms(run, split="test", epoch=-1, ax=None):
    """How far the embeddings are from their own class vector, and from the nearest other one.

    Works for embeddings of any dimension. Where the two histograms overlap, angle alone does not
    tell the classes apart. The axis ends at the largest angle to the nearest other class; samples
    even farther from their own are counted under it. Angles are margin-free.

    Raises ``ValueError`` if the split or the epoch is not in the run.
    """
    snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
    own, other = (np.degrees(theta) for theta in metrics.angles(getattr(snapshot, split), snapshot.weight, labels))
    figure, grid = axes(ax, (7.2, 4.1))
    ax = grid[0, 0]
    width = max(1, math.ceil(other.max() / 60))
    edges = np.arange(0, other.max() + width, width)
    counts = [np.histogram(theta, edges)[0] for theta in (own, other)]
    for count, theta, color, label in zip(counts, (own, other), (BLUE, AMBER), ("own class", "nearest other")):
        ax.stairs(count, edges, fill=True, color=color, alpha=0.4, label=f"{label} (median {np.median(theta):.1f}°)")
        ax.stairs(count, edges, color=color, linewidth=1.6)
        ax.axvline(np.median(theta), color=color, linestyle="--", linewidth=1.6)
    ax.stairs(np.minimum(*counts), edges, fill=True, color=RED, label="overlap")
    beyond = own[own > edges[-1]]
    note = f"; {len(beyond)} samples lie beyond this axis, up to {beyond.max():.0f}°" if len(beyond) else ""
    ax.set_title(f"{split}, epoch {snapshot.epoch}: {100 * np.mean(own < other):.1f} % nearest to their own", pad=26)
    ax.set(xlabel=f"angle (degrees{note})", ylabel=f"samples per {width}°", xlim=(0, edges[-1]))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.3, borderpad=0,
              fontsize=11, handlelength=1, handletextpad=0.5, columnspacing=1)
    return headline(figure, run.name)


@styled
def training_curves(runs):
    """Training loss, and train and test accuracy (without margin), after each epoch.

    ``runs`` is a Run, or a dict: label → Run. Losses of different heads are not comparable with
    each other, only with themselves over time: each has its own scale and margin.

    Raises ``ValueError`` for an empty dict or more than ten runs.
    """
    single = not isinstance(runs, dict)
    runs = {"train": runs} if single else _filled("runs", runs)
    figure, grid = axes(None, (7.2, 5.6), 2, 1, sharex=True)
    loss, accuracy = grid[:, 0]
    for (label, run), color in zip(runs.items(), _line_colors(runs)):
        history = run.history
        loss.plot(history["epoch"], history["train_loss"], color=color, marker=".", label=label)
        accuracy.plot(history["epoch"], 100 * history["train_acc"], color=color, linestyle="--", linewidth=1.2,
                      label=f"train {100 * history['train_acc'].iloc[-1]:.1f} %" if single else "_train")
        accuracy.plot(history["epoch"], 100 * history["test_acc"], color=color, marker=".",
                      label=f"{'test' if single else label} {100 * history['test_acc'].iloc[-1]:.1f} %")
    loss.set(ylabel="training loss (nats)", ylim=(0, None))
    accuracy.set(ylabel="accuracy (%)", xlabel="epoch")
    for ax in (loss, accuracy):
        ax.grid(True)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.margins(x=0)
        _label_ends(ax)
    if not single:
        accuracy.legend(handles=[Line2D([], [], color=GREY, label="test"),
                                 Line2D([], [], color=GREY, linestyle="--", linewidth=1.2, label="train")],
                        loc="lower right")
    return headline(figure, next(iter(runs.values())).name) if single else figure


@styled
def over_epochs(curves, ylabel):
    """One line for each of up to ten measures: ``curves`` is a dict: label → values, one an epoch, from epoch 1."""
    figure, grid = axes(None, (7.2, 3.6))
    ax = grid[0, 0]
    for (label, values), color, style in zip(_filled("curves", curves).items(), _line_colors(curves),
                                             itertools.cycle(LINE_STYLES)):
        ax.plot(np.arange(1, len(values) + 1), values, color=color, linestyle=style, marker=".", label=label)
    ax.set(xlabel="epoch", ylabel=ylabel, ylim=(0, None))
    ax.grid(True)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.margins(x=0)
    _label_ends(ax)
    return figure


def _label_ends(ax):
    """Write each line's label at its right end, moved apart where two would touch."""
    lines = sorted((line for line in ax.get_lines() if not line.get_label().startswith("_")),
                   key=lambda line: line.get_ydata()[-1])
    ax.figure.draw_without_rendering()                       # the height of the axes is known only now
    low, high = ax.get_ylim()
    gap = (high - low) * 1.3 * 12 / 72 * ax.figure.dpi / ax.get_window_extent().height
    heights = np.array([line.get_ydata()[-1] for line in lines], dtype=float)
    for _ in range(200):
        push = np.maximum(gap - np.diff(heights), 0) / 2
        heights[1:] += push
        heights[:-1] -= push
    left, right = ax.get_xlim()
    for line, height in zip(lines, heights):
        end = line.get_xdata()[-1], line.get_ydata()[-1]
        # A lead across the axes, from a line that ends early, must not look like more of the line.
        early = right - end[0] > 0.02 * (right - left)
        lead = dict(color=GREY, linewidth=1, linestyle=(0, (1, 3))) if early else dict(color=line.get_color(), linewidth=1.2)
        ax.annotate(line.get_label(), xy=end, xytext=(1.05, height), textcoords=ax.get_yaxis_transform(), va="center",
                    color=INK, annotation_clip=False, arrowprops=dict(arrowstyle="-", relpos=(0, 0.5), shrinkA=1, shrinkB=0, **lead))


def _line_colors(things):
    return [CLASS_COLORS[j] for j in LINE_ORDER[:len(colors_of(things))]]


def _filled(name, mapping):
    if not mapping:
        kind = {"runs": "Run", "functions": "function"}.get(name, "values")
        raise ValueError(f"{name} is empty: give a dict of label -> {kind}")
    return mapping

"""Which class wins where: in the plane of two angles, in the plane of embeddings, on the circle."""

import math

import numpy as np
import torch
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.patches import Patch

from lossbook.figures.margin_curves import evaluate_target
from lossbook.figures.style import (
    AMBER,
    BLUE,
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    axes,
    badge_texts,
    check_filled,
    colors_of,
    key,
    on,
    styled,
)
from lossbook.figures.views import labels_of, snapshot_at
from lossbook.metrics.winning_regions import on_circle

__all__ = ["sectors", "regions", "decision_boundaries"]


@styled
def sectors(functions, num_classes=10):
    """The won directions of each class on the circle, for several margins side by side; grey is the margin.

    ``functions`` is a dict: title → callable from target cosines ``(N,)`` to margined targets
    ``(N,)``; ``num_classes`` from 2 to 10 evenly spaced class vectors. In training the loss is
    content with a sample inside its own class's colour, and pulls it there from the grey.
    """
    if not 2 <= num_classes <= len(CLASS_COLORS):
        raise ValueError(
            f"num_classes = {num_classes}: a picture tells 2 to {len(CLASS_COLORS)} classes apart"
        )
    columns = min(len(functions), 3)
    rows = math.ceil(len(functions) / columns)
    figure, grid = axes(None, (7.2, rows * (7.2 / columns + 0.3)), rows, columns)
    for ax, (title, function) in zip(grid.flat, functions.items()):
        directions, winner = on_circle(function, num_classes)
        width = 2 * math.pi / len(directions)
        for j in range(-1, num_classes):
            chosen = directions[winner == j]
            _ring(ax, chosen, width, CLASS_COLORS[j] if j >= 0 else LIGHT)
        for j in range(num_classes):
            angle = 2 * math.pi * j / num_classes
            tip = np.array([math.cos(angle), math.sin(angle)])
            ax.plot(*np.outer([0, 0.72], tip).T, color=INK, linewidth=1)
            ax.text(
                *(1.13 * tip),
                str(j),
                ha="center",
                va="center",
                fontsize=11,
                weight="bold",
                color=on(CLASS_COLORS[j]),
                bbox={"boxstyle": "circle,pad=0.2", "fc": CLASS_COLORS[j], "ec": "none"},
            )
        share = np.mean(winner >= 0)
        ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        ax.set_title(f"{title}\n", fontsize=12)
        ax.text(0, 1.03, f"{share:.0%} of the circle is won", transform=ax.transAxes, fontsize=11)
        ax.axis("off")
    for ax in grid.flat[len(functions) :]:
        ax.remove()
    return figure


def _ring(ax, directions, width, color, inner=0.74, outer=0.98):
    """A piece of ring over each run of neighbouring directions."""
    if len(directions) == 0:
        return
    breaks = np.flatnonzero(np.diff(directions) > 1.5 * width) + 1
    for piece in np.split(directions, breaks):
        arc = np.linspace(piece[0] - width / 2, piece[-1] + width / 2, max(2, len(piece)))
        edge = np.stack([np.cos(arc), np.sin(arc)], axis=1)
        ax.fill(*np.concatenate([inner * edge, outer * edge[::-1]]).T, color=color, linewidth=0)


@styled
def regions(runs, heads, split="test", epoch=-1, centers=None, points=300):
    """Who wins where in the plane of 2-D embeddings, without margin, and the embeddings on top of it.

    ``runs`` is a dict: title → Run, ``heads`` a dict: title → its trained head, or any callable from
    embeddings ``(M, 2)`` to logits ``(M, C)``; the heads should be as of that ``epoch``. The ground
    is tinted with the class that wins there, on a grid of ``points`` × ``points``. A badge sits on the mean embedding
    of its class, ✖ marks a mistake. ``centers``, a dict: title → array ``(K, 2)``, adds white diamonds.
    Each panel has its own scale.

    Raises ``ValueError`` if a run has no head, an embedding is not 2-D, or the split or epoch is not in a run.
    """
    if not runs or not set(runs) <= set(heads):
        raise ValueError(
            f"runs have the titles {', '.join(runs) or '(none)'}, heads {', '.join(heads) or '(none)'}: "
            "give at least one run, and one head under the same title for each"
        )
    columns = min(len(runs), 3)
    rows = math.ceil(len(runs) / columns)
    figure, grid = axes(None, (7.2, 0.3 + rows * (7.2 / columns + 0.45)), rows, columns)
    for ax, (title, run) in zip(grid.flat, runs.items()):
        snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
        x, wrong = getattr(snapshot, split), getattr(snapshot, f"{split}_pred") != labels
        if x.shape[1] != 2:
            raise ValueError(
                f"{run.name} has {x.shape[1]}-D embeddings: this picture needs 2-D ones; "
                "train with embedding_dim=2"
            )
        extra = np.asarray((centers or {}).get(title, np.empty((0, 2))))
        means = np.stack([x[labels == j].mean(axis=0) for j in np.unique(labels)])
        colors, box = to_rgba_array(colors_of(run.classes)), _box(np.concatenate([x, extra]))
        _ground(ax, heads[title], box, run.classes, points)
        order = np.random.default_rng(0).permutation(len(x))
        ax.scatter(*x[order].T, s=3, c=colors[labels[order]], linewidths=0, zorder=2)
        ax.scatter(
            *x[wrong].T,
            s=12,
            marker="X",
            c=colors[labels[wrong]],
            edgecolors="black",
            linewidths=0.5,
            zorder=3,
        )
        for j, mean in zip(np.unique(labels), means):
            ax.text(
                *mean,
                badge_texts(run.classes)[j],
                color=on(colors[j]),
                fontsize=8,
                weight="bold",
                zorder=4,
                ha="center",
                va="center_baseline",
                bbox=dict(
                    boxstyle="circle,pad=0.2", facecolor=colors[j], edgecolor="white", linewidth=0.8
                ),
            )
        ax.scatter(
            *extra.T, s=28, marker="D", c="white", edgecolors="black", linewidths=1.2, zorder=5
        )
        ax.set_title(title, pad=21)
        ax.text(
            0,
            1.015,
            f"{100 * (1 - wrong.mean()):.1f} %, ✖ {wrong.sum():,}",
            transform=ax.transAxes,
            va="bottom",
            fontsize=11,
        )
        ax.set(xlim=box[:2], ylim=box[2:], aspect="equal")
        ax.locator_params(nbins=4)
    for ax in grid.flat[len(runs) :]:
        ax.remove()
    figure.supxlabel("x₁ (dimensionless)", fontsize=12)
    figure.supylabel("x₂ (dimensionless)", fontsize=12)
    return key(figure, run.classes)


def _box(x):
    """(left, right, bottom, top) of a square with some room around ``x``."""
    middle, half = (x.max(axis=0) + x.min(axis=0)) / 2, 0.56 * np.ptp(x, axis=0).max()
    return middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half


def _ground(ax, head, box, classes, points):
    """Tint the square with the class that ``head`` says at each point of it."""
    across, up = np.linspace(*box[:2], points), np.linspace(*box[2:], points)
    places = torch.from_numpy(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)).float()
    device = head.weight.device if hasattr(head, "weight") else "cpu"
    with torch.no_grad():
        winner = head(places.to(device)).argmax(dim=1).cpu().numpy().reshape(points, points)
    tints = 0.28 * np.array([to_rgb(color) for color in colors_of(classes)]) + 0.72
    ax.imshow(tints[winner], extent=box, origin="lower", interpolation="nearest", zorder=0)


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
    check_filled("functions", functions)
    theta = torch.linspace(0, math.pi, points, dtype=torch.float64)
    degrees, cos = np.degrees(theta.numpy()), torch.cos(theta)
    columns = {1: 1, 2: 2, 4: 2}.get(len(functions), 3)
    rows = math.ceil(len(functions) / columns)
    figure, grid = axes(
        None, (0.8 + columns * 2.4, 0.9 + rows * 2.7), rows, columns, sharex=True, sharey=True
    )
    kinds = set()
    for ax, (label, function) in zip(grid.flat, functions.items()):
        with torch.no_grad():
            target = evaluate_target(label, function, cos)
        first = (target[None, :] - cos[:, None]).numpy()  # θ₁ along x, θ₂ along y
        kinds |= _regions(ax, degrees, first, second=first.T)
        ax.set(
            title=label,
            aspect="equal",
            xticks=(0, 60, 120, 180),
            yticks=(0, 60, 120, 180),
            xlabel="θ₁ (degrees)",
            ylabel="θ₂ (degrees)",
        )
        ax.label_outer()
    for ax in grid.flat[len(functions) :]:
        ax.remove()
    figure.legend(
        handles=[
            Patch(facecolor=face, edgecolor=GREY, hatch=hatch, label=text)
            for text, (face, hatch) in REGIONS.items()
            if text in kinds
        ],
        loc="outside lower center",
        ncols=2 if columns == 1 else 4,
        handlelength=1.2,
        columnspacing=1.2,
    )
    return figure


REGIONS = {
    "class 1": ("#b9d8f2", None),
    "class 2": ("#ffdc9c", None),
    "margin": ("white", None),
    "claimed by both": ("#d9d9d9", "////"),
}


def _regions(ax, degrees, first, second):
    """Fill where ``first`` and ``second`` are above 0, draw their zero lines; the kinds of region found."""
    both = np.minimum(first, second)
    found = {
        "class 1": first.max() > 0,
        "class 2": second.max() > 0,
        "margin": np.maximum(first, second).min() < 0,
        "claimed by both": both.max() > 0,
    }
    for kind, value, line in (
        ("class 1", first, BLUE),
        ("class 2", second, AMBER),
        ("claimed by both", both, None),
    ):
        if found[kind]:
            face, hatch = REGIONS[kind]
            ax.contourf(degrees, degrees, value, levels=[0, np.inf], colors=[face], hatches=[hatch])
        alone = (value > 0) & (both <= 0)
        if alone.any():
            ax.contour(degrees, degrees, value, levels=[0], colors=[line], linewidths=2)
            row, column = _deepest(alone)
            ax.text(
                degrees[column],
                degrees[row],
                kind[-1],
                ha="center",
                va="center",
                fontsize=15,
                weight="bold",
            )
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

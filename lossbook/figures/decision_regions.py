"""Which class wins where: in the plane of two angles, in the plane of embeddings, on the circle."""

import math

import numpy as np
import torch
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from scipy.ndimage import distance_transform_edt

from lossbook.figures.margin_curves import evaluate_target
from lossbook.figures.style import (
    AMBER,
    BLUE,
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    add_class_legend,
    badge_texts,
    check_not_empty,
    class_colors,
    draw_badge,
    new_panels,
    styled,
)
from lossbook.figures.views import check_2d_run, drawing_order, labels_of, snapshot_at
from lossbook.metrics.winning_regions import on_circle

__all__ = ["decision_boundaries", "regions", "magnified_regions", "sectors"]

# Two classes in the plane of angles: region -> (colour, hatch), as in the legend.
REGION_FILLS = {
    "class 1": ("#b9d8f2", None),
    "class 2": ("#ffdc9c", None),
    "margin": ("white", None),
    "claimed by both": ("#d9d9d9", "////"),
}


@styled
def decision_boundaries(functions, points=361, apart=None):
    """Who wins where, for two classes, in the plane of the angles θ₁ and θ₂ to their class vectors.

    ``functions`` is a dict: label → callable from target cosines to margined targets (as for
    :func:`target_curves`; ``lambda cos: cos`` is norm-softmax). In training a sample of class 1
    counts as won where its margined target beats the other cosine, f(cos θ₁) > cos θ₂, and a
    sample of class 2 where f(cos θ₂) > cos θ₁. Where neither holds is the margin; where both
    hold, which only a function above cos θ can bring about, is drawn as claimed by both.
    The regions are computed on a grid of ``points`` × ``points`` angles in [0°, 180°]. ``apart``,
    in degrees, is how far apart the class vectors are: then a dotted frame holds the pairs of
    angles that an embedding can have.

    Raises as :func:`target_curves`, but needs no gradient.
    """
    check_not_empty("functions", functions)
    theta = torch.linspace(0, math.pi, points, dtype=torch.float64)
    degrees, cos = np.degrees(theta.numpy()), torch.cos(theta)
    columns = {1: 1, 2: 2, 4: 2}.get(len(functions), 3)
    figure, panels = new_panels(
        len(functions), columns, (2.4, 2.7), border=(0.8, 0.9), sharex=True, sharey=True
    )
    drawn = set()
    for ax, (label, function) in zip(panels, functions.items()):
        with torch.no_grad():
            target = evaluate_target(label, function, cos)
        lead = (target[None, :] - cos[:, None]).numpy()  # of class 1; θ₁ along x, θ₂ along y
        drawn |= _draw_angle_regions(ax, degrees, lead, lead.T)
        if apart is not None:
            ax.add_patch(_frame_of_reach(apart))
        ax.set(
            title=label,
            aspect="equal",
            xticks=(0, 60, 120, 180),
            yticks=(0, 60, 120, 180),
            xlabel="θ₁ (degrees)",
            ylabel="θ₂ (degrees)",
        )
        ax.label_outer()
    handles = [
        Patch(facecolor=color, edgecolor=GREY, hatch=hatch, label=region)
        for region, (color, hatch) in REGION_FILLS.items()
        if region in drawn
    ]
    if apart is not None:
        label = f"within reach, {apart:g}° apart"
        handles.append(Line2D([], [], color=INK, linestyle=":", linewidth=1.4, label=label))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2 if columns == 1 else 4,
        handlelength=1.2,
        columnspacing=1.2,
    )
    return figure


def _draw_angle_regions(ax, degrees, first, second):
    """Fill where ``first`` and ``second`` are above 0 and draw where each is 0.

    ``first`` and ``second`` are by how much class 1 and class 2 win. Returns the names of the
    regions that exist, a set.
    """
    both = np.minimum(first, second)
    values = {"class 1": first, "class 2": second, "claimed by both": both}
    regions = {region for region, value in values.items() if value.max() > 0}
    if np.maximum(first, second).min() < 0:
        regions.add("margin")
    for region, value in values.items():
        if region in regions:
            color, hatch = REGION_FILLS[region]
            ax.contourf(
                degrees, degrees, value, levels=[0, np.inf], colors=[color], hatches=[hatch]
            )
    for number, value, color in (("1", first, BLUE), ("2", second, AMBER)):
        ground, _ = REGION_FILLS[f"class {number}"]
        won_alone = (value > 0) & (both <= 0)
        if won_alone.any():
            ax.contour(degrees, degrees, value, levels=[0], colors=[color], linewidths=2)
            row, column = _deepest_point(won_alone)
            ax.text(
                degrees[column],
                degrees[row],
                number,
                ha="center",
                va="center",
                fontsize=15,
                weight="bold",
                bbox={"facecolor": ground, "edgecolor": "none", "pad": 1},
                zorder=4,
            )
    return regions


def _frame_of_reach(apart):
    """A frame around the angles that an embedding can have to class vectors so far apart."""
    corners = [(0, apart), (apart, 0), (180, 180 - apart), (180 - apart, 180)]
    return Polygon(corners, fill=False, edgecolor=INK, linestyle=":", linewidth=1.4, zorder=3)


def _deepest_point(inside):
    """(row, column) of the point of a region, a boolean grid, that is farthest from its outside."""
    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)


@styled
def regions(runs, heads, split="test", epoch=-1, centers=None, points=300):
    """Who wins where in the plane of 2-D embeddings, without margin, below the embeddings.

    A badge sits on the mean embedding of its class, ✖ marks a mistake. Each panel has its own
    scale.

    Parameters
    ----------
    runs : dict: title → Run
        With 2-D embeddings and the same classes.
    heads : dict: title → its trained head, or any callable
        From embeddings ``(M, 2)`` to logits ``(M, C)``; the heads should be as of that ``epoch``.
    split, epoch
        As in :func:`lossbook.figures.embeddings`.
    centers : dict: title → array (K, 2), optional
        Points to mark with white diamonds.
    points : int
        The ground is tinted with the class that wins there, on a grid of ``points`` × ``points``.

    Raises
    ------
    ValueError
        If a run has no head, an embedding is not 2-D, or the split or epoch is not in a run.
    """
    if not runs or not set(runs) <= set(heads):
        raise ValueError(
            f"runs have the titles {', '.join(runs) or '(none)'}, "
            f"heads {', '.join(heads) or '(none)'}: "
            "give at least one run, and one head under the same title for each"
        )
    columns = min(len(runs), 3)
    panel_size = 7.2 / columns, 7.2 / columns + 0.45
    figure, panels = new_panels(len(runs), columns, panel_size, border=(0, 0.3))
    for ax, (title, run) in zip(panels, runs.items()):
        check_2d_run(run)
        snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
        x = getattr(snapshot, split)
        wrong = getattr(snapshot, f"{split}_pred") != labels
        marks = np.asarray((centers or {}).get(title, np.empty((0, 2))))
        box = _square_around(np.concatenate([x, marks]))
        _tint_ground(ax, heads[title], box, run.classes, points)
        _draw_embeddings(ax, x, labels, wrong, run.classes)
        ax.scatter(
            *marks.T, s=28, marker="D", c="white", edgecolors="black", linewidths=1.2, zorder=5
        )
        ax.set_title(title, pad=21)
        score = f"{100 * (1 - wrong.mean()):.1f} %, ✖ {wrong.sum():,}"
        ax.text(0, 1.015, score, transform=ax.transAxes, va="bottom", fontsize=11)
        ax.set(xlim=box[:2], ylim=box[2:], aspect="equal")
        ax.locator_params(nbins=4)
    for ax in panels[-columns:]:  # with nothing below
        ax.set_xlabel("x₁")
    figure.supylabel("x₂", fontsize=12)
    return add_class_legend(figure, run.classes)


def _square_around(x):
    """(left, right, bottom, top) of a square with some room around the points ``x``, (N, 2)."""
    middle, half = (x.max(axis=0) + x.min(axis=0)) / 2, 0.56 * np.ptp(x, axis=0).max()
    return middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half


def _tint_ground(ax, head, box, classes, points):
    """Tint the square with the class that ``head`` predicts at each point of it."""
    across, up = np.linspace(*box[:2], points), np.linspace(*box[2:], points)
    grid = torch.from_numpy(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)).float()
    device = head.weight.device if hasattr(head, "weight") else "cpu"
    with torch.no_grad():
        winner = head(grid.to(device)).argmax(dim=1).cpu().numpy().reshape(points, points)
    tints = 0.28 * np.array([to_rgb(color) for color in class_colors(classes)]) + 0.72
    ax.imshow(tints[winner], extent=box, origin="lower", interpolation="nearest", zorder=0)


def _draw_embeddings(ax, x, labels, wrong, classes):
    """Points, a cross on each mistake, and a badge on the mean of each class."""
    colors, texts = to_rgba_array(class_colors(classes)), badge_texts(classes)
    order = drawing_order(len(x))
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
    for j in np.unique(labels):
        draw_badge(ax, x[labels == j].mean(axis=0), texts[j], colors[j], fontsize=8)


@styled
def magnified_regions(run, head, radii, points=500):
    """Who wins where around the origin, at several magnifications, class vectors to scale.

    One panel per radius; the ground is tinted with the class that wins there, and points are test
    embeddings of the last epoch. The class vectors are drawn in their true proportions: the longest
    reaches 0.85 times the largest radius, so a close-up shows only how they begin.

    Parameters
    ----------
    run : Run
        With 2-D embeddings.
    head : the trained head of the run
        From embeddings ``(M, 2)`` to logits ``(M, C)``; ``head.weight`` is ``(C, 2)``.
    radii : sequence of floats
        Half the side of each panel, in units of the embeddings.
    points : int
        The grid has ``points`` × ``points`` points.

    Raises
    ------
    ValueError
        If the embeddings are not 2-D.
    """
    check_2d_run(run)
    snapshot, labels = snapshot_at(run, -1), labels_of(run, "test")
    weight = head.weight.detach().cpu().numpy()
    tips = 0.85 * max(radii) * weight / np.linalg.norm(weight, axis=1).max()
    colors = to_rgba_array(class_colors(run.classes))
    order = drawing_order(len(labels))
    panel_size = 7.2 / len(radii), 7.2 / len(radii) + 0.3
    figure, panels = new_panels(len(radii), len(radii), panel_size)
    for ax, radius in zip(panels, radii):
        box = (-radius, radius, -radius, radius)
        _tint_ground(ax, head, box, run.classes, points)
        ax.scatter(*snapshot.test[order].T, s=3, c=colors[labels[order]], linewidths=0, zorder=2)
        for tip, text in zip(tips, badge_texts(run.classes)):
            ax.plot(*zip((0, 0), tip), color=INK, linewidth=1)
            ax.text(*(1.09 * tip), text, ha="center", va="center", weight="bold", clip_on=True)
        ax.set(xlim=box[:2], ylim=box[2:], aspect="equal", xlabel="x₁")
        ax.set_title(f"magnified {max(radii) / radius:.0f} ×")
        ax.locator_params(nbins=4)
    panels[0].set_ylabel("x₂")
    return add_class_legend(figure, run.classes)


@styled
def sectors(functions, num_classes=10):
    """The directions that each class wins on the circle, one panel per margin; grey is the margin.

    ``functions`` is a dict: title → callable from target cosines ``(N,)`` to margined targets
    ``(N,)``; ``num_classes`` from 2 to 10 evenly spaced class vectors. In training the loss is
    content with a sample inside its own class's colour, and pulls it there from the grey.

    Raises ``ValueError`` for an empty dict, or if ``num_classes`` is outside its domain.
    """
    check_not_empty("functions", functions)
    if not 2 <= num_classes <= len(CLASS_COLORS):
        raise ValueError(
            f"num_classes = {num_classes}: a picture tells 2 to {len(CLASS_COLORS)} classes apart"
        )
    columns = min(len(functions), 3)
    panel_size = 7.2 / columns, 7.2 / columns + 0.3
    figure, panels = new_panels(len(functions), columns, panel_size)
    for ax, (title, function) in zip(panels, functions.items()):
        directions, winner = on_circle(function, num_classes)
        _fill_arcs(ax, directions, winner == -1, LIGHT)
        for j, color in enumerate(CLASS_COLORS[:num_classes]):
            _fill_arcs(ax, directions, winner == j, color)
            angle = 2 * math.pi * j / num_classes
            tip = np.array([math.cos(angle), math.sin(angle)])
            ax.plot(*np.outer([0, 0.72], tip).T, color=INK, linewidth=1)
            draw_badge(ax, 1.13 * tip, str(j), color)
        ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        ax.set_title(f"{title}\n", fontsize=12)
        share = np.mean(winner >= 0)
        ax.text(0, 1.03, f"{share:.0%} of the circle is won", transform=ax.transAxes, fontsize=11)
        ax.axis("off")
    return figure


def _fill_arcs(ax, directions, inside, color, inner=0.74, outer=0.98):
    """Fill a ring over those ``directions``, evenly spaced radians, that are inside."""
    if not inside.any():
        return
    width = 2 * math.pi / len(directions)
    directions = directions[inside]
    breaks = np.flatnonzero(np.diff(directions) > 1.5 * width) + 1
    for piece in np.split(directions, breaks):
        arc = np.linspace(piece[0] - width / 2, piece[-1] + width / 2, max(2, len(piece)))
        edge = np.stack([np.cos(arc), np.sin(arc)], axis=1)
        ax.fill(*np.concatenate([inner * edge, outer * edge[::-1]]).T, color=color, linewidth=0)

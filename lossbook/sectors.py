"""The circle as a loss sees it: which directions a class wins with its margin, and which nobody does."""

import math

import numpy as np
import torch

from .palette import CLASS_COLORS, INK, LIGHT, axes, on, styled

__all__ = ["sectors", "won_with_margin"]


def won_with_margin(function, num_classes, points=3600):
    """For each direction on the circle, the class that wins it with its margin, or −1; d = 2.

    The C class vectors are spaced evenly, class 0 at angle 0. Class j wins direction φ where its
    margined target beats every other cosine, function(cos θ_j) > max over k ≠ j of cos θ_k.
    Returns the directions ``(points,)``, radians counted from half-way to the class before, and the winners ``(points,)``.
    """
    directions = (np.arange(points) + 0.5) * 2 * math.pi / points - math.pi / num_classes
    vectors = 2 * math.pi * np.arange(num_classes) / num_classes
    cos = torch.cos(torch.from_numpy(directions[:, None] - vectors))
    with torch.no_grad():
        target = function(cos.flatten()).reshape(cos.shape)
    rival = torch.stack([cos.roll(-j, dims=1)[:, 1:].amax(dim=1) for j in range(num_classes)], dim=1)
    wins = target > rival
    return directions, torch.where(wins.any(dim=1), wins.int().argmax(dim=1), -1).numpy()


@styled
def sectors(functions, num_classes=10):
    """The won directions of each class on the circle, for several margins side by side; grey is the margin.

    ``functions`` is a dict: title → callable from target cosines ``(N,)`` to margined targets
    ``(N,)``; ``num_classes`` from 2 to 10 evenly spaced class vectors. In training the loss is
    content with a sample inside its own class's colour, and pulls it there from the grey.
    """
    if not 2 <= num_classes <= len(CLASS_COLORS):
        raise ValueError(f"num_classes = {num_classes}: a picture tells 2 to {len(CLASS_COLORS)} classes apart")
    columns = min(len(functions), 3)
    rows = math.ceil(len(functions) / columns)
    figure, grid = axes(None, (7.2, rows * (7.2 / columns + 0.3)), rows, columns)
    for ax, (title, function) in zip(grid.flat, functions.items()):
        directions, winner = won_with_margin(function, num_classes)
        width = 2 * math.pi / len(directions)
        for j in range(-1, num_classes):
            chosen = directions[winner == j]
            _ring(ax, chosen, width, CLASS_COLORS[j] if j >= 0 else LIGHT)
        for j in range(num_classes):
            angle = 2 * math.pi * j / num_classes
            tip = np.array([math.cos(angle), math.sin(angle)])
            ax.plot(*np.outer([0, 0.72], tip).T, color=INK, linewidth=1)
            ax.text(*(1.13 * tip), str(j), ha="center", va="center", fontsize=11, weight="bold",
                    color=on(CLASS_COLORS[j]), bbox={"boxstyle": "circle,pad=0.2", "fc": CLASS_COLORS[j], "ec": "none"})
        share = np.mean(winner >= 0)
        ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        ax.set_title(f"{title}\n", fontsize=12)
        ax.text(0, 1.03, f"{share:.0%} of the circle is won", transform=ax.transAxes, fontsize=11)
        ax.axis("off")
    for ax in grid.flat[len(functions):]:
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

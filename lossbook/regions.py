"""The plane as a head sees it: which class it says wherever an embedding might lie."""

import math

import numpy as np
import torch
from matplotlib.colors import to_rgb, to_rgba_array

from .palette import axes, badge_texts, colors_of, key, on, styled
from .views import labels_of, snapshot_at

__all__ = ["regions"]


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
        raise ValueError(f"runs have the titles {', '.join(runs) or '(none)'}, heads {', '.join(heads) or '(none)'}: "
                         "give at least one run, and one head under the same title for each")
    columns = min(len(runs), 3)
    rows = math.ceil(len(runs) / columns)
    figure, grid = axes(None, (7.2, 0.3 + rows * (7.2 / columns + 0.45)), rows, columns)
    for ax, (title, run) in zip(grid.flat, runs.items()):
        snapshot, labels = snapshot_at(run, epoch), labels_of(run, split)
        x, wrong = getattr(snapshot, split), getattr(snapshot, f"{split}_pred") != labels
        if x.shape[1] != 2:
            raise ValueError(f"{run.name} has {x.shape[1]}-D embeddings: this picture needs 2-D ones; "
                             "train with embedding_dim=2")
        extra = np.asarray((centers or {}).get(title, np.empty((0, 2))))
        means = np.stack([x[labels == j].mean(axis=0) for j in np.unique(labels)])
        colors, box = to_rgba_array(colors_of(run.classes)), _box(np.concatenate([x, extra]))
        _ground(ax, heads[title], box, run.classes, points)
        order = np.random.default_rng(0).permutation(len(x))
        ax.scatter(*x[order].T, s=3, c=colors[labels[order]], linewidths=0, zorder=2)
        ax.scatter(*x[wrong].T, s=12, marker="X", c=colors[labels[wrong]], edgecolors="black", linewidths=0.5, zorder=3)
        for j, mean in zip(np.unique(labels), means):
            ax.text(*mean, badge_texts(run.classes)[j], color=on(colors[j]), fontsize=8, weight="bold", zorder=4,
                    ha="center", va="center_baseline",
                    bbox=dict(boxstyle="circle,pad=0.2", facecolor=colors[j], edgecolor="white", linewidth=0.8))
        ax.scatter(*extra.T, s=28, marker="D", c="white", edgecolors="black", linewidths=1.2, zorder=5)
        ax.set_title(title, pad=21)
        ax.text(0, 1.015, f"{100 * (1 - wrong.mean()):.1f} %, ✖ {wrong.sum():,}", transform=ax.transAxes,
                va="bottom", fontsize=11)
        ax.set(xlim=box[:2], ylim=box[2:], aspect="equal")
        ax.locator_params(nbins=4)
    for ax in grid.flat[len(runs):]:
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

"""Two ways to look at 2-D embeddings: the plane they live in, and the circle of their directions.

A view is one panel for one split of one run. ``show`` puts a snapshot's embeddings, class vectors
and mistakes into it, and can be called again for the next snapshot: a picture calls it once, an
animation once per frame.
"""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba_array

from lossbook.figures.style import (
    GREY,
    INK,
    LIGHT,
    add_class_legend,
    badge_texts,
    class_colors,
    draw_badge,
    new_axes,
    set_title,
)
from lossbook.utils.validation import unit_rows

__all__ = [
    "Plane",
    "Circle",
    "view_class",
    "side_by_side",
    "snapshot_at",
    "labels_of",
    "check_2d_run",
    "drawing_order",
]


def view_class(view):
    """:class:`Plane` for ``"plane"``, :class:`Circle` for ``"circle"``; else ``ValueError``."""
    views = {"plane": Plane, "circle": Circle}
    if view not in views:
        raise ValueError(f"view = {view!r}: expected 'plane' or 'circle'")
    return views[view]


def snapshot_at(run, epoch):
    """The snapshot of an epoch: counted from 1, or from the end if negative (-1 is the last)."""
    epochs = [s.epoch for s in run.snapshots]
    if epoch in epochs:
        return run.snapshots[epochs.index(epoch)]
    if -len(epochs) <= epoch < 0:
        return run.snapshots[epoch]
    raise ValueError(
        f"epoch = {epoch!r}: {run.name} has snapshots of the epochs {epochs}; "
        "negative numbers count from the end"
    )


def labels_of(run, split):
    """The labels, shape (N,), of the samples that snapshots show of ``"train"`` or ``"test"``."""
    if split not in ("train", "test"):
        raise ValueError(f"split = {split!r}: expected 'train' or 'test'")
    return getattr(run, f"{split}_labels")


def check_2d_run(run, sphere="figures.sphere"):
    """Raise ``ValueError`` unless the embeddings of ``run`` are 2-D.

    The message names ``sphere``, what draws the same of 3-D embeddings.
    """
    dim = run.snapshots[0].weight.shape[1]
    if dim != 2:
        instead = sphere if dim == 3 else "figures.angle_histograms, which works in any dimension"
        raise ValueError(
            f"{run.name} has {dim}-D embeddings: this picture needs 2-D ones; "
            f"train with embedding_dim=2, or look at {instead}"
        )


def drawing_order(count):
    """The order in which to draw ``count`` points: shuffled, the same every time.

    Otherwise the points of the last class would hide those of the others.
    """
    return np.random.default_rng(0).permutation(count)


class _View:
    """A panel on ``ax`` whose scale holds every one of ``snapshots``, train and test."""

    def __init__(self, ax, run, split, snapshots, small=False):
        check_2d_run(run)
        self.ax, self.small, self.split, self.labels = ax, small, split, labels_of(run, split)
        self.palette = to_rgba_array(class_colors(run.classes))
        self.order = drawing_order(len(self.labels))
        self.colors = self.palette[self.labels]
        ax.set_aspect("equal")
        self.points = ax.scatter([], [], s=3 if small else 7, linewidths=0, zorder=2)
        self.points.set_facecolors(self.colors[self.order])
        self.rays = ax.add_collection(
            LineCollection([], colors=INK, linewidths=0.8 if small else 1.2, zorder=3)
        )
        self.badges = [
            draw_badge(ax, (0, 0), text, color, fontsize=8 if small else 11)
            for text, color in zip(badge_texts(run.classes), self.palette)
        ]
        self.mistakes = ax.scatter([], [], marker="X", edgecolors="black", zorder=5)
        self.score = ax.text(
            0, 1.015, "", transform=ax.transAxes, va="bottom", color=GREY, fontsize=11
        )
        self.score_format = "{:.1f} %, ✖ {:,}" if small else "{:.1f} % right, ✖ {:,} of {:,} wrong"
        self.set_up_axes(snapshots)

    def show(self, snapshot, title=None):
        """Draw a snapshot in place of the last; ``title`` is the split and epoch by default."""
        wrong = getattr(snapshot, f"{self.split}_pred") != self.labels
        positions = self.positions(getattr(snapshot, self.split))
        tips = self.reach * unit_rows("the class vectors", snapshot.weight)
        self.points.set_offsets(positions[self.order])
        size = np.clip(3000 / max(1, wrong.sum()), 6, 30)  # many crosses: smaller ones
        size = size / 2 if self.small else size
        self.mistakes.set(
            offsets=positions[wrong],
            facecolors=self.colors[wrong],
            sizes=[size],
            linewidths=0.13 * np.sqrt(size),
        )
        self.rays.set_segments([((0, 0), tip) for tip in tips])
        for badge, position in zip(self.badges, self.badge_positions(tips)):
            badge.set_position(position)
        self.ax.set_title(
            f"{self.split}, epoch {snapshot.epoch}" if title is None else title, pad=21
        )
        self.score.set_text(
            self.score_format.format(100 * (1 - wrong.mean()), wrong.sum(), len(wrong))
        )
        return self


class Plane(_View):
    """The embeddings as they are."""

    def set_up_axes(self, snapshots):
        radius = max(np.linalg.norm(x, axis=1).max() for s in snapshots for x in (s.train, s.test))
        self.reach = 1.12 * radius
        self.ax.set(xlim=(-1.27 * radius, 1.27 * radius), ylim=(-1.27 * radius, 1.27 * radius))
        self.ax.axhline(0, color=LIGHT, linewidth=0.7, zorder=0)
        self.ax.axvline(0, color=LIGHT, linewidth=0.7, zorder=0)
        self.ax.locator_params(nbins=4)
        if not self.small:
            self.ax.set(xlabel="x₁", ylabel="x₂")

    def positions(self, x):
        return x

    def badge_positions(self, tips):
        return tips


class Circle(_View):
    """The embeddings' directions: a ring of points, and a histogram that stands on it.

    Where a point lies across the ring means nothing; it is spread so that points do not cover each
    other. A bar of the histogram is 2° wide and as high as the square root of its count, so that
    the thin tails between classes show. The scale is the same in every circle: 0.5 high for as
    many samples as an average class has. Badges that would cover each other stand one behind the
    other on their rays.
    """

    reach, bins, tallest, rim, edge = 0.72, 180, 0.5, 1.015, 1.55
    badge_size = 0.24

    def set_up_axes(self, snapshots):
        self.radius = np.random.default_rng(1).uniform(0.86, 0.98, len(self.labels))
        self.bars = self.ax.add_collection(
            PolyCollection([], facecolors=self.palette, linewidths=0, zorder=1)
        )
        theta = np.linspace(0, 2 * np.pi, 361)
        self.ax.plot(np.cos(theta), np.sin(theta), color=GREY, linewidth=0.8, zorder=1)
        highest = max(self.heights(getattr(each, self.split)).max() for each in snapshots)
        edge = max(self.edge, self.rim + highest + 0.03)
        self.ax.set(xlim=(-edge, edge), ylim=(-edge, edge))
        self.ax.axis("off")
        if not self.small:
            self.ax.text(
                0.5,
                0,
                "bars: samples per 2° of direction (√ scale)",
                transform=self.ax.transAxes,
                ha="center",
                va="top",
                color=GREY,
                fontsize=11,
            )

    def positions(self, x):
        return self.radius[:, None] * unit_rows("the embeddings", x)

    def badge_positions(self, tips):
        placed = []
        for tip in tips:
            on_ray = [tip * share for share in (1, 0.65, 0.3)]
            free = [
                place
                for place in on_ray
                if all(np.linalg.norm(place - other) >= self.badge_size for other in placed)
            ]
            placed.append((free or on_ray)[0])
        return placed

    def show(self, snapshot, title=None):
        super().show(snapshot, title)
        heights = self.heights(getattr(snapshot, self.split))
        edges = np.repeat(np.linspace(-np.pi, np.pi, self.bins + 1), 2)[1:-1]
        rims = self.rim + np.repeat(np.vstack([np.zeros(self.bins), heights]), 2, axis=1)
        self.bars.set_verts(
            [
                np.concatenate([_polar(outer, edges), _polar(inner, edges)[::-1]])
                for inner, outer in zip(rims[:-1], rims[1:])
            ]
        )
        return self

    def heights(self, x):
        """(C, bins): how high the stack of bars is at the top of each class."""
        turns = (np.arctan2(x[:, 1], x[:, 0]) / np.pi + 1) / 2  # 0 to 1, from -π to π
        columns = np.floor(turns * self.bins).astype(int) % self.bins
        counts = np.zeros((len(self.badges), self.bins))
        np.add.at(counts, (self.labels, columns), 1)
        total = counts.sum(axis=0)
        share = np.cumsum(counts, axis=0) / np.maximum(total, 1)
        return self.tallest * np.sqrt(total * len(counts) / len(x)) * share


def side_by_side(run, splits, view, snapshots):
    """A new figure with one empty panel for each split, on a scale that holds all ``snapshots``."""
    figure, axes = new_axes((0.2 + 3.5 * len(splits), 4.7), 1, len(splits), sharey=True)
    panels = [view_class(view)(ax, run, split, snapshots) for ax, split in zip(axes[0], splits)]
    for ax in axes[0]:
        ax.label_outer()
    return add_class_legend(set_title(figure, run.name), run.classes), panels


def _polar(radius, theta):
    return np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=-1)

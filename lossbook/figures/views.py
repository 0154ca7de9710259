"""Two ways to look at 2-D embeddings: the plane they live in, and the circle of their directions.

A view is one panel for one split of one run. ``show`` puts a snapshot's embeddings, class vectors
and mistakes into it, and can be called again for the next snapshot: a picture calls it once, an
animation once a frame.
"""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba_array

from lossbook.figures.style import GREY, INK, LIGHT, axes, badge_texts, colors_of, headline, key, on

__all__ = ["Plane", "Circle", "view_named", "side_by_side", "snapshot_at", "labels_of"]


def view_named(view):
    """:class:`Plane` for ``"plane"``, :class:`Circle` for ``"circle"``."""
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


class _View:
    """A panel on ``ax`` whose scale holds every one of ``snapshots``, train and test."""

    def __init__(self, ax, run, split, snapshots, small=False):
        dim = snapshots[0].weight.shape[1]
        if dim != 2:
            raise ValueError(
                f"{run.name} has {dim}-D embeddings: this picture needs 2-D ones; train with embedding_dim=2, "
                + (
                    "or look at figures.sphere"
                    if dim == 3
                    else "or look at figures.angle_histograms, which works in any dimension"
                )
            )
        self.ax, self.small, self.split, self.labels = ax, small, split, labels_of(run, split)
        self.palette = to_rgba_array(colors_of(run.classes))
        # Drawn in a shuffled order, the same every time: else the last class would hide the others.
        self.order = np.random.default_rng(0).permutation(len(self.labels))
        self.colors = self.palette[self.labels]
        ax.set_aspect("equal")
        self.points = ax.scatter([], [], s=3 if small else 7, linewidths=0, zorder=2)
        self.points.set_facecolors(self.colors[self.order])
        self.rays = ax.add_collection(
            LineCollection([], colors=INK, linewidths=0.8 if small else 1.2, zorder=3)
        )
        self.badges = [
            ax.text(
                0,
                0,
                text,
                color=on(color),
                fontsize=8 if small else 11,
                weight="bold",
                zorder=4,
                ha="center",
                va="center_baseline",
                bbox=dict(
                    boxstyle="circle,pad=0.2", facecolor=color, edgecolor="white", linewidth=0.8
                ),
            )
            for text, color in zip(badge_texts(run.classes), self.palette)
        ]
        self.mistakes = ax.scatter([], [], marker="X", edgecolors="black", zorder=5)
        self.score = ax.text(
            0, 1.015, "", transform=ax.transAxes, va="bottom", color=GREY, fontsize=11
        )
        self.score_format = "{:.1f} %, ✖ {:,}" if small else "{:.1f} % right, ✖ {:,} of {:,} wrong"
        self.frame(snapshots)

    def show(self, snapshot, title=None):
        """Draw a snapshot, in place of the one before; ``title`` is the split and epoch by default."""
        x, wrong = (
            getattr(snapshot, self.split),
            getattr(snapshot, f"{self.split}_pred") != self.labels,
        )
        places, tips = self.places(x), self.reach * _unit(snapshot.weight)
        self.points.set_offsets(places[self.order])
        size = np.clip(3000 / max(1, wrong.sum()), 6, 30) / (
            2 if self.small else 1
        )  # many crosses: smaller ones
        self.mistakes.set(
            offsets=places[wrong],
            facecolors=self.colors[wrong],
            sizes=[size],
            linewidths=0.13 * np.sqrt(size),
        )
        self.rays.set_segments([((0, 0), tip) for tip in tips])
        for badge, tip in zip(self.badges, tips):
            badge.set_position(tip)
        self.ax.set_title(
            f"{self.split}, epoch {snapshot.epoch}" if title is None else title, pad=21
        )
        self.score.set_text(
            self.score_format.format(100 * (1 - wrong.mean()), wrong.sum(), len(wrong))
        )
        return self


class Plane(_View):
    """The embeddings as they are."""

    def frame(self, snapshots):
        radius = max(np.linalg.norm(x, axis=1).max() for s in snapshots for x in (s.train, s.test))
        self.reach = 1.12 * radius
        self.ax.set(xlim=(-1.27 * radius, 1.27 * radius), ylim=(-1.27 * radius, 1.27 * radius))
        self.ax.axhline(0, color=LIGHT, linewidth=0.7, zorder=0)
        self.ax.axvline(0, color=LIGHT, linewidth=0.7, zorder=0)
        self.ax.locator_params(nbins=4)
        if not self.small:
            self.ax.set(xlabel="x₁ (dimensionless)", ylabel="x₂ (dimensionless)")

    def places(self, x):
        return x


class Circle(_View):
    """The embeddings' directions: a ring of points, and a histogram that stands on it.

    Where a point lies across the ring means nothing; it is spread so that points do not cover each
    other. A bar of the histogram is 2° wide and as high as the square root of its count, so that
    the thin tails between classes show. The scale is the same in every circle: 0.5 high for as
    many samples as an average class has.
    """

    reach, bins, tallest, rim, edge = 0.72, 180, 0.5, 1.015, 1.55

    def frame(self, snapshots):
        self.radius = np.random.default_rng(1).uniform(0.86, 0.98, len(self.labels))
        self.bars = self.ax.add_collection(
            PolyCollection([], facecolors=self.palette, linewidths=0, zorder=1)
        )
        around = np.linspace(0, 2 * np.pi, 361)
        self.ax.plot(np.cos(around), np.sin(around), color=GREY, linewidth=0.8, zorder=1)
        self.ax.set(xlim=(-self.edge, self.edge), ylim=(-self.edge, self.edge))
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

    def places(self, x):
        return self.radius[:, None] * _unit(x)

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
        bin_of = (
            np.floor((np.arctan2(x[:, 1], x[:, 0]) / np.pi + 1) / 2 * self.bins).astype(int)
            % self.bins
        )
        counts = np.zeros((len(self.badges), self.bins))
        np.add.at(counts, (self.labels, bin_of), 1)
        total = counts.sum(axis=0)
        share = np.cumsum(counts, axis=0) / np.maximum(total, 1)
        return self.tallest * np.sqrt(total * len(counts) / len(x)) * share


def side_by_side(run, splits, view, snapshots):
    """A new figure with one empty panel for each split, on a scale that holds all ``snapshots``."""
    figure, grid = axes(None, (0.2 + 3.5 * len(splits), 4.7), 1, len(splits), sharey=True)
    panels = [view_named(view)(ax, run, split, snapshots) for ax, split in zip(grid[0], splits)]
    for ax in grid[0]:
        ax.label_outer()
    return key(headline(figure, run.name), run.classes), panels


def _polar(radius, theta):
    return np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=-1)


def _unit(vectors):
    vectors = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(
            f"vector {int(np.argmin(length))} of {len(vectors)} is zero: it has no direction to draw"
        )
    return vectors / length

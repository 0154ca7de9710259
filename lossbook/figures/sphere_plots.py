"""The unit sphere, drawn: directions of 3-D embeddings, class vectors, and the caps that classes win."""

import math
from dataclasses import replace

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle as Disc
from matplotlib.patches import Polygon
from scipy.linalg import orthogonal_procrustes

from lossbook.figures.style import (
    GREY,
    INK,
    axes,
    badge_texts,
    colors_of,
    headline,
    key,
    on,
    styled,
)
from lossbook.figures.views import labels_of, snapshot_at
from lossbook.heads.presets import head_from_run
from lossbook.metrics.winning_regions import on_sphere
from lossbook.training.run import Run
from lossbook.utils.validation import require

__all__ = ["sphere", "spherical_regions", "align_runs", "unit", "HOME", "REACH", "EDGE"]

HOME = (30.0, 20.0)  # degrees the sphere is turned eastwards and tilted towards you, at first
REACH, EDGE = (
    1.13,
    1.23,
)  # where a class vector's badge stands, and half the picture's width; the radius is 1
AROUND = 180  # points on a cap's rim: its corners are sharp


@styled
def sphere(runs, split="test", epoch=-1, heads=None, caps=True, turned=HOME):
    """The directions of 3-D embeddings on the unit sphere, with the caps that the classes win.

    A pin is a class vector, ✖ a mistake; what lies behind the sphere is pale.

    Parameters
    ----------
    runs : Run, or dict: title → Run
        One run is shown from the front and from behind; of several (at most four), each has one sphere,
        turned so that its class vectors lie as near to the first one's as a rotation can bring them.
    split, epoch
        As in :func:`lossbook.figures.embeddings`.
    heads : dict: title → head, optional
        Whose margin to draw, where a run does not tell (its head is not from :mod:`lossbook.heads`); for one run, the head.
    caps : bool
        Draw the region that each class wins with its margin; see :mod:`lossbook.metrics.winning_regions`.
    turned : (float, float)
        Degrees eastwards and towards the viewer.

    Raises
    ------
    ValueError
        If embeddings are not 3-D, there are too many runs, their classes differ, a margin is not
        known, or the split or the epoch is not in a run.
    """
    gathering = align_runs(runs, heads if caps else {}, caps)
    panels = [(title, run, head, turned) for title, (run, head) in gathering.items()]
    if len(panels) == 1:
        (title, *rest, _), east = panels[0], turned[0]
        panels = [
            ("from the front", *rest, turned),
            ("from behind", *rest, (east + 180, turned[1])),
        ]
    figure, places = _grid(len(panels))
    for ax, (title, run, head, seen_from) in zip(places, panels):
        _draw(ax, title, run, split, snapshot_at(run, epoch), head, seen_from)
    first = next(iter(gathering.values()))[0]
    return key(
        headline(figure, f"{split} embeddings" if len(gathering) > 1 else f"{first.name}, {split}"),
        first.classes,
    )


@styled
def spherical_regions(heads, vectors, turned=HOME):
    """The regions of the sphere that classes win, with the margins of several heads; uncoloured is the margin.

    ``heads`` is a dict: title → head for 3-D embeddings, up to four; ``vectors`` (C, 3) class vectors,
    at most ten. :func:`lossbook.figures.sectors` on the sphere, but for any class vectors.
    Raises ``ValueError`` for too many heads or classes.
    """
    figure, places = _grid(len(heads))
    classes = tuple(map(str, range(len(vectors))))
    for ax, (title, head) in zip(places, heads.items()):
        found = on_sphere(head, vectors, AROUND)
        _globe(
            ax,
            title,
            f"{found.share.sum():.0%} of the sphere is won",
            vectors,
            found.rims,
            classes,
            turned,
        )
    return figure


def _grid(count):
    """(figure, axes) for one to four spheres."""
    require(
        1 <= count <= 4, f"{count} spheres to draw, expected 1 to 4: a picture holds four at most"
    )
    columns = 2 if count in (2, 4) else min(count, 3)
    rows, width = math.ceil(count / columns), 7.2 / max(columns, 2)
    figure, grid = axes(None, (columns * width, 0.3 + rows * (width + 0.35)), rows, columns)
    return figure, grid.flat


def align_runs(runs, heads=None, caps=True):
    """dict: title → (run, function from epoch to head, or None without caps), turned to match the first."""
    runs = {runs.name: runs} if isinstance(runs, Run) else dict(runs)
    heads = (
        heads if isinstance(heads, dict) else {} if heads is None else {next(iter(runs), ""): heads}
    )
    require(
        1 <= len(runs) <= 4,
        f"{len(runs)} runs were given, expected 1 to 4: a picture holds four spheres at most",
    )
    strangers = ", ".join(map(repr, set(heads) - set(runs)))
    require(
        not strangers,
        f"heads are given for {strangers}, but the runs are {', '.join(map(repr, runs))}",
    )
    require(
        len({tuple(run.classes) for run in runs.values()}) == 1,
        f"{len(runs)} runs with different classes: colours and labels would mean different things",
    )
    found, model = {}, None
    for title, run in runs.items():
        require(run.snapshots, f"{run.name} has no snapshot: train at least one epoch")
        dim = run.snapshots[0].weight.shape[1]
        require(
            dim == 3,
            f"{run.name} has {dim}-D embeddings: a sphere needs 3-D ones; train with embedding_dim=3"
            + (", or look at figures.circle or interactive.scrub" if dim == 2 else ""),
        )
        model = run if model is None else model
        found[title] = _matched(run, model), _margin(run, heads.get(title)) if caps else None
    return found


def unit(vectors):
    """Directions of shape (…, 3), float64. Raises ``ValueError`` for a zero vector."""
    vectors = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    require(bool(length.all()), "a vector is zero: it has no direction to draw")
    return vectors / length


def _margin(run, head):
    return (
        (lambda epoch: head)
        if head is not None
        else head_from_run(run) and (lambda epoch: head_from_run(run, epoch))
    )


def _matched(run, model):
    """``run`` rotated: the last class vectors as near to the model's as a rotation brings them."""
    a, b = unit(run.snapshots[-1].weight), unit(model.snapshots[-1].weight)
    rotation, _ = orthogonal_procrustes(a, b)
    if np.linalg.det(rotation) < 0:  # a mirror image: turn the least certain axis back
        left, _, right = np.linalg.svd(a.T @ b)
        rotation = left @ np.diag([1, 1, -1]) @ right
    return (
        run
        if run is model
        else replace(
            run,
            snapshots=[
                replace(
                    s, **{name: getattr(s, name) @ rotation for name in ("train", "test", "weight")}
                )
                for s in run.snapshots
            ],
        )
    )


def _seen(vectors, turned):
    """Screen coordinates (…, 3): right, up, and towards the viewer, after turning."""
    east, down = np.radians(turned)
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    x, z = math.cos(east) * x + math.sin(east) * z, math.cos(east) * z - math.sin(east) * x
    return np.stack(
        [x, math.cos(down) * y - math.sin(down) * z, math.sin(down) * y + math.cos(down) * z],
        axis=-1,
    )


def _draw(ax, title, run, split, snapshot, head, turned):
    labels, palette = labels_of(run, split), np.array(colors_of(run.classes))
    wrong = getattr(snapshot, f"{split}_pred") != labels
    points = _seen(unit(getattr(snapshot, split)), turned)
    order = np.random.default_rng(0).permutation(len(labels))
    size = np.clip(3000 / max(1, wrong.sum()), 6, 22)
    rims = on_sphere(head(snapshot.epoch), snapshot.weight, AROUND).rims if head else None
    _globe(
        ax,
        title,
        f"{100 * (1 - wrong.mean()):.1f} % right, ✖ {wrong.sum():,} of {len(wrong):,}",
        snapshot.weight,
        rims,
        run.classes,
        turned,
    )
    for front in (False, True):
        here = (points[:, 2] >= 0) == front
        shown, missed = order[here[order]], np.flatnonzero(wrong & here)
        ax.scatter(
            *points[shown, :2].T,
            c=palette[labels[shown]],
            s=5,
            linewidths=0,
            alpha=0.9 if front else 0.25,
            zorder=10 * front + 2,
        )
        ax.scatter(
            *points[missed, :2].T,
            marker="X",
            c=palette[labels[missed]],
            edgecolors="black",
            s=size,
            linewidths=0.13 * math.sqrt(size),
            alpha=1 if front else 0.3,
            zorder=10 * front + 5,
        )


def _globe(ax, title, note, weight, rims, classes, turned):
    """The sphere, class vectors as pins, and the caps inside ``rims`` if any; what is behind lies under a veil."""
    pins, palette, texts = _seen(unit(weight), turned), colors_of(classes), badge_texts(classes)
    rims = [] if rims is None else _seen(rims, turned)
    ax.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal")
    ax.axis("off")
    ax.add_patch(Disc((0, 0), 1, facecolor="white", alpha=0.45, edgecolor="none", zorder=9))
    ax.add_patch(Disc((0, 0), 1, fill=False, edgecolor=GREY, linewidth=0.8, zorder=9))
    for front in (False, True):
        level, strength = 10 * front, 1 if front else 0.3
        for rim, color in zip(rims, palette):
            for patch in _visible(rim if front else rim * [1, 1, -1]):
                ax.add_patch(
                    Polygon(
                        patch,
                        facecolor=color,
                        alpha=0.22 if front else 0.08,
                        linewidth=0,
                        zorder=level,
                    )
                )
            ax.add_collection(
                LineCollection(
                    _arcs(rim, front),
                    colors=color,
                    linewidths=1.4,
                    zorder=level + 1,
                    alpha=strength,
                    capstyle="round",
                )
            )
        for j in np.flatnonzero((pins[:, 2] >= 0) == front):
            ax.plot(
                *np.outer([1, REACH], pins[j, :2]).T,
                color=INK,
                linewidth=1,
                zorder=level + 3,
                alpha=strength,
            )
            ax.text(
                *(REACH * pins[j, :2]),
                texts[j],
                color=on(palette[j]),
                fontsize=9,
                weight="bold",
                ha="center",
                va="center_baseline",
                zorder=level + 4,
                alpha=strength,
                bbox=dict(
                    boxstyle="circle,pad=0.2",
                    facecolor=palette[j],
                    edgecolor="white",
                    linewidth=0.8,
                    alpha=strength,
                ),
            )
    ax.set_title(title, pad=21)
    ax.text(0, 1.015, note, transform=ax.transAxes, va="bottom", color=GREY, fontsize=11)


def _arcs(rim, front):
    """The pieces of a closed rim that lie on one side, as polylines (n, 2)."""
    closed = np.concatenate([rim, rim[:1]])
    inside = (closed[:, 2] >= 0) == front
    both = inside[:-1] & inside[1:]
    return [closed[i : i + 2, :2] for i in np.flatnonzero(both)]


def _visible(rim):
    """Polygons (n, 2) of the front part of a region that is smaller than half of the sphere, from its rim (A, 3)."""
    front = rim[:, 2] >= 0
    if front.all():
        return [rim[:, :2]]
    patches = []
    for start in np.flatnonzero(front & ~np.roll(front, 1)):
        length = 1 + next(k for k in range(len(rim)) if not front[(start + k + 1) % len(rim)])
        path = rim[np.arange(start - 1, start + length + 1) % len(rim)]
        enter, leave = (_horizon(*path[:2]), _horizon(*path[-2:]))
        turn = (enter - leave + math.pi) % (2 * math.pi) - math.pi  # the shorter way back
        limb = leave + turn * np.linspace(0, 1, 24)
        patches.append(
            np.concatenate([path[1:-1, :2], np.stack([np.cos(limb), np.sin(limb)], axis=1)])
        )
    return patches


def _horizon(a, b):
    """The angle on the limb where the way from ``a`` to ``b`` crosses it."""
    x, y, _ = a + (b - a) * a[2] / (a[2] - b[2])
    return math.atan2(y, x)

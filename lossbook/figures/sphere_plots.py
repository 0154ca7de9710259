"""Pictures of the unit sphere: directions of 3-D embeddings, and the regions that classes win."""

import math
from dataclasses import replace

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle as Disc
from matplotlib.patches import Polygon
from scipy.spatial.transform import Rotation

from lossbook.figures.style import (
    GREY,
    INK,
    add_class_legend,
    badge_texts,
    class_colors,
    draw_badge,
    new_panels,
    set_title,
    styled,
)
from lossbook.figures.views import drawing_order, labels_of, snapshot_at
from lossbook.heads.presets import head_from_run
from lossbook.metrics.winning_regions import on_sphere
from lossbook.training.run import Run
from lossbook.utils.validation import require, unit_rows

__all__ = ["sphere", "spherical_regions", "align_runs", "HOME", "REACH", "EDGE", "RIM_POINTS"]

HOME = (30.0, 20.0)  # degrees the sphere is turned eastwards and tilted towards you, at first
REACH = 1.13  # distance of a class vector's badge from the centre; the radius is 1
EDGE = 1.23  # half the width of the picture
RIM_POINTS = 180  # on the rim of a region: its corners are sharp


@styled
def sphere(runs, split="test", epoch=-1, heads=None, caps=True, turned=HOME):
    """The directions of 3-D embeddings on the unit sphere, with the regions that the classes win.

    A pin is a class vector, ✖ a mistake; what lies behind the sphere is pale.

    Parameters
    ----------
    runs : Run, or dict: title → Run
        One run is shown from the front and from behind; of several (at most four), each has one
        sphere, rotated so that its class vectors lie as near to the first one's as possible.
    split, epoch
        As in :func:`lossbook.figures.embeddings`.
    heads : dict: title → head, optional
        Whose margin to draw, for runs that do not record it (their head is not from
        :mod:`lossbook.heads`); for one run, the head.
    caps : bool
        Draw the region that each class wins with its margin; see
        :mod:`lossbook.metrics.winning_regions`.
    turned : (float, float)
        Degrees eastwards and towards the viewer.

    Raises
    ------
    ValueError
        If embeddings are not 3-D, there are too many runs, their classes differ, a margin is not
        known, or the split or the epoch is not in a run.
    """
    aligned = align_runs(runs, heads if caps else {}, caps)
    first, first_head_at = next(iter(aligned.values()))
    if len(aligned) == 1:
        views = [
            ("from the front", first, first_head_at, turned),
            ("from behind", first, first_head_at, (turned[0] + 180, turned[1])),
        ]
        title = f"{first.name}, {split}"
    else:
        views = [(name, run, head_at, turned) for name, (run, head_at) in aligned.items()]
        title = f"{split} embeddings"
    figure, panels = _new_spheres(len(views))
    for ax, (name, run, head_at, seen_from) in zip(panels, views):
        _draw_run(ax, name, run, split, snapshot_at(run, epoch), head_at, seen_from)
    return add_class_legend(set_title(figure, title), first.classes)


@styled
def spherical_regions(heads, vectors, turned=HOME):
    """The regions of the sphere that classes win, one panel per head; uncoloured is the margin.

    ``heads`` is a dict: title → head for 3-D embeddings, up to four; ``vectors`` (C, 3) class
    vectors, at most ten. :func:`lossbook.figures.sectors` on the sphere, but for any class vectors.
    Raises ``ValueError`` for too many heads or classes.
    """
    figure, panels = _new_spheres(len(heads))
    classes = tuple(map(str, range(len(vectors))))
    for ax, (title, head) in zip(panels, heads.items()):
        won = on_sphere(head, vectors, RIM_POINTS)
        note = f"{won.share.sum():.0%} of the sphere is won"
        _draw_sphere(ax, title, note, vectors, won.rims, classes, turned)
    return figure


def _new_spheres(count):
    """(figure, axes) for one to four spheres."""
    require(
        1 <= count <= 4, f"{count} spheres to draw, expected 1 to 4: a picture holds four at most"
    )
    columns = 3 if count == 3 else min(count, 2)
    width = 7.2 / max(columns, 2)
    return new_panels(count, columns, (width, width + 0.35), border=(0, 0.3))


def align_runs(runs, heads=None, caps=True):
    """The runs, each rotated once so that its last class vectors are nearest to the first run's.

    Parameters are those of :func:`sphere`. Returns a dict: title → (Run, function from an epoch
    to the head whose margin to draw, or None without ``caps``). The rotation is a proper one: a
    run that is the mirror image of the first stays a mirror image. Raises ``ValueError`` as
    :func:`sphere`.
    """
    runs = {runs.name: runs} if isinstance(runs, Run) else dict(runs)
    if heads is None:
        heads = {}
    elif not isinstance(heads, dict):
        heads = {next(iter(runs), ""): heads}
    require(
        1 <= len(runs) <= 4,
        f"{len(runs)} runs were given, expected 1 to 4: a picture holds four spheres at most",
    )
    unknown = ", ".join(map(repr, set(heads) - set(runs)))
    require(
        not unknown,
        f"heads are given for {unknown}, but the runs are {', '.join(map(repr, runs))}",
    )
    require(
        len({tuple(run.classes) for run in runs.values()}) == 1,
        f"{len(runs)} runs with different classes: colours and labels would mean different things",
    )
    for run in runs.values():
        _check_3d_run(run)
    first = next(iter(runs.values()))
    return {
        title: (
            run if run is first else _rotate_to(run, first),
            _head_at_epoch(run, heads.get(title)) if caps else None,
        )
        for title, run in runs.items()
    }


def _check_3d_run(run):
    require(run.snapshots, f"{run.name} has no snapshot: train at least one epoch")
    dim = run.snapshots[0].weight.shape[1]
    require(
        dim == 3,
        f"{run.name} has {dim}-D embeddings: a sphere needs 3-D ones; train with embedding_dim=3"
        + (", or look at figures.circle or interactive.scrub" if dim == 2 else ""),
    )


def _head_at_epoch(run, head):
    """A function from an epoch to the head whose margin to draw: ``head``, or the run's own."""
    if head is not None:
        return lambda epoch: head
    head_from_run(run)  # raises here, before anything is drawn, if the run does not record it
    return lambda epoch: head_from_run(run, epoch)


def _rotate_to(run, target):
    """``run`` rotated so that its last class vectors are nearest to those of ``target``."""
    rotation, _ = Rotation.align_vectors(
        unit_rows("the class vectors", target.snapshots[-1].weight),
        unit_rows("the class vectors", run.snapshots[-1].weight),
    )
    snapshots = [
        replace(
            snapshot,
            train=rotation.apply(snapshot.train),
            test=rotation.apply(snapshot.test),
            weight=rotation.apply(snapshot.weight),
        )
        for snapshot in run.snapshots
    ]
    return replace(run, snapshots=snapshots)


def _to_screen(vectors, turned):
    """Screen coordinates (…, 3): right, up, and towards the viewer, after turning."""
    east, down = np.radians(turned)
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    x, z = math.cos(east) * x + math.sin(east) * z, math.cos(east) * z - math.sin(east) * x
    return np.stack(
        [x, math.cos(down) * y - math.sin(down) * z, math.sin(down) * y + math.cos(down) * z],
        axis=-1,
    )


def _draw_run(ax, title, run, split, snapshot, head_at, turned):
    """One sphere with the embeddings of ``split`` and the mistakes on it."""
    labels, colors = labels_of(run, split), np.array(class_colors(run.classes))
    wrong = getattr(snapshot, f"{split}_pred") != labels
    points = _to_screen(unit_rows("the embeddings", getattr(snapshot, split)), turned)
    order = drawing_order(len(labels))
    size = np.clip(3000 / max(1, wrong.sum()), 6, 22)
    rims = ()
    if head_at is not None:
        rims = on_sphere(head_at(snapshot.epoch), snapshot.weight, RIM_POINTS).rims
    note = f"{100 * (1 - wrong.mean()):.1f} % right, ✖ {wrong.sum():,} of {len(wrong):,}"
    _draw_sphere(ax, title, note, snapshot.weight, rims, run.classes, turned)
    for front in (False, True):
        on_this_side = (points[:, 2] >= 0) == front
        shown, missed = order[on_this_side[order]], np.flatnonzero(wrong & on_this_side)
        ax.scatter(
            *points[shown, :2].T,
            c=colors[labels[shown]],
            s=5,
            linewidths=0,
            alpha=0.9 if front else 0.25,
            zorder=10 * front + 2,
        )
        ax.scatter(
            *points[missed, :2].T,
            marker="X",
            c=colors[labels[missed]],
            edgecolors="black",
            s=size,
            linewidths=0.13 * math.sqrt(size),
            alpha=1 if front else 0.3,
            zorder=10 * front + 5,
        )


def _draw_sphere(ax, title, note, weight, rims, classes, turned):
    """The sphere, class vectors as pins, and the regions inside ``rims``, if any.

    What is behind lies under a veil.
    """
    pins = _to_screen(unit_rows("the class vectors", weight), turned)
    rims = _to_screen(rims, turned) if len(rims) else ()
    ax.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal")
    ax.axis("off")
    ax.add_patch(Disc((0, 0), 1, facecolor="white", alpha=0.45, edgecolor="none", zorder=9))
    ax.add_patch(Disc((0, 0), 1, fill=False, edgecolor=GREY, linewidth=0.8, zorder=9))
    for front in (False, True):
        for rim, color in zip(rims, class_colors(classes)):
            _draw_region(ax, rim, color, front)
        _draw_pins(ax, pins, classes, front)
    ax.set_title(title, pad=21)
    ax.text(0, 1.015, note, transform=ax.transAxes, va="bottom", color=GREY, fontsize=11)


def _draw_region(ax, rim, color, front):
    """The part of a region, and of its rim, in front or behind."""
    for polygon in _front_polygons(rim if front else rim * [1, 1, -1]):
        ax.add_patch(
            Polygon(
                polygon,
                facecolor=color,
                alpha=0.22 if front else 0.08,
                linewidth=0,
                zorder=10 * front,
            )
        )
    ax.add_collection(
        LineCollection(
            _rim_segments(rim, front),
            colors=color,
            linewidths=1.4,
            zorder=10 * front + 1,
            alpha=1 if front else 0.3,
            capstyle="round",
        )
    )


def _draw_pins(ax, pins, classes, front):
    """The class vectors in front or behind, each with its badge."""
    colors, texts, alpha = class_colors(classes), badge_texts(classes), 1 if front else 0.3
    for j in np.flatnonzero((pins[:, 2] >= 0) == front):
        ax.plot(
            *np.outer([1, REACH], pins[j, :2]).T,
            color=INK,
            linewidth=1,
            zorder=10 * front + 3,
            alpha=alpha,
        )
        draw_badge(
            ax, REACH * pins[j, :2], texts[j], colors[j], 9, alpha=alpha, zorder=10 * front + 4
        )


def _rim_segments(rim, front):
    """The segments of a closed rim that lie on one side, (2, 2) each."""
    closed = np.concatenate([rim, rim[:1]])
    inside = (closed[:, 2] >= 0) == front
    both = inside[:-1] & inside[1:]
    return [closed[i : i + 2, :2] for i in np.flatnonzero(both)]


def _front_polygons(rim):
    """Polygons (n, 2) of the front part of a region, from its rim (A, 3).

    The region is smaller than half of the sphere.
    """
    front = rim[:, 2] >= 0
    if front.all():
        return [rim[:, :2]]
    polygons = []
    for start in np.flatnonzero(front & ~np.roll(front, 1)):
        length = 1 + next(k for k in range(len(rim)) if not front[(start + k + 1) % len(rim)])
        path = rim[np.arange(start - 1, start + length + 1) % len(rim)]
        enter, leave = _horizon_angle(*path[:2]), _horizon_angle(*path[-2:])
        turn = (enter - leave + math.pi) % (2 * math.pi) - math.pi  # the shorter way back
        limb = leave + turn * np.linspace(0, 1, 24)
        polygons.append(
            np.concatenate([path[1:-1, :2], np.stack([np.cos(limb), np.sin(limb)], axis=1)])
        )
    return polygons


def _horizon_angle(a, b):
    """The angle on the limb where the way from ``a`` to ``b`` crosses it."""
    x, y, _ = a + (b - a) * a[2] / (a[2] - b[2])
    return math.atan2(y, x)

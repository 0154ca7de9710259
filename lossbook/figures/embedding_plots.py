"""Every picture in the book: each function takes runs or arrays and returns one figure.

Nothing here trains, and nothing here changes matplotlib's settings. A returned figure shows itself
once when it is the last expression of a cell; ``figure.savefig("name.png")`` keeps it. Pass
``ax`` to draw into a figure of your own. ``epoch`` counts from 1, or from the end if negative.

In the pictures of embeddings a point is one sample, coloured by its true class; a class vector
W_j is drawn as a line from the origin that ends at the name of its class, all of one length
(only their direction is comparable between losses); ✖ marks the samples that the head, without
margin, assigns to another class, in the colour of their true class. The scores are those of the
samples drawn; ``run.history`` has the accuracy on the whole test set.
"""

import math

import numpy as np

from lossbook.figures.style import axes, headline, key, styled
from lossbook.figures.views import Circle, Plane, side_by_side, snapshot_at, view_named

__all__ = ["embeddings", "circle", "train_test", "filmstrip", "comparison"]


@styled
def embeddings(run, split="test", epoch=-1, ax=None):
    """The 2-D embeddings of one split (``"train"`` or ``"test"``) at one epoch, in the plane.

    Raises ``ValueError`` if the embeddings are not 2-D, or the split or the epoch is not in the run.
    """
    snapshot = snapshot_at(run, epoch)
    figure, grid = axes(ax, (4.4, 5.0))
    Plane(grid[0, 0], run, split, [snapshot]).show(snapshot)
    return key(headline(figure, run.name), run.classes)


@styled
def circle(run, split="test", epoch=-1, ax=None):
    """The directions of the same embeddings on the unit circle, with a histogram standing on it.

    Two neighbouring bars that touch are two classes that mix; an empty arc is a margin you can see.
    Raises as :func:`embeddings`.
    """
    snapshot = snapshot_at(run, epoch)
    figure, grid = axes(ax, (4.4, 5.1))
    Circle(grid[0, 0], run, split, [snapshot]).show(snapshot)
    return key(headline(figure, run.name), run.classes)


@styled
def train_test(run, epoch=-1, view="plane"):
    """Train and test side by side, on equal scales; ``view`` is ``"plane"`` or ``"circle"``."""
    snapshot = snapshot_at(run, epoch)
    figure, panels = side_by_side(run, ("train", "test"), view, [snapshot])
    for panel in panels:
        panel.show(snapshot)
    return figure


@styled
def filmstrip(run, split="test", epochs=None, view="plane"):
    """One split at several epochs, on equal scales: the animation for a page that stands still.

    ``epochs`` are six by default, closer together at the start, where most happens.
    """
    if epochs is None:
        epochs = np.unique(
            np.geomspace(1, snapshot_at(run, -1).epoch, 6).round().astype(int)
        ).tolist()
    snapshots = [snapshot_at(run, epoch) for epoch in epochs]
    figure = _small_multiples(
        [(f"epoch {s.epoch}", run, s, snapshots) for s in snapshots],
        split,
        view,
        sharex=True,
        sharey=True,
    )
    return headline(figure, f"{run.name}, {split}")


@styled
def comparison(runs, split="test", epoch=-1, view="circle"):
    """Several runs (a dict: title → Run) of one data set; in the plane, each on its own scale."""
    if len({tuple(run.classes) for run in runs.values()}) != 1:
        raise ValueError(
            f"{len(runs)} runs were given, expected at least one, all with the same classes: "
            "colours and labels would mean different things"
        )
    snapshots = [snapshot_at(run, epoch) for run in runs.values()]
    figure = _small_multiples(
        [(title, run, s, [s]) for (title, run), s in zip(runs.items(), snapshots)], split, view
    )
    return headline(figure, f"{split} embeddings")


def _small_multiples(panels, split, view, **shared):
    columns = min(len(panels), 3 if len(panels) <= 6 else 4)
    rows = math.ceil(len(panels) / columns)
    figure, grid = axes(None, (7.2, 0.4 + rows * (7.2 / columns + 0.45)), rows, columns, **shared)
    for ax, (title, run, snapshot, fitting) in zip(grid.flat, panels):
        view_named(view)(ax, run, split, fitting, small=True).show(snapshot, title)
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    if view == "plane":
        figure.supxlabel("x₁ (dimensionless)", fontsize=12)
        figure.supylabel("x₂ (dimensionless)", fontsize=12)
    return key(figure, panels[0][1].classes)

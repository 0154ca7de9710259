"""Pictures of 2-D embeddings: the plane, the circle of directions, several epochs, several runs.

In these pictures a point is one sample, coloured by its true class. A class vector W_j is drawn as
a line from the origin that ends at the name of its class, all of one length (only their direction
is comparable between losses). ✖ marks the samples that the head, without margin, assigns to another
class, in the colour of their true class. The scores are those of the samples drawn;
``run.history`` has the accuracy on the whole test set.

``epoch`` counts from 1, or from the end if negative. Pass ``ax`` to draw into a figure of your own.
"""

import numpy as np

from lossbook.figures.style import add_class_legend, new_axes, new_panels, set_title, styled
from lossbook.figures.views import Circle, Plane, side_by_side, snapshot_at, view_class

__all__ = ["embeddings", "circle", "train_test", "filmstrip", "comparison"]


@styled
def embeddings(run, split="test", epoch=-1, ax=None):
    """The 2-D embeddings of one split (``"train"`` or ``"test"``) at one epoch, in the plane.

    Raises ``ValueError`` if the embeddings are not 2-D, or the run lacks the split or the epoch.
    """
    snapshot = snapshot_at(run, epoch)
    figure, axes = new_axes((4.4, 5.0), ax=ax)
    Plane(axes[0, 0], run, split, [snapshot]).show(snapshot)
    return add_class_legend(set_title(figure, run.name), run.classes)


@styled
def circle(run, split="test", epoch=-1, ax=None):
    """The directions of the same embeddings on the unit circle, with a histogram standing on it.

    Two neighbouring bars that touch are two classes that mix; an empty arc is a margin you can see.
    Raises as :func:`embeddings`.
    """
    snapshot = snapshot_at(run, epoch)
    figure, axes = new_axes((4.4, 5.1), ax=ax)
    Circle(axes[0, 0], run, split, [snapshot]).show(snapshot)
    return add_class_legend(set_title(figure, run.name), run.classes)


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
    return set_title(figure, f"{run.name}, {split}")


@styled
def comparison(runs, split="test", epoch=-1, view="circle"):
    """Several runs (a dict: title → Run) with the same classes, one panel per run.

    In the plane each panel has its own scale. Raises ``ValueError`` without runs, or if their
    classes differ.
    """
    if len({tuple(run.classes) for run in runs.values()}) != 1:
        raise ValueError(
            f"{len(runs)} runs were given, expected at least one, all with the same classes: "
            "colours and labels would mean different things"
        )
    snapshots = [snapshot_at(run, epoch) for run in runs.values()]
    figure = _small_multiples(
        [(title, run, s, [s]) for (title, run), s in zip(runs.items(), snapshots)], split, view
    )
    return set_title(figure, f"{split} embeddings")


def _small_multiples(panels, split, view, **shared):
    """A figure with one small view per panel.

    A panel is ``(title, run, snapshot, snapshots that set the scale)``.
    """
    columns = {4: 2}.get(len(panels), min(len(panels), 3 if len(panels) <= 6 else 4))
    panel_size = 7.2 / columns, 7.2 / columns + 0.45
    figure, axes = new_panels(len(panels), columns, panel_size, border=(0, 0.4), **shared)
    for ax, (title, run, snapshot, scale) in zip(axes, panels):
        view_class(view)(ax, run, split, scale, small=True).show(snapshot, title)
    if view == "plane":
        for ax in axes[-columns:]:  # with nothing below
            ax.set_xlabel("x₁")
        figure.supylabel("x₂", fontsize=12)
    return add_class_legend(figure, panels[0][1].classes)

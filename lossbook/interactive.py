"""Figures that a reader can move: the same in a notebook, in Colab and on a page without a kernel.

Each function returns one object that shows itself as the last expression of a cell. All but the last
are self-contained HTML and train nothing; :func:`train_panel` needs a running kernel.
"""

from . import figures, heads, margins
from .errors import require, whole
from .palette import CLASS_COLORS
from .panel import train_panel
from .scrubbing import packed, sheet, thin
from .sphere import gathered
from .turning import turnable
from .views import view_named
from .widget import Widget

__all__ = ["scrub", "sphere", "margin_explorer", "train_panel", "Widget"]

MOST_EPOCHS, MOST_ON_SPHERES = 40, 8


def scrub(run, dataset=None, view="plane", points=500):
    """Train and test embeddings of ``run`` side by side, with a slider over the epochs.

    Between two epochs the points move in straight lines, as in :func:`lossbook.figures.animate`.
    Point at one, tap it or step to it with the arrow keys: its label, what the head says without
    margin, and its angle to its class vector. A switch leads from the plane to the circle.

    Parameters
    ----------
    run : Run
        With 2-D embeddings and at most ten classes.
    dataset : Dataset, optional
        What the run was trained on; then the picture of a chosen sample is shown as well.
    view : "plane" or "circle"
        The one shown first, and in the still picture.
    points : int, at least 1
        At most this many samples a split are shown, spread evenly over the classes.

    Returns
    -------
    Widget
        At most 500 kB of HTML. Of a run of more than 40 epochs, 40 are shown, spread evenly.

    Raises
    ------
    ValueError
        If the embeddings are not 2-D, there is no snapshot, there is no such view, there are too
        many classes, ``dataset`` is another one, or the figure grows too heavy.
    """
    points = whole("points", points)
    require(run.snapshots, f"{run.name} has no snapshot: train at least one epoch")
    dim = run.snapshots[0].weight.shape[1]
    require(dim == 2, f"{run.name} has {dim}-D embeddings: this picture needs 2-D ones; train with embedding_dim=2, or look at "
                      + ("interactive.sphere" if dim == 3 else "figures.angle_histograms, which works in any dimension"))
    view_named(view)
    shown, chosen = thin(run, points, MOST_EPOCHS)
    data = {**packed(shown), "view": view}
    if dataset is not None:
        data["sheet"] = sheet(run, chosen, dataset)
    last = shown.snapshots[-1]
    return Widget("scrub", data, figures.train_test(shown, view=view),
                  f"{run.name}: train and test embeddings {'in the plane' if view == 'plane' else 'on the unit circle'} after epoch {last.epoch}, coloured by class, "
                  f"with the class vectors; {(last.train_pred != shown.train_labels).mean():.1%} of the train and "
                  f"{(last.test_pred != shown.test_labels).mean():.1%} of the test points shown are mistakes",
                  scripts=("canvas.js", "points.js"))


def sphere(runs, split="test", heads=None, caps=True, points=400):
    """3-D embeddings on the unit sphere, one sphere a run, all turned together; with a slider over the epochs.

    Drag with the mouse, a finger (sideways) or the arrow keys. Point at an image, or tap it: where it
    lies on every sphere, what each head says without margin, and its angle to its class vector.
    Coloured regions, the caps, are the directions that a class wins with its margin, as it was at
    the end of the epoch (:mod:`lossbook.caps`). Each run is turned once, so that its last class
    vectors lie as near to the first run's as a rotation brings them. Between two epochs the
    points move in straight lines, drawn back onto the sphere.

    Parameters
    ----------
    runs : Run, or dict: title → Run
        One to four, with 3-D embeddings, the same classes (at most ten) and the same epochs.
    split : "train" or "test"
        The one shown first, and in the still picture; a switch leads to the other.
    heads, caps
        As in :func:`lossbook.figures.sphere`.
    points : int, at least 1
        At most this many samples a split are shown, spread evenly over the classes.

    Returns
    -------
    Widget
        At most 500 kB of HTML. Of runs of more than eight epochs, eight are shown, spread evenly.

    Raises
    ------
    ValueError
        As :func:`lossbook.figures.sphere`, and if the runs have other epochs or the figure grows too heavy.
    """
    points = whole("points", points)
    still = figures.sphere(runs, split, heads=heads, caps=caps)
    gathering = gathered(runs, heads, caps)
    data = turnable(gathering, split, points, MOST_ON_SPHERES)
    names = " and ".join(gathering)
    return Widget("sphere", data, still,
                  f"{split} embeddings of {names} on the unit sphere after epoch {data['epochs'][-1]}, coloured by class, "
                  "with the class vectors as pins" + (" and the region that each class wins with its margin" if caps else ""),
                  scripts=("canvas.js", "globe.js"))


def margin_explorer(preset="ArcFace_v3", num_classes=10, embedding_dim=2):
    """Sliders for m1, m2, m3 and s, and what they do: curve, boundaries, circle, posterior, feasibility.

    Parameters
    ----------
    preset : str
        A row of ``heads.PRESETS`` to start from; all rows are buttons.
    num_classes, embedding_dim : int, in 2 … 30
        C and d to start from; they have sliders too.

    Returns
    -------
    Widget

    Raises
    ------
    KeyError
        If there is no such preset.
    ValueError
        If ``num_classes`` or ``embedding_dim`` is outside its domain.
    """
    if preset not in heads.PRESETS:
        raise KeyError(f"no preset {preset!r}: the presets are {', '.join(heads.PRESETS)}")
    for name, value in (("num_classes", num_classes), ("embedding_dim", embedding_dim)):
        require(isinstance(value, int) and 2 <= value <= 30,
                f"{name} = {value!r}: expected a whole number from 2 to 30")
    row = heads.PRESETS[preset]
    still = figures.target_curves({"cos θ": lambda cos: 1 * cos,
                                   preset: lambda cos: margins.combined(cos, row.m1, row.m2, row.m3)})
    data = {"presets": {name: each._asdict() for name, each in heads.PRESETS.items()}, "preset": preset,
            "C": num_classes, "d": embedding_dim, "colors": CLASS_COLORS[:2]}
    return Widget("explorer", data, still,
                  f"Target logit against angle, without margin and with that of {preset} (m1 = {row.m1:g}, "
                  f"m2 = {row.m2:g}, m3 = {row.m3:g}), and below it the derivatives",
                  scripts=("bounds.js", "charts.js"))

"""A sphere that a reader turns, and what its page needs to know of the runs."""

import math

import numpy as np

from lossbook import figures
from lossbook.figures.sphere_plots import EDGE, HOME, REACH, align_runs, unit
from lossbook.figures.style import badge_texts, colors_of, on
from lossbook.interactive.epoch_slider import MOST_ON_SPHERES, TURN, base64_of, subsample
from lossbook.interactive.widget import Widget
from lossbook.metrics.winning_regions import on_sphere
from lossbook.utils.validation import check_int, require

__all__ = ["sphere", "encode_directions"]


def sphere(runs, split="test", heads=None, caps=True, points=400):
    """3-D embeddings on the unit sphere, one sphere a run, all turned together; with a slider over the epochs.

    Drag with the mouse, a finger (sideways) or the arrow keys. Point at an image, or tap it: where it
    lies on every sphere, what each head says without margin, and its angle to its class vector.
    Coloured regions, the caps, are the directions that a class wins with its margin, as it was at
    the end of the epoch (:mod:`lossbook.metrics.winning_regions`). Each run is turned once, so that its last class
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
    points = check_int("points", points)
    still = figures.sphere(runs, split, heads=heads, caps=caps)
    gathering = align_runs(runs, heads, caps)
    data = encode_directions(gathering, split, points, MOST_ON_SPHERES)
    names = " and ".join(gathering)
    return Widget(
        "rotating_sphere",
        data,
        still,
        f"{split} embeddings of {names} on the unit sphere after epoch {data['epochs'][-1]}, coloured by class, "
        "with the class vectors as pins"
        + (" and the region that each class wins with its margin" if caps else ""),
        scripts=("canvas.js", "globe.js"),
    )


def encode_directions(gathering, split, points, epochs):
    """The runs of :func:`lossbook.figures.sphere_plots.align_runs` as a dict for JSON; at most so many points a split, and epochs.

    A direction is two numbers: k and l for the polar angle πk / 65535 from the axis to the right, and the
    azimuth 2πl / 65536 around it. First all polar angles, then all azimuths; each epoch after epoch.
    """
    first = next(iter(gathering.values()))[0]
    data = {
        "classes": list(first.classes),
        "badges": badge_texts(first.classes),
        "colors": list(colors_of(first.classes)),
        "inks": [on(color) for color in colors_of(first.classes)],
        "split": split,
        "home": np.radians(HOME).tolist(),
        "reach": REACH,
        "edge": EDGE,
        "views": [],
    }
    for title, (run, head) in gathering.items():
        shown, _ = subsample(run, points, epochs)
        numbers = [s.epoch for s in shown.snapshots]
        require(
            data.setdefault("epochs", numbers) == numbers,
            f"{title!r} has snapshots of the epochs {numbers}, the first run of {data['epochs']}: one slider moves "
            "them all; give runs with the same number of epochs",
        )
        view = {"title": title, "vectors": _directions(s.weight for s in shown.snapshots)}
        for half in ("train", "test"):
            view[half] = {
                "labels": base64_of(getattr(shown, f"{half}_labels").astype(np.uint8)),
                "predicted": base64_of(
                    np.stack([getattr(s, f"{half}_pred") for s in shown.snapshots]).astype(np.uint8)
                ),
                "directions": _directions(getattr(s, half) for s in shown.snapshots),
            }
        if head:
            view.update(_caps(shown, head))
        data["views"].append(view)
    return data


def _caps(run, head):
    """The rims of every epoch, (epochs, C·A) directions, and the share of the sphere that is won."""
    caps, last = [], None
    for snapshot in run.snapshots:
        last = on_sphere(head(snapshot.epoch), snapshot.weight, after=last)
        caps.append(last)
    return {
        "rims": _directions(one.rims.reshape(-1, 3) for one in caps),
        "around": caps[0].rims.shape[1],
        "share": [round(float(one.share.sum()), 4) for one in caps],
    }


def _directions(epochs):
    x, y, z = np.moveaxis(unit(np.stack(list(epochs))), -1, 0)
    polar = (np.arccos(np.clip(x, -1, 1)) / math.pi * (TURN - 1)).round()
    azimuth = (np.arctan2(z, y) / (2 * math.pi) * TURN).round()
    return base64_of(np.stack([polar, azimuth]).astype(int).astype("<u2"))

"""A sphere that a reader turns, and the runs encoded for its page."""

import math

import numpy as np

from lossbook import figures
from lossbook.figures.sphere_plots import EDGE, HOME, REACH, align_runs
from lossbook.interactive.epoch_slider import STEPS_PER_TURN, encode_classes, subsample, to_base64
from lossbook.interactive.widget import Widget
from lossbook.metrics.winning_regions import on_sphere
from lossbook.utils.validation import check_int, require, unit_rows

__all__ = ["sphere", "encode_directions"]

MAX_EPOCHS = 8


def sphere(runs, split="test", heads=None, caps=True, points=400):
    """3-D embeddings on the unit sphere, one sphere per run, with a slider over the epochs.

    Drag with the mouse, a finger (sideways) or the arrow keys: all spheres turn together. Point at
    an image, or tap it, to see where it lies on every sphere, the prediction of each head without
    margin, and its angle to its class vector. Coloured regions, the caps, are the directions that
    a class wins with its margin, as it was at the end of the epoch
    (:mod:`lossbook.metrics.winning_regions`). Each run is rotated once, so that its last class
    vectors lie as near to the first run's as possible. Between two epochs the points move in
    straight lines, drawn back onto the sphere.

    Parameters
    ----------
    runs : Run, or dict: title → Run
        One to four, with 3-D embeddings, the same classes (at most ten) and the same epochs.
    split : "train" or "test"
        The one shown first, and in the still picture; a switch leads to the other.
    heads, caps
        As in :func:`lossbook.figures.sphere`.
    points : int, at least 1
        At most this many samples per split are shown, spread evenly over the classes.

    Returns
    -------
    Widget
        At most 500 kB of HTML. Of runs of more than eight epochs, eight are shown, spread evenly.

    Raises
    ------
    ValueError
        As :func:`lossbook.figures.sphere`, and if the runs differ in their epochs or the HTML
        would be larger than 500 kB.
    """
    points = check_int("points", points)
    still = figures.sphere(runs, split, heads=heads, caps=caps)
    aligned = align_runs(runs, heads, caps)
    data = encode_directions(aligned, split, points, MAX_EPOCHS)
    regions = " and the region that each class wins with its margin" if caps else ""
    return Widget(
        "rotating_sphere",
        data,
        still,
        f"{split} embeddings of {' and '.join(aligned)} on the unit sphere after epoch "
        f"{data['epochs'][-1]}, coloured by class, with the class vectors as pins{regions}",
    )


def encode_directions(aligned, split, points, epochs):
    """Runs from :func:`lossbook.figures.sphere_plots.align_runs` as a dict for JSON.

    At most ``points`` samples per split and ``epochs`` epochs. A direction is two numbers of 16
    bits: k and l for the polar angle πk / 65535 from the axis to the right, and the azimuth
    2πl / 65536 around it. First all polar angles, then all azimuths; each epoch after epoch.
    """
    first = next(iter(aligned.values()))[0]
    data = {
        **encode_classes(first.classes),
        "split": split,
        "home": np.radians(HOME).tolist(),
        "reach": REACH,
        "edge": EDGE,
        "views": [],
    }
    for title, (run, head_at) in aligned.items():
        shown, _ = subsample(run, points, epochs)
        numbers = [s.epoch for s in shown.snapshots]
        require(
            data.setdefault("epochs", numbers) == numbers,
            f"{title!r} has snapshots of the epochs {numbers}, the first run of {data['epochs']}: "
            "one slider moves them all; give runs with the same number of epochs",
        )
        data["views"].append({"title": title, **_encode_run(shown, head_at)})
    return data


def _encode_run(run, head_at):
    """Class vectors, both splits and, where ``head_at`` is given, the regions of every epoch."""
    data = {"vectors": _encode(np.stack([s.weight for s in run.snapshots]))}
    for split in ("train", "test"):
        predictions = np.stack([getattr(s, f"{split}_pred") for s in run.snapshots])
        data[split] = {
            "labels": to_base64(getattr(run, f"{split}_labels").astype(np.uint8)),
            "predicted": to_base64(predictions.astype(np.uint8)),
            "directions": _encode(np.stack([getattr(s, split) for s in run.snapshots])),
        }
    if head_at is not None:
        data.update(_encode_regions(run, head_at))
    return data


def _encode_regions(run, head_at):
    """The rims of every epoch, (epochs, C·A) directions, and the share of the sphere won."""
    regions, previous = [], None
    for snapshot in run.snapshots:
        previous = on_sphere(head_at(snapshot.epoch), snapshot.weight, previous=previous)
        regions.append(previous)
    return {
        "rims": _encode(np.stack([caps.rims.reshape(-1, 3) for caps in regions])),
        "around": regions[0].rims.shape[1],
        "share": [round(float(caps.share.sum()), 4) for caps in regions],
    }


def _encode(vectors):
    """The directions of vectors (…, 3) in base64, 32 bits each."""
    x, y, z = np.moveaxis(unit_rows("vectors", vectors), -1, 0)
    polar = (np.arccos(np.clip(x, -1, 1)) / math.pi * (STEPS_PER_TURN - 1)).round()
    azimuth = (np.arctan2(z, y) / (2 * math.pi) * STEPS_PER_TURN).round()
    return to_base64(np.stack([polar, azimuth]).astype(int).astype("<u2"))

"""A slider over the epochs of a training, and what its page needs to know of the run."""

import base64
import io
import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from lossbook import figures
from lossbook.data.dataset import stratified_positions
from lossbook.figures.style import badge_texts, colors_of, on
from lossbook.figures.views import Circle, view_named
from lossbook.interactive.widget import Widget
from lossbook.utils.validation import check_int, require

__all__ = ["scrub", "subsample", "encode", "thumbnail_sheet", "base64_of", "TURN"]

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
    points = check_int("points", points)
    require(run.snapshots, f"{run.name} has no snapshot: train at least one epoch")
    dim = run.snapshots[0].weight.shape[1]
    require(
        dim == 2,
        f"{run.name} has {dim}-D embeddings: this picture needs 2-D ones; train with embedding_dim=2, or look at "
        + (
            "interactive.sphere"
            if dim == 3
            else "figures.angle_histograms, which works in any dimension"
        ),
    )
    view_named(view)
    shown, chosen = subsample(run, points, MOST_EPOCHS)
    data = {**encode(shown), "view": view}
    if dataset is not None:
        data["sheet"] = thumbnail_sheet(run, chosen, dataset)
    last = shown.snapshots[-1]
    return Widget(
        "epoch_slider",
        data,
        figures.train_test(shown, view=view),
        f"{run.name}: train and test embeddings {'in the plane' if view == 'plane' else 'on the unit circle'} after epoch {last.epoch}, coloured by class, "
        f"with the class vectors; {(last.train_pred != shown.train_labels).mean():.1%} of the train and "
        f"{(last.test_pred != shown.test_labels).mean():.1%} of the test points shown are mistakes",
        scripts=("canvas.js", "embedding_view.js"),
    )


TURN = 65536  # steps of a full turn: an angle is kept to 0.003°
COLUMNS, SIDE = 32, 28  # pictures in a row of the sheet; the longest side of one, in pixels


def subsample(run, points, epochs):
    """(Run, chosen): at most ``points`` samples a split and ``epochs`` snapshots of ``run``, spread evenly.

    ``chosen`` is a dict: split → positions (n,) of the samples kept.
    """
    chosen = {
        split: stratified_positions(
            torch.as_tensor(getattr(run, f"{split}_labels")), points
        ).numpy()
        for split in ("train", "test")
    }
    last = len(run.snapshots) - 1
    kept = [
        run.snapshots[i] for i in np.linspace(0, last, min(epochs, last + 1)).round().astype(int)
    ]
    snapshots = [
        replace(
            s,
            **{
                name: getattr(s, name)[chosen[name.removesuffix("_pred")]]
                for name in ("train", "test", "train_pred", "test_pred")
            },
        )
        for s in kept
    ]
    return replace(
        run,
        snapshots=snapshots,
        train_labels=run.train_labels[chosen["train"]],
        test_labels=run.test_labels[chosen["test"]],
    ), chosen


def encode(run):
    """The embeddings of ``run`` as a dict for JSON: directions and lengths in 16 bits, classes in 8, in base64.

    A direction k stands for the angle 2πk / 65536, a length k for radius·k / 65535.
    """
    radius = max(
        float(np.linalg.norm(x, axis=1).max()) for s in run.snapshots for x in (s.train, s.test)
    )
    data = {
        "name": run.name,
        "classes": list(run.classes),
        "badges": badge_texts(run.classes),
        "colors": list(colors_of(run.classes)),
        "inks": [on(color) for color in colors_of(run.classes)],
        "circle": {
            name: getattr(Circle, name) for name in ("reach", "bins", "tallest", "rim", "edge")
        },
        "epochs": [s.epoch for s in run.snapshots],
        "radius": radius,
        "vectors": base64_of(_direction(np.stack([s.weight for s in run.snapshots]))),
    }
    for split in ("train", "test"):
        x = np.stack([getattr(s, split) for s in run.snapshots]).astype(float)
        data[split] = {
            "labels": base64_of(getattr(run, f"{split}_labels").astype(np.uint8)),
            "predicted": base64_of(
                np.stack([getattr(s, f"{split}_pred") for s in run.snapshots]).astype(np.uint8)
            ),
            "directions": base64_of(_direction(x)),
            "lengths": base64_of(
                (np.linalg.norm(x, axis=2) / radius * 65535).round().astype("<u2")
            ),
        }
    return data


def _direction(x):
    return (
        (np.arctan2(x[..., 1], x[..., 0]) / (2 * math.pi) * TURN).round().astype(int).astype("<u2")
    )


def base64_of(array):
    """The bytes of an array, as text."""
    return base64.b64encode(array.tobytes()).decode()


def thumbnail_sheet(run, chosen, dataset):
    """The pictures of the samples ``chosen`` from ``run``'s (train, then test) as one PNG, in a dict for JSON.

    Raises ``ValueError`` if ``dataset`` is not what ``run`` was
    trained on, as far as the labels tell.
    """
    tiles = []
    for name in ("train", "test"):
        split, labels = getattr(dataset, name), getattr(run, f"{name}_labels")
        places = stratified_positions(split.labels, len(labels))
        require(
            np.array_equal(split.labels[places].numpy(), labels),
            f"{dataset.name!r} is not the data set {run.name} was trained on: the labels of its {name} samples "
            "differ; give the one that fit was given, or none",
        )
        images = split.images[places[chosen[name]]].mean(dim=1, keepdim=True)
        scale = SIDE / max(images.shape[-2:])
        if scale < 1:
            images = torch.nn.functional.interpolate(images, scale_factor=scale, mode="area")
        tiles.append(images[:, 0])
    tiles = torch.cat(tiles)
    rows, (height, width) = math.ceil(len(tiles) / COLUMNS), tiles.shape[1:]
    padded = torch.zeros(rows * COLUMNS, height, width)
    padded[: len(tiles)] = tiles
    grid = (
        padded.reshape(rows, COLUMNS, height, width)
        .transpose(1, 2)
        .reshape(rows * height, COLUMNS * width)
    )
    picture = Image.fromarray(
        (15 * grid).round().byte().numpy(), "P"
    )  # 16 greys are enough for a thumbnail
    picture.putpalette([17 * (k // 3) for k in range(48)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4, optimize=True)
    return {
        "src": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        "columns": COLUMNS,
        "rows": rows,
        "width": width,
        "height": height,
    }

"""A slider over the epochs of a training in 2-D, and the run encoded for its page."""

import base64
import io
import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from lossbook import figures
from lossbook.data.dataset import stratified_positions
from lossbook.figures.style import badge_texts, class_colors, contrasting_ink
from lossbook.figures.views import Circle, check_2d_run, view_class
from lossbook.interactive.widget import Widget
from lossbook.utils.validation import check_int, require

__all__ = [
    "scrub",
    "subsample",
    "encode",
    "encode_classes",
    "thumbnail_sheet",
    "to_base64",
    "STEPS_PER_TURN",
    "CIRCLE",
]

MAX_EPOCHS = 40
STEPS_PER_TURN = 65536  # of an encoded angle, which is exact to 0.003°
COLUMNS = 32  # thumbnails in a row of the sheet
SIDE = 28  # pixels of the longest side of a thumbnail

# The measures of the circle of directions, as figures draw it.
CIRCLE = {name: getattr(Circle, name) for name in ("reach", "bins", "tallest", "rim", "edge")}


def scrub(run, dataset=None, view="plane", points=500):
    """Train and test embeddings of ``run`` side by side, with a slider over the epochs.

    Between two epochs the points move in straight lines, as in :func:`lossbook.figures.animate`.
    Point at one, tap it or step to it with the arrow keys to see its label, the prediction of the
    head without margin, and its angle to its class vector. A switch leads from the plane to the
    circle.

    Parameters
    ----------
    run : Run
        With 2-D embeddings and at most ten classes.
    dataset : Dataset, optional
        What the run was trained on; then the picture of a chosen sample is shown as well.
    view : "plane" or "circle"
        The one shown first, and in the still picture.
    points : int, at least 1
        At most this many samples per split are shown, spread evenly over the classes.

    Returns
    -------
    Widget
        At most 500 kB of HTML. Of a run of more than 40 epochs, 40 are shown, spread evenly.

    Raises
    ------
    ValueError
        If the embeddings are not 2-D, there is no snapshot, there is no such view, there are too
        many classes, ``dataset`` is another one, or the HTML would be larger than 500 kB.
    """
    points = check_int("points", points)
    require(run.snapshots, f"{run.name} has no snapshot: train at least one epoch")
    check_2d_run(run, sphere="interactive.sphere")
    view_class(view)
    shown, positions = subsample(run, points, MAX_EPOCHS)
    data = {**encode(shown), "view": view}
    if dataset is not None:
        data["sheet"] = thumbnail_sheet(run, positions, dataset)
    last = shown.snapshots[-1]
    place = "in the plane" if view == "plane" else "on the unit circle"
    train_errors = (last.train_pred != shown.train_labels).mean()
    test_errors = (last.test_pred != shown.test_labels).mean()
    return Widget(
        "epoch_slider",
        data,
        figures.train_test(shown, view=view),
        f"{run.name}: train and test embeddings {place} after epoch {last.epoch}, coloured by "
        f"class, with the class vectors; {train_errors:.1%} of the train and {test_errors:.1%} "
        "of the test points shown are mistakes",
    )


def subsample(run, points, epochs):
    """At most ``points`` samples per split and ``epochs`` snapshots of ``run``, spread evenly.

    Returns ``(run, positions)``: a smaller Run, and a dict: split → positions (n,) of its samples.
    """
    positions = {
        split: stratified_positions(torch.as_tensor(labels), points).numpy()
        for split, labels in (("train", run.train_labels), ("test", run.test_labels))
    }
    train, test = positions["train"], positions["test"]
    last = len(run.snapshots) - 1
    indices = np.linspace(0, last, min(epochs, last + 1)).round().astype(int)
    snapshots = [
        replace(
            snapshot,
            train=snapshot.train[train],
            test=snapshot.test[test],
            train_pred=snapshot.train_pred[train],
            test_pred=snapshot.test_pred[test],
        )
        for snapshot in (run.snapshots[i] for i in indices)
    ]
    smaller = replace(
        run,
        snapshots=snapshots,
        train_labels=run.train_labels[train],
        test_labels=run.test_labels[test],
    )
    return smaller, positions


def encode(run):
    """The embeddings of a 2-D ``run`` as a dict for JSON, with its arrays in base64.

    Directions and lengths take 16 bits each, classes 8. A direction k stands for the angle
    2πk / 65536, a length k for radius·k / 65535.
    """
    radius = max(
        float(np.linalg.norm(x, axis=1).max()) for s in run.snapshots for x in (s.train, s.test)
    )
    data = {
        "name": run.name,
        **encode_classes(run.classes),
        "circle": CIRCLE,
        "epochs": [s.epoch for s in run.snapshots],
        "radius": radius,
        "vectors": _encode_angles(np.stack([s.weight for s in run.snapshots])),
    }
    for split in ("train", "test"):
        x = np.stack([getattr(s, split) for s in run.snapshots]).astype(float)
        predictions = np.stack([getattr(s, f"{split}_pred") for s in run.snapshots])
        lengths = np.linalg.norm(x, axis=2) / radius * 65535
        data[split] = {
            "labels": to_base64(getattr(run, f"{split}_labels").astype(np.uint8)),
            "predicted": to_base64(predictions.astype(np.uint8)),
            "directions": _encode_angles(x),
            "lengths": to_base64(lengths.round().astype("<u2")),
        }
    return data


def encode_classes(classes):
    """Names, badges and colours of the classes, a dict for JSON."""
    colors = class_colors(classes)
    return {
        "classes": list(classes),
        "badges": badge_texts(classes),
        "colors": list(colors),
        "inks": [contrasting_ink(color) for color in colors],
    }


def _encode_angles(x):
    """The angles of vectors (…, 2) in base64, 16 bits each."""
    steps = np.arctan2(x[..., 1], x[..., 0]) / (2 * math.pi) * STEPS_PER_TURN
    return to_base64(steps.round().astype(int).astype("<u2"))


def to_base64(array):
    """The bytes of an array, as base64 text."""
    return base64.b64encode(array.tobytes()).decode()


def thumbnail_sheet(run, positions, dataset):
    """The images of some samples, train before test, as one PNG; a dict for JSON.

    ``positions``, a dict: split → array, tells which of the samples of ``run``. Raises
    ``ValueError`` if the labels of ``dataset`` differ from those that ``run`` was trained on.
    """
    tiles = []
    for name in ("train", "test"):
        split, labels = getattr(dataset, name), getattr(run, f"{name}_labels")
        samples = stratified_positions(split.labels, len(labels))
        require(
            np.array_equal(split.labels[samples].numpy(), labels),
            f"{dataset.name!r} is not the data set {run.name} was trained on: the labels of its "
            f"{name} samples differ; give the one that fit was given, or none",
        )
        images = split.images[samples[positions[name]]].mean(dim=1, keepdim=True)
        scale = SIDE / max(images.shape[-2:])
        if scale < 1:
            images = torch.nn.functional.interpolate(images, scale_factor=scale, mode="area")
        tiles.append(images[:, 0])
    tiles = torch.cat(tiles)
    rows, (height, width) = math.ceil(len(tiles) / COLUMNS), tiles.shape[1:]
    padded = torch.zeros(rows * COLUMNS, height, width)
    padded[: len(tiles)] = tiles
    grid = padded.reshape(rows, COLUMNS, height, width).transpose(1, 2)
    return {
        "src": _png_address(grid.reshape(rows * height, COLUMNS * width)),
        "columns": COLUMNS,
        "rows": rows,
        "width": width,
        "height": height,
    }


def _png_address(image):
    """A grey image, (H, W) in [0, 1], as the address of a PNG; thumbnails need only 16 greys."""
    picture = Image.fromarray((15 * image).round().byte().numpy(), "P")
    picture.putpalette([17 * (k // 3) for k in range(48)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4, optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

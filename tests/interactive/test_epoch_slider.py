"""The epoch slider: what its HTML holds is the run, within its limits."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lossbook import data, interactive
from lossbook.data.dataset import stratified_positions
from lossbook.interactive.epoch_slider import subsample
from tests.helpers.runs import make_run
from tests.helpers.toys import toy_dataset
from tests.helpers.widgets import decode, read_data


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist5k")


def record_run(dataset, epochs=3, size=1000, **kwargs):
    """A synthetic run whose labels are those of a training on ``dataset``."""
    run = make_run(epochs=epochs, n=size, m=size, **kwargs)
    labels = {
        f"{s}_labels": split.labels[stratified_positions(split.labels, size)].numpy()
        for s, split in (("train", dataset.train), ("test", dataset.test))
    }
    return replace(run, **labels)


@pytest.fixture(scope="module")
def run(digits):
    return record_run(digits)


def test_a_thousand_pictures_and_forty_epochs_fit_the_limit(digits):
    widget = interactive.scrub(record_run(digits, epochs=60), digits)
    assert len(widget.html.encode()) <= 500_000
    epochs = read_data(widget)["epochs"]
    assert len(epochs) == 40 and epochs[0] == 1 and epochs[-1] == 60


def test_a_figure_that_would_be_too_heavy_is_refused():
    noise = toy_dataset(n=2000, classes=4)
    run = record_run(noise, size=500, classes=noise.classes)
    with pytest.raises(ValueError, match="would take .* fewer points"):
        interactive.scrub(make_run(epochs=40, n=4000, m=4000), points=4000)
    assert len(interactive.scrub(run, noise, points=100).html) < 500_000


def test_what_is_drawn_is_less_than_a_pixel_from_what_was_measured(run):
    _, positions = subsample(run, 500, 40)
    decoded = read_data(interactive.scrub(run))
    half = 900 / 2 / 1.27  # pixels a radius, on the largest canvas there is
    for split in ("train", "test"):
        angle = decode(decoded[split]["directions"], "<u2").reshape(3, -1) * 2 * np.pi / 65536
        length = decode(decoded[split]["lengths"], "<u2").reshape(3, -1) * decoded["radius"] / 65535
        for k, snapshot in enumerate(run.snapshots):
            true = getattr(snapshot, split)[positions[split]]
            drawn = np.stack([length[k] * np.cos(angle[k]), length[k] * np.sin(angle[k])], axis=1)
            assert 0 < np.abs(drawn - true).max() * half / decoded["radius"] < 0.1
            turned = np.angle(np.exp(1j * (angle[k] - np.arctan2(true[:, 1], true[:, 0]))))
            assert (
                np.degrees(np.abs(turned).max()) < 0.01
            )  # and the angle shown, of one decimal, is right


def test_labels_predictions_and_class_vectors_come_back(run):
    decoded, (_, positions) = read_data(interactive.scrub(run)), subsample(run, 500, 40)
    for split in ("train", "test"):
        labels = getattr(run, f"{split}_labels")[positions[split]]
        assert np.array_equal(decode(decoded[split]["labels"], np.uint8), labels)
        assert np.bincount(labels).tolist() == [50] * 10
        for k, predicted in enumerate(decode(decoded[split]["predicted"], np.uint8).reshape(3, -1)):
            assert np.array_equal(
                predicted, getattr(run.snapshots[k], f"{split}_pred")[positions[split]]
            )
    angle = decode(decoded["vectors"], "<u2").reshape(3, 10) * 2 * np.pi / 65536
    weight = np.stack([s.weight for s in run.snapshots])
    unit = weight / np.linalg.norm(weight, axis=2, keepdims=True)
    np.testing.assert_allclose(np.stack([np.cos(angle), np.sin(angle)], axis=2), unit, atol=1e-4)


def test_each_point_has_its_own_picture(run, digits):
    sheet, (_, positions) = (
        read_data(interactive.scrub(run, digits))["sheet"],
        subsample(run, 500, 40),
    )
    image = (
        np.asarray(
            Image.open(io.BytesIO(base64.b64decode(sheet["src"].partition(",")[2]))).convert("L")
        )
        / 255
    )
    for first, split in ((0, "train"), (500, "test")):
        images = getattr(digits, split).images[
            stratified_positions(getattr(digits, split).labels, 1000)[positions[split]]
        ]
        for i in (0, 31, 32, 499):
            row, column = divmod(first + i, sheet["columns"])
            tile = image[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]
            np.testing.assert_allclose(tile, images[i, 0].numpy(), atol=0.04)
    assert sheet["rows"] * sheet["columns"] >= 1000


def test_large_and_coloured_pictures_become_small_grey_ones():
    flat = torch.full((80, 3, 64, 32), 0.4)
    split = data.Split(flat, torch.arange(80) % 4, tuple("abcd"))
    run = record_run(data.Dataset("flat", split, split), size=20, classes=tuple("abcd"))
    sheet = read_data(interactive.scrub(run, data.Dataset("flat", split, split)))["sheet"]
    image = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(sheet["src"].partition(",")[2]))).convert("L")
    )
    assert (sheet["height"], sheet["width"]) == (28, 14) and image[0, 0] == pytest.approx(
        0.4 * 255, abs=1
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda run: interactive.scrub(make_run(dim=3)),
            "3-D embeddings: this picture needs 2-D ones.*interactive.sphere",
        ),
        (
            lambda run: interactive.scrub(make_run(classes=tuple("abcdefghijk"))),
            "11 things to colour",
        ),
        (lambda run: interactive.scrub(replace(run, snapshots=[])), "no snapshot"),
        (lambda run: interactive.scrub(run, points=0), "points = 0"),
        (lambda run: interactive.scrub(run, view="sphere"), "view = 'sphere'"),
        (lambda run: interactive.scrub(run, toy_dataset()), "'toy' is not the data set"),
    ],
)
def test_refusals_say_why(run, call, message):
    with pytest.raises(ValueError, match=message):
        call(run)

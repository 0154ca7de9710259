"""Interactive figures: what their HTML holds is the data, it is safe, small and self-contained; the panel trains."""

import base64
import io
import json
import re
from dataclasses import replace

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from lossbook import data, heads, interactive
from lossbook.data.dataset import stratified_positions
from lossbook.interactive import epoch_slider, training_panel
from lossbook.metrics import winning_regions
from tests.helpers.runs import make_run
from tests.training.test_loop import toy
from tools.book.execute import WIDGET, remove_widgets


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist5k")


def recorded(dataset, epochs=3, size=1000, **kwargs):
    """A synthetic run whose labels are those of a training on ``dataset``."""
    run = make_run(epochs=epochs, n=size, m=size, **kwargs)
    labels = {
        f"{s}_labels": split.labels[stratified_positions(split.labels, size)].numpy()
        for s, split in (("train", dataset.train), ("test", dataset.test))
    }
    return replace(run, **labels)


@pytest.fixture(scope="module")
def run(digits):
    return recorded(digits)


def data_of(widget):
    return json.loads(re.search(r"^const data = (.*);$", widget.html, re.M)[1])


def numbers(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype).astype(int)


def spatial(seed=0, epochs=3, **kwargs):
    """A synthetic run in 3-D that tells its margin."""
    run = make_run(dim=3, seed=seed, epochs=epochs, **kwargs)
    run.config = {
        "head": {"embedding_dim": 3, "num_classes": 10, "scale": 16.0, "margin": 0.1},
        "recipe": {"epochs": epochs},
    }
    return run


SPACE = spatial()


# All widgets


@pytest.fixture(scope="module")
def widgets(run, digits):
    return [
        interactive.scrub(run, digits),
        interactive.margin_explorer(),
        interactive.sphere(SPACE),
    ]


def test_html_needs_nothing_from_elsewhere(widgets):
    for widget in widgets:
        html = widget.html
        assert (
            re.findall(
                r"https?:|\brequire\b|\bimport\b|\bfetch\b|<script[^>]+src|<link|url\((?!\$)", html
            )
            == []
        )
        assert set(re.findall(r'\bid="', html)) == set(), (
            "an id could meet another of its name on the page"
        )
        assert html.count("<script") == html.count("</script>") == 1


def test_a_described_picture_stands_in_for_the_widget(widgets):
    for widget in widgets:
        alt, width, height, png = re.search(
            r'<img class="lb-still" alt="([^"]{40,})" width="(\d+)" height="(\d+)" '
            r'src="data:image/png;base64,([^"]+)">',
            widget.html,
        ).groups()
        assert alt == widget.alt == repr(widget)
        picture = Image.open(io.BytesIO(base64.b64decode(png)))
        assert picture.width > 600 and int(width) / int(height) == pytest.approx(
            picture.width / picture.height, rel=0.01
        )
        assert widget._repr_html_() == widget.html


def test_the_same_input_gives_the_same_html_and_another_its_own_key(run, digits, widgets):
    assert interactive.scrub(run, digits).html == widgets[0].html
    assert interactive.margin_explorer().html == widgets[1].html
    assert interactive.sphere(SPACE).html == widgets[2].html
    keys = [
        re.findall(r'data-lossbook="([\w-]+)"', w.html) for w in [*widgets, interactive.scrub(run)]
    ]
    assert [len(set(key)) for key in keys] == [1, 1, 1, 1] and len({key[0] for key in keys}) == 4


# scrub


def test_a_thousand_pictures_and_forty_epochs_fit_the_limit(digits):
    widget = interactive.scrub(recorded(digits, epochs=60), digits)
    assert len(widget.html.encode()) <= 500_000
    epochs = data_of(widget)["epochs"]
    assert len(epochs) == 40 and epochs[0] == 1 and epochs[-1] == 60


def test_a_figure_that_would_be_too_heavy_is_refused():
    noise = toy(n=2000, classes=4)
    run = recorded(noise, size=500, classes=noise.classes)
    with pytest.raises(ValueError, match="would weigh .* fewer points"):
        interactive.scrub(make_run(epochs=40, n=4000, m=4000), points=4000)
    assert len(interactive.scrub(run, noise, points=100).html) < 500_000


def test_what_is_drawn_is_less_than_a_pixel_from_what_was_measured(run):
    shown, chosen = epoch_slider.subsample(run, 500, 40)
    packed = data_of(interactive.scrub(run))
    half = 900 / 2 / 1.27  # pixels a radius, on the largest canvas there is
    for split in ("train", "test"):
        angle = numbers(packed[split]["directions"], "<u2").reshape(3, -1) * 2 * np.pi / 65536
        length = numbers(packed[split]["lengths"], "<u2").reshape(3, -1) * packed["radius"] / 65535
        for k, snapshot in enumerate(run.snapshots):
            true = getattr(snapshot, split)[chosen[split]]
            drawn = np.stack([length[k] * np.cos(angle[k]), length[k] * np.sin(angle[k])], axis=1)
            assert 0 < np.abs(drawn - true).max() * half / packed["radius"] < 0.1
            turned = np.angle(np.exp(1j * (angle[k] - np.arctan2(true[:, 1], true[:, 0]))))
            assert (
                np.degrees(np.abs(turned).max()) < 0.01
            )  # and the angle shown, of one decimal, is right


def test_labels_predictions_and_class_vectors_come_back(run):
    packed, (shown, chosen) = data_of(interactive.scrub(run)), epoch_slider.subsample(run, 500, 40)
    for split in ("train", "test"):
        labels = getattr(run, f"{split}_labels")[chosen[split]]
        assert np.array_equal(numbers(packed[split]["labels"], np.uint8), labels)
        assert np.bincount(labels).tolist() == [50] * 10
        for k, predicted in enumerate(numbers(packed[split]["predicted"], np.uint8).reshape(3, -1)):
            assert np.array_equal(
                predicted, getattr(run.snapshots[k], f"{split}_pred")[chosen[split]]
            )
    angle = numbers(packed["vectors"], "<u2").reshape(3, 10) * 2 * np.pi / 65536
    weight = np.stack([s.weight for s in run.snapshots])
    unit = weight / np.linalg.norm(weight, axis=2, keepdims=True)
    np.testing.assert_allclose(np.stack([np.cos(angle), np.sin(angle)], axis=2), unit, atol=1e-4)


def test_each_point_has_its_own_picture(run, digits):
    sheet, (_, chosen) = (
        data_of(interactive.scrub(run, digits))["sheet"],
        epoch_slider.subsample(run, 500, 40),
    )
    image = (
        np.asarray(
            Image.open(io.BytesIO(base64.b64decode(sheet["src"].partition(",")[2]))).convert("L")
        )
        / 255
    )
    for first, split in ((0, "train"), (500, "test")):
        images = getattr(digits, split).images[
            stratified_positions(getattr(digits, split).labels, 1000)[chosen[split]]
        ]
        for i in (0, 31, 32, 499):
            row, column = divmod(first + i, sheet["columns"])
            tile = image[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]
            np.testing.assert_allclose(tile, images[i, 0].numpy(), atol=0.04)
    assert sheet["rows"] * sheet["columns"] >= 1000


def test_large_and_coloured_pictures_become_small_grey_ones():
    flat = torch.full((80, 3, 64, 32), 0.4)
    split = data.Split(flat, torch.arange(80) % 4, tuple("abcd"))
    run = recorded(data.Dataset("flat", split, split), size=20, classes=tuple("abcd"))
    sheet = data_of(interactive.scrub(run, data.Dataset("flat", split, split)))["sheet"]
    image = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(sheet["src"].partition(",")[2]))).convert("L")
    )
    assert (sheet["height"], sheet["width"]) == (28, 14) and image[0, 0] == pytest.approx(
        0.4 * 255, abs=1
    )


def test_names_are_never_read_as_html():
    evil = '</script><img src=x onerror="alert(1)">&"'
    run = make_run(classes=(evil, "b", "c"), name=f"ArcFace{evil}")
    html = interactive.scrub(run).html
    assert evil not in html and html.count("</script>") == 1 and "<img src=x" not in html
    assert data_of(interactive.scrub(run))["classes"][0] == evil


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda run, digits: interactive.scrub(make_run(dim=3)),
            "3-D embeddings: this picture needs 2-D ones.*interactive.sphere",
        ),
        (lambda run, digits: interactive.sphere(run), "2-D embeddings: a sphere needs 3-D ones"),
        (lambda run, digits: interactive.sphere(SPACE, points=0), "points = 0"),
        (lambda run, digits: interactive.sphere(SPACE, split="all"), "split = 'all'"),
        (
            lambda run, digits: interactive.sphere({"a": SPACE, "b": spatial(epochs=2)}),
            "'b' has snapshots of the epochs",
        ),
        (
            lambda run, digits: interactive.sphere(
                {str(j): spatial(j, m=9000) for j in range(4)}, points=9000
            ),
            "fewer points",
        ),
        (
            lambda run, digits: interactive.scrub(make_run(classes=tuple("abcdefghijk"))),
            "11 things to colour",
        ),
        (lambda run, digits: interactive.scrub(replace(run, snapshots=[])), "no snapshot"),
        (lambda run, digits: interactive.scrub(run, points=0), "points = 0"),
        (lambda run, digits: interactive.scrub(run, view="sphere"), "view = 'sphere'"),
        (lambda run, digits: interactive.scrub(run, toy()), "'toy' is not the data set"),
        (lambda run, digits: interactive.margin_explorer(num_classes=1), "num_classes = 1"),
        (lambda run, digits: interactive.margin_explorer(embedding_dim=31), "embedding_dim = 31"),
    ],
)
def test_refusals_say_why(run, digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(run, digits)


# sphere


def vectors_of(text, epochs):
    polar, azimuth = numbers(text, "<u2").reshape(2, epochs, -1)
    polar, azimuth = polar * np.pi / 65535, azimuth * 2 * np.pi / 65536
    return np.stack(
        [np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=-1
    )


def apart(a, b):
    """Degrees between the directions of two arrays (…, 3)."""
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    return np.degrees(2 * np.arcsin(np.linalg.norm(a - b, axis=-1) / 2))


def test_directions_on_the_sphere_come_back_within_a_hundredth_of_a_degree():
    packed, shown = data_of(interactive.sphere(SPACE)), epoch_slider.subsample(SPACE, 400, 8)[0]
    (view,) = packed["views"]
    assert (
        packed["epochs"] == [1, 2, 3] and view["title"] == SPACE.name and packed["split"] == "test"
    )
    assert (
        apart(vectors_of(view["vectors"], 3), np.stack([s.weight for s in shown.snapshots])).max()
        < 0.01
    )
    for split in ("train", "test"):
        assert (
            apart(
                vectors_of(view[split]["directions"], 3),
                np.stack([getattr(s, split) for s in shown.snapshots]),
            ).max()
            < 0.01
        )
        assert np.array_equal(
            numbers(view[split]["labels"], np.uint8), getattr(shown, f"{split}_labels")
        )
        said = numbers(view[split]["predicted"], np.uint8).reshape(3, -1)
        assert all(
            np.array_equal(row, getattr(s, f"{split}_pred"))
            for row, s in zip(said, shown.snapshots)
        )


def test_the_caps_are_those_of_every_epoch_or_left_out():
    (view,) = data_of(interactive.sphere(SPACE))["views"]
    rims = vectors_of(view["rims"], 3).reshape(3, 10, view["around"], 3)
    for k, snapshot in enumerate(SPACE.snapshots):
        found = winning_regions.on_sphere(
            heads.ArcFace(3, 10, scale=16, margin=0.1), snapshot.weight
        )
        assert view["share"][k] == pytest.approx(found.share.sum(), abs=0.01)
        for mine, theirs in zip(rims[k], found.rims):
            if np.ptp(theirs, axis=0).max() > 0:  # from another first point, but the same curve
                assert max(apart(mine, point).min() for point in theirs) < 8
    (bare,) = data_of(interactive.sphere(make_run(dim=3), caps=False))["views"]
    assert "rims" not in bare


def test_long_runs_side_by_side_fit_the_limit():
    runs = {f"loss {j}": spatial(j, epochs=20, n=1000, m=1000) for j in range(4)}
    widget = interactive.sphere(runs)
    packed = data_of(widget)
    assert len(widget.html.encode()) <= 500_000 and [
        view["title"] for view in packed["views"]
    ] == list(runs)
    assert len(packed["epochs"]) == 8 and packed["epochs"][0] == 1 and packed["epochs"][-1] == 20


# margin_explorer


def test_the_explorer_offers_the_presets_of_the_library():
    packed = data_of(interactive.margin_explorer("CosFace_v2", num_classes=8, embedding_dim=7))
    assert {name: heads.Preset(**row) for name, row in packed["presets"].items()} == heads.PRESETS
    assert (packed["preset"], packed["C"], packed["d"]) == ("CosFace_v2", 8, 7)
    with pytest.raises(KeyError, match="no preset 'CosFace'.*CosFace_v1"):
        interactive.margin_explorer("CosFace")


# train_panel


@pytest.fixture
def trainer(monkeypatch):
    made = interactive.train_panel(toy())
    monkeypatch.setattr(
        made, "profile", made.profile._replace(recipe={"epochs": 3, "batch_size": 32})
    )
    made.epochs.value = 3
    return made


def test_the_panel_trains_what_it_is_set_to_and_shows_it(trainer):
    trainer.loss.value, trainer.scale.value = "CosFace", 8
    trainer.margin.value = 0.2
    trainer.go.click()
    assert trainer.go.disabled and not trainer.stop.disabled
    trainer.thread.join()
    assert trainer.run.name == "CosFace(scale=8, margin=0.2)" and len(trainer.run.snapshots) == 3
    assert (
        Image.open(io.BytesIO(trainer.picture.value)).format == "PNG"
        and trainer.picture.layout.display is None
    )
    assert (
        "epoch 3 of 3" in trainer.status.value and trainer.stop.disabled and not trainer.go.disabled
    )


def test_stop_ends_it_after_the_epoch(trainer):
    trainer.epochs.value = 40
    trainer.go.click()
    trainer.stop.click()
    trainer.thread.join()
    assert len(trainer.run.snapshots) == 1
    trainer.epochs.value = 2
    trainer.go.click()  # and it can be started again
    trainer.thread.join()
    assert len(trainer.run.snapshots) == 2


@pytest.mark.parametrize("loss", training_panel.LOSSES)
def test_the_panel_knows_every_loss_and_its_margin(trainer, loss):
    trainer.loss.value = loss
    head = trainer.head()
    assert type(head) is getattr(heads, loss)
    assert trainer.margin.disabled == ("margin" not in head.hyperparameters)
    assert trainer.scale.disabled == ("scale" not in head.hyperparameters)
    if training_panel.LOSSES[loss]:
        low, high, step, start = training_panel.LOSSES[loss]
        assert (trainer.margin.min, trainer.margin.max) == (low, high)
        assert trainer.margin.value == start == head.margin


def test_a_failure_in_the_thread_is_shown(trainer, monkeypatch):
    caught = []
    monkeypatch.setattr("threading.excepthook", caught.append)
    monkeypatch.setattr(trainer, "dataset", None)
    monkeypatch.setattr(trainer, "head", lambda: heads.ArcFace(2, 4))
    trainer.go.click()
    trainer.thread.join()
    assert "AttributeError" in trainer.status.value and not trainer.go.disabled and len(caught) == 1


def test_without_a_kernel_a_sentence_is_left_and_no_widget(trainer, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    trainer._ipython_display_()
    data = [{"text/html": shown[0]._repr_html_()}, shown[1]._repr_mimebundle_()]
    assert WIDGET in data[1]
    outputs = [nbformat.v4.new_output("display_data", data=one) for one in data]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    remove_widgets(notebook)
    (left,) = notebook.cells[0].outputs
    assert "needs-kernel" in left.data["text/html"] and "Colab" in left.data["text/html"]
    assert "lossbook-needs-kernel { display: none }" in trainer.status.value

"""Figures: what is drawn equals the data, labels and units are there, matplotlib is left as it was."""

import base64
import inspect
import io
import math

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.contour import QuadContourSet
from nbclient import NotebookClient
from PIL import Image

from lossbook import figures, heads, margins, metrics
from lossbook.figures import embedding_plots
from lossbook.figures.style import CLASS_COLORS, Card
from lossbook.figures.views import Circle
from lossbook.metrics import verification
from tests.benchmarks.test_heads import record
from tests.benchmarks.test_training import record as rates
from tests.book.test_build_minutes import record as builds
from tests.figures.test_experiments import FLIPPED
from tests.figures.test_verification import BINS, FAR, LABELS, RATIOS, counted, scene
from tests.helpers.runs import FASHION, make_run, mistakes, nearest_spoke


@pytest.fixture(scope="module")
def run():
    made = make_run()
    assert 0 < mistakes(made, "test", 1).sum() < 80, "the pictures below need some mistakes"
    return made


FUNCTIONS = {
    "norm-softmax": lambda cos: cos,
    "CosFace": lambda cos: margins.cosface(cos, 0.35),
    "ArcFace": lambda cos: margins.arcface(cos, 0.5),
    "SphereFace": lambda cos: margins.sphereface(cos, 3),
}
SWEPT = {
    "loss": "CosFace",
    "dataset": "digits",
    "classes": 10,
    "cells": [
        {"scale": s, "margin": m, "accuracy": 0.9 + s / 1000 - m, "gap_median": m}
        for s in (1, 4, 16)
        for m in (0, 0.1, 0.3)
    ],
}
SPHERE = make_run(dim=3)
MARGINS = {"ArcFace": heads.ArcFace(3, 10, margin=0.1), "CosFace": heads.CosFace(3, 10, margin=0.1)}
PICTURES, VECTORS, PAIRS = scene()
SCORES, COUNTS = verification.similarity(VECTORS, PAIRS), counted(VECTORS, PAIRS)
EVERY = {
    "embeddings": lambda run: figures.embeddings(run),
    "circle": lambda run: figures.circle(run),
    "train_test": lambda run: figures.train_test(run),
    "train_test circle": lambda run: figures.train_test(run, view="circle"),
    "filmstrip": lambda run: figures.filmstrip(run),
    "comparison": lambda run: figures.comparison({f"loss {j}": run for j in range(10)}),
    "angle_histograms": lambda run: figures.angle_histograms(run),
    "training_curves": lambda run: figures.training_curves(run),
    "training_curves of two": lambda run: figures.training_curves({"one": run, "two": run}),
    "over_epochs": lambda run: figures.over_epochs(
        {"random": [0.9, 0.3, 0.1], "hard": [1.0, 0.9]}, "useful triplets (%)"
    ),
    "regions": lambda run: figures.regions(
        {"one": run, "two": run}, {"one": nearest_spoke, "two": nearest_spoke}
    ),
    "target_curves": lambda run: figures.target_curves(FUNCTIONS),
    "decision_boundaries": lambda run: figures.decision_boundaries(FUNCTIONS),
    "sectors": lambda run: figures.sectors(FUNCTIONS),
    "sphere": lambda run: figures.sphere(SPHERE, heads=MARGINS["ArcFace"]),
    "sphere of four": lambda run: figures.sphere(
        {f"loss {j}": SPHERE for j in range(4)}, caps=False
    ),
    "caps": lambda run: figures.spherical_regions(MARGINS, SPHERE.snapshots[0].weight),
    "scale_margin_map": lambda run: figures.scale_margin_map(SWEPT),
    "head_costs": lambda run: figures.head_costs(record()),
    "training_rates": lambda run: figures.training_rates(rates()),
    "build_times": lambda run: figures.build_times(builds()),
    "score_histograms": lambda run: figures.score_histograms(
        {"one": (BINS, COUNTS), "two": (BINS, COUNTS)}
    ),
    "roc_curves": lambda run: figures.roc_curves(
        {"a": (FAR, FAR**0.3), "b": (FAR, FAR**0.2, FAR**0.3, FAR**0.1)}
    ),
    "neighbours": lambda run: figures.neighbours(
        PICTURES, LABELS, VECTORS, [0, 5], count=3, names="abc"
    ),
    "worst_pairs": lambda run: figures.worst_pairs(PICTURES, SCORES, PAIRS, count=4),
    "error_ratios": lambda run: figures.error_ratios(RATIOS),
    "against_noise": lambda run: figures.against_noise(FLIPPED, "test accuracy (%)"),
}
PARTS = {
    "points": 0,
    "rays": 1,
    "mistakes": 2,
    "bars": 3,
}  # the order in which a view adds its collections


def part(ax, name):
    return ax.collections[PARTS[name]]


def in_some_order(points):
    return np.array(sorted(map(tuple, np.asarray(points, dtype=float))))


# All of them


def test_every_public_figure_is_tested():
    drawn = {name.split()[0] for name in EVERY} | {"animate", "Animation"}
    assert drawn == set(embedding_plots.__all__)


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_is_a_light_card_and_matplotlib_is_as_before(run, name):
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "font.size": 5, "figure.facecolor": "black"}
    ):
        before, open_figures = dict(matplotlib.rcParams), plt.get_fignums()
        figure = EVERY[name](run)
        assert dict(matplotlib.rcParams) == before and plt.get_fignums() == open_figures
        png = figure._repr_png_()
    assert isinstance(figure, Card) and len(png) < 150_000
    assert {ax.get_facecolor() for ax in figure.axes} == {to_rgba("white")}
    image = Image.open(io.BytesIO(png))
    assert image.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    assert (
        image.width == round(figure.get_figwidth() * figure.dpi)
        and len(image.convert("RGB").getcolors()) > 3
    )


@pytest.mark.parametrize("name", EVERY)
def test_text_is_large_enough_and_inside_the_card(run, name):
    figure = EVERY[name](run)
    figure.draw_without_rendering()
    small = {"filmstrip", "comparison", "regions", "sphere", "sphere of four", "caps"}
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible():
            assert text.get_fontsize() >= (8 if name in small else 11), text
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert (
        box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < whole[0] + 0.02 and box.y1 < whole[1] + 0.02
    )


@pytest.mark.parametrize(
    "call, xlabel, ylabel",
    [
        (lambda run: figures.embeddings(run), "dimensionless", "dimensionless"),
        (lambda run: figures.angle_histograms(run), "degrees", "samples per"),
        (lambda run: figures.training_curves(run), "epoch", "accuracy (%)"),
        (lambda run: figures.target_curves(FUNCTIONS), "degrees", "per radian"),
        (
            lambda run: figures.decision_boundaries({"one": FUNCTIONS["CosFace"]}),
            "degrees",
            "degrees",
        ),
    ],
)
def test_axes_carry_labels_with_units(run, call, xlabel, ylabel):
    ax = call(run).axes[-1]
    assert xlabel in ax.get_xlabel() and ylabel in ax.get_ylabel()


# Embeddings


@pytest.mark.parametrize("split, epoch", [("test", -1), ("test", 1), ("train", 2), ("train", -4)])
def test_embeddings_are_drawn_where_they_are(run, split, epoch):
    ax = figures.embeddings(run, split, epoch).axes[0]
    number = epoch if epoch > 0 else len(run.snapshots) + 1 + epoch
    snapshot, labels = run.snapshots[number - 1], getattr(run, f"{split}_labels")
    x, wrong = getattr(snapshot, split), mistakes(run, split, number)
    np.testing.assert_allclose(in_some_order(part(ax, "points").get_offsets()), in_some_order(x))
    np.testing.assert_allclose(part(ax, "mistakes").get_offsets(), x[wrong])
    place = {tuple(point): y for point, y in zip(x.astype(float), labels)}
    for point, color in zip(part(ax, "points").get_offsets(), part(ax, "points").get_facecolors()):
        assert tuple(color) == to_rgba(CLASS_COLORS[place[tuple(point)]])
    for color, y in zip(part(ax, "mistakes").get_facecolors(), labels[wrong]):
        assert tuple(color) == to_rgba(CLASS_COLORS[y])
    assert ax.get_title(loc="left") == f"{split}, epoch {number}"
    score = [text.get_text() for text in ax.texts if "✖" in text.get_text()]
    assert score == [f"{100 * (~wrong).mean():.1f} % right, ✖ {wrong.sum()} of {len(wrong)} wrong"]
    assert (
        ax.get_aspect() == 1
        and abs(x).max() < ax.get_xlim()[1] == ax.get_ylim()[1] == -ax.get_xlim()[0]
    )


@pytest.mark.parametrize("draw", [figures.embeddings, figures.circle])
def test_class_vectors_end_at_their_own_label(run, draw):
    ax = draw(run).axes[0]
    tips = np.array([segment[1] for segment in part(ax, "rays").get_segments()])
    weight = run.snapshots[-1].weight
    np.testing.assert_allclose(np.arctan2(*tips.T), np.arctan2(*weight.T), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(tips, axis=1), np.linalg.norm(tips[0]))
    badges = {text.get_text(): text for text in ax.texts if text.get_text() in run.classes}
    for name, tip, color in zip(run.classes, tips, CLASS_COLORS, strict=True):
        np.testing.assert_allclose(badges[name].get_position(), tip)
        assert badges[name].get_bbox_patch().get_facecolor() == to_rgba(color)


def test_mistakes_lie_on_top_of_everything(run):
    ax = figures.embeddings(run, epoch=1).axes[0]
    assert part(ax, "mistakes").get_zorder() > max(
        a.get_zorder() for a in [*ax.texts[:10], part(ax, "points")]
    )
    assert tuple(part(ax, "mistakes").get_edgecolors()[0]) == to_rgba("black")


def test_circle_keeps_directions_and_counts(run):
    ax = figures.circle(run, epoch=1).axes[0]
    x, wrong = run.snapshots[0].test, mistakes(run, "test", 1)
    drawn = np.asarray(part(ax, "points").get_offsets())
    radius = np.linalg.norm(drawn, axis=1)
    assert 0.86 <= radius.min() and radius.max() < 1
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(
        in_some_order(drawn / radius[:, None]), in_some_order(unit), atol=1e-6
    )
    crosses = np.asarray(part(ax, "mistakes").get_offsets())
    np.testing.assert_allclose(np.arctan2(*crosses.T), np.arctan2(*x[wrong].T), atol=1e-6)
    # The bars are stacked, so the square of the outermost rim's height in a bin is its count.
    rims = [path.vertices for path in part(ax, "bars").get_paths()]
    middles = [np.hypot(*rim[0 : 2 * Circle.bins].T)[::2] for rim in rims]
    counts = ((middles[-1] - 1.015) / Circle.tallest) ** 2 * len(x) / 10
    expected = np.histogram(np.arctan2(x[:, 1], x[:, 0]), Circle.bins, (-np.pi, np.pi))[0]
    np.testing.assert_allclose(counts, expected, atol=1e-9)
    assert len(rims) == 10 and expected.max() > 1


def test_train_and_test_share_one_scale(run):
    train, test = figures.train_test(run, epoch=2).axes
    assert train.get_xlim() == test.get_xlim() and train.get_ylim() == test.get_ylim()
    for ax, split in ((train, "train"), (test, "test")):
        x = getattr(run.snapshots[1], split)
        np.testing.assert_allclose(
            in_some_order(part(ax, "points").get_offsets()), in_some_order(x)
        )


@pytest.mark.parametrize("epochs, expected", [(None, [1, 2, 3, 4]), ((4, 1), [4, 1])])
def test_filmstrip_shows_the_epochs_on_one_scale(run, epochs, expected):
    panels = figures.filmstrip(run, "train", epochs).axes
    assert [ax.get_title(loc="left") for ax in panels] == [f"epoch {e}" for e in expected]
    for ax, epoch in zip(panels, expected):
        x = run.snapshots[epoch - 1].train
        np.testing.assert_allclose(
            in_some_order(part(ax, "points").get_offsets()), in_some_order(x)
        )
    assert len({ax.get_xlim() for ax in panels}) == 1


def test_filmstrip_of_a_long_run_looks_closer_at_the_start():
    titles = [
        ax.get_title(loc="left") for ax in figures.filmstrip(make_run(epochs=15, n=20, m=20)).axes
    ]
    assert titles == [f"epoch {e}" for e in (1, 2, 3, 5, 9, 15)]


def test_comparison_has_a_panel_for_each_run(run):
    other = make_run(seed=1)
    panels = figures.comparison(
        {"one": run, "two": other}, split="train", epoch=2, view="plane"
    ).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["one", "two"]
    for ax, made in zip(panels, (run, other)):
        np.testing.assert_allclose(
            in_some_order(part(ax, "points").get_offsets()), in_some_order(made.snapshots[1].train)
        )


def test_long_class_names_become_numbers_with_a_key():
    figure = figures.circle(make_run(classes=FASHION))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"{j} {name}" for j, name in enumerate(FASHION)
    ]
    assert {str(j) for j in range(10)} <= {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize("draw", [figures.embeddings, figures.circle, figures.angle_histograms])
def test_figures_draw_into_axes_they_are_given(run, draw):
    figure, (left, right) = plt.subplots(1, 2)
    try:
        assert draw(run, ax=right) is figure
        assert right.has_data() and not left.has_data() and not figure.texts
    finally:
        plt.close(figure)


def test_figures_leave_the_run_as_it_is():
    run, untouched = make_run(), make_run()
    for draw in EVERY.values():
        draw(run)
    figures.animate(run, between=1)
    for snapshot, before in zip(run.snapshots, untouched.snapshots):
        for field in ("train", "test", "weight", "train_pred", "test_pred"):
            np.testing.assert_array_equal(getattr(snapshot, field), getattr(before, field))


# Angles and training


@pytest.mark.parametrize("dim", [2, 8])
def test_angle_histograms_count_the_angles(dim):
    run = make_run(dim=dim)
    ax = figures.angle_histograms(run, "test", 1).axes[0]
    snapshot = run.snapshots[0]
    own, other = map(np.degrees, metrics.angles(snapshot.test, snapshot.weight, run.test_labels))
    first, second, overlap = (p.get_data() for p in ax.patches if p.get_fill())
    for stairs, theta in ((first, own), (second, other)):
        np.testing.assert_array_equal(stairs.values, np.histogram(theta, stairs.edges)[0])
    assert second.values.sum() == len(other)
    np.testing.assert_array_equal(overlap.values, np.minimum(first.values, second.values))
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx(
        [np.median(own), np.median(other)]
    )
    beyond = int((own > first.edges[-1]).sum())
    assert ax.get_xlabel() == (
        "angle (degrees)"
        if beyond == 0
        else f"angle (degrees; {beyond} samples lie beyond this axis, up to {own.max():.0f}°)"
    )
    share = 100 * metrics.angular_accuracy(snapshot.test, snapshot.weight, run.test_labels)
    assert f"{share:.1f} % nearest to their own" in ax.get_title(loc="left")


def test_angle_histograms_say_what_lies_beyond_the_axis():
    run = make_run()
    last = run.snapshots[-1]
    last.test[0] = -last.weight[run.test_labels[0]]
    assert (
        "1 samples lie beyond this axis, up to 180°"
        in figures.angle_histograms(run).axes[0].get_xlabel()
    )


def test_training_curves_plot_the_history(run):
    loss, accuracy = figures.training_curves(run).axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), run.history["train_loss"])
    for line, column in zip(accuracy.lines, ("train_acc", "test_acc"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * run.history[column])
        np.testing.assert_array_equal(line.get_xdata(), run.history["epoch"])
    assert {text.get_text() for text in accuracy.texts} == {"train 90.0 %", "test 80.0 %"}


def test_lines_carry_their_labels_without_touching(run):
    names = [f"run {j}" for j in range(10)]
    figure = figures.training_curves({name: run for name in names})
    figure.draw_without_rendering()
    for ax, texts in zip(figure.axes, (set(names), {f"{name} 80.0 %" for name in names})):
        assert {text.get_text() for text in ax.texts} == texts
        boxes = sorted(
            matplotlib.text.Text.get_window_extent(text).extents[[1, 3]].tolist()
            for text in ax.texts
        )
        assert all(below[1] <= above[0] + 1 for below, above in zip(boxes, boxes[1:]))
    assert len({line.get_color() for line in figure.axes[0].lines}) == 10


def test_a_lead_from_a_line_that_ends_early_does_not_look_like_more_of_it():
    ax = figures.over_epochs({"all": [3, 2, 1], "two": [3, 3]}, "y").axes[0]
    drawn = {line.get_label(): line.get_color() for line in ax.get_lines()}
    leads = {text.get_text(): text.arrow_patch.get_edgecolor() for text in ax.texts}
    assert leads["all"] == to_rgba(drawn["all"]) and leads["two"] not in {
        to_rgba(color) for color in drawn.values()
    }


# Functions


@pytest.mark.parametrize("label", [*FUNCTIONS, "raw cos 4θ"])
def test_target_curves_and_their_slopes(label):
    function = {**FUNCTIONS, "raw cos 4θ": lambda cos: torch.cos(4 * torch.arccos(cos))}[label]
    curve, slope = (ax.lines[0] for ax in figures.target_curves({label: function}, points=360).axes)
    theta, step = np.radians(curve.get_xdata()), 1e-6
    assert 0 < theta.min() < 0.01 and math.pi - 0.01 < theta.max() < math.pi

    def at(angle):
        return function(torch.cos(torch.tensor(angle))).numpy()

    np.testing.assert_allclose(curve.get_ydata(), at(theta))
    np.testing.assert_allclose(
        slope.get_ydata(), (at(theta + step) - at(theta - step)) / (2 * step), atol=1e-4
    )


def boundaries(figure):
    """For each panel: the drawn zero lines, as (θ₁, θ₂) points in degrees."""
    return [
        [
            np.concatenate([path.vertices for path in shape.get_paths()])
            for shape in ax.collections
            if isinstance(shape, QuadContourSet) and not shape.filled
        ]
        for ax in figure.axes
    ]


def cos(degrees):
    return np.cos(np.radians(degrees))


@pytest.mark.parametrize(
    "label, line",
    [
        ("norm-softmax", lambda own, other: own - other),
        ("CosFace", lambda own, other: np.degrees(np.arccos(cos(own) - 0.35)) - other),
        ("ArcFace", lambda own, other: own + np.degrees(0.5) - other),
        ("SphereFace", lambda own, other: 3 * own - other),
    ],
)
def test_decision_boundaries_are_the_papers_lines(label, line):
    ((first, second),) = boundaries(figures.decision_boundaries({label: FUNCTIONS[label]}))
    for own, other in (first.T, second.T[::-1]):
        inside = (
            (own > 4) & (own < 176) & (other > 4) & (other < 176)
        )  # cos is flat at the very ends
        assert inside.sum() > 100
        np.testing.assert_allclose(line(own[inside], other[inside]), 0, atol=0.1)


def regions(functions):
    figure = figures.decision_boundaries(functions)
    return [text.get_text() for text in figure.legends[0].get_texts()], figure


def test_decision_regions_are_named():
    assert regions({"plain": FUNCTIONS["norm-softmax"]})[0] == ["class 1", "class 2"]
    assert regions({"ArcFace": FUNCTIONS["ArcFace"]})[0] == ["class 1", "class 2", "margin"]
    raw = {"raw": lambda cos: torch.cos(4 * torch.arccos(cos))}
    assert regions(raw)[0] == ["class 1", "class 2", "margin", "claimed by both"]
    assert regions({"all": lambda cos: cos + 3})[0] == ["class 1", "class 2", "claimed by both"]
    assert regions({"none": lambda cos: cos - 3})[0] == ["margin"]


@pytest.mark.parametrize("label", FUNCTIONS)
def test_region_numbers_stand_in_their_region(label):
    ax = regions({label: FUNCTIONS[label]})[1].axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts}
    for own, other in (places["1"], places["2"][::-1]):
        assert FUNCTIONS[label](torch.tensor([cos(own)])).item() > cos(other)


# The animation


@pytest.mark.parametrize(
    "split, view, between", [("both", "plane", 2), ("test", "circle", 1), ("train", "plane", 0)]
)
def test_animation_has_a_frame_for_each_moment(run, tmp_path, split, view, between):
    animation = figures.animate(run, split, view, between, seconds=0.4)
    animation.save(tmp_path / "moving.gif")
    assert (tmp_path / "moving.gif").read_bytes() == animation.data and len(
        animation.data
    ) < 300_000
    with Image.open(tmp_path / "moving.gif") as gif:
        assert gif.format == "GIF" and gif.n_frames == 4 + 3 * between and gif.info["loop"] == 0
        shown = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            shown.append(gif.info["duration"])
            assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        if between == 0:
            assert shown == [400, 400, 400, 2400]
        assert sum(shown) == pytest.approx(4 * 400 + 2000, abs=10 * gif.n_frames)
        assert gif.width == (648 if split == "both" else 333)


def test_animation_moves_in_straight_lines_on_fixed_axes(run, monkeypatch):
    seen = []

    def look(self, snapshot, title=None):
        shown = plane_show(self, snapshot, title)
        seen.append(
            (
                title,
                part(self.ax, "points").get_offsets()[np.argsort(self.order)],
                len(part(self.ax, "mistakes").get_offsets()),
                self.ax.get_xlim(),
                self.ax.get_position().bounds,
            )
        )
        return shown

    from lossbook.figures.views import Plane

    plane_show = Plane.show
    monkeypatch.setattr(Plane, "show", look)
    figures.animate(run, "test", "plane", between=2)
    titles, places, crosses, limits, boxes = zip(*seen)
    assert titles == tuple(
        f"test, epoch {e}"
        for e in (1, "1 → 2", "1 → 2", 2, "2 → 3", "2 → 3", 3, "3 → 4", "3 → 4", 4)
    )
    for j in (0, 3, 6):
        for step in (1, 2):
            np.testing.assert_allclose(
                places[j + step], ((3 - step) * places[j] + step * places[j + 3]) / 3, atol=1e-5
            )
            assert crosses[j + step] == crosses[j] == mistakes(run, "test", j // 3 + 1).sum()
    np.testing.assert_allclose(places[-1], run.snapshots[-1].test, atol=1e-6)
    assert len(set(limits)) == 1 and len(set(boxes[1:])) == 1
    assert limits[0][1] > max(abs(s.test).max() for s in run.snapshots)


def test_animation_shows_itself_with_words(run):
    animation = figures.animate(run, "both", between=0)
    data, about = animation._repr_mimebundle_()
    assert base64.b64decode(data["image/gif"]) == animation.data
    words = "ArcFace(scale=16, margin=0.3): train and test embeddings (plane), epoch 1 to 4"
    assert data["text/plain"] == about["image/gif"]["alt"] == repr(animation) == words


# In a notebook

SETUP = inspect.getsource(make_run) + "run = make_run(epochs=2)"
IMPORTS = "import numpy as np, pandas as pd\nfrom lossbook import figures\nfrom lossbook.training import Run, Snapshot\n"


@pytest.fixture(
    scope="module",
    params=["%matplotlib inline\nimport matplotlib.pyplot as plt\n", ""],
    ids=["inline backend", "no backend"],
)
def notebook(request):
    cells = [
        request.param + IMPORTS + SETUP,
        "figures.embeddings(run)",
        "figures.animate(run, between=0)",
        "figure = figures.circle(run)",
        "display(figures.training_curves(run))",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in book.cells]


@pytest.mark.parametrize("cell, mime", [(1, "image/png"), (2, "image/gif"), (4, "image/png")])
def test_a_notebook_shows_a_figure_exactly_once(notebook, cell, mime):
    (output,) = notebook[cell]
    assert output.output_type in ("execute_result", "display_data")
    assert [key for key in output.data if key.startswith("image/")] == [
        mime
    ] and "text/html" not in output.data
    image = Image.open(io.BytesIO(base64.b64decode(output.data[mime])))
    assert image.format == mime[6:].upper() and image.width >= output.metadata[mime]["width"] > 300


def test_a_notebook_does_not_show_a_figure_that_was_only_made(notebook):
    assert notebook[0] == notebook[3] == []


# Bad input


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda run: figures.embeddings(make_run(dim=3)),
            ValueError,
            "3-D embeddings.*needs 2-D.*embedding_dim=2",
        ),
        (lambda run: figures.circle(make_run(dim=64)), ValueError, "64-D embeddings"),
        (lambda run: figures.animate(make_run(dim=3)), ValueError, "3-D embeddings"),
        (lambda run: figures.embeddings(run, split="val"), ValueError, "'val'.*'train' or 'test'"),
        (lambda run: figures.angle_histograms(run, split="val"), ValueError, "'val'"),
        (lambda run: figures.animate(run, split="all"), ValueError, "'all'"),
        (lambda run: figures.embeddings(run, epoch=0), ValueError, r"epoch = 0.*\[1, 2, 3, 4\]"),
        (lambda run: figures.embeddings(run, epoch=5), ValueError, "epoch = 5"),
        (lambda run: figures.embeddings(run, epoch=-5), ValueError, "epoch = -5"),
        (lambda run: figures.animate(make_run(epochs=0)), ValueError, r"epochs \[\]"),
        (lambda run: figures.animate(run, between=-1), ValueError, "between = -1"),
        (lambda run: figures.animate(run, seconds=0), ValueError, "seconds = 0"),
        (
            lambda run: figures.train_test(run, view="sphere"),
            ValueError,
            "'sphere'.*'plane' or 'circle'",
        ),
        (
            lambda run: figures.embeddings(make_run(classes=tuple("abcdefghijk"))),
            ValueError,
            "11 things.*at most 10",
        ),
        (lambda run: figures.comparison({}), ValueError, "0 runs"),
        (
            lambda run: figures.comparison({"a": run, "b": make_run(classes=FASHION)}),
            ValueError,
            "same classes",
        ),
        (lambda run: figures.training_curves({}), ValueError, "runs is empty"),
        (lambda run: figures.target_curves({}), ValueError, "functions is empty"),
        (
            lambda run: figures.target_curves({"flat": lambda cos: torch.zeros_like(cos)}),
            TypeError,
            "'flat'.*gradient",
        ),
        (
            lambda run: figures.target_curves({"sum": lambda cos: cos.sum()}),
            TypeError,
            r"'sum'.*shape \(\)",
        ),
        (
            lambda run: figures.decision_boundaries({"numpy": lambda cos: cos.numpy()}),
            TypeError,
            "'numpy'.*ndarray",
        ),
    ],
)
def test_bad_input_is_named(run, call, error, message):
    with pytest.raises(error, match=message):
        call(run)


def test_a_zero_embedding_has_no_place_on_the_circle():
    run = make_run()
    run.snapshots[-1].test[3] = 0
    with pytest.raises(ValueError, match="vector 3 of 80 is zero"):
        figures.circle(run)

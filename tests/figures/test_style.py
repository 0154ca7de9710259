"""Every figure: light, legible, shown once, and matplotlib is left as it was."""

import base64
import inspect
import io
import warnings

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from nbclient import NotebookClient
from PIL import Image
from torch import nn

from lossbook import data, figures, heads, training
from lossbook.figures import style
from lossbook.figures.style import NotebookFigure
from lossbook.metrics import verification
from tests.helpers.drawings import (
    BUILD_SECONDS,
    ERROR_RATIOS,
    FAR,
    GAINS,
    HEAD_COSTS,
    IDENTITIES,
    NOISY_TRAININGS,
    ROW_ACCURACIES,
    SCALE_TRAININGS,
    SCORE_BINS,
    TARGETS,
    TRAINING_RATES,
    count_scores,
    make_faces,
)
from tests.helpers.runs import make_run, nearest_spoke
from tests.helpers.toys import toy_typefaces


@pytest.fixture(scope="module")
def run():
    return make_run()


SWEPT = {
    "loss": "CosFace",
    "dataset": "digits",
    "classes": 10,
    "cells": {
        f"s{s}-m{m}-seed{seed}": {
            "scale": s,
            "margin": m,
            "seed": seed,
            "accuracy": 0.9 + s / 1000 - m + seed / 50,
            "gap_median": m,
        }
        for s in (1, 4, 16)
        for m in (0, 0.1, 0.3)
        for seed in range(2)
    },
}


SPHERE = make_run(dim=3)


MARGINS = {"ArcFace": heads.ArcFace(3, 10, margin=0.1), "CosFace": heads.CosFace(3, 10, margin=0.1)}


PICTURES, VECTORS, PAIRS = make_faces()
SCORES, COUNTS = verification.similarity(VECTORS, PAIRS), count_scores(VECTORS, PAIRS)


EVERY = {
    "embeddings": lambda run: figures.embeddings(run),
    "circle": lambda run: figures.circle(run),
    "train_test": lambda run: figures.train_test(run),
    "train_test circle": lambda run: figures.train_test(run, view="circle"),
    "filmstrip": lambda run: figures.filmstrip(run),
    "comparison": lambda run: figures.comparison({f"loss {j}": run for j in range(10)}),
    "angle_histograms": lambda run: figures.angle_histograms(run),
    "small_angles": lambda run: figures.small_angles(FAR, {"float32": 1e-3, "float16": 0.02}),
    "training_curves": lambda run: figures.training_curves(run),
    "training_curves of two": lambda run: figures.training_curves({"one": run, "two": run}),
    "over_epochs": lambda run: figures.over_epochs(
        {"random": [0.9, 0.3, 0.1], "hard": [1.0, 0.9]}, "useful triplets (%)"
    ),
    "regions": lambda run: figures.regions(
        {"one": run, "two": run}, {"one": nearest_spoke, "two": nearest_spoke}
    ),
    "magnified_regions": lambda run: figures.magnified_regions(
        run, heads.Softmax(2, 10), radii=(9, 2)
    ),
    "own_angle_histogram": lambda run: figures.own_angle_histogram(run, marks=(0, 90)),
    "best_posteriors": lambda run: figures.best_posteriors(FAR, {"circle": FAR, "simplex": FAR}),
    "network_scheme": lambda run: figures.network_scheme(),
    "angle_scheme": lambda run: figures.angle_scheme(),
    "comparison_schemes": lambda run: figures.comparison_schemes(),
    "target_curves": lambda run: figures.target_curves(TARGETS),
    "pulls_by_precision": lambda run: figures.pulls_by_precision(
        {"cosine": lambda x, w: x.float() @ w}, 0.3
    ),
    "against_angle": lambda run: figures.against_angle(
        FAR, {"pull": {"one": FAR, "two": 1 - FAR}, "force": {"one": FAR, "two": FAR}}, 0.5
    ),
    "decision_boundaries": lambda run: figures.decision_boundaries(TARGETS),
    "sectors": lambda run: figures.sectors(TARGETS),
    "sphere": lambda run: figures.sphere(SPHERE, heads=MARGINS["ArcFace"]),
    "sphere of four": lambda run: figures.sphere(
        {f"loss {j}": SPHERE for j in range(4)}, caps=False
    ),
    "spherical_regions": lambda run: figures.spherical_regions(MARGINS, SPHERE.snapshots[0].weight),
    "scale_margin_map": lambda run: figures.scale_margin_map(SWEPT),
    "against_scale": lambda run: figures.against_scale(
        {"one": (SCALE_TRAININGS, {"a": 6}), "two": (SCALE_TRAININGS, {"a": 9})},
        "accuracy",
        "test accuracy (%)",
    ),
    "head_costs": lambda run: figures.head_costs(HEAD_COSTS),
    "training_rates": lambda run: figures.training_rates(TRAINING_RATES),
    "build_times": lambda run: figures.build_times(BUILD_SECONDS),
    "score_histograms": lambda run: figures.score_histograms(
        {"one": (SCORE_BINS, COUNTS), "two": (SCORE_BINS, COUNTS)}
    ),
    "roc_curves": lambda run: figures.roc_curves(
        {"a": (FAR, FAR**0.3), "b": (FAR, FAR**0.2, FAR**0.3, FAR**0.1)}
    ),
    "against_gallery": lambda run: figures.against_gallery([10, 100], [0.1, 0.4], [0.1, 0.6]),
    "neighbours": lambda run: figures.neighbours(
        PICTURES, IDENTITIES, VECTORS, [0, 5], count=3, names="abc"
    ),
    "worst_pairs": lambda run: figures.worst_pairs(PICTURES, SCORES, PAIRS, count=4),
    "typeface_grid": lambda run: figures.typeface_grid(toy_typefaces().examples(3, 4)),
    "images_by_length": lambda run: figures.images_by_length(
        PICTURES, IDENTITIES, VECTORS[:, 0], classes=(0, 1), columns=3
    ),
    "error_versus_discard": lambda run: figures.error_versus_discard(
        {"one": {"length": (FAR, FAR)}, "two": {"length": (FAR, FAR, FAR / 2, 2 * FAR)}}
    ),
    "rival_curves": lambda run: figures.rival_curves({"plain": lambda cos: cos}, 0.5),
    "error_ratios": lambda run: figures.error_ratios(ERROR_RATIOS),
    "margin_gains": lambda run: figures.margin_gains(
        {"EER": GAINS, "FRR": GAINS}, "classes", "identities"
    ),
    "row_accuracies": lambda run: figures.row_accuracies(
        ROW_ACCURACIES, {"ArcFace_v1": "ArcFace_v1_s16"}
    ),
    "against_noise": lambda run: figures.against_noise(NOISY_TRAININGS, "test accuracy (%)"),
}


def test_every_public_figure_is_drawn_here():
    drawn = {name.split()[0] for name in EVERY} | {"animate", "Animation"}
    assert drawn == set(figures.__all__)


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_is_white_and_matplotlib_is_as_before(run, name):
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "font.size": 5, "figure.facecolor": "black"}
    ):
        before, open_figures = dict(matplotlib.rcParams), plt.get_fignums()
        figure = EVERY[name](run)
        assert dict(matplotlib.rcParams) == before and plt.get_fignums() == open_figures
        png = figure._repr_png_()
    assert isinstance(figure, NotebookFigure) and len(png) < 150_000
    assert {ax.get_facecolor() for ax in figure.axes} == {to_rgba("white")}
    image = Image.open(io.BytesIO(png))
    assert image.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    assert (
        image.width == round(figure.get_figwidth() * figure.dpi)
        and len(image.convert("RGB").getcolors()) > 3
    )


@pytest.mark.parametrize("name", EVERY)
def test_text_is_large_enough_and_inside_the_figure(run, name):
    figure = EVERY[name](run)
    figure.draw_without_rendering()
    small = {"filmstrip", "comparison", "regions", "sphere", "sphere of four", "spherical_regions"}
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
        (lambda run: figures.embeddings(run), "x₁", "x₂"),
        (lambda run: figures.angle_histograms(run), "degrees", "samples per"),
        (lambda run: figures.training_curves(run), "epoch", "accuracy (%)"),
        (lambda run: figures.target_curves(TARGETS), "degrees", "per radian"),
        (
            lambda run: figures.decision_boundaries({"one": TARGETS["CosFace"]}),
            "degrees",
            "degrees",
        ),
    ],
)
def test_axes_carry_labels_with_units(run, call, xlabel, ylabel):
    ax = call(run).axes[-1]
    assert xlabel in ax.get_xlabel() and ylabel in ax.get_ylabel()


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


# In a notebook


SETUP = inspect.getsource(make_run) + "run = make_run(epochs=2)"


IMPORTS = """import numpy as np, pandas as pd
from lossbook import figures
from lossbook.training import Run, Snapshot
"""


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


def run_of_classes(names, dataset):
    count = len(names)
    split = data.Split(torch.rand(4 * count, 1, 28, 28), torch.arange(4 * count) % count, names)
    return training.fit(
        nn.Sequential(nn.Flatten(), nn.Linear(784, 2)),
        heads.NormSoftmax(2, count),
        data.Dataset(dataset, split, split),
        epochs=1,
        progress=False,
    )


def test_a_dollar_sign_in_a_name_begins_no_formula():
    names = (r"$\frac$", "US$ and A$", "5 $")
    figure = figures.embeddings(run_of_classes(names, "prices"))
    assert figure._repr_png_()
    texts = figure.legends[0].get_texts()
    drawn = [text._preprocess_math(text.get_text()) for text in texts]
    assert drawn == [(f"{number} {name}", False) for number, name in enumerate(names)]
    assert style.badge_texts(("$$", "a")) == ["0", "1"]


def test_names_outside_the_font_are_drawn_as_code_points_without_a_warning():
    names = ("猫", "كلب", "🦊", "Ω", "naïve")
    run = run_of_classes(names, "名")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.embeddings(run)
        assert figure._repr_png_()
        assert figures.comparison({"犬": run})._repr_png_()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["0 U+732B", "1 كلب", "2 U+1F98A", "3 Ω", "4 naïve"]
    assert style.badge_texts(("猫", "犬")) == ["0", "1"]
    assert style.badge_texts(("α", "β")) == ["α", "β"]

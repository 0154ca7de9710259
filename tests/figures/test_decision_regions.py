"""Boundaries, tinted planes and won arcs: what is drawn is where each class wins."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet

from lossbook import figures, heads, margins
from lossbook.figures.style import CLASS_COLORS
from lossbook.heads import euclidean
from tests.helpers.drawings import TARGETS, cosine
from tests.helpers.runs import make_run, mistakes, nearest_spoke


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


@pytest.mark.parametrize(
    "label, line",
    [
        ("norm-softmax", lambda own, other: own - other),
        ("CosFace", lambda own, other: np.degrees(np.arccos(cosine(own) - 0.35)) - other),
        ("ArcFace", lambda own, other: own + np.degrees(0.5) - other),
        ("SphereFace", lambda own, other: 3 * own - other),
    ],
)
def test_decision_boundaries_are_the_papers_lines(label, line):
    ((first, second),) = boundaries(figures.decision_boundaries({label: TARGETS[label]}))
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
    assert regions({"plain": TARGETS["norm-softmax"]})[0] == ["class 1", "class 2"]
    assert regions({"ArcFace": TARGETS["ArcFace"]})[0] == ["class 1", "class 2", "margin"]
    raw = {"raw": lambda cos: torch.cos(4 * torch.arccos(cos))}
    assert regions(raw)[0] == ["class 1", "class 2", "margin", "claimed by both"]
    assert regions({"all": lambda cos: cos + 3})[0] == ["class 1", "class 2", "claimed by both"]
    assert regions({"none": lambda cos: cos - 3})[0] == ["margin"]


@pytest.mark.parametrize("apart", [30, 90, 150])
def test_a_frame_holds_the_angles_that_an_embedding_can_have(apart):
    figure = figures.decision_boundaries({"ArcFace": TARGETS["ArcFace"]}, apart=apart)
    (frame,) = figure.axes[0].patches
    assert figure.legends[0].get_texts()[-1].get_text() == f"within reach, {apart}° apart"
    random = np.random.default_rng(0)
    vectors = np.array([[1, 0, 0], [cosine(apart), np.sin(np.radians(apart)), 0]])
    x = random.normal(size=(2000, 3))
    theta = np.degrees(np.arccos(x / np.linalg.norm(x, axis=1, keepdims=True) @ vectors.T))
    assert frame.get_path().contains_points(theta, radius=1e-6).all()
    anywhere = random.uniform(0, 180, size=(2000, 2))
    inside = frame.get_path().contains_points(anywhere)
    cos = cosine(anywhere)  # possible if the Gram matrix of the three vectors has no negative root
    gram = 1 + 2 * cos.prod(axis=1) * cosine(apart) - (cos**2).sum(axis=1) - cosine(apart) ** 2
    assert ((gram > 0) == inside).mean() > 0.995


@pytest.mark.parametrize("label", TARGETS)
def test_region_numbers_stand_in_their_region(label):
    ax = regions({label: TARGETS[label]})[1].axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts}
    for own, other in (places["1"], places["2"][::-1]):
        assert TARGETS[label](torch.tensor([cosine(own)])).item() > cosine(other)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: figures.decision_boundaries({"numpy": lambda cos: cos.numpy()}),
            TypeError,
            "'numpy'.*ndarray",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_ground_is_the_heads_word_and_the_points_are_the_runs():
    run = make_run()
    figure = figures.regions({"spokes": run}, {"spokes": nearest_spoke}, points=41)
    (ax,) = figure.axes
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    tints = np.array([0.28 * np.array(to_rgb(color)) + 0.72 for color in CLASS_COLORS])
    shown = np.asarray(image.get_array())
    for row, up in enumerate(np.linspace(bottom, top, 41)):
        for column, across in enumerate(np.linspace(left, right, 41)):
            winner = int(nearest_spoke(torch.tensor([[across, up]]).float()).argmax())
            np.testing.assert_allclose(shown[row, column], tints[winner])
    x = run.snapshots[-1].test
    points, wrong = ax.collections[:2]
    np.testing.assert_allclose(
        np.sort(np.asarray(points.get_offsets()), axis=0), np.sort(x, axis=0), rtol=1e-6
    )
    assert len(wrong.get_offsets()) == mistakes(run, "test", 4).sum()
    badges = {
        text.get_text(): text.get_position() for text in ax.texts if len(text.get_text()) == 1
    }
    for j in range(10):
        np.testing.assert_allclose(badges[str(j)], x[run.test_labels == j].mean(axis=0), rtol=1e-6)


def test_magnified_regions_keep_the_proportions_of_the_class_vectors():
    run, head = make_run(), heads.Softmax(2, 10)
    with torch.no_grad():
        head.weight *= torch.arange(1.0, 11.0)[:, None]
    figure = figures.magnified_regions(run, head, radii=(8.0, 2.0), points=21)
    vectors = head.weight.detach().numpy()
    longest = max(math.hypot(*vector) for vector in vectors)
    tints = np.array([0.28 * np.array(to_rgb(color)) + 0.72 for color in CLASS_COLORS])
    for ax, radius in zip(figure.axes, (8.0, 2.0), strict=True):
        assert ax.get_xlim() == ax.get_ylim() == (-radius, radius)
        for line, vector in zip(ax.lines, vectors, strict=True):
            tip = 0.85 * 8.0 * vector / longest
            np.testing.assert_allclose(line.get_xydata(), [[0, 0], tip], rtol=1e-6)
        corner = head(torch.tensor([[-radius, -radius]])).argmax().item()
        np.testing.assert_allclose(np.asarray(ax.images[0].get_array())[0, 0], tints[corner])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["magnified 1 ×", "magnified 4 ×"]


def test_a_nearest_mean_head_and_its_centers():
    run, head = make_run(), euclidean.Contrastive(2, 10)
    centers = torch.tensor([[90.0, 0.0], [0.0, 0.0]])
    figure = figures.regions({"a": run}, {"a": head}, centers={"a": centers}, points=20)
    ax = figure.axes[0]
    np.testing.assert_allclose(np.asarray(ax.collections[2].get_offsets()), centers.numpy())
    assert ax.get_xlim()[1] > 90, "every center is inside"


@pytest.mark.parametrize("runs, heads", [({}, {}), ({"a": 1}, {"b": 1})])
def test_every_run_has_its_head(runs, heads):
    with pytest.raises(ValueError, match="same title"):
        figures.regions(runs, heads)


def test_regions_need_2d_embeddings():
    run = make_run(dim=3)
    with pytest.raises(ValueError, match="3-D embeddings"):
        figures.regions({"a": run}, {"a": lambda x: x})


def test_no_margin_wins_everything_and_the_picture_says_so():
    figure = figures.sectors(
        {"none": lambda cos: cos, "ArcFace": lambda cos: margins.arcface(cos, 0.3)}, num_classes=10
    )
    notes = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "100% of the circle is won" in notes
    assert f"{1 - 10 * 0.3 / (2 * math.pi):.0%} of the circle is won" in notes


@pytest.mark.parametrize("classes", [1, 11])
def test_too_many_classes_to_colour(classes):
    with pytest.raises(ValueError, match=f"num_classes = {classes}"):
        figures.sectors({"none": lambda cos: cos}, num_classes=classes)

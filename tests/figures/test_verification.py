"""Pictures of verification: what they show is what was given."""

import numpy as np
import pytest

from lossbook import figures
from lossbook.metrics import verification
from tests.helpers.drawings import FAR, IDENTITIES, SCORE_BINS, count_scores, make_faces


def test_histograms_have_area_one_and_the_line_is_at_the_equal_error_rate():
    _, x, pairs = make_faces()
    scores = verification.similarity(x, pairs)
    counts = count_scores(x, pairs)
    figure = figures.score_histograms({"one": (SCORE_BINS, counts), "two": (SCORE_BINS, counts)})
    for ax in figure.axes:
        threshold = ax.lines[0].get_xdata()[0]
        far, frr = (
            np.mean(scores[~pairs.same] >= threshold),
            np.mean(scores[pairs.same] < threshold),
        )
        others = [
            abs(np.mean(scores[~pairs.same] >= edge) - np.mean(scores[pairs.same] < edge))
            for edge in SCORE_BINS
        ]
        assert abs(far - frr) == pytest.approx(min(others)) and threshold in SCORE_BINS
        for patch in ax.patches[1::2]:
            values, edges, _ = patch.get_data()
            assert np.sum(values * np.diff(edges)) == pytest.approx(1)


def test_roc_curves_draw_what_they_are_given_and_at_most_four():
    figure = figures.roc_curves({"a": (FAR, FAR**0.3), "b": (FAR, FAR**0.2, FAR**0.3, FAR**0.1)})
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"] and len(
        figure.axes[0].collections
    ) == 1
    assert np.array_equal(figure.axes[0].lines[1].get_ydata(), FAR**0.2)
    with pytest.raises(ValueError, match="5 curves"):
        figures.roc_curves({str(k): (FAR, FAR) for k in range(5)})


def test_neighbours_are_the_most_similar_others():
    images, x, _ = make_faces()
    figure = figures.neighbours(images, IDENTITIES, x, [0, 5], count=3, names="abc")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for start, query in ((0, 0), (4, 5)):
        others = sorted((i for i in range(12) if i != query), key=lambda i: -unit[i] @ unit[query])[
            :3
        ]
        assert figure.axes[start].get_xlabel() == "abc"[IDENTITIES[query]]
        for ax, i in zip(figure.axes[start + 1 : start + 4], others):
            wrong = " ✖" if IDENTITIES[i] != IDENTITIES[query] else ""
            assert ax.get_xlabel() == f"{unit[i] @ unit[query]:.2f}{wrong}"
            assert np.array_equal(ax.images[0].get_array(), images[i, 0])


def test_worst_pairs_are_the_worst_and_no_image_comes_twice():
    images, x, pairs = make_faces()
    scores = verification.similarity(x, pairs)
    figure = figures.worst_pairs(images, scores, pairs, count=4)
    shown = [float(ax.get_xlabel().replace("−", "-")) for ax in figure.axes]
    assert shown[0] == round(scores[~pairs.same].max(), 2) and shown[4] == round(
        scores[pairs.same].min(), 2
    )
    assert shown[:4] == sorted(shown[:4], reverse=True) and shown[4:] == sorted(shown[4:])
    halves = [
        half.tobytes()
        for ax in figure.axes[:4]
        for half in np.split(np.asarray(ax.images[0].get_array()), 2, axis=1)
    ]
    assert len(set(halves)) == len(halves)
    assert len(figures.worst_pairs(images, scores, pairs, count=1).axes) == 2


def test_a_typeface_grid_has_a_character_in_each_row_and_a_typeface_in_each_column():
    images = np.arange(3 * 4 * 25).reshape(3, 4, 5, 5).astype(np.uint8)
    mosaic = np.asarray(figures.typeface_grid(images).axes[0].images[0].get_array())
    assert mosaic.shape == (15, 20)
    for character in range(3):
        for face in range(4):
            tile = mosaic[5 * character : 5 * character + 5, 5 * face : 5 * face + 5]
            assert (tile == images[character, face]).all()


def test_rates_against_the_gallery_are_in_percent():
    ax = figures.against_gallery([10, 100], [0.1, 0.4], [0.1, 0.6]).axes[0]
    line, points = ax.lines
    np.testing.assert_allclose(line.get_ydata(), [10, 60])
    np.testing.assert_allclose(points.get_ydata(), [10, 40])
    assert points.get_xdata().tolist() == [10, 100] and "%" in ax.get_ylabel()

"""The circle's won arcs against their analytic widths."""

import math

import numpy as np
import pytest

from lossbook import figures, margins
from lossbook.metrics.winning_regions import on_circle


@pytest.mark.parametrize("classes", [2, 3, 8, 10])
@pytest.mark.parametrize("m", [0.0, 0.1, 0.25])
def test_arcface_leaves_an_arc_of_m_between_neighbours(classes, m):
    """Class j wins while θ_j + m < 2π/C − θ_j, an arc of 2π/C − m around its vector."""
    directions, winner = on_circle(lambda cos: margins.arcface(cos, m), classes)
    step = 2 * math.pi / len(directions)
    for j in range(classes):
        assert np.sum(winner == j) * step == pytest.approx(2 * math.pi / classes - m, abs=2 * step)
        offset = np.angle(np.exp(1j * (directions[winner == j] - 2 * math.pi * j / classes)))
        assert np.abs(offset).max() <= (2 * math.pi / classes - m) / 2 + step


def test_beyond_the_bound_nothing_is_won():
    _, winner = on_circle(lambda cos: margins.arcface(cos, 2 * math.pi / 10 + 0.01), 10)
    assert (winner == -1).all()
    _, winner = on_circle(
        lambda cos: margins.cosface(cos, 1 - math.cos(2 * math.pi / 10) + 0.01), 10
    )
    assert (winner == -1).all()


def test_no_margin_wins_everything_and_the_picture_says_so():
    figure = figures.sectors(
        {"none": lambda cos: cos, "ArcFace": lambda cos: margins.arcface(cos, 0.3)}, num_classes=10
    )
    said = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "100% of the circle is won" in said
    assert f"{1 - 10 * 0.3 / (2 * math.pi):.0%} of the circle is won" in said


@pytest.mark.parametrize("classes", [1, 11])
def test_too_many_classes_to_colour(classes):
    with pytest.raises(ValueError, match=f"num_classes = {classes}"):
        figures.sectors({"none": lambda cos: cos}, num_classes=classes)

"""Error versus discard: against a loop over the images, and its bad inputs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import quality


def errors_by_loop(values, right, share):
    """Discard one image after the other, the lowest first, and count what is left."""
    images = sorted(zip(values, range(len(values)), right))
    for _ in range(min(round(len(values) * share), len(values) - 1)):
        images.pop(0)
    return sum(not answer for _, _, answer in images) / len(images)


images = st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=30)


@given(images, st.lists(st.floats(0, 0.999), min_size=1, max_size=5))
def test_errors_of_what_is_kept(images, shares):
    values, right = zip(*images)
    expected = [errors_by_loop(values, right, share) for share in shares]
    assert quality.error_versus_discard(values, right, shares) == pytest.approx(expected)


def test_a_perfect_quality_discards_every_error_first_and_none_tells_nothing():
    right = np.arange(100) >= 20
    shares = [0, 0.1, 0.2, 0.5]
    best = quality.error_versus_discard(np.arange(100), right, shares)
    assert best == pytest.approx([0.2, 10 / 90, 0, 0])
    worst = quality.error_versus_discard(-np.arange(100), right, shares)
    assert worst == pytest.approx([0.2, 20 / 90, 20 / 80, 20 / 50])
    assert quality.discard_area(np.arange(100), right) < quality.discard_area(
        -np.arange(100), right
    )


def test_the_area_is_the_mean_over_the_shares():
    rng = np.random.default_rng(0)
    values, right = rng.normal(size=50), rng.random(50) > 0.3
    shares = [0.4 * k / 4 for k in range(5)]
    mean = sum(errors_by_loop(values, right, share) for share in shares) / 5
    assert quality.discard_area(values, right, 0.4, points=5) == pytest.approx(mean)


@pytest.mark.parametrize(
    "values, right, shares, says",
    [
        ([1.0, 2.0], [True], [0.0], r"quality \(2,\) and right \(1,\)"),
        ([], [], [0.0], r"quality \(0,\)"),
        ([math.nan], [True], [0.0], "NaN has no place"),
        ([1.0], [True], [1.0], "shares in"),
        ([1.0], [True], [-0.1], "shares in"),
    ],
)
def test_bad_input_is_named(values, right, shares, says):
    with pytest.raises(ValueError, match=says):
        quality.error_versus_discard(values, right, shares)

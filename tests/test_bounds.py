"""Bounds against numbers worked out by hand and by brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook import bounds


@pytest.mark.parametrize(
    "classes, posterior, scale",
    [
        (10, 0.5, 4.26),
        (10, 0.9, 15.14),
        (10, 0.99, 27.69),
        (8, 0.5, 2.86),
        (8, 0.9, 9.87),
        (8, 0.99, 18.06),
    ],
)
def test_least_scale_on_the_circle(classes, posterior, scale):
    assert bounds.least_scale(posterior, classes) == pytest.approx(scale, abs=0.005)


@pytest.mark.parametrize("scale, best", [(1, 0.215), (4, 0.483), (16, 0.914)])
def test_centre_posterior(scale, best):
    assert bounds.centre_posterior(scale, 10) == pytest.approx(best, abs=5e-4)


def test_simplex_formula():
    assert bounds.least_scale_simplex(0.9, 10) == pytest.approx(3.96, abs=0.005)


@given(st.integers(2, 40), st.floats(0.05, 60))
def test_centre_posterior_by_a_loop(classes, scale):
    total = sum(math.exp(scale * math.cos(2 * math.pi * j / classes)) for j in range(classes))
    assert bounds.centre_posterior(scale, classes) == pytest.approx(
        math.exp(scale) / total, rel=1e-9
    )


@given(st.integers(3, 30), st.floats(0.01, 0.98))
def test_least_scale_is_the_inverse(classes, share):
    posterior = 1 / classes + share * (1 - 1 / classes)
    assert bounds.centre_posterior(
        bounds.least_scale(posterior, classes), classes
    ) == pytest.approx(posterior)


def test_simplex_bound_is_met_by_a_simplex():
    """C unit vectors in C − 1 dimensions at cos = −1/(C−1): at the bound the posterior is P."""
    classes, posterior = 6, 0.9
    points = np.eye(classes) - 1 / classes
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    logits = bounds.least_scale_simplex(posterior, classes) * points @ points[0]
    assert np.exp(logits[0]) / np.exp(logits).sum() == pytest.approx(posterior)
    closest = max(points[i] @ points[j] for i, j in itertools.combinations(range(classes), 2))
    assert bounds.greatest_cosine_margin(classes, classes - 1) == pytest.approx(1 - closest)


def test_margins_on_the_circle():
    assert bounds.greatest_cosine_margin(10) == pytest.approx(0.191, abs=5e-4)
    assert bounds.greatest_cosine_margin(8) == pytest.approx(0.293, abs=5e-4)
    assert bounds.greatest_angular_margin(10) == pytest.approx(0.628, abs=5e-4)
    assert bounds.greatest_cosine_margin(3, 2) == pytest.approx(1.5)


def test_adacos():
    assert bounds.adacos_scale(10) == pytest.approx(math.sqrt(2) * math.log(9))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bounds.least_scale(0.05, 10), "chance, 0.1"),
        (lambda: bounds.least_scale(1.0, 10), "posterior = 1.0"),
        (lambda: bounds.centre_posterior(4, 1), "at least 2"),
        (
            lambda: bounds.greatest_cosine_margin(100, 16),
            "no closed form for 100 classes in 16 dimensions",
        ),
    ],
)
def test_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_limits_on_the_circle_and_by_the_formula():
    limits = bounds.limits(10, 2, 0.9)
    assert (limits.least_scale, limits.least_scale_simplex) == (
        bounds.least_scale(0.9, 10),
        bounds.least_scale_simplex(0.9, 10),
    )
    assert limits.greatest_cosine_margin == pytest.approx(0.191, abs=5e-4)
    assert limits.greatest_angular_margin == pytest.approx(0.628, abs=5e-4)
    assert "36° apart" in limits.explanation and "3.8 times less" in limits.explanation


@pytest.mark.parametrize("classes", [2, 3])
def test_limits_agree_where_the_circle_holds_a_simplex(classes):
    """Two classes opposite each other, three at 120°: the exact bound is the papers' formula."""
    limits = bounds.limits(classes, 2, 0.9)
    assert limits.least_scale == pytest.approx(bounds.least_scale(0.9, classes), rel=1e-9)
    assert math.cos(limits.greatest_angular_margin) == pytest.approx(-1 / (classes - 1))


def test_limits_of_a_face_data_set_bracket_the_scale():
    limits = bounds.limits(85_742, 512)
    assert limits.least_scale is None
    assert limits.least_scale_simplex == pytest.approx(13.557, abs=0.001)
    # In many dimensions cos θ of random directions is normal with variance 1/d: s − s²/2d.
    scale = limits.sufficient_scale
    assert scale - scale**2 / 1024 == pytest.approx(math.log(85_741 * 9), abs=0.001)
    assert "13.6" in limits.explanation and "13.7" in limits.explanation


@pytest.mark.parametrize("classes", [5, 50])
def test_sufficient_scale_on_the_sphere_by_its_closed_form(classes):
    scale = bounds.sufficient_scale(0.8, classes, 3)
    mean = math.sinh(scale) / scale  # of e^{s·cos θ}: on the sphere cos θ is uniform
    assert 1 / (1 + (classes - 1) * mean * math.exp(-scale)) == pytest.approx(0.8, abs=1e-6)


def test_sufficient_scale_by_drawing_arrangements():
    scale = bounds.sufficient_scale(0.9, 300, 32)
    means = []
    for seed in range(10):
        vectors = np.random.default_rng(seed).normal(size=(300, 32))
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        posteriors = 1 / np.exp(scale * (unit @ unit.T - 1)).sum(axis=1)
        means.append(posteriors.mean())
    assert np.mean(means) == pytest.approx(0.9, abs=0.002)


def test_no_scale_is_sufficient_for_a_crowd_on_the_circle():
    assert bounds.sufficient_scale(0.9, 10_000, 2) is None


@given(st.integers(2, 10**6), st.floats(0.55, 0.99), st.floats(0, 0.6), st.floats(0, 0.5))
def test_working_scale_gives_its_posterior(classes, posterior, m2, m3):
    target = math.cos(0.5 + m2) - m3
    if target <= 0 or posterior <= 1 / classes:
        return
    scale = bounds.working_scale(classes, m2=m2, m3=m3, angle=0.5, posterior=posterior)
    rivals = (classes - 1) * math.exp(-scale * target)  # every rival logit is 0
    assert 1 / (1 + rivals) == pytest.approx(posterior, abs=1e-9)


def test_working_scale_without_a_margin_is_adacos():
    assert bounds.working_scale(1000, posterior=0.5) == pytest.approx(bounds.adacos_scale(1000))


def test_working_scale_refuses_a_margin_past_the_right_angle():
    with pytest.raises(ValueError, match="smaller margin or angle"):
        bounds.working_scale(10, m2=0.9)


def test_limits_tell_where_no_formula_is_known():
    limits = bounds.limits(10, 3)
    assert (
        limits.least_scale
        is limits.greatest_cosine_margin
        is limits.greatest_angular_margin
        is None
    )
    assert "no formula is known for s" in limits.explanation and "below 1" in limits.explanation


@pytest.mark.parametrize("classes, dim", [(5, 3), (6, 3), (10, 5), (10, 8), (16, 8)])
def test_limits_between_simplex_and_cross_polytope_are_a_right_angle(classes, dim):
    limits = bounds.limits(classes, dim)
    assert (
        limits[0] is None
        and limits[2:4] == (1, math.pi / 2)
        and "at best 90° apart" in limits.explanation
    )
    searched = bounds.limits_of(bounds.best_spacing(classes, dim, starts=4))
    assert searched.greatest_angular_margin == pytest.approx(math.pi / 2, abs=1e-3)
    assert searched.least_scale > limits.least_scale_simplex


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1,), "num_classes = 1"),
        ((10, 1), "embedding_dim = 1"),
        ((10, 2.0), "embedding_dim = 2.0"),
        ((10, 2, 1.0), "posterior = 1.0"),
    ],
)
def test_limits_refuse_what_makes_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        bounds.limits(*arguments)


@pytest.mark.parametrize("classes", [3_000, 20_000])
def test_very_many_classes_on_the_circle(classes):
    scale = bounds.least_scale(0.9, classes)
    assert scale > 1e6 and bounds.centre_posterior(scale, classes) == pytest.approx(0.9)


# Arrangements


@pytest.mark.parametrize(
    "classes, dim, degrees",
    [
        (4, 3, 109.4712),
        (6, 3, 90),
        (8, 3, 74.8585),
        (10, 3, 66.1468),
        (12, 3, 63.4349),  # Tammes' problem, proven
        (10, 2, 36),
        (10, 6, 90),
        (5, 4, 104.4775),
        (2, 2, 180),
    ],
)
def test_the_search_finds_the_best_spacing_known(classes, dim, degrees):
    unit = bounds.best_spacing(classes, dim, starts=8)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)
    closest = max(unit[i] @ unit[j] for i, j in itertools.combinations(range(classes), 2))
    assert math.degrees(math.acos(max(-1, closest))) == pytest.approx(degrees, abs=0.02)


@pytest.mark.parametrize("classes, dim", [(10, 2), (3, 2), (6, 5), (10, 9)])
def test_limits_of_the_best_spacing_are_the_formulas(classes, dim):
    searched = bounds.limits_of(bounds.best_spacing(classes, dim, starts=8))
    assert searched[:4] == pytest.approx(bounds.limits(classes, dim)[:4], abs=1e-3)


@given(st.integers(2, 8), st.integers(2, 5), st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_limits_of_any_arrangement_by_a_loop(classes, dim, seed, share):
    """At the least scale the worst class has the posterior; no larger margin is met at a centre."""
    vectors, posterior = (
        np.random.default_rng(seed).normal(size=(classes, dim)),
        1 / classes + share * (1 - 1 / classes),
    )
    unit = [w / math.sqrt(w @ w) for w in vectors]
    others = [max(unit[j] @ unit[k] for k in range(classes) if k != j) for j in range(classes)]
    if max(others) > 0.999:
        return
    limits = bounds.limits_of(vectors, posterior)
    posteriors = [
        1 / sum(math.exp(limits.least_scale * (unit[j] @ unit[k] - 1)) for k in range(classes))
        for j in range(classes)
    ]
    assert min(posteriors) == pytest.approx(posterior, rel=1e-6)
    assert limits.greatest_cosine_margin == pytest.approx(1 - max(others))
    assert limits.greatest_angular_margin == pytest.approx(math.acos(max(others)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bounds.best_spacing(1, 3), "num_classes = 1"),
        (lambda: bounds.best_spacing(10, 1), "embedding_dim = 1"),
        (lambda: bounds.limits_of(np.eye(3)[[0, 0, 1]]), "point the same way"),
        (lambda: bounds.limits_of(np.zeros((2, 3))), "zero"),
        (lambda: bounds.limits_of(np.eye(3), 0.2), "posterior = 0.2"),
    ],
)
def test_arrangements_that_make_no_sense(call, message):
    with pytest.raises(ValueError, match=message):
        call()

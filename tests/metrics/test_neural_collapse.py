"""Neural collapse, against explicit loops and against simplices that are known."""

import doctest
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import neural_collapse


def simplex(count, dim):
    """A regular simplex with its mean in the origin, turned at random."""
    corners = np.eye(count) - 1 / count
    turned, _ = np.linalg.qr(np.random.default_rng(count).normal(size=(dim, dim)))
    axes = np.linalg.svd(corners)[2][: count - 1]
    return (corners @ axes.T) @ turned[: count - 1]


def clouds(seed=0, count=4, dim=6, spread=0.3):
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(count), random.integers(0, count, 60)])
    centres = random.normal(size=(count, dim))
    return centres[labels] + spread * random.normal(size=(len(labels), dim)), labels


def test_variability_equals_the_loop():
    x, labels = clouds()
    classes = range(4)
    means = [x[labels == j].mean(axis=0) for j in classes]
    middle = sum(means) / 4
    between = sum(np.outer(mean - middle, mean - middle) for mean in means) / 4
    within = np.zeros((6, 6))
    for j in classes:
        members = x[labels == j]
        within += sum(np.outer(v - means[j], v - means[j]) for v in members) / len(members) / 4
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-12)) / 4
    assert neural_collapse.variability(x, labels) == pytest.approx(expected)
    np.testing.assert_allclose(neural_collapse.class_means(x, labels), means)


@given(st.integers(0, 50), st.floats(0.1, 10))
def test_variability_does_not_depend_on_place_size_or_rotation(seed, size):
    x, labels = clouds(seed)
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))
    moved = size * x @ turned + 3
    expected = neural_collapse.variability(x, labels)
    assert neural_collapse.variability(moved, labels) == pytest.approx(expected, rel=1e-6)


def test_variability_grows_with_the_square_of_the_spread_and_is_0_for_points():
    labels = np.arange(40) % 4
    centres = simplex(4, 6)
    noise = np.random.default_rng(0).normal(size=(40, 6))
    noise -= neural_collapse.class_means(noise, labels)[labels]
    small, large = (
        neural_collapse.variability(centres[labels] + t * noise, labels) for t in (0.1, 0.2)
    )
    assert large == pytest.approx(4 * small)
    assert neural_collapse.variability(centres[labels], labels) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("count, dim", [(2, 1), (3, 2), (10, 9), (10, 16)])
def test_a_simplex_is_no_distance_from_a_simplex(count, dim):
    lengths = np.random.default_rng(0).uniform(0.1, 9, (count, 1))
    assert neural_collapse.simplex_deviation(lengths * simplex(count, dim)) < 1e-9


def test_simplex_deviation_equals_the_loop():
    vectors = np.random.default_rng(1).normal(size=(5, 3))
    squares = []
    for j in range(5):
        for k in range(j + 1, 5):
            cos = vectors[j] @ vectors[k] / np.linalg.norm(vectors[j]) / np.linalg.norm(vectors[k])
            squares.append((cos + 1 / 4) ** 2)
    expected = math.sqrt(sum(squares) / 10)
    assert neural_collapse.simplex_deviation(vectors) == pytest.approx(expected)
    assert neural_collapse.simplex_deviation(torch.tensor(vectors)) == pytest.approx(expected)


def test_ten_classes_on_a_circle_cannot_be_a_simplex():
    angles = 2 * np.pi * np.arange(10) / 10
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert neural_collapse.simplex_deviation(circle) > 0.6


def test_duality_gap_of_parallel_opposite_and_moved_vectors():
    means = simplex(5, 7)
    assert neural_collapse.duality_gap(means + 3, 8 * means) == pytest.approx(0, abs=1e-12)
    assert neural_collapse.duality_gap(means, -means) == pytest.approx(4)
    other = np.random.default_rng(0).normal(size=(5, 7))
    centred = means - means.mean(axis=0)
    product = np.sum(centred * other) / np.linalg.norm(centred) / np.linalg.norm(other)
    assert neural_collapse.duality_gap(means, other) == pytest.approx(2 - 2 * product)


def test_nearest_mean_disagreement_equals_the_loop():
    x, labels = clouds(spread=1.0)
    means = neural_collapse.class_means(x, labels)
    differs = [
        min(range(4), key=lambda j: math.dist(v, means[j])) != label for v, label in zip(x, labels)
    ]
    assert 0 < sum(differs) < len(x)
    measured = neural_collapse.nearest_mean_disagreement(x, means, labels)
    assert measured == pytest.approx(sum(differs) / len(x))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: neural_collapse.variability(np.ones((3, 2)), [0, 0, 0]), "only class 0"),
        (lambda: neural_collapse.variability(np.ones((2, 2)), [0, 1]), "means are equal"),
        (lambda: neural_collapse.class_means(np.ones((2, 2)), [0, 2]), "class 1 has no embedding"),
        (lambda: neural_collapse.simplex_deviation([[1.0, 0.0]]), "at least 2"),
        (lambda: neural_collapse.simplex_deviation([[1.0, 0.0], [0.0, 0.0]]), "zero"),
        (lambda: neural_collapse.duality_gap(np.eye(3), np.eye(2)), "one shape"),
        (lambda: neural_collapse.duality_gap(np.ones((2, 2)), np.eye(2)), "no directions"),
        (
            lambda: neural_collapse.nearest_mean_disagreement(np.eye(2), np.eye(3), [0, 1]),
            "second dimension",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_example():
    assert doctest.testmod(neural_collapse).failed == 0

"""Metrics against float64 loops, hand-made cases, and invariance to rotation and scale."""

import cmath
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook import metrics

seeds, turns, factors = st.integers(0, 10_000), st.floats(-math.pi, math.pi), st.floats(1e-3, 1e3)


def on_circle(*degrees, length=1.0):
    return np.array(
        [[length * math.cos(math.radians(t)), length * math.sin(math.radians(t))] for t in degrees]
    )


def sample(seed, n=40, classes=5, dim=2):
    """Random embeddings in which every class occurs, and class vectors."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % classes)
    return random.normal(size=(n, dim)) + 0.1, random.normal(size=(classes, dim)), labels


def angle(u, v):
    """The textbook formula, one pair at a time."""
    dot = sum(a * b for a, b in zip(u, v))
    lengths = math.sqrt(sum(a * a for a in u)) * math.sqrt(sum(b * b for b in v))
    return math.acos(max(-1.0, min(1.0, dot / lengths)))


def rotated(x, by):
    return x @ np.array([[math.cos(by), math.sin(by)], [-math.sin(by), math.cos(by)]])


# accuracy and angles


@given(seeds)
def test_accuracy_equals_a_loop(seed):
    logits, _, labels = sample(seed, dim=5)
    right = sum(
        max(range(5), key=lambda j: row[j]) == y for row, y in zip(logits.tolist(), labels.tolist())
    )
    assert metrics.accuracy(logits, labels) == pytest.approx(right / len(labels))


@pytest.mark.parametrize(
    "convert",
    [
        np.array,
        torch.tensor,
        lambda a: torch.tensor(a, dtype=torch.bfloat16),
        lambda a: torch.tensor(a, requires_grad=True),
    ],
)
def test_accuracy_takes_arrays_and_tensors(convert):
    logits = convert([[1.0, 2.0], [3.0, 0.5], [0.0, 1.0], [2.0, 1.0]])
    result = metrics.accuracy(logits, torch.tensor([1, 0, 0, 0]))
    assert result == 0.75 and isinstance(result, float)


@given(seeds, st.sampled_from([2, 3, 16]))
def test_angles_equal_a_loop(seed, dim):
    x, weight, labels = sample(seed, dim=dim)
    target, other = metrics.angles(torch.tensor(x), torch.tensor(weight), torch.tensor(labels))
    for i, y in enumerate(labels):
        assert target[i] == pytest.approx(angle(x[i], weight[y]), abs=1e-7)
        assert other[i] == pytest.approx(
            min(angle(x[i], w) for j, w in enumerate(weight) if j != y), abs=1e-7
        )
    nearest = [min(range(5), key=lambda j: angle(row, weight[j])) for row in x]
    assert metrics.angular_accuracy(x, weight, labels) == pytest.approx(np.mean(nearest == labels))


@pytest.mark.parametrize("theta", [1e-12, 1e-9, 1e-5, 0.1, 1.0, math.pi / 2])
def test_angles_are_exact_where_arccos_is_not(theta):
    target, other = metrics.angles(
        [[3 * math.cos(theta), 3 * math.sin(theta)]], [[1, 0], [-1, 0]], [0]
    )
    assert target[0] == pytest.approx(theta, rel=1e-12)
    assert other[0] == pytest.approx(math.pi - theta, rel=1e-15)


def test_angles_ignore_lengths_that_would_overflow_when_squared():
    target, other = metrics.angles([[1e200, 1e200], [1e-200, 0]], [[1e-300, 0], [0, 1]], [0, 0])
    assert target == pytest.approx([math.pi / 4, 0]) and other == pytest.approx(
        [math.pi / 4, math.pi / 2]
    )


def test_lengths_decide_accuracy_but_not_angular_accuracy():
    x, weight, labels = on_circle(10, 80), on_circle(0, 90) * [[1], [9]], np.array([0, 1])
    assert metrics.accuracy(x @ weight.T, labels) == 0.5
    assert metrics.angular_accuracy(x, weight, labels) == 1.0


@given(seeds, turns, factors)
def test_rotation_and_scale_change_no_angle(seed, by, factor):
    x, weight, labels = sample(seed)
    moved = factor * rotated(x, by)
    for before, after in zip(
        metrics.angles(x, weight, labels), metrics.angles(moved, rotated(weight, by), labels)
    ):
        np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_allclose(
        metrics.angular_spread(moved, labels), metrics.angular_spread(x, labels), atol=1e-9
    )
    assert metrics.largest_empty_arc(moved) == pytest.approx(metrics.largest_empty_arc(x), abs=1e-9)
    np.testing.assert_allclose(
        metrics.angular_gaps(moved, labels), metrics.angular_gaps(x, labels), atol=1e-9
    )


# spread


def test_spread_by_hand():
    x = np.concatenate(
        [on_circle(170, -170, length=5), on_circle(70, 110), on_circle(-30, 30, length=0.1)]
    )
    spread = metrics.angular_spread(x, np.array([0, 0, 1, 1, 4, 4]))
    assert np.degrees(spread.within) == pytest.approx(20)  # (10 + 20 + 30) / 3
    assert np.degrees(spread.between_min) == pytest.approx(90)  # means at 180°, 90° and 0°
    assert np.degrees(spread.between_mean) == pytest.approx(120)  # (90 + 90 + 180) / 3


def test_spread_weights_every_class_equally():
    x = np.concatenate([on_circle(-10, 10), on_circle(*[90] * 50)])
    assert np.degrees(
        metrics.angular_spread(x, np.repeat([0, 1], [2, 50])).within
    ) == pytest.approx(5)


@given(seeds, st.sampled_from([2, 3, 8]))
def test_spread_equals_a_loop(seed, dim):
    x, _, labels = sample(seed, dim=dim)
    means, within = {}, []
    for j in range(5):
        rows = [row / math.sqrt(sum(v * v for v in row)) for row in x[labels == j]]
        means[j] = sum(rows)
        within.append(sum(angle(row, means[j]) for row in rows) / len(rows))
    between = [angle(means[i], means[j]) for i in range(5) for j in range(i)]
    expected = sum(within) / 5, min(between), sum(between) / len(between)
    assert tuple(metrics.angular_spread(x, labels)) == pytest.approx(expected, abs=1e-6)


# the circle


@pytest.mark.parametrize(
    "degrees, arc",
    [
        ([45], 360),
        ([0, 180], 180),
        ([170, -170], 340),
        ([0, 90, 100], 260),
        ([-179, 179, 0], 179),
        (list(range(0, 360, 36)), 36),
    ],
)
def test_largest_empty_arc_by_hand(degrees, arc):
    assert np.degrees(metrics.largest_empty_arc(on_circle(*degrees, length=7))) == pytest.approx(
        arc
    )


def test_gaps_by_hand_across_the_cut_of_the_circle():
    x = on_circle(170, -170, -10, 10, 85, 95)  # class 5 lies across ±180°, class 2 across 0°
    gaps = metrics.angular_gaps(x, np.array([5, 5, 2, 2, 3, 3]), low=0, high=100)
    assert np.degrees(gaps) == pytest.approx([75, 75, 160])  # 2 → 3, 3 → 5, 5 → 2


def test_gaps_are_negative_where_classes_overlap():
    gaps = metrics.angular_gaps(on_circle(0, 40, 30, 70), np.array([0, 0, 1, 1]), low=0, high=100)
    assert np.degrees(gaps) == pytest.approx([-10, 290])


def test_gaps_leave_out_the_tails():
    inside, outlier = np.linspace(-5, 5, 199), [60]
    x = np.concatenate([on_circle(*inside, *outlier), on_circle(*[90] * 10)])
    labels = np.repeat([0, 1], [200, 10])
    assert np.degrees(metrics.angular_gaps(x, labels)[0]) == pytest.approx(85, abs=0.2)
    assert np.degrees(metrics.angular_gaps(x, labels, high=100)[0]) == pytest.approx(30, abs=1e-6)


@given(seeds, turns)
def test_gaps_and_arcs_make_a_full_circle(seed, by):
    random = np.random.default_rng(seed)
    centres = np.arange(4) * math.pi / 2 + by
    labels = random.permutation(np.arange(60) % 4)
    theta = centres[labels] + random.uniform(-1, 1, 60)
    x = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    arcs = []
    for j in range(4):
        mean = sum(cmath.exp(1j * t) for t in theta[labels == j])
        offsets = [cmath.phase(cmath.exp(1j * t) / mean) for t in theta[labels == j]]
        arcs.append(max(offsets) - min(offsets))
    gaps = metrics.angular_gaps(x, labels, low=0, high=100)
    assert gaps.shape == (4,) and sum(gaps) + sum(arcs) == pytest.approx(2 * math.pi)


# bad input

X, W, Y = on_circle(0, 90, 180), on_circle(0, 120), np.array([0, 1, 1])
NAN = np.array([[1.0, 2.0], [np.nan, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: metrics.accuracy(np.zeros((0, 3)), np.zeros(0, int)), ValueError, "empty"),
        (lambda: metrics.accuracy(X, np.array([0, 1])), ValueError, r"shape \(2,\).*\(3,\)"),
        (lambda: metrics.accuracy(X, Y + 0.5), TypeError, "integers"),
        (
            lambda: metrics.accuracy(X, np.array([0, 1, 2])),
            ValueError,
            r"label 2 is outside \[0, 2\)",
        ),
        (lambda: metrics.accuracy(X, np.array([0, 1, -1])), ValueError, "label -1"),
        (lambda: metrics.accuracy(NAN, Y), ValueError, "row 1 of logits is not finite"),
        (lambda: metrics.accuracy(X[0], Y), ValueError, "two dimensions"),
        (lambda: metrics.angles(X, np.eye(3), Y), ValueError, "same space"),
        (lambda: metrics.angles(X, W[:1], Y * 0), ValueError, "at least 2"),
        (
            lambda: metrics.angles(X, W * [[1], [0]], Y),
            ValueError,
            "row 1 of weight is the zero vector",
        ),
        (lambda: metrics.angular_accuracy(NAN, W, Y), ValueError, "row 1 of x"),
        (
            lambda: metrics.angular_accuracy(torch.full((3, 2), torch.inf), W, Y),
            ValueError,
            "row 0 of x",
        ),
        (lambda: metrics.angular_spread(X, Y * 0), ValueError, "only class 0"),
        (
            lambda: metrics.angular_spread(on_circle(0, 180, 90), [0, 0, 1]),
            ValueError,
            "class 0 cancel",
        ),
        (
            lambda: metrics.angular_spread(X, [0, 1, -3]),
            ValueError,
            r"label -3 is outside \[0, inf\)",
        ),
        (lambda: metrics.largest_empty_arc(np.ones((4, 3))), ValueError, "2-D"),
        (lambda: metrics.largest_empty_arc(np.zeros((0, 2))), ValueError, "empty"),
        (
            lambda: metrics.largest_empty_arc([[0, 0], [1, 0]]),
            ValueError,
            "row 0 of x is the zero vector",
        ),
        (lambda: metrics.angular_gaps(np.ones((3, 3)), Y), ValueError, "2-D"),
        (lambda: metrics.angular_gaps(X, Y, low=60, high=40), ValueError, "low = 60, high = 40"),
        (lambda: metrics.angular_gaps(X, Y * 0), ValueError, "at least 2 classes"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

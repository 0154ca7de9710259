"""Winning regions against the papers' inequalities, one direction at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook import heads, margins
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.metrics.winning_regions import on_circle, on_sphere


def scattered(classes=6, seed=0):
    return np.random.default_rng(seed).normal(size=(classes, 3))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def slack(loss, m, weight, direction, j):
    """By how much class j wins a direction, by the paper's inequality; negative where it loses."""
    length = np.linalg.norm(weight, axis=1)
    theta = [math.acos(np.clip(direction @ w / n, -1, 1)) for w, n in zip(weight, length)]
    rivals = [k for k in range(len(weight)) if k != j]
    if loss == "ArcFace":
        return min(theta[k] - theta[j] - m for k in rivals)
    if loss == "CosFace":
        return min(math.cos(theta[j]) - m - math.cos(theta[k]) for k in rivals)
    if loss == "SphereFace":
        return min(theta[k] - m * theta[j] for k in rivals)
    return min(
        length[j] * math.cos(theta[j]) - length[k] * math.cos(theta[k]) for k in rivals
    )  # softmax


CASES = {
    "ArcFace": lambda: heads.ArcFace(3, 6, margin=0.2),
    "CosFace": lambda: heads.CosFace(3, 6, margin=0.1),
    "SphereFace": lambda: heads.SphereFace(3, 6, margin=2),
    "Softmax": lambda: heads.Softmax(3, 6),
}
MARGIN = {"ArcFace": 0.2, "CosFace": 0.1, "SphereFace": 2, "Softmax": 0}


@pytest.mark.parametrize("loss", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_on_the_rim_the_papers_inequality_is_an_equation(loss, seed):
    weight = scattered(seed=seed)
    regions = on_sphere(CASES[loss](), weight)
    assert regions.rims.shape == (6, 48, 3) and (regions.share > 0).sum() >= 3
    np.testing.assert_allclose(np.linalg.norm(regions.rims, axis=2), 1)
    for j in np.flatnonzero(regions.share):
        middle = unit(regions.rims[j].sum(axis=0))
        for point in regions.rims[j]:
            assert slack(loss, MARGIN[loss], weight, point, j) == pytest.approx(0, abs=2e-3)
            assert slack(loss, MARGIN[loss], weight, unit(0.99 * point + 0.01 * middle), j) > 0


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 3), st.floats(0.02, 0.98))
def test_between_two_classes_the_cap_ends_at_the_angle_of_the_formula(apart, part):
    """To the rival: (Δ − m)/2 for ArcFace, Δ/(m + 1) for SphereFace, an arcsine for CosFace."""
    pair = np.array([[0, 0, 1.0], [math.sin(apart), 0, math.cos(apart)]])
    angular, cosine, multiple = part * apart, part * (1 - math.cos(apart)), 1 + 3 * part
    for head, radius in [
        (heads.ArcFace(3, 2, margin=angular), (apart - angular) / 2),
        (
            heads.CosFace(3, 2, margin=cosine),
            apart / 2 - math.asin(cosine / 2 / math.sin(apart / 2)),
        ),
        (heads.SphereFace(3, 2, margin=multiple), apart / (multiple + 1)),
    ]:
        rim = on_sphere(head, pair, points=200).rims[0]
        assert np.arccos(np.clip(rim @ pair[0], -1, 1)).min() == pytest.approx(radius, abs=2e-3)


@pytest.mark.parametrize("loss", CASES)
def test_the_share_is_that_of_random_directions(loss):
    weight, directions = scattered(seed=1), unit(np.random.default_rng(2).normal(size=(1500, 3)))
    share = [
        np.mean([slack(loss, MARGIN[loss], weight, u, j) > 0 for u in directions]) for j in range(6)
    ]
    np.testing.assert_allclose(on_sphere(CASES[loss](), weight, points=200).share, share, atol=0.04)


def test_a_class_that_cannot_meet_its_margin_wins_nothing():
    regions = on_sphere(
        heads.CosFace(3, 3, margin=0.5), np.array([[1, 0, 0], [1, 0.1, 0], [-1, 0, 0]])
    )
    assert regions.share[0] == regions.share[1] == 0 < regions.share[2]
    assert np.ptp(regions.rims[0], axis=0).max() == 0


def test_a_short_vector_among_long_ones_may_win_another_place_or_none():
    weight = np.array([[0.2, 0, 0], [3, 1, 0], [3, -1, 0]])
    regions = on_sphere(heads.Softmax(3, 3, bias=False), weight)
    assert slack("Softmax", 0, weight, np.array([1.0, 0, 0]), 0) < 0 < regions.share[0]
    assert regions.share.sum() == pytest.approx(1, abs=0.02)
    hidden = np.array([[1.0, 0, 0], [2, 1, 0], [2, -1, 0], [-9, 0, 1], [-9, 0, -1]])
    assert on_sphere(heads.Softmax(3, 5, bias=False), hidden).share[0] == 0


def test_rims_of_the_next_epoch_start_on_the_same_side():
    weight = scattered()
    first = on_sphere(heads.NormSoftmax(3, 6), weight)
    second = on_sphere(heads.NormSoftmax(3, 6), weight + 0.01, previous=first)
    moved = np.degrees(np.arccos(np.clip((first.rims * second.rims).sum(axis=2), -1, 1)))
    assert (
        np.median(moved)
        < 2
        < np.median(
            np.degrees(np.arccos(np.clip((first.rims * second.rims[:, ::-1]).sum(2), -1, 1)))
        )
    )


def test_neither_head_nor_weight_is_changed():
    head, weight = heads.ArcFace(3, 6), scattered()
    before = head.weight.detach().clone(), weight.copy()
    on_sphere(head, weight)
    assert (
        torch.equal(head.weight, before[0])
        and np.array_equal(weight, before[1])
        and head.weight.dtype == torch.float32
    )


class LearnedMargin(heads.MarginHead):
    """A CosFace whose margin is a parameter."""

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes):
        super().__init__(embedding_dim, num_classes, scale=16.0)
        self.m = torch.nn.Parameter(torch.tensor(0.3))

    def margin_of(self, cos):
        return cos - getattr(self, "m", 0)


def test_a_learned_margin_counts_with_its_current_value():
    weight = scattered()
    np.testing.assert_allclose(
        on_sphere(LearnedMargin(3, 6), weight).share,
        on_sphere(heads.CosFace(3, 6, margin=0.3), weight).share,
    )


def test_bad_input_is_named():
    with pytest.raises(
        ValueError, match=r"shape \(5, 2\): a sphere needs class vectors of shape \(C, 3\)"
    ):
        on_sphere(heads.ArcFace(2, 5), np.ones((5, 2)))
    with pytest.raises(ValueError, match="zero"):
        on_sphere(heads.ArcFace(3, 2), np.array([[0.0, 0, 0], [1, 0, 0]]))
    with pytest.raises(ValueError, match="more vectors than one per class"):
        on_sphere(SubCenterArcFace(3, 5), scattered(5))


@pytest.mark.parametrize("classes", [2, 3, 8, 10])
@pytest.mark.parametrize("m", [0.0, 0.1, 0.25])
def test_arcface_leaves_an_arc_of_m_between_neighbours_on_the_circle(classes, m):
    """Class j wins while θ_j + m < 2π/C − θ_j, an arc of 2π/C − m around its vector."""
    directions, winner = on_circle(lambda cos: margins.arcface(cos, m), classes)
    step = 2 * math.pi / len(directions)
    for j in range(classes):
        assert np.sum(winner == j) * step == pytest.approx(2 * math.pi / classes - m, abs=2 * step)
        offset = np.angle(np.exp(1j * (directions[winner == j] - 2 * math.pi * j / classes)))
        assert np.abs(offset).max() <= (2 * math.pi / classes - m) / 2 + step


def test_beyond_the_bound_no_direction_of_the_circle_is_won():
    _, winner = on_circle(lambda cos: margins.arcface(cos, 2 * math.pi / 10 + 0.01), 10)
    assert (winner == -1).all()
    _, winner = on_circle(
        lambda cos: margins.cosface(cos, 1 - math.cos(2 * math.pi / 10) + 0.01), 10
    )
    assert (winner == -1).all()

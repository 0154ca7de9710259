"""Caps against the papers' inequalities, spelled out one direction at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook import heads
from lossbook.heads.presets import head_from_run
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.metrics import winning_regions
from tests.helpers.runs import make_run


def scattered(classes=6, seed=0):
    return np.random.default_rng(seed).normal(size=(classes, 3))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def slack(kind, m, weight, direction, j):
    """How much class j has to spare at a direction, by the paper's own inequality; negative where it loses."""
    length = np.linalg.norm(weight, axis=1)
    theta = [math.acos(np.clip(direction @ w / n, -1, 1)) for w, n in zip(weight, length)]
    rivals = [k for k in range(len(weight)) if k != j]
    if kind == "ArcFace":
        return min(theta[k] - theta[j] - m for k in rivals)
    if kind == "CosFace":
        return min(math.cos(theta[j]) - m - math.cos(theta[k]) for k in rivals)
    if kind == "SphereFace":
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


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_on_the_rim_the_papers_inequality_is_an_equation(kind, seed):
    weight = scattered(seed=seed)
    found = winning_regions.on_sphere(CASES[kind](), weight)
    assert found.rims.shape == (6, 48, 3) and (found.share > 0).sum() >= 3
    np.testing.assert_allclose(np.linalg.norm(found.rims, axis=2), 1)
    for j in np.flatnonzero(found.share):
        middle = unit(found.rims[j].sum(axis=0))
        for point in found.rims[j]:
            assert slack(kind, MARGIN[kind], weight, point, j) == pytest.approx(0, abs=2e-3)
            assert slack(kind, MARGIN[kind], weight, unit(0.99 * point + 0.01 * middle), j) > 0


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 3), st.floats(0.02, 0.98))
def test_between_two_classes_the_cap_ends_where_the_angles_say(apart, part):
    """Towards the rival: (Δ − m)/2 for ArcFace, Δ/(m + 1) for SphereFace, the CosFace chapter's arcsine for CosFace."""
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
        rim = winning_regions.on_sphere(head, pair, around=200).rims[0]
        assert np.arccos(np.clip(rim @ pair[0], -1, 1)).min() == pytest.approx(radius, abs=2e-3)


@pytest.mark.parametrize("kind", CASES)
def test_the_share_is_that_of_random_directions(kind):
    weight, directions = scattered(seed=1), unit(np.random.default_rng(2).normal(size=(1500, 3)))
    share = [
        np.mean([slack(kind, MARGIN[kind], weight, u, j) > 0 for u in directions]) for j in range(6)
    ]
    np.testing.assert_allclose(
        winning_regions.on_sphere(CASES[kind](), weight, around=200).share, share, atol=0.04
    )


def test_a_class_that_cannot_meet_its_margin_wins_nothing():
    found = winning_regions.on_sphere(
        heads.CosFace(3, 3, margin=0.5), np.array([[1, 0, 0], [1, 0.1, 0], [-1, 0, 0]])
    )
    assert found.share[0] == found.share[1] == 0 < found.share[2]
    assert np.ptp(found.rims[0], axis=0).max() == 0


def test_a_short_vector_among_long_ones_may_win_another_place_or_none():
    weight = np.array([[0.2, 0, 0], [3, 1, 0], [3, -1, 0]])
    found = winning_regions.on_sphere(heads.Softmax(3, 3, bias=False), weight)
    assert slack("Softmax", 0, weight, np.array([1.0, 0, 0]), 0) < 0 < found.share[0]
    assert found.share.sum() == pytest.approx(1, abs=0.02)
    hidden = np.array([[1.0, 0, 0], [2, 1, 0], [2, -1, 0], [-9, 0, 1], [-9, 0, -1]])
    assert winning_regions.on_sphere(heads.Softmax(3, 5, bias=False), hidden).share[0] == 0


def test_rims_of_the_next_epoch_start_on_the_same_side():
    weight = scattered()
    first = winning_regions.on_sphere(heads.NormSoftmax(3, 6), weight)
    second = winning_regions.on_sphere(heads.NormSoftmax(3, 6), weight + 0.01, after=first)
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
    winning_regions.on_sphere(head, weight)
    assert (
        torch.equal(head.weight, before[0])
        and np.array_equal(weight, before[1])
        and head.weight.dtype == torch.float32
    )


class Learned(heads.MarginHead):
    """A CosFace whose margin is a parameter."""

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes):
        super().__init__(embedding_dim, num_classes, scale=16.0)
        self.m = torch.nn.Parameter(torch.tensor(0.3))

    def margin_of(self, cos):
        return cos - getattr(self, "m", 0)


def test_a_margin_that_learns_is_drawn_as_it_stands():
    weight = scattered()
    np.testing.assert_allclose(
        winning_regions.on_sphere(Learned(3, 6), weight).share,
        winning_regions.on_sphere(heads.CosFace(3, 6, margin=0.3), weight).share,
    )


def test_a_run_tells_a_head_of_ones_own():
    assert type(head_from_run(recorded(Learned(3, 10)))) is Learned


def recorded(head, epochs=10):
    run = make_run(dim=3, name=head.name)
    run.config = {"head": {**vars(head), "training": True}, "recipe": {"epochs": epochs}}
    return run


@pytest.mark.parametrize(
    "head",
    [
        heads.ArcFace(3, 10, scale=11, margin=0.4, easy_margin=True),
        heads.CosFace(3, 10),
        heads.CombinedMargin(3, 10, m1=1.1, m2=0.1),
        heads.Softmax(3, 10),
        heads.NormSoftmax(3, 10),
    ],
)
def test_a_run_tells_its_head(head):
    found = head_from_run(recorded(head))
    assert type(found) is type(head) and found.name == head.name
    assert getattr(found, "easy_margin", None) == getattr(head, "easy_margin", None)


def test_an_annealed_margin_is_that_of_its_epoch():
    run = recorded(heads.SphereFace(3, 10, margin=4, anneal_until=0.5))
    lam = [head_from_run(run, epoch).lam for epoch in (1, 2, 5, 10)]
    assert lam[0] > lam[1] > lam[2] == lam[3] == head_from_run(run).lam == 0


def test_refusals_say_why():
    with pytest.raises(
        ValueError, match=r"shape \(5, 2\): a sphere needs class vectors of shape \(C, 3\)"
    ):
        winning_regions.on_sphere(heads.ArcFace(2, 5), np.ones((5, 2)))
    with pytest.raises(ValueError, match="zero"):
        winning_regions.on_sphere(heads.ArcFace(3, 2), np.array([[0.0, 0, 0], [1, 0, 0]]))
    with pytest.raises(ValueError, match="more vectors than one a class"):
        winning_regions.on_sphere(SubCenterArcFace(3, 5), scattered(5))
    for run in (make_run(dim=3, name="MyOwn(m=2)"), make_run(dim=3, name="head")):
        with pytest.raises(ValueError, match="does not record its margin.*heads="):
            head_from_run(run)

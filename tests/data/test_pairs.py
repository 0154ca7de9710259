"""Pairs: all or a fair sample, the same for the same seed, in folds that share no identity."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.data.pairs import Pairs, fold_pairs, make_pairs
from lossbook.metrics import verification

LABELS = st.lists(st.integers(0, 4), min_size=3, max_size=14).filter(
    lambda y: 1 < len(set(y)) < len(y)
)


def as_set(pairs):
    return {(int(i), int(j)) for i, j in zip(pairs.first, pairs.second)}


@given(LABELS)
def test_all_pairs_are_those_of_the_loop(labels):
    pairs = make_pairs(np.array(labels))
    assert as_set(pairs) == set(itertools.combinations(range(len(labels)), 2))
    assert pairs.same.tolist() == [
        labels[i] == labels[j] for i, j in zip(pairs.first, pairs.second)
    ]
    assert len(pairs.first) == len(as_set(pairs))


@given(LABELS, st.integers(1, 30), st.integers(0, 5))
def test_a_sample_holds_real_pairs_once_each_and_no_more_than_the_maximum(labels, most, seed):
    every, pairs = (make_pairs(np.array(labels), limit, seed) for limit in (None, most))
    assert as_set(pairs) <= as_set(every) and len(as_set(pairs)) == len(pairs.first)
    assert pairs.same.tolist() == [
        labels[i] == labels[j] for i, j in zip(pairs.first, pairs.second)
    ]
    for kind in (True, False):
        assert (pairs.same == kind).sum() == min(most, (every.same == kind).sum())
    again = make_pairs(np.array(labels), most, seed)
    assert all(np.array_equal(*arrays) for arrays in zip(pairs, again))


def test_a_sample_of_very_many_pairs_is_drawn_evenly_and_by_seed():
    labels = np.repeat(np.arange(50), 40)  # 1,960,000 impostor pairs: too many to list
    pairs, other_draw = (make_pairs(labels, 5000, seed) for seed in (0, 1))
    assert len(as_set(pairs)) == 10_000
    assert (labels[pairs.first] == labels[pairs.second]).tolist() == pairs.same.tolist()
    assert as_set(pairs) != as_set(other_draw)
    share = np.bincount(labels[pairs.first[~pairs.same]], minlength=50) + np.bincount(
        labels[pairs.second[~pairs.same]]
    )
    assert (
        share.sum() == 10_000 and share.min() > 120 and share.max() < 290
    )  # 200 each, 14 of deviation
    assert (pairs.first < pairs.second).all()


def test_folds_share_no_identity_and_are_half_genuine():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 5))
    pairs, fold = fold_pairs(labels, folds=10, max_per_kind=20)
    seen = [
        set(labels[pairs.first[fold == k]]) | set(labels[pairs.second[fold == k]])
        for k in range(10)
    ]
    assert sum(map(len, seen)) == len(set.union(*seen))
    for k in range(10):
        assert pairs.same[fold == k].sum() == (~pairs.same[fold == k]).sum() == 20
    assert (labels[pairs.first] == labels[pairs.second]).tolist() == pairs.same.tolist()


def test_similarity_is_the_cosine_of_the_loop_at_any_length():
    x = np.random.default_rng(0).normal(size=(12, 5)) * np.logspace(-200, 200, 12)[:, None]
    pairs = make_pairs(np.arange(12) % 3)
    unit = [row / max(abs(row)) / np.linalg.norm(row / max(abs(row))) for row in x]
    assert verification.similarity(x, pairs) == pytest.approx(
        [float(unit[i] @ unit[j]) for i, j in zip(pairs.first, pairs.second)]
    )
    assert (
        verification.similarity(x[[0, 0]], Pairs(np.array([0]), np.array([1]), np.array([True])))
        <= 1
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: make_pairs(np.arange(4)), "none of the 4 images share an identity"),
        (lambda: make_pairs(np.zeros(4, int)), "all 4 images are of identity 0"),
        (lambda: make_pairs(np.arange(4) % 2, max_per_kind=0), "max_per_kind = 0"),
        (lambda: fold_pairs(np.arange(12) % 6, folds=10), "6 identities for 10 folds"),
        (lambda: fold_pairs(np.arange(12) % 6, folds=1), "folds = 1"),
        (
            lambda: verification.similarity(np.ones((3, 2)), make_pairs(np.arange(4) % 2)),
            "x has 3 rows",
        ),
        (
            lambda: verification.similarity(np.ones((4, 2)), make_pairs(np.arange(4) % 2), "dot"),
            "metric = 'dot'",
        ),
        (
            lambda: verification.similarity(np.zeros((4, 2)), make_pairs(np.arange(4) % 2)),
            "zero vector",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Pairs: all or a fair sample, the same for the same seed, in folds that share no identity."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.data.pairs import Pairs, check_pairs, fold_pairs, make_pairs
from lossbook.metrics import verification

ROOT = Path(__file__).parents[2]
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


def listed(labels):
    """All genuine pairs, by identity, and all impostor pairs, by row, as arrays (K, 2)."""
    rows_of = [np.flatnonzero(labels == j) for j in np.unique(labels)]
    genuine = [pair for rows in rows_of for pair in itertools.combinations(rows, 2)]
    every = itertools.combinations(range(len(labels)), 2)
    impostor = [pair for pair in every if labels[pair[0]] != labels[pair[1]]]
    return np.array(genuine), np.array(impostor)


def drawn(pairs, size, random):
    return pairs[np.sort(random.choice(len(pairs), size, replace=False))]


@given(LABELS, st.integers(1, 30), st.integers(0, 5))
def test_a_sample_is_the_draw_from_the_list_of_all_pairs(labels, most, seed):
    labels = np.array(labels)
    genuine, impostor = listed(labels)
    random = np.random.default_rng(seed)
    if len(genuine) > most:
        genuine = drawn(genuine, most, random)
    if most < len(impostor) <= 4 * most:
        impostor = drawn(impostor, most, random)
    pairs = make_pairs(labels, most, seed)
    assert np.array_equal(np.stack(pairs[:2], 1)[pairs.same], genuine)
    if len(impostor) <= 4 * most:
        assert np.array_equal(np.stack(pairs[:2], 1)[~pairs.same], impostor)


@pytest.mark.parametrize("max_per_kind", [3, 20, 1000])
def test_a_fold_is_the_draw_from_the_list_of_its_pairs(max_per_kind):
    labels = np.random.default_rng(0).integers(0, 12, 90)
    pairs, fold = fold_pairs(labels, folds=3, max_per_kind=max_per_kind, seed=5)
    identities = np.random.default_rng(5).permutation(np.unique(labels))
    for k in range(3):
        rows = np.flatnonzero(np.isin(labels, identities[k::3]))
        genuine, impostor = listed(labels[rows])
        size, random = min(max_per_kind, len(genuine)), np.random.default_rng(5 + k)
        expected = [rows[drawn(kind, size, random)] for kind in (genuine, impostor)]
        assert np.array_equal(np.stack(pairs[:2], 1)[fold == k], np.concatenate(expected))


MEMORY = """
import resource
import sys
import numpy as np
from lossbook.data.pairs import fold_pairs, make_pairs
from lossbook.metrics.protocols import identification_ranks, gallery_and_probe
labels = np.arange(20_000) % int(sys.argv[2])
x = np.random.default_rng(0).normal(size=(len(labels), 16))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.argv[1] == "make_pairs":
    make_pairs(labels, 10_000)
if sys.argv[1] == "fold_pairs":
    fold_pairs(labels)
if sys.argv[1] == "identification_ranks":
    gallery, probe = gallery_and_probe(labels)
    identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in another unit elsewhere")
@pytest.mark.parametrize(
    "step, identities, listed_in_full",  # MB of the pairs or similarities, if all were listed
    [
        ("make_pairs", 20, 160),
        ("fold_pairs", 1000, 320),
        ("identification_ranks", 5000, 600),
    ],
)
def test_memory_follows_what_is_returned(step, identities, listed_in_full):
    megabytes = subprocess.run(
        [sys.executable, "-c", MEMORY, step, str(identities)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout
    assert float(megabytes) < listed_in_full / 2


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
    "first, second, same, error, message",
    [
        ([-1], [3], [True], ValueError, "a pair names row -1: rows are numbered from 0 to 3"),
        ([0], [4], [True], ValueError, "x has 4 rows, and a pair names row 4"),
        ([0.0], [1.0], [True], TypeError, "first rows of the pairs are float64"),
        ([0], [1], [1], TypeError, r"same is int64.*same.astype\(bool\)"),
        ([0, 1], [1], [True], ValueError, "of one length"),
        ([], [], [], ValueError, "at least one pair"),
        ([0, 0], [1, 2], [True, True], ValueError, "in 1 of 2 pairs: rows 0 and 2 have labels"),
    ],
)
def test_a_wrong_list_of_pairs_is_refused(first, second, same, error, message):
    pairs = Pairs(np.array(first), np.array(second), np.array(same))
    with pytest.raises(error, match=message):
        check_pairs(pairs, 4, np.array([0, 0, 1, 1]))


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

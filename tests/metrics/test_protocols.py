"""The fold protocol and identification against loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import protocols
from lossbook.metrics.protocols import (
    best_threshold,
    gallery_and_probe,
    identification_ranks,
    ten_fold,
)

PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=30).filter(
    lambda pairs: len({same for _, same in pairs}) == 2
)


def count_correct(scores, same, threshold):
    return sum((s >= threshold) == kind for s, kind in zip(scores, same))


@given(PAIRS)
def test_no_threshold_classifies_more_pairs_correctly(pairs):
    scores, same = (np.array(values) for values in zip(*pairs))
    best = best_threshold(scores, same)
    others = {t: count_correct(scores, same, t) for t in np.arange(-5, 5.5, 0.5)}
    assert count_correct(scores, same, best) == max(others.values())
    for threshold, count in others.items():  # of several as good, the highest
        if count == max(others.values()) and threshold > best:
            assert not ((scores >= best) & (scores < threshold)).any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("score", [0.3, 0.5, 1.0, 1e-3, -0.7])
def test_between_neighbouring_scores_the_threshold_is_the_higher(score, dtype):
    lower = dtype(score)
    scores = np.array([lower, np.nextafter(lower, dtype(2)), np.nextafter(lower, dtype(-2))])
    for same in ([False, True, False], [True, True, False]):
        threshold = best_threshold(scores, np.array(same))
        assert ((scores >= threshold) == same).all()


def test_scores_too_large_to_add_have_a_threshold_between_them():
    scores, same = np.array([-1.7e308, -1.6e308]), np.array([False, True])
    assert ((scores >= best_threshold(scores, same)) == same).all()


def test_ranks_do_not_depend_on_the_block(monkeypatch):
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(300, 4)), np.arange(300) % 60
    inputs = x[:120], labels[:120], x[120:], labels[120:]
    expected = [identification_ranks(*inputs, metric) for metric in ("cosine", "distance")]
    monkeypatch.setattr(protocols, "BLOCK", 1000)
    for metric, ranks in zip(("cosine", "distance"), expected):
        assert np.array_equal(identification_ranks(*inputs, metric), ranks)


def test_ten_fold_is_the_loop():
    random = np.random.default_rng(0)
    folds = random.permutation(np.arange(300) % 10)
    same = random.random(300) < 0.5
    scores = random.normal(size=300) + 1.5 * same
    result = ten_fold(scores, same, folds)
    for k in range(10):
        others = [i for i in range(300) if folds[i] != k]
        values = sorted(scores[others])
        candidates = [
            np.inf,
            *[(a + b) / 2 for a, b in zip(values[::-1][1:], values[::-1])],
            -np.inf,
        ]
        threshold = max(candidates, key=lambda t: count_correct(scores[others], same[others], t))
        in_fold = [i for i in range(300) if folds[i] == k]
        assert result.threshold[k] == pytest.approx(threshold)
        correct = count_correct(scores[in_fold], same[in_fold], threshold)
        assert result.accuracy[k] == correct / len(in_fold)
    assert result.mean == pytest.approx(np.mean(result.accuracy))
    assert result.standard_error == pytest.approx(np.std(result.accuracy, ddof=1) / np.sqrt(10))


def test_a_fold_does_not_choose_its_own_threshold():
    """The third fold's scores are all shifted up: by the others' threshold, all are accepted."""
    scores, same = np.array([0, 1, 0, 1, 10, 11.0]), np.array([False, True] * 3)
    assert ten_fold(scores, same, np.repeat([0, 1, 2], 2)).accuracy.tolist()[2] == 0.5


@pytest.mark.parametrize(
    "metric, similarity",
    [
        ("cosine", lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)),
        ("distance", lambda a, b: -math.dist(a, b)),
    ],
)
def test_ranks_are_those_of_the_loop_and_ties_count_against_the_probe(metric, similarity):
    random = np.random.default_rng(0)
    labels = np.arange(60) % 12
    x = random.normal(size=(60, 3))
    gallery, probe = np.arange(24), np.arange(24, 60)  # two images an identity in the gallery
    ranks = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    for rank, i in zip(ranks, probe):
        score = {g: float(similarity(x[i], x[g])) for g in gallery}
        best = {j: max(score[g] for g in gallery if labels[g] == j) for j in set(labels)}
        assert rank == 1 + sum(best[j] > best[labels[i]] for j in best if j != labels[i])
    equal = np.ones((3, 2))
    tied = identification_ranks(equal, np.array([0, 1, 2]), equal[:1], np.array([0]), metric)
    assert tied.tolist() == [3]


def test_gallery_and_probe_take_one_of_each_and_the_rest():
    labels = np.array([3, 3, 3, 1, 1, 7])  # 7 has one image: no probe, so left out
    gallery, probe = gallery_and_probe(labels, seed=1)
    assert sorted(labels[gallery]) == [1, 3] and sorted([*gallery, *probe]) == [0, 1, 2, 3, 4]
    assert {tuple(gallery_and_probe(labels, seed)[0]) for seed in range(20)} != {tuple(gallery)}


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ten_fold(np.array([0.0, 1]), np.array([True, False]), np.array([0, 0])),
            "must be at least 2",
        ),
        (lambda: gallery_and_probe(np.array([0, 0, 1])), "1 identities have two images"),
        (
            lambda: identification_ranks(np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 2])),
            "no image in the gallery",
        ),
        (
            lambda: identification_ranks(
                np.eye(2), np.array([0, 1]), np.ones((1, 3)), np.array([0])
            ),
            "with one network",
        ),
        (
            lambda: identification_ranks(
                np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]), "angle"
            ),
            "metric = 'angle'",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

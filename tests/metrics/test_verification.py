"""Verification measures against loops over thresholds, scikit-learn, and invariances."""

import doctest
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lossbook.data.pairs import Pairs, fold_pairs, make_pairs
from lossbook.metrics import verification
from lossbook.metrics.protocols import (
    best_threshold,
    gallery_and_probe,
    identification_ranks,
    ten_fold,
)

SCORES = st.lists(st.tuples(st.integers(-6, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({same for _, same in pairs}) == 2
)  # few values, so many ties


def arrays(pairs):
    return np.array([score / 6 for score, _ in pairs]), np.array([same for _, same in pairs])


def rates(scores, same, threshold):
    accepted = [s >= threshold for s in scores]
    far = sum(a for a, kind in zip(accepted, same) if not kind) / sum(not kind for kind in same)
    tar = sum(a for a, kind in zip(accepted, same) if kind) / sum(same)
    return far, tar


def many(seed=0, size=400):
    random = np.random.default_rng(seed)
    same = random.random(size) < 0.4
    return np.round(random.normal(size=size) + 1.5 * same, 1), same


@given(SCORES)
def test_roc_and_det_are_the_rates_at_every_threshold(pairs):
    scores, same = arrays(pairs)
    curve = verification.roc(scores, same)
    for far, tar, threshold in zip(*curve):
        assert (far, tar) == pytest.approx(rates(scores, same, threshold))
    assert set(curve.threshold) == {np.inf, *scores}
    assert (np.diff(curve.far) >= 0).all() and (np.diff(curve.tar) >= 0).all()
    for far, frr, threshold in zip(*verification.det(scores, same)):
        assert (far, 1 - frr) == pytest.approx(rates(scores, same, threshold))


@given(SCORES)
def test_the_equal_error_rate_is_symmetric_and_meets_the_curve(pairs):
    scores, same = arrays(pairs)
    eer = verification.equal_error_rate(scores, same)
    assert verification.equal_error_rate(-scores, ~same) == pytest.approx(
        eer
    )  # who is who makes no difference
    curve = verification.roc(scores, same)
    assert np.interp(eer, *_rising(curve.far, curve.tar)) == pytest.approx(
        1 - eer
    ) or 1 - eer in _jump(curve, eer)


def _rising(far, tar):
    return far + 1e-12 * np.arange(len(far)), tar


def _jump(curve, at):
    """The TARs on an upright piece of the curve, within rounding."""
    on = np.isclose(curve.far, at)
    return _Between(curve.tar[on].min() - 1e-9, curve.tar[on].max() + 1e-9) if on.any() else ()


class _Between(tuple):
    def __new__(cls, low, high):
        return super().__new__(cls, (low, high))

    def __contains__(self, value):
        return self[0] <= value <= self[1]


@given(SCORES, st.randoms(use_true_random=False))
def test_order_shift_and_scale_of_scores_change_nothing(pairs, random):
    mixed = list(pairs)
    random.shuffle(mixed)
    (scores, same), (mixed_scores, mixed_same) = arrays(pairs), arrays(mixed)
    assert verification.equal_error_rate(scores, same) == pytest.approx(
        verification.equal_error_rate(3 * mixed_scores + 1, mixed_same)
    )
    assert best_threshold(3 * scores + 1, same) == pytest.approx(
        3 * best_threshold(mixed_scores, mixed_same) + 1
    )


def test_the_rates_of_perfect_useless_and_reversed_scores():
    same = np.array([True, True, False, False])
    for scores, eer in (([4, 3, 2, 1], 0), ([1, 1, 1, 1], 0.5), ([1, 2, 3, 4], 1)):
        assert verification.equal_error_rate(np.array(scores), same) == eer


@pytest.mark.parametrize("far", [0.5, 0.1, 0.02])
def test_tar_at_far_is_the_best_of_all_thresholds_that_keep_to_it(far):
    scores, same = many()
    allowed = [
        rates(scores, same, t)[1]
        for t in [*np.unique(scores), np.inf]
        if rates(scores, same, t)[0] <= far
    ]
    assert verification.tar_at_far(scores, same, far) == max(allowed)


def test_a_far_of_exactly_one_false_accept_is_met_by_it():
    scores, same = (
        np.array([0.9, 0.8, 0.7] + [0.1] * 9),
        np.array([True, False, True] + [False] * 9),
    )
    assert (
        verification.tar_at_far(scores, same, 0.1) == 1.0
        and verification.tar_at_far(scores, same, 0.15) == 1.0
    )


def test_too_few_impostors_for_a_far_are_refused():
    scores, same = many(size=200)
    with pytest.raises(
        verification.TooFewImpostors, match=r"at least 10,000 impostor pairs, and there are \d+"
    ):
        verification.tar_at_far(scores, same, 1e-4)


def test_a_weight_of_two_is_a_pair_twice():
    scores, same = many()
    weight = np.random.default_rng(1).integers(0, 4, len(scores))
    repeated = np.repeat(scores, weight), np.repeat(same, weight)
    for measure in (
        verification.equal_error_rate,
        lambda *given: verification.tar_from_roc(verification.roc(*given), 0.05),
    ):
        assert measure(scores, same, weight) == pytest.approx(measure(*repeated))


def test_the_area_under_the_curve_is_scikit_learns():
    scores, same = many()
    curve = verification.roc(scores, same)
    assert np.trapezoid(curve.tar, curve.far) == pytest.approx(roc_auc_score(same, scores))


def embedding(identities=24, images=6, d=8, noise=0.5, seed=0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(identities), images)
    return random.normal(size=(identities, d))[labels] + noise * random.normal(
        size=(len(labels), d)
    ), labels


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_the_report_holds_the_measures_and_goes_into_json(metric):
    x, labels = embedding()
    report = json.loads(
        json.dumps(verification.report(x, labels, metric=metric, resamples=30), allow_nan=False)
    )
    pairs = make_pairs(labels)
    scores = verification.similarity(x, pairs, metric)
    assert report["similarity"] == metric
    assert report["genuine_pairs"] == 24 * 15 and report["impostor_pairs"] == 24 * 23 // 2 * 36
    assert report["eer"] == verification.equal_error_rate(scores, pairs.same)
    assert report["tar@0.001"] == verification.tar_at_far(scores, pairs.same, 1e-3)
    assert (
        report["tar@0.0001"] is None
        and "10,000 impostor pairs" in report["undefined"]["tar@0.0001"]
    )
    for name, (low, high) in report["intervals"].items():
        assert low <= report[name] <= high and low < high
    pairs, fold = fold_pairs(labels)
    folds = ten_fold(verification.similarity(x, pairs, metric), pairs.same, fold)
    gallery, probe = gallery_and_probe(labels)
    rank = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    assert report["ten_fold"] == {
        "accuracy": folds.mean,
        "standard_error": folds.standard_error,
        "pairs": len(fold),
        "folds": 10,
    }
    assert (
        report["rank"] == {"1": np.mean(rank == 1), "5": np.mean(rank <= 5)}
        and 0 < report["rank"]["1"] < 1
    )


def test_the_thresholds_of_a_report_give_its_rates():
    x, labels = embedding()
    report = verification.report(x, labels, resamples=30)
    pairs = make_pairs(labels)
    scores = verification.similarity(x, pairs)
    assert report["thresholds"].keys() == {"eer", "tar@0.1", "tar@0.01", "tar@0.001"}
    for far in (0.1, 0.01, 0.001):
        threshold = report["thresholds"][f"tar@{far:g}"]
        far_there, tar_there = rates(scores, pairs.same, threshold)
        assert far_there <= far and tar_there == report[f"tar@{far:g}"]
        assert f"score {threshold:.4g}" in verification.format_report(report)
    assert rates(scores, pairs.same, report["thresholds"]["eer"]) == pytest.approx(
        (report["eer"], 1 - report["eer"]), abs=0.003
    )


def test_embeddings_that_are_all_alike_have_no_threshold():
    report = verification.report(np.ones((60, 4)), np.arange(60) % 20, resamples=30)
    assert report["thresholds"]["tar@0.1"] is None and report["tar@0.1"] == 0
    assert "no score" in verification.format_report(report)


def test_the_table_gives_the_standard_deviation_of_the_folds_too():
    x, labels = embedding()
    report = verification.report(x, labels, resamples=30)
    pairs, fold = fold_pairs(labels)
    result = ten_fold(verification.similarity(x, pairs), pairs.same, fold)
    table = verification.format_report(report)
    assert f"± {result.standard_error:.2%} (standard error)" in table
    assert f"{np.std(result.accuracy, ddof=1):.2%}   √10 = 3.2 times as much" in table


def test_a_list_of_pairs_of_your_own():
    x, labels = embedding()
    random = np.random.default_rng(0)
    first, second = random.integers(0, len(x), (2, 400))
    pairs = Pairs(first, second, labels[first] == labels[second])
    scores = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for i, j in zip(*pairs[:2])]
    expected = verification.equal_error_rate(np.array(scores), pairs.same)
    for protocol in (pairs, (pairs, None), (pairs, np.arange(400) % 4)):
        report = verification.report(x, labels, protocol, resamples=30)
        assert report["eer"] == pytest.approx(expected)
        if protocol[-1] is None or protocol is pairs:
            assert "given without folds" in report["undefined"]["ten_fold"]
            assert "without folds" in verification.format_report(report)
        else:
            assert "accuracy in 4 folds" in verification.format_report(report)
    with pytest.raises(ValueError, match="same contradicts the labels in 400 of 400 pairs"):
        verification.report(x, labels, pairs._replace(same=~pairs.same))
    with pytest.raises(ValueError, match="a pair names row -1"):
        verification.report(x, labels, pairs._replace(first=first - first[0] - 1))


@given(SCORES, st.sampled_from([0.5, 0.2, 0.05]))
def test_thresholds_are_the_best_of_all_and_rates_at_counts(pairs, far):
    scores, same = arrays(pairs)
    candidates = [*np.unique(scores), np.inf]
    for t in candidates:
        assert verification.rates_at(scores, same, t) == pytest.approx(rates(scores, same, t))
    nearest = min(candidates, key=lambda t: (round(abs(sum(rates(scores, same, t)) - 1), 9), -t))
    assert verification.threshold_at_eer(scores, same) == nearest
    if (~same).sum() * far < 1:
        with pytest.raises(verification.TooFewImpostors):
            verification.threshold_at_far(scores, same, far)
    else:
        allowed = [t for t in candidates if rates(scores, same, t)[0] <= far]
        best = max(allowed, key=lambda t: (rates(scores, same, t)[1], t))
        threshold = verification.threshold_at_far(scores, same, far)
        assert rates(scores, same, threshold)[0] <= far
        assert rates(scores, same, threshold)[1] == rates(scores, same, best)[1]


def test_a_threshold_of_one_set_is_applied_to_another():
    chosen, applied = many(seed=0), many(seed=1)
    threshold = verification.threshold_at_far(*chosen, 0.05)
    assert verification.rates_at(*chosen, threshold).far <= 0.05
    measured = verification.rates_at(*applied, threshold)
    assert measured == pytest.approx(rates(*applied, threshold)) and measured.far != 0.05
    weight = np.random.default_rng(2).integers(1, 4, len(applied[0]))
    repeated = np.repeat(applied[0], weight), np.repeat(applied[1], weight)
    assert verification.rates_at(*applied, threshold, weight) == pytest.approx(
        rates(*repeated, threshold)
    )
    with pytest.raises(ValueError, match="threshold = nan"):
        verification.rates_at(*applied, np.nan)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(verification).attempted and not doctest.testmod(verification).failed


def test_a_report_takes_tensors_and_refuses_what_does_not_fit():
    x, labels = embedding()
    tensors = torch.tensor(x, requires_grad=True), torch.from_numpy(labels)
    assert verification.report(*tensors, resamples=30) == verification.report(
        x, labels, resamples=30
    )
    with pytest.raises(ValueError, match="labels have shape"):
        verification.report(np.concatenate([x, x]), labels)


def test_a_report_on_few_identities_gives_reasons_for_what_is_missing():
    x, labels = embedding(identities=2)
    report = verification.report(x, labels)
    assert report["eer"] is not None and report["intervals"] is None and report["ten_fold"] is None
    assert (
        "2 identities" in report["undefined"]["intervals"]
        and "20 in all" in report["undefined"]["ten_fold"]
    )


def test_chance_is_half():
    x, labels = np.random.default_rng(0).normal(size=(200, 4)), np.arange(200) % 20
    report = verification.report(x, labels, resamples=30)
    assert abs(report["eer"] - 0.5) < 0.05 and abs(report["tar@0.1"] - 0.1) < 0.05
    assert abs(report["ten_fold"]["accuracy"] - 0.5) < 0.1


@pytest.mark.parametrize(
    "scores, same, error, message",
    [
        ([0.1, 0.2], [True, True], ValueError, "none of the 2 pairs is impostor"),
        ([0.1, 0.2], [False, False], ValueError, "none of the 2 pairs is genuine"),
        ([0.1, np.nan], [True, False], ValueError, "1 of 2 scores are not finite"),
        ([0.1], [True, False], ValueError, "expected one of each per pair"),
        ([0.1, 0.2], [1, 0], TypeError, "same is int64: expected bool"),
    ],
)
@pytest.mark.parametrize(
    "measure",
    [
        verification.roc,
        verification.det,
        verification.equal_error_rate,
        best_threshold,
        lambda s, k: verification.tar_at_far(s, k, 0.5),
    ],
)
def test_bad_input_is_named(measure, scores, same, error, message):
    with pytest.raises(error, match=message):
        measure(np.array(scores), np.array(same))


def test_a_far_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="far = 0"):
        verification.tar_at_far(*many(), 0)

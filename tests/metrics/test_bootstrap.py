"""The bootstrap by identity: weights against a loop, and the coverage of its intervals."""

import numpy as np
import pytest

from lossbook.data.pairs import Pairs, make_pairs
from lossbook.metrics import verification
from lossbook.metrics.bootstrap import bootstrap_by_identity, percentile_interval


def accepted(scores, same, weight):
    """The weighted share of genuine pairs with a score above 0, known in the population."""
    return np.average(scores[same] > 0, weights=weight[same])


def test_a_resample_is_the_set_with_identities_drawn_again():
    """Every replicate against a loop that builds the resampled set of pairs."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 3)
    pairs = make_pairs(labels)
    scores = random.normal(size=len(pairs.first))
    interval = bootstrap_by_identity(
        verification.equal_error_rate, scores, pairs, labels, resamples=20, seed=7
    )
    draws, replicates = np.random.default_rng(7), []
    while len(replicates) < 20:
        count = draws.multinomial(5, np.full(5, 0.2))
        drawn = [j for j in range(5) for _ in range(count[j])]
        value, kind = [], []
        for s, i, k, is_same in zip(scores, pairs.first, pairs.second, pairs.same):
            copies = (
                drawn.count(labels[i])
                if is_same
                else sum(1 for p in drawn for q in drawn if p == labels[i] and q == labels[k])
            )
            value += [s] * copies
            kind += [is_same] * copies
        if any(kind) and not all(kind):
            replicates.append(verification.equal_error_rate(np.array(value), np.array(kind)))
    assert interval.resampled == pytest.approx(replicates)
    assert interval.estimate == verification.equal_error_rate(scores, pairs.same)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(replicates, [0.025, 0.975]))


def test_intervals_by_identity_cover_where_intervals_by_pair_do_not():
    """100 samples of identities that differ in how similar their images are; the rate is 1/2."""
    labels = np.repeat(np.arange(25), 4)
    pairs = make_pairs(labels)
    by_pair, covered = [], []
    for trial in range(100):
        random = np.random.default_rng(trial)
        easy = random.normal(size=25)  # shared by all genuine pairs of an identity
        scores = np.where(pairs.same, easy[labels[pairs.first]], 0) + 0.3 * random.normal(
            size=len(pairs.first)
        )
        interval = bootstrap_by_identity(accepted, scores, pairs, labels, resamples=100, seed=trial)
        covered.append(interval.low <= 0.5 <= interval.high)
        genuine = scores[pairs.same] > 0
        naive = np.mean(random.choice(genuine, (100, len(genuine))), axis=1)
        by_pair.append(np.quantile(naive, 0.025) <= 0.5 <= np.quantile(naive, 0.975))
    # 95 % is nominal; three standard deviations of 100 trials are 6.5 %.
    assert 0.86 <= np.mean(covered) <= 1
    assert np.mean(by_pair) < 0.75


def test_the_same_seed_draws_the_same_identities_for_any_scores():
    labels = np.repeat(np.arange(8), 3)
    pairs = make_pairs(labels)
    scores = np.random.default_rng(0).normal(size=len(pairs.first))
    weights = [
        bootstrap_by_identity(
            lambda s, same, w: np.sort(w[same]), sign * scores, pairs, labels
        ).resampled
        for sign in (1, -1)
    ]
    assert np.array_equal(*weights)


def test_bad_input_is_named():
    pairs = make_pairs(np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="2 identities are too few"):
        bootstrap_by_identity(accepted, np.zeros(3), pairs, np.array([0, 0, 1]))
    pairs = make_pairs(np.arange(9) % 3)
    with pytest.raises(ValueError, match="resamples = 5"):
        bootstrap_by_identity(accepted, np.zeros(36), pairs, np.arange(9) % 3, resamples=5)
    for kind in (True, False):
        alike = Pairs(*(part[pairs.same == kind] for part in pairs))
        with pytest.raises(ValueError, match="all of one kind"):
            bootstrap_by_identity(accepted, np.zeros(len(alike.same)), alike, np.arange(9) % 3)
    with pytest.raises(ValueError, match="35 scores of 36 pairs"):
        bootstrap_by_identity(accepted, np.zeros(35), pairs, np.arange(9) % 3)
    with pytest.raises(ValueError, match="level = 95"):
        percentile_interval([0.1, 0.2], level=95)

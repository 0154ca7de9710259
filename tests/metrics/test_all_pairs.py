"""Verification on all pairs equals the measures of listed pairs, and their bootstrap."""

import numpy as np
import pytest

from lossbook.data.pairs import make_pairs
from lossbook.metrics import verification
from lossbook.metrics.all_pairs import verify_all_pairs
from lossbook.metrics.bootstrap import bootstrap_by_identity
from lossbook.metrics.protocols import gallery_and_probe, identification_ranks

FARS = (1e-1, 1e-2, 1e-6)


def embeddings(seed=0):
    """150 images of 30 identities in random order, one identity with a single image."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.append(np.arange(149) % 29, 40))
    middle = random.normal(size=(41, 8))
    return middle[labels] + 0.6 * random.normal(size=(150, 8)), labels


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_rates_equal_those_of_the_listed_pairs(metric):
    x, labels = embeddings()
    result = verify_all_pairs(x, labels, metric, FARS, resamples=20)
    pairs = make_pairs(labels)
    scores = verification.similarity(x, pairs, metric)
    assert result.summary["genuine_pairs"] == pairs.same.sum()
    assert result.summary["impostor_pairs"] == (~pairs.same).sum()
    expected = [
        verification.equal_error_rate(scores, pairs.same),
        verification.tar_at_far(scores, pairs.same, 1e-1),
        verification.tar_at_far(scores, pairs.same, 1e-2),
    ]
    # A score is rounded: a pair or two may change sides of a threshold.
    assert result.estimate[:3] == pytest.approx(expected, abs=2.5 / pairs.same.sum())
    gallery, probe = gallery_and_probe(np.sort(labels))
    x, labels = x[np.argsort(labels, kind="stable")], np.sort(labels)
    ranks = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    assert result.estimate[-1] == pytest.approx(np.mean(ranks == 1))


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_resamples_are_those_of_bootstrap_by_identity(metric):
    x, labels = embeddings(1)
    result = verify_all_pairs(x, labels, metric, FARS, resamples=30)
    pairs = make_pairs(labels)
    scores = verification.similarity(x, pairs, metric)

    def rates(scores, same, weight):
        curve = verification.roc(scores, same, weight)
        return [verification.eer_from_roc(curve), *np.interp([1e-1, 1e-2], curve.far, curve.tar)]

    expected = bootstrap_by_identity(rates, scores, pairs, labels, resamples=30)
    difference = np.abs(result.resampled[:, :3] - expected.resampled)
    assert difference.max() < 0.02 and difference.mean() < 0.003
    assert np.ptp(expected.resampled, axis=0).min() > 0.03  # the draws differ by more than that


def test_a_far_below_the_pairs_is_undefined_with_its_reason():
    x, labels = embeddings()
    summary = verify_all_pairs(x, labels, fars=FARS, resamples=20).summary
    assert summary["tar@1e-06"] is None
    assert "1,000,000 impostor pairs" in summary["undefined"]["tar@1e-06"]
    estimate, low, high = summary["eer"]
    assert low <= estimate <= high and low < high


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 2, 3]])
def test_too_few_identities_or_images_are_refused(labels):
    with pytest.raises(ValueError, match="at least 3 identities"):
        verify_all_pairs(np.eye(4), np.array(labels))

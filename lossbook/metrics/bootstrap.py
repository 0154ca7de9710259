"""Bootstrap intervals by identity: what another sample of people (or characters) might have given."""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["Interval", "by_identity", "interval_of"]


class Interval(NamedTuple):
    """The measure on all identities, its interval, and its value on each resample ``(B, …)``."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    resampled: np.ndarray


def by_identity(measure, scores, pairs, labels, resamples=200, level=0.95, seed=0):
    """The percentile interval of a measure of pairs, when identities are drawn anew, with replacement.

    Pairs of one image, or of one identity, are alike; they are no independent observations. So
    identities are resampled, not pairs. One that is drawn c times counts c-fold: a genuine pair
    weighs its identity's c, an impostor pair the product of both; copies of an identity are not
    paired with each other, since they are no impostors.

    Source: Efron, "Bootstrap Methods", Annals of Statistics 1979; by subject in verification: Bolle,
    Ratha and Pankanti, "Error analysis of pattern recognition systems", CVIU 2004.

    Parameters
    ----------
    measure : callable, (scores, same, weight) → float or array
        E.g. :func:`lossbook.metrics.verification.equal_error_rate`.
    scores : (P,) floats
    pairs : lossbook.data.pairs.Pairs
    labels : (N,) integers, the identity of each image
    resamples, level, seed : how many, the interval's coverage, what is drawn
        The same seed and identities draw the same resamples, so two embeddings of the same images
        can be compared resample by resample: see :func:`interval_of`.

    Raises
    ------
    ValueError
        If there are fewer than 3 identities: drawing from them says nothing about others; if the pairs are
        all genuine or all impostors, or are not as many as the scores.
    """
    require(
        len(scores) == len(pairs.same),
        f"{len(scores)} scores of {len(pairs.same)} pairs: give one for each",
    )
    require(
        pairs.same.any() and not pairs.same.all(),
        "the pairs are all of one kind: expected genuine and impostor ones",
    )
    labels = check_labels(labels, len(labels))
    identities, place = np.unique(labels, return_inverse=True)
    require(
        len(identities) >= 3,
        f"{len(identities)} identities: resampling so few says nothing of others; give more",
    )
    resamples = check_int("resamples", resamples, 20)
    order = np.argsort(
        -np.asarray(scores), kind="stable"
    )  # sorted once: a resample only changes the weights
    scores, same = np.asarray(scores)[order], pairs.same[order]
    first, second = place[pairs.first[order]], place[pairs.second[order]]
    random, found = np.random.default_rng(seed), []
    while len(found) < resamples:
        count = random.multinomial(len(identities), np.full(len(identities), 1 / len(identities)))
        weight = np.where(same, count[first], count[first] * count[second]).astype(float)
        if (
            weight[same].any() and weight[~same].any()
        ):  # one identity drawn over and over has no impostors
            found.append(measure(scores, same, weight))
    return Interval(
        measure(scores, same, np.ones(len(scores))), *interval_of(found, level), np.array(found)
    )


def interval_of(resampled, level=0.95):
    """(low, high): the central ``level`` of resampled values ``(B, …)``.

    For the difference of two embeddings, pass the difference of their resampled values.
    """
    require(0 < level < 1, f"level = {level!r}: expected a fraction, e.g. 0.95")
    return tuple(np.quantile(np.asarray(resampled), [(1 - level) / 2, (1 + level) / 2], axis=0))

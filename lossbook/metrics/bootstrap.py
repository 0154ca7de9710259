"""Bootstrap intervals by identity: the range over other samples of people (or characters)."""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["Interval", "bootstrap_by_identity", "percentile_interval"]


class Interval(NamedTuple):
    """A measure on all identities, its interval, and its value on each resample ``(B, …)``."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    resampled: np.ndarray


def bootstrap_by_identity(measure, scores, pairs, labels, resamples=200, level=0.95, seed=0):
    """The percentile interval of a measure of pairs, from identities drawn with replacement.

    Pairs that share an image or an identity are alike; they are no independent observations. So
    identities are resampled, not pairs. With an identity drawn c times, a genuine pair has its
    identity's c as weight, and an impostor pair the product of both. Copies of an identity are not
    paired with each other, since they are no impostors.

    Source: Efron, "Bootstrap Methods", Annals of Statistics 1979; by subject in verification:
    Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems", CVIU 2004.

    Parameters
    ----------
    measure : callable, (scores, same, weight) → float or array
        For instance :func:`lossbook.metrics.verification.equal_error_rate`.
    scores : (P,) floats
    pairs : lossbook.data.pairs.Pairs
    labels : (N,) integers, the identity of each image
    resamples : int
        B, the number of resamples; at least 20.
    level : float
        The coverage of the interval, a fraction.
    seed : int
        The same seed and identities draw the same resamples, so two embeddings of the same images
        can be compared resample by resample: see :func:`percentile_interval`.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If there are fewer than 3 identities, which are no sample of others; if the pairs are all
        genuine or all impostors, or are not as many as the scores.
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
    identities, identity = np.unique(labels, return_inverse=True)
    count = len(identities)
    require(
        count >= 3,
        f"{count} identities are too few to resample: give at least 3",
    )
    resamples = check_int("resamples", resamples, 20)

    # Sorted once: a resample changes only the weights.
    order = np.argsort(-np.asarray(scores), kind="stable")
    scores, same = np.asarray(scores)[order], pairs.same[order]
    first, second = identity[pairs.first[order]], identity[pairs.second[order]]

    random, resampled = np.random.default_rng(seed), []
    while len(resampled) < resamples:
        drawn = random.multinomial(count, np.full(count, 1 / count))
        weight = np.where(same, drawn[first], drawn[first] * drawn[second]).astype(float)
        # A single identity drawn over and over leaves no impostors: it is drawn again.
        if weight[same].any() and weight[~same].any():
            resampled.append(measure(scores, same, weight))
    estimate = measure(scores, same, np.ones(len(scores)))
    low, high = percentile_interval(resampled, level)
    return Interval(estimate, low, high, np.array(resampled))


def percentile_interval(resampled, level=0.95):
    """(low, high): the central ``level`` of resampled values ``(B, …)``.

    For the difference of two embeddings, pass the difference of their resampled values.
    """
    require(0 < level < 1, f"level = {level!r}: expected a fraction, for instance 0.95")
    low, high = np.quantile(np.asarray(resampled), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high

"""Verification on every pair of many images, with intervals by identity, in bounded memory.

N images have N(N−1)/2 pairs, 200 million of 20,000. They are compared identity by identity and
only counted: a score is rounded to one of 262,144 steps between the lowest and the highest
possible.
"""

from typing import NamedTuple

import numpy as np

from lossbook.metrics.bootstrap import percentile_interval
from lossbook.metrics.protocols import check_metric, gallery_and_probe
from lossbook.metrics.verification import Roc, TooFewImpostors, eer_from_roc, tar_from_roc
from lossbook.utils.validation import check_int, check_labels, check_matrix, require, unit_rows

__all__ = ["AllPairs", "verify_all_pairs"]

STEPS = 2**18  # of a score: 0.000008 of a cosine
COARSE = 480  # steps that the resamples tell apart, evenly spaced in the logarithm of the FAR


class AllPairs(NamedTuple):
    """What :func:`verify_all_pairs` measures; R rates, B resamples of the identities.

    ``summary`` has the counts and ``[estimate, low, high]`` of each rate, by its name in ``rates``;
    a FAR that needs more impostor pairs is None, with the reason in ``"undefined"``.
    """

    summary: dict
    rates: tuple  # names: "eer", "tar@0.01", …, "rank_1"
    estimate: np.ndarray  # (R,), NaN where undefined
    resampled: np.ndarray  # (B, R)


def verify_all_pairs(x, labels, metric="cosine", fars=(1e-2, 1e-3, 1e-4, 1e-5), resamples=200):
    """Equal error rate, TAR at each of ``fars`` and rank-1 rate, on all pairs of N embeddings.

    The intervals are those of :func:`lossbook.metrics.bootstrap.bootstrap_by_identity`, from the
    same draws, so that two embeddings of the same images can be compared resample by resample.
    In a resample, rates are interpolated between thresholds whose FARs differ by a few percent. Of
    the rank-1 rate the probes are resampled, by identity, and the gallery stays.

    Parameters
    ----------
    x : (N, d) floats
    labels : (N,) integers
    metric : "cosine" or "distance"
    fars : sequence of float
    resamples : int
        B, at least 20.

    Returns
    -------
    AllPairs

    Raises
    ------
    ValueError
        If there are fewer than 3 identities, or no two images share one.
    """
    check_metric(metric)
    resamples = check_int("resamples", resamples, 20)
    x = check_matrix("x", x)
    labels = check_labels(labels, len(x))
    order = np.argsort(labels, kind="stable")
    _, identity, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    require(
        len(sizes) >= 3 and sizes.max() >= 2,
        f"{len(sizes)} identities with at most {sizes.max()} images: expected at least 3 "
        "identities, and two images of one of them",
    )
    vectors = unit_rows("x", x) if metric == "cosine" else x
    scores = _Scores(vectors[order].astype(np.float32), identity, sizes, metric)
    genuine, impostor = scores.count()
    weights = _draw_identities(len(sizes), resamples)
    right, probes = _rank_1(vectors[order], identity, metric)
    missing = {far: _refusal(far, impostor.sum()) for far in fars}
    curve = _roc(genuine, impostor)
    estimate = [
        eer_from_roc(curve),
        *(np.nan if missing[far] else tar_from_roc(curve, far) for far in fars),
        right.sum() / probes.sum(),
    ]
    resampled = _resample(scores, impostor, weights, fars)
    rank_1 = (weights @ right) / (weights @ probes)
    resampled = np.column_stack([resampled, rank_1])
    rates = ("eer", *(f"tar@{far:g}" for far in fars), "rank_1")
    low, high = percentile_interval(resampled)
    summary = {
        "identities": len(sizes),
        "images": len(x),
        "genuine_pairs": int(genuine.sum()),
        "impostor_pairs": int(impostor.sum()),
        "undefined": {f"tar@{far:g}": reason for far, reason in missing.items() if reason},
    }
    for name, *triple in zip(rates, estimate, low, high):
        undefined = name in summary["undefined"]
        summary[name] = None if undefined else [round(float(value), 6) for value in triple]
    return AllPairs(summary, rates, np.array(estimate), resampled)


class _Scores:
    """The scores of all pairs as steps from 0 to 262,143, one identity with all after it at a time.

    ``vectors`` are sorted by ``identity``, which numbers them from 0, ``sizes`` images each.
    """

    def __init__(self, vectors, identity, sizes, metric):
        self.vectors, self.identity, self.metric = vectors, identity, metric
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.squares = (vectors**2).sum(axis=1)
        self.lowest = -1.0 if metric == "cosine" else -2 * float(np.sqrt(self.squares.max()))
        self.highest = 1.0 if metric == "cosine" else 0.0

    def blocks(self):
        """(i, genuine steps (G,), impostor steps (n, M)): of identity i, the M later images."""
        for i, (start, end) in enumerate(zip(self.starts, self.starts[1:])):
            products = self.vectors[start:end] @ self.vectors[start:].T
            if self.metric == "distance":
                squares = self.squares[start:end, None] + self.squares[start:] - 2 * products
                products = -np.sqrt(np.maximum(squares, 0))
            position = (products - self.lowest) * (STEPS / (self.highest - self.lowest))
            steps = np.clip(position, 0, STEPS - 1).astype(np.int32)
            size = end - start
            yield i, steps[:, :size][np.triu_indices(size, k=1)], steps[:, size:]

    def count(self):
        """(262,144,) counts of the genuine and of the impostor pairs at each step."""
        genuine, impostor = np.zeros((2, STEPS))
        for _, same, other in self.blocks():
            genuine += np.bincount(same, minlength=STEPS)
            impostor += np.bincount(other.ravel(), minlength=STEPS)
        return genuine, impostor


def _draw_identities(count, resamples):
    """(B, count) float32: how often each identity is drawn, as ``bootstrap_by_identity`` draws."""
    random = np.random.default_rng(0)
    draws = [random.multinomial(count, np.full(count, 1 / count)) for _ in range(resamples)]
    return np.array(draws, dtype=np.float32)


def _resample(scores, impostor, weights, fars):
    """(B, 1 + F) rates: the equal error rate and TAR at each of ``fars`` on every resample."""
    coarse = _coarse_steps(impostor)
    count, levels = weights.shape[1], int(coarse[-1]) + 1
    genuine_sums = np.zeros((len(weights), levels))
    impostor_sums = np.zeros((len(weights), levels))
    for i, same, other in scores.blocks():
        counts = np.bincount(coarse[same], minlength=levels)
        genuine_sums += weights[:, i, None] * counts
        later = scores.identity[scores.starts[i + 1] :] - i - 1
        cells = later * levels + coarse[other]
        size = (count - i - 1) * levels
        counts = np.bincount(cells.ravel(), minlength=size).astype(np.float32)
        by_identity = counts.reshape(-1, levels)
        impostor_sums += weights[:, i, None] * (weights[:, i + 1 :] @ by_identity)
    rates = []
    for genuine, impostors in zip(genuine_sums, impostor_sums):
        curve = _roc(genuine, impostors)
        rates.append([eer_from_roc(curve), *np.interp(fars, curve.far, curve.tar)])
    return np.array(rates)


def _coarse_steps(impostor):
    """(262,144,) the coarse step of each fine one: evenly spaced in log FAR, the highest FAR first.

    Above the highest impostor score all steps are one.
    """
    far = np.cumsum(impostor[::-1])[::-1] / impostor.sum()
    lowest = 1 / impostor.sum()
    position = np.log(np.maximum(far, lowest)) / np.log(lowest)  # from 0 at FAR 1 to 1
    return np.unique((position * (COARSE - 1)).astype(np.int64), return_inverse=True)[1]


def _roc(genuine, impostor):
    """The ROC of counts at rising scores, with a point at each step."""
    far = np.concatenate([[0], np.cumsum(impostor[::-1], dtype=float)]) / impostor.sum()
    tar = np.concatenate([[0], np.cumsum(genuine[::-1], dtype=float)]) / genuine.sum()
    return Roc(far, tar, np.arange(len(far))[::-1])


def _refusal(far, impostor_pairs):
    """Why TAR at ``far`` is not measured, or None; as in ``metrics.verification.tar_at_far``."""
    if impostor_pairs * far >= 1 - 1e-9:
        return None
    return str(
        TooFewImpostors(
            f"a FAR of {far:g} needs at least {np.ceil(1 / far):,.0f} impostor pairs, and there "
            f"are {impostor_pairs:,.0f}"
        )
    )


def _rank_1(vectors, identity, metric):
    """(right, probes): of each identity, how many probes are nearest to its gallery image."""
    gallery, probe = gallery_and_probe(identity)
    scores = vectors[probe] @ vectors[gallery].T
    if metric == "distance":
        scores = 2 * scores - (vectors[gallery] ** 2).sum(axis=1)
    right = identity[gallery][scores.argmax(axis=1)] == identity[probe]
    count = identity.max() + 1
    return (
        np.bincount(identity[probe], right, minlength=count),
        np.bincount(identity[probe], minlength=count),
    )

"""Two protocols that turn similarities into one number: accuracy over folds, and identification.

In identification, each *probe* image is compared with a *gallery* of known identities.
"""

import math
from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_labels, check_matrix, require, unit_rows

__all__ = [
    "FoldAccuracy",
    "ten_fold",
    "best_threshold",
    "gallery_and_probe",
    "identification_ranks",
    "scores_by_identity",
    "check_scores",
    "check_metric",
]


BLOCK = 2**23  # similarities held at a time


class FoldAccuracy(NamedTuple):
    """Accuracy over K folds.

    ``accuracy`` and ``threshold``, both (K,), are each fold's accuracy, a fraction, and the
    threshold applied to it; ``mean`` and ``standard_error`` are those of the accuracies. The
    standard error is their standard deviation σ divided by √K. Papers often print ± σ, which for
    ten folds is √10 = 3.2 times as much.
    """

    accuracy: np.ndarray
    threshold: np.ndarray
    mean: float
    standard_error: float


def ten_fold(scores, same, folds):
    """The protocol of LFW: each fold is judged by the threshold that is best on the other folds.

    Parameters
    ----------
    scores : (P,) floats, higher is more similar
    same : (P,) bool, whether a pair is genuine
    folds : (P,) integers, the fold of each pair (ten in LFW, any number of at least 2 here)

    Returns
    -------
    FoldAccuracy, its standard error the standard deviation over folds divided by √K.

    Source: Huang et al., "Labeled Faces in the Wild", 2007, section "View 2".
    """
    scores, same = check_scores(scores, same)
    folds = check_labels(folds, len(scores))
    fold_numbers = np.unique(folds)
    require(
        len(fold_numbers) >= 2,
        f"all {len(folds)} pairs are in fold {fold_numbers[0]}: a threshold is chosen on other "
        "folds, so there must be at least 2",
    )
    accuracies, thresholds = [], []
    for k in fold_numbers:
        in_fold = folds == k
        threshold = best_threshold(scores[~in_fold], same[~in_fold])
        accuracies.append(np.mean((scores[in_fold] >= threshold) == same[in_fold]))
        thresholds.append(threshold)
    accuracy = np.array(accuracies)
    return FoldAccuracy(
        accuracy,
        np.array(thresholds),
        float(accuracy.mean()),
        float(accuracy.std(ddof=1) / math.sqrt(len(fold_numbers))),
    )


def best_threshold(scores, same):
    """The threshold that classifies the most pairs correctly; of several, the highest.

    A pair is accepted as genuine if its score is at or above the threshold. The threshold lies
    half-way between two scores, or is the higher of the two if the scores' precision has no number
    between them; it is ∞ if it is best to accept none, and −∞ if all.
    """
    precision = np.result_type(np.asarray(scores), np.float16)  # of the scores as they were given
    scores, same = check_scores(scores, same)
    values, index = np.unique(scores, return_inverse=True)
    # By how many the correct pairs change as the threshold falls below each value, from the top.
    gains = np.bincount(index, np.where(same, 1, -1))[::-1]
    correct = np.concatenate([[0], np.cumsum(gains)])
    middle = values[1:] / 2 + values[:-1] / 2  # a sum of two could overflow
    rounded = middle.astype(precision)  # may round down to the lower score, which would accept it
    between = np.where((rounded > values[:-1]) & (rounded <= values[1:]), middle, values[1:])
    thresholds = np.concatenate([[np.inf], between[::-1], [-np.inf]])
    return float(thresholds[int(np.argmax(correct))])


def gallery_and_probe(labels, seed=0):
    """(gallery, probe): row numbers of one image per identity, drawn by ``seed``, and of the rest.

    Identities with a single image are left out: they have no probe. Raises ``ValueError`` if fewer
    than two identities are left.
    """
    labels = check_labels(labels, len(labels))
    random = np.random.default_rng(seed)
    starts = np.unique(np.sort(labels), return_index=True)[1]
    groups = np.split(np.argsort(labels, kind="stable"), starts[1:])
    rows_of = [random.permutation(rows) for rows in groups]
    rows_of = [rows for rows in rows_of if len(rows) > 1]
    require(
        len(rows_of) >= 2,
        f"{len(rows_of)} identities have two images or more: identification needs 2 of them, "
        "one image for the gallery and one to be looked up",
    )
    gallery = np.array([rows[0] for rows in rows_of])
    probe = np.sort(np.concatenate([rows[1:] for rows in rows_of]))
    return gallery, probe


def identification_ranks(gallery, gallery_labels, probe, probe_labels, metric="cosine"):
    """The rank of each probe's identity among those of the gallery, ``(M,)`` integers from 1.

    An identity is as similar to a probe as its most similar gallery image, by ``metric``:
    ``"cosine"``, or Euclidean ``"distance"``. A tie counts against the probe. The rank-k
    identification rate is ``(identification_ranks(…) <= k).mean()``.

    ``gallery`` is ``(G, d)``, ``probe`` ``(M, d)``. Raises ``ValueError`` if a probe's identity is
    not in the gallery.
    """
    identities = np.unique(check_labels(gallery_labels, len(gallery)))
    probe_labels = check_labels(probe_labels, len(probe))
    missing = np.setdiff1d(probe_labels, identities)
    require(
        len(missing) == 0,
        f"identity {missing[:1]} has probes and no image in the gallery: give it one",
    )
    column = np.searchsorted(identities, probe_labels)
    ranks = np.empty(len(probe), dtype=np.int64)
    for rows, scores in scores_by_identity(gallery, gallery_labels, probe, metric):
        target = np.take_along_axis(scores, column[rows, None], axis=1)
        ranks[rows] = (scores >= target).sum(axis=1)
    return ranks


def scores_by_identity(gallery, gallery_labels, probe, metric="cosine"):
    """The highest similarity of each probe to each identity of the gallery, in blocks of probes.

    Yields ``(rows, scores)``: a slice of b probes, and ``(b, I)`` floats, the I identities in the
    order of their labels. A block holds at most 8 million similarities, whatever the number of
    probes.

    ``gallery`` is ``(G, d)``, ``gallery_labels`` ``(G,)``, ``probe`` ``(M, d)``, ``metric`` as in
    :func:`identification_ranks`.
    """
    check_metric(metric)
    gallery, probe = check_matrix("gallery", gallery), check_matrix("probe", probe)
    require(
        gallery.shape[1] == probe.shape[1],
        f"gallery {gallery.shape} and probe {probe.shape} differ in their "
        "second dimension: embed both with one network",
    )
    gallery_labels = check_labels(gallery_labels, len(gallery))
    order = np.argsort(gallery_labels, kind="stable")
    starts = np.unique(gallery_labels[order], return_index=True)[1]
    if metric == "cosine":
        gallery, probe = unit_rows("gallery", gallery), unit_rows("probe", probe)
    step = max(1, BLOCK // len(gallery))
    for start in range(0, len(probe), step):
        rows = slice(start, min(start + step, len(probe)))
        if metric == "cosine":
            scores = probe[rows] @ gallery.T
        else:
            scores = np.empty((rows.stop - start, len(gallery)))
            for i, image in enumerate(gallery):
                scores[:, i] = -np.linalg.norm(probe[rows] - image, axis=1)
        yield rows, np.maximum.reduceat(scores[:, order], starts, axis=1)


def check_metric(metric):
    """Raise ``ValueError`` unless ``metric`` is "cosine" or "distance"."""
    require(
        metric in ("cosine", "distance"),
        f"metric = {metric!r}: expected 'cosine' or 'distance'",
    )


def check_scores(scores, same):
    """Scores ``(P,)`` as float64 and ``same`` ``(P,)`` as bool, with both kinds of pair among them.

    Raises ``ValueError`` for shapes that differ, values that are not finite and a kind of pair
    that is missing; ``TypeError`` if ``same`` is not bool.
    """
    scores, same = np.asarray(scores, dtype=np.float64), np.asarray(same)
    if same.dtype != bool:
        raise TypeError(
            f"same is {same.dtype}: expected bool, True for a genuine pair; "
            "same.astype(bool) turns 1 and 0 into it"
        )
    require(
        scores.ndim == 1 and scores.shape == same.shape,
        f"scores {scores.shape} and same {same.shape}: expected one of each per pair, (P,)",
    )
    require(
        np.isfinite(scores).all(),
        f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite",
    )
    for kind, count in (("genuine", same.sum()), ("impostor", (~same).sum())):
        require(
            count > 0, f"none of the {len(same)} pairs is {kind}: the measure compares both kinds"
        )
    return scores, same

"""Two protocols that turn similarities into one number: accuracy over folds, and identification in a gallery."""

import math
from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_labels, check_matrix, require, unit_rows

__all__ = ["FoldAccuracy", "ten_fold", "best_threshold", "gallery_and_probe", "ranks"]


class FoldAccuracy(NamedTuple):
    """Accuracy of each fold ``(K,)`` (a fraction), the threshold it was judged by ``(K,)``, mean and standard error."""

    accuracy: np.ndarray
    threshold: np.ndarray
    mean: float
    standard_error: float


def ten_fold(scores, same, folds):
    """The protocol of LFW: each fold judged by the threshold that is best on all the other folds.

    Parameters
    ----------
    scores : (P,) floats, higher is more alike
    same : (P,) bool, whether a pair is genuine
    folds : (P,) integers, the fold of each pair (ten in LFW, any number of at least 2 here)

    Returns
    -------
    FoldAccuracy, its standard error the standard deviation over folds divided by √K.

    Source: Huang et al., "Labeled Faces in the Wild", 2007, section "View 2".
    """
    scores, same = checked(scores, same)
    folds = check_labels(folds, len(scores))
    numbers = np.unique(folds)
    require(
        len(numbers) >= 2,
        f"all {len(folds)} pairs are in fold {numbers[0]}: a threshold is chosen on other "
        "folds, so there must be at least 2",
    )
    thresholds = np.array([best_threshold(scores[folds != k], same[folds != k]) for k in numbers])
    accuracy = np.array(
        [
            np.mean((scores[folds == k] >= t) == same[folds == k])
            for k, t in zip(numbers, thresholds)
        ]
    )
    return FoldAccuracy(
        accuracy,
        thresholds,
        float(accuracy.mean()),
        float(accuracy.std(ddof=1) / math.sqrt(len(numbers))),
    )


def best_threshold(scores, same):
    """The threshold with the most pairs right (genuine at or above it, impostor below); of several, the highest.

    It lies half-way between two scores; ∞ if it is best to accept none, −∞ if all.
    """
    scores, same = checked(scores, same)
    values, place = np.unique(scores, return_inverse=True)
    gain = np.bincount(place, np.where(same, 1, -1))[
        ::-1
    ]  # of accepting one value more, from the top
    right = np.concatenate([[0], np.cumsum(gain)])
    edges = np.concatenate([[np.inf], (values[1:] + values[:-1])[::-1] / 2, [-np.inf]])
    return float(edges[int(np.argmax(right))])


def gallery_and_probe(labels, seed=0):
    """Rows of the gallery (one image an identity) and of the probes (the rest), drawn by ``seed``.

    Identities with a single image are left out: they have no probe. Raises ``ValueError`` if fewer
    than two identities are left.
    """
    labels = check_labels(labels, len(labels))
    random = np.random.default_rng(seed)
    members = [random.permutation(np.flatnonzero(labels == j)) for j in np.unique(labels)]
    members = [rows for rows in members if len(rows) > 1]
    require(
        len(members) >= 2,
        f"{len(members)} identities have two images or more: identification needs 2 of them, "
        "one image for the gallery and one to be looked up",
    )
    return np.array([rows[0] for rows in members]), np.sort(
        np.concatenate([rows[1:] for rows in members])
    )


def ranks(gallery, gallery_labels, probe, probe_labels, kind="cosine"):
    """At which place each probe's identity comes in the gallery, ``(M,)`` integers from 1.

    An identity counts by its most similar gallery image, by ``"cosine"`` or by Euclidean ``"distance"`` as ``kind``
    says. A tie counts against the probe. The share found at rank k is ``(ranks(…) <= k).mean()``. Raises
    ``ValueError`` if a probe's identity is not in the gallery.
    """
    require(kind in ("cosine", "distance"), f"kind = {kind!r}: expected 'cosine' or 'distance'")
    gallery, probe = check_matrix("gallery", gallery), check_matrix("probe", probe)
    require(
        gallery.shape[1] == probe.shape[1],
        f"gallery {gallery.shape} and probe {probe.shape} differ in their "
        "second dimension: embed both with one network",
    )
    gallery_labels, probe_labels = (
        check_labels(gallery_labels, len(gallery)),
        check_labels(probe_labels, len(probe)),
    )
    identities = np.unique(gallery_labels)
    missing = np.setdiff1d(probe_labels, identities)
    require(
        len(missing) == 0,
        f"identity {missing[:1]} has probes and no image in the gallery: give it one",
    )
    if kind == "cosine":
        alike = unit_rows("probe", probe) @ unit_rows("gallery", gallery).T
    else:
        alike = np.stack([-np.linalg.norm(probe - one, axis=1) for one in gallery], axis=1)
    best = np.stack([alike[:, gallery_labels == j].max(axis=1) for j in identities], axis=1)
    own = best[np.arange(len(probe)), np.searchsorted(identities, probe_labels)]
    return (best >= own[:, None]).sum(axis=1)


def checked(scores, same):
    """Scores ``(P,)`` as float64 and ``same`` ``(P,)`` as bool, with both kinds of pair among them.

    Raises ``ValueError`` for shapes that differ, values that are not finite and a kind that is missing;
    ``TypeError`` if ``same`` is not bool.
    """
    scores, same = np.asarray(scores, dtype=np.float64), np.asarray(same)
    if same.dtype != bool:
        raise TypeError(f"same is {same.dtype}: expected bool, True for a genuine pair")
    require(
        scores.ndim == 1 and scores.shape == same.shape,
        f"scores {scores.shape} and same {same.shape}: expected one of each a pair, (P,)",
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

r"""Verification: are these two images of one identity? Measured on identities that no training saw.

A pair of images is *genuine* if both are of one identity, *impostor* if not. Its score is the cosine
of the two embeddings; it is accepted where the score reaches a threshold. Of the impostor pairs a
share FAR is accepted (false accept rate), of the genuine ones a share TAR (true accept rate; FRR =
1 − TAR is the false reject rate). Scores are ``(P,)`` floats, ``same`` is ``(P,)`` bool, True for a
genuine pair; ``weight`` ``(P,)``, optional, counts a pair more than once. Rates are fractions.

Raises, in every function of scores: ``ValueError`` for shapes that do not fit, scores that are not
finite and a kind of pair that is missing; ``TypeError`` if ``same`` is not bool.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import det_curve, roc_curve

from lossbook.data.pairs import fold_pairs, make_pairs
from lossbook.metrics.bootstrap import by_identity
from lossbook.metrics.protocols import checked, gallery_and_probe, ranks, ten_fold
from lossbook.utils.validation import check_labels, check_matrix, require, unit_rows

__all__ = [
    "similarity",
    "Roc",
    "roc",
    "Det",
    "det",
    "equal_error_rate",
    "tar_at_far",
    "TooFewImpostors",
    "FARS",
    "eer_of",
    "tar_of",
    "report",
    "format_report",
]


def similarity(x, pairs, kind="cosine"):
    """How alike each pair's embeddings are, ``(P,)``, higher is more alike; ``x`` is ``(N, d)``.

    ``kind`` is ``"cosine"``, in [−1, 1], for which no row of ``x`` may be zero, or ``"distance"``, the
    Euclidean one with a minus sign, for losses that compare distances.
    """
    require(kind in ("cosine", "distance"), f"kind = {kind!r}: expected 'cosine' or 'distance'")
    x = check_matrix("x", x)
    largest = max(pairs.first.max(), pairs.second.max())
    require(
        largest < len(x),
        f"x has {len(x)} rows, and a pair names row {largest}: "
        "make the pairs from the labels of these embeddings",
    )
    rows = unit_rows("x", x) if kind == "cosine" else x

    def alike(one, other):
        if kind == "cosine":
            return np.clip(np.einsum("pd,pd->p", rows[one], rows[other]), -1, 1)
        return -np.linalg.norm(rows[one] - rows[other], axis=1)

    step = 100_000  # a chunk at a time: all of them may not fit in memory
    return np.concatenate(
        [
            alike(pairs.first[i : i + step], pairs.second[i : i + step])
            for i in range(0, len(pairs.first), step)
        ]
    )


FARS = (1e-1, 1e-2, 1e-3, 1e-4)


class TooFewImpostors(ValueError):
    """So low a false accept rate cannot be measured on so few impostor pairs."""


class Roc(NamedTuple):
    """FAR and TAR ``(T,)``, both rising, as the threshold ``(T,)`` falls from ∞."""

    far: np.ndarray
    tar: np.ndarray
    threshold: np.ndarray


class Det(NamedTuple):
    """FAR, falling, and FRR, rising, ``(T,)``, as the threshold ``(T,)`` rises."""

    far: np.ndarray
    frr: np.ndarray
    threshold: np.ndarray


def roc(scores, same, weight=None):
    """The receiver operating characteristic: a :class:`Roc` with one point a distinct score (scikit-learn's)."""
    scores, same = checked(scores, same)
    return Roc(*roc_curve(same, scores, sample_weight=weight, drop_intermediate=False))


def det(scores, same, weight=None):
    """The detection error trade-off: a :class:`Det` (scikit-learn's).

    Source: Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
    """
    scores, same = checked(scores, same)
    return Det(*det_curve(same, scores, sample_weight=weight))


def equal_error_rate(scores, same, weight=None):
    """The rate at which FAR and FRR meet, linear between two thresholds of the ROC; lower is better."""
    return eer_of(roc(scores, same, weight))


def eer_of(curve):
    """The equal error rate of a :class:`Roc`."""
    far, tar, _ = curve
    excess = far - (1 - tar)  # rises from −1 to 1
    after = int(np.argmax(excess >= 0))
    share = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def tar_at_far(scores, same, far, weight=None):
    """The greatest TAR of a threshold whose FAR is at most ``far``; never interpolated.

    Raises :class:`TooFewImpostors` with fewer than 1/``far`` impostor pairs: a single false accept
    is then more than ``far``, and the answer would say nothing of it.
    """
    scores, same = checked(scores, same)
    require(0 < far < 1, f"far = {far!r}: expected a fraction above 0 and below 1, e.g. 1e-3")
    impostors = int((~same).sum())
    require(
        impostors * far >= 1 - 1e-9,
        f"a FAR of {far:g} needs at least {np.ceil(1 / far):,.0f} impostor pairs, and "
        f"there are {impostors:,}: give more, or ask for a higher FAR",
        TooFewImpostors,
    )
    return tar_of(roc(scores, same, weight), far)


def tar_of(curve, far):
    """The greatest TAR of a :class:`Roc` at a FAR of at most ``far``."""
    return float(curve.tar[np.searchsorted(curve.far, far * (1 + 1e-9), side="right") - 1])


def report(
    x,
    labels,
    protocol=None,
    *,
    kind="cosine",
    fars=FARS,
    most=100_000,
    resamples=200,
    level=0.95,
    seed=0,
):
    """Everything this module measures of one embedding, as a dict that JSON can hold.

    Intervals are by identity, see :func:`by_identity`. What cannot be measured is None, with its reason in
    ``undefined``.

    Parameters
    ----------
    x : (N, d) floats
    labels : (N,) integers, the identity of each row
    protocol : (Pairs, fold), optional
        The pairs and folds to judge by, e.g. LFW's. Default: all pairs (at most ``most`` of each
        kind), and ten folds from :func:`fold_pairs`.
    kind : "cosine" or "distance"
        How alike two embeddings are, see :func:`similarity`.
    """
    x = check_matrix("x", x)
    labels = check_labels(labels, len(x))
    chosen = make_pairs(labels, most, seed) if protocol is None else protocol[0]
    scores = similarity(x, chosen, kind)
    found = {
        "similarity": kind,
        "images": len(labels),
        "identities": len(np.unique(labels)),
        "genuine_pairs": int(chosen.same.sum()),
        "impostor_pairs": int((~chosen.same).sum()),
        "undefined": {},
        "level": level,
    }

    def attempt(name, measured):
        try:
            found[name] = measured()
        except ValueError as reason:
            found[name], found["undefined"][name] = None, str(reason)

    attempt("eer", lambda: equal_error_rate(scores, chosen.same))
    for far in fars:
        attempt(f"tar@{far:g}", lambda: tar_at_far(scores, chosen.same, far))
    possible = {f"tar@{far:g}": far for far in fars if found[f"tar@{far:g}"] is not None}

    def measures(scores, same, weight):
        curve = roc(scores, same, weight)
        return np.array([eer_of(curve), *(tar_of(curve, far) for far in possible.values())])

    def intervals():
        drawn = by_identity(measures, scores, chosen, labels, resamples, level, seed)
        return {
            name: [float(low), float(high)]
            for name, low, high in zip(["eer", *possible], drawn.low, drawn.high)
        }

    attempt("intervals", intervals)
    attempt("ten_fold", lambda: _folds(x, *(protocol or fold_pairs(labels, seed=seed)), kind))
    attempt("rank", lambda: _found_at(x, labels, kind, seed))
    return found


def _folds(x, chosen, fold, kind):
    found = ten_fold(similarity(x, chosen, kind), chosen.same, fold)
    return {"accuracy": found.mean, "standard_error": found.standard_error, "pairs": len(fold)}


def _found_at(x, labels, kind, seed, ks=(1, 5)):
    gallery, probe = gallery_and_probe(labels, seed)
    place = ranks(x[gallery], labels[gallery], x[probe], labels[probe], kind)
    return {str(k): float(np.mean(place <= k)) for k in ks if k < len(gallery)}


def format_report(found):
    """The table that ``verify`` prints of a :func:`lossbook.metrics.verification.report`."""
    lines = [
        f"{found['images']:,} images of {found['identities']:,} identities: {found['genuine_pairs']:,} genuine "
        f"and {found['impostor_pairs']:,} impostor pairs, scored by {found['similarity']}; "
        f"intervals ({found['level']:.0%}) are by identity"
    ]

    def line(name, key, value):
        if value is None:
            said = f"not measured: {found['undefined'][key]}"
        else:
            interval = (found["intervals"] or {}).get(key)
            said = f"{value:8.2%}" + (
                f"   {interval[0]:.2%} to {interval[1]:.2%}" if interval else ""
            )
        lines.append(f"  {name:30}{said}")

    line("equal error rate", "eer", found["eer"])
    for key in found:
        if key.startswith("tar@"):
            line(f"TAR at a FAR of {float(key[4:]):.2%}", key, found[key])
    folds = found["ten_fold"]
    line("accuracy in 10 folds", "ten_fold", folds and folds["accuracy"])
    if folds:
        lines[-1] += f"   ± {folds['standard_error']:.2%} (standard error)"
    for k, share in (found["rank"] or {"": None}).items():
        line(f"found at rank {k}".rstrip(), "rank", share)
    if found["intervals"] is None:
        lines.append(f"  no intervals: {found['undefined']['intervals']}")
    return "\n".join(lines)

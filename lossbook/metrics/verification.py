"""Verification: are two images of one identity? Measured on identities outside of the training.

A pair of images is *genuine* if both are of one identity, *impostor* if not. Its score is the
similarity of the two embeddings; it is accepted where the score reaches a threshold. FAR (false
accept rate) is the share of the impostor pairs that are accepted, TAR (true accept rate) that of
the genuine pairs; FRR = 1 − TAR is the false reject rate. Rates are fractions.

In every function of scores, ``scores`` are ``(P,)`` floats, ``same`` is ``(P,)`` bool, True for a
genuine pair, and ``weight`` ``(P,)``, optional, counts a pair more than once. They raise
``ValueError`` for shapes that do not fit, scores that are not finite and a kind of pair that is
missing, and ``TypeError`` if ``same`` is not bool.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import det_curve, roc_curve

from lossbook.data.pairs import fold_pairs, make_pairs
from lossbook.metrics.bootstrap import bootstrap_by_identity
from lossbook.metrics.protocols import (
    check_metric,
    check_scores,
    gallery_and_probe,
    identification_ranks,
    ten_fold,
)
from lossbook.utils.validation import check_labels, check_matrix, require, unit_rows

__all__ = [
    "similarity",
    "Roc",
    "roc",
    "Det",
    "det",
    "equal_error_rate",
    "eer_from_roc",
    "tar_at_far",
    "tar_from_roc",
    "TooFewImpostors",
    "FARS",
    "report",
    "format_report",
]

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
RANKS = (1, 5)
CHUNK = 100_000  # pairs compared at a time: the vectors of all pairs may not fit in memory


def similarity(x, pairs, metric="cosine"):
    """The similarity of each pair's embeddings, ``(P,)``; higher is more similar.

    ``x`` is ``(N, d)``. ``metric`` is ``"cosine"``, in [−1, 1], for which no row of ``x`` may be
    zero, or ``"distance"``, the negative Euclidean distance, for losses that compare distances.
    """
    check_metric(metric)
    x = check_matrix("x", x)
    last_row = max(pairs.first.max(), pairs.second.max())
    require(
        last_row < len(x),
        f"x has {len(x)} rows, and a pair names row {last_row}: "
        "make the pairs from the labels of these embeddings",
    )
    vectors = unit_rows("x", x) if metric == "cosine" else x
    scores = np.empty(len(pairs.first))
    for start in range(0, len(scores), CHUNK):
        chunk = slice(start, start + CHUNK)
        first, second = vectors[pairs.first[chunk]], vectors[pairs.second[chunk]]
        if metric == "cosine":
            scores[chunk] = np.clip(np.einsum("pd,pd->p", first, second), -1, 1)
        else:
            scores[chunk] = -np.linalg.norm(first - second, axis=1)
    return scores


class TooFewImpostors(ValueError):
    """There are too few impostor pairs to measure so low a false accept rate."""


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
    """The receiver operating characteristic, a :class:`Roc` with one point per distinct score.

    Computed by ``sklearn.metrics.roc_curve``.
    """
    scores, same = check_scores(scores, same)
    return Roc(*roc_curve(same, scores, sample_weight=weight, drop_intermediate=False))


def det(scores, same, weight=None):
    """The detection error trade-off, a :class:`Det`, by ``sklearn.metrics.det_curve``.

    Source: Martin et al., "The DET curve in assessment of detection task performance",
    Eurospeech 1997.
    """
    scores, same = check_scores(scores, same)
    return Det(*det_curve(same, scores, sample_weight=weight))


def equal_error_rate(scores, same, weight=None):
    """The rate at which FAR and FRR are equal; lower is better.

    It is linearly interpolated between two thresholds of the ROC.
    """
    return eer_from_roc(roc(scores, same, weight))


def eer_from_roc(curve):
    """The equal error rate of a :class:`Roc`."""
    far, tar, _ = curve
    excess = far - (1 - tar)  # rises from −1 to 1
    after = int(np.argmax(excess >= 0))
    fraction = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(far[after - 1] + fraction * (far[after] - far[after - 1]))


def tar_at_far(scores, same, far, weight=None):
    """The greatest TAR of a threshold whose FAR is at most ``far``; never interpolated.

    Raises :class:`TooFewImpostors` with fewer than 1/``far`` impostor pairs: a single false accept
    is then a greater rate than ``far``.
    """
    scores, same = check_scores(scores, same)
    require(0 < far < 1, f"far = {far!r}: expected a fraction above 0 and below 1, e.g. 1e-3")
    impostors = int((~same).sum())
    require(
        impostors * far >= 1 - 1e-9,
        f"a FAR of {far:g} needs at least {np.ceil(1 / far):,.0f} impostor pairs, and "
        f"there are {impostors:,}: give more, or choose a higher FAR",
        TooFewImpostors,
    )
    return tar_from_roc(roc(scores, same, weight), far)


def tar_from_roc(curve, far):
    """The greatest TAR of a :class:`Roc` at a FAR of at most ``far``."""
    return float(curve.tar[np.searchsorted(curve.far, far * (1 + 1e-9), side="right") - 1])


def report(
    x,
    labels,
    protocol=None,
    *,
    metric="cosine",
    fars=FARS,
    max_per_kind=100_000,
    resamples=200,
    level=0.95,
    seed=0,
):
    """All measures of verification and identification of one embedding, a dict for JSON.

    A measure that these images do not allow is None, with the reason in ``undefined``.

    Parameters
    ----------
    x : (N, d) floats
    labels : (N,) integers, the identity of each row
    protocol : (Pairs, folds), optional
        The pairs to judge, and the fold of each, for instance those of LFW. Default: all pairs (at
        most ``max_per_kind`` genuine and as many impostor ones), and ten folds from
        :func:`lossbook.data.pairs.fold_pairs`.
    metric : "cosine" or "distance"
        The similarity of two embeddings, see :func:`similarity`.
    fars : sequence of float
        The false accept rates at which TAR is measured.
    max_per_kind, resamples, level, seed
        As in :func:`lossbook.data.pairs.make_pairs` and
        :func:`lossbook.metrics.bootstrap.bootstrap_by_identity`.
    """
    x = check_matrix("x", x)
    labels = check_labels(labels, len(x))
    pairs = make_pairs(labels, max_per_kind, seed) if protocol is None else protocol[0]
    scores = similarity(x, pairs, metric)
    measures = {
        "similarity": metric,
        "images": len(labels),
        "identities": len(np.unique(labels)),
        "genuine_pairs": int(pairs.same.sum()),
        "impostor_pairs": int((~pairs.same).sum()),
        "undefined": {},
        "level": level,
    }

    def add(name, measure, *arguments):
        try:
            measures[name] = measure(*arguments)
        except ValueError as error:
            measures[name] = None
            measures["undefined"][name] = str(error)

    add("eer", equal_error_rate, scores, pairs.same)
    for far in fars:
        add(f"tar@{far:g}", tar_at_far, scores, pairs.same, far)
    fars = [far for far in fars if measures[f"tar@{far:g}"] is not None]
    add("intervals", _intervals, scores, pairs, labels, fars, resamples, level, seed)
    add("ten_fold", _accuracy_in_folds, x, labels, protocol, metric, seed)
    add("rank", _identification_rates, x, labels, metric, seed)
    return measures


def _intervals(scores, pairs, labels, fars, resamples, level, seed):
    """{measure: [low, high]} of the equal error rate and of TAR at each of ``fars``."""

    def measure(scores, same, weight):
        curve = roc(scores, same, weight)
        return np.array([eer_from_roc(curve), *(tar_from_roc(curve, far) for far in fars)])

    interval = bootstrap_by_identity(measure, scores, pairs, labels, resamples, level, seed)
    names = ["eer", *(f"tar@{far:g}" for far in fars)]
    return {
        name: [float(low), float(high)]
        for name, low, high in zip(names, interval.low, interval.high)
    }


def _accuracy_in_folds(x, labels, protocol, metric, seed):
    pairs, folds = protocol or fold_pairs(labels, seed=seed)
    result = ten_fold(similarity(x, pairs, metric), pairs.same, folds)
    return {
        "accuracy": result.mean,
        "standard_error": result.standard_error,
        "pairs": len(folds),
    }


def _identification_rates(x, labels, metric, seed):
    """{rank: share of the probes found at that rank or a better one}."""
    gallery, probe = gallery_and_probe(labels, seed)
    rank = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    return {str(k): float(np.mean(rank <= k)) for k in RANKS if k < len(gallery)}


def format_report(report):
    """The text table of a :func:`report`, as the command ``verify`` prints it."""
    heading = (
        f"{report['images']:,} images of {report['identities']:,} identities: "
        f"{report['genuine_pairs']:,} genuine and {report['impostor_pairs']:,} impostor pairs, "
        f"scored by {report['similarity']}; intervals ({report['level']:.0%}) are by identity"
    )
    rows = [("equal error rate", _format_rate(report, "eer"))]
    for key in report:
        if key.startswith("tar@"):
            far = float(key.removeprefix("tar@"))
            rows.append((f"TAR at a FAR of {far:.2%}", _format_rate(report, key)))
    rows.append(("accuracy in 10 folds", _format_folds(report)))
    if report["rank"]:
        for k, rate in report["rank"].items():
            rows.append((f"found at rank {k}", f"{rate:8.2%}"))
    else:
        rows.append(("found at rank", _format_missing(report, "rank")))
    lines = [heading, *(f"  {name:30}{text}" for name, text in rows)]
    if report["intervals"] is None:
        lines.append(f"  no intervals: {report['undefined']['intervals']}")
    return "\n".join(lines)


def _format_rate(report, key):
    if report[key] is None:
        return _format_missing(report, key)
    text = f"{report[key]:8.2%}"
    if report["intervals"] and key in report["intervals"]:
        low, high = report["intervals"][key]
        text += f"   {low:.2%} to {high:.2%}"
    return text


def _format_folds(report):
    folds = report["ten_fold"]
    if folds is None:
        return _format_missing(report, "ten_fold")
    return f"{folds['accuracy']:8.2%}   ± {folds['standard_error']:.2%} (standard error)"


def _format_missing(report, key):
    return f"not measured: {report['undefined'][key]}"

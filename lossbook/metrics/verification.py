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

from lossbook.data.pairs import Pairs, check_pairs, fold_pairs, make_pairs
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
    "threshold_at_eer",
    "threshold_at_far",
    "Rates",
    "rates_at",
    "TooFewImpostors",
    "FARS",
    "MAX_PER_KIND",
    "report",
    "format_report",
]

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
MAX_PER_KIND = 100_000  # pairs that a report samples of genuine and of impostor ones, at most
RANKS = (1, 5)
CHUNK = 2**23  # numbers of the vectors compared at a time: all pairs may not fit in memory


def similarity(x, pairs, metric="cosine"):
    """The similarity of each pair's embeddings, ``(P,)``; higher is more similar.

    ``x`` is ``(N, d)``. ``metric`` is ``"cosine"``, in [−1, 1], for which no row of ``x`` may be
    zero, or ``"distance"``, the negative Euclidean distance, for losses that compare distances.
    """
    check_metric(metric)
    x = check_matrix("x", x)
    pairs = check_pairs(pairs, len(x))
    vectors = unit_rows("x", x) if metric == "cosine" else x
    scores = np.empty(len(pairs.first))
    step = max(1, CHUNK // x.shape[1])
    for start in range(0, len(scores), step):
        chunk = slice(start, start + step)
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
    scores, same = _check_far(scores, same, far)
    return tar_from_roc(roc(scores, same, weight), far)


def _check_far(scores, same, far):
    scores, same = check_scores(scores, same)
    require(0 < far < 1, f"far = {far!r}: expected a fraction above 0 and below 1, e.g. 1e-3")
    impostors = int((~same).sum())
    require(
        impostors * far >= 1 - 1e-9,
        f"a FAR of {far:g} needs at least {np.ceil(1 / far):,.0f} impostor pairs, and "
        f"there are {impostors:,}: give more, or choose a higher FAR",
        TooFewImpostors,
    )
    return scores, same


def tar_from_roc(curve, far):
    """The greatest TAR of a :class:`Roc` at a FAR of at most ``far``."""
    return float(curve.tar[_last_within(curve, far)])


def _last_within(curve, far):
    """The last point of a :class:`Roc` whose FAR is at most ``far``."""
    return np.searchsorted(curve.far, far * (1 + 1e-9), side="right") - 1


def threshold_at_far(scores, same, far, weight=None):
    """The threshold of :func:`tar_at_far`: a score at which FAR is at most ``far``.

    Accept a pair whose score is at or above it. Of the thresholds with the greatest TAR it is the
    highest, and it is ∞ if even the highest score is an impostor's too often. Choose it on one
    set of identities, and measure with :func:`rates_at` what it does on another. Raises as
    :func:`tar_at_far`.

    Examples
    --------
    >>> import numpy as np
    >>> from lossbook.metrics import verification
    >>> scores = np.array([0.9, 0.8, 0.4, 0.7, 0.3, 0.2])
    >>> same = np.array([True, True, True, False, False, False])
    >>> threshold = verification.threshold_at_far(scores, same, far=0.4)
    >>> threshold
    0.4
    >>> verification.rates_at(scores, same, threshold)
    Rates(far=0.3333333333333333, tar=1.0)
    """
    scores, same = _check_far(scores, same, far)
    return _threshold_from_roc(roc(scores, same, weight), far)


def threshold_at_eer(scores, same, weight=None):
    """The score at which FAR and FRR differ least, and of two such scores the higher.

    Accept a pair whose score is at or above it. :func:`equal_error_rate` is interpolated between
    this score and a neighbour, so :func:`rates_at` may give slightly different rates.
    """
    return _eer_threshold_from_roc(roc(scores, same, weight))


def _threshold_from_roc(curve, far):
    return float(curve.threshold[_last_within(curve, far)])


def _eer_threshold_from_roc(curve):
    difference = np.abs(curve.far - (1 - curve.tar)).round(12)  # equal ones stay equal
    return float(curve.threshold[np.argmin(difference)])


class Rates(NamedTuple):
    """FAR and TAR at a threshold; FRR is 1 − TAR, and the half total error rate (FAR + FRR)/2."""

    far: float
    tar: float


def rates_at(scores, same, threshold, weight=None):
    """The :class:`Rates` of accepting the pairs whose score is at or above ``threshold``.

    The threshold may come from another set: the rates are then what a user of it meets. Raises
    ``ValueError`` if it is NaN.
    """
    scores, same = check_scores(scores, same)
    require(not np.isnan(threshold), f"threshold = {threshold}: expected a score, or ±∞")
    weight = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=np.float64)
    accepted = scores >= threshold
    far, tar = (np.average(accepted[kind], weights=weight[kind]) for kind in (~same, same))
    return Rates(float(far), float(tar))


def report(
    x,
    labels,
    protocol=None,
    *,
    metric="cosine",
    fars=FARS,
    max_per_kind=MAX_PER_KIND,
    resamples=200,
    level=0.95,
    seed=0,
):
    """All measures of verification and identification of one embedding, a dict for JSON.

    A measure that these images do not allow is None, with the reason in ``undefined``.
    ``thresholds`` has the score to accept from at the equal error rate and at each FAR, see
    :func:`threshold_at_eer` and :func:`threshold_at_far`; None where no score is high enough.

    Parameters
    ----------
    x : (N, d) floats
    labels : (N,) integers, the identity of each row
    protocol : Pairs, or (Pairs, folds), optional
        The pairs to judge, and the fold of each, for instance those of LFW or a trial list of your
        own; without folds, the accuracy over folds is not measured. Default: all pairs (at most
        ``max_per_kind`` genuine and as many impostor ones), and ten folds from
        :func:`lossbook.data.pairs.fold_pairs`.
    metric : "cosine" or "distance"
        The similarity of two embeddings, see :func:`similarity`.
    fars : sequence of float
        The false accept rates at which TAR is measured.
    max_per_kind, resamples, level, seed
        As in :func:`lossbook.data.pairs.make_pairs` and
        :func:`lossbook.metrics.bootstrap.bootstrap_by_identity`.

    Raises
    ------
    ValueError
        If shapes do not fit, a pair names a row that is not there, or ``same`` of the pairs
        contradicts the labels.
    """
    x = check_matrix("x", x)
    labels = check_labels(labels, len(x))
    if protocol is None:
        pairs = make_pairs(labels, max_per_kind, seed)
    else:
        pairs, folds = (protocol, None) if isinstance(protocol, Pairs) else protocol
        pairs = check_pairs(pairs, len(x), labels)
        protocol = pairs, folds
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
    add("thresholds", _thresholds, scores, pairs.same, fars)
    add("intervals", _intervals, scores, pairs, labels, fars, resamples, level, seed)
    add("ten_fold", _accuracy_in_folds, x, labels, protocol, metric, seed)
    add("rank", _identification_rates, x, labels, metric, seed)
    return measures


def _thresholds(scores, same, fars):
    """{measure: score} of the equal error rate and of TAR at each of ``fars``; None for ∞."""
    curve = roc(scores, same)
    thresholds = {"eer": _eer_threshold_from_roc(curve)}
    for far in fars:
        thresholds[f"tar@{far:g}"] = _threshold_from_roc(curve, far)
    return {name: t if np.isfinite(t) else None for name, t in thresholds.items()}


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
    require(folds is not None, "the pairs were given without folds: give (pairs, folds)")
    result = ten_fold(similarity(x, pairs, metric), pairs.same, folds)
    return {
        "accuracy": result.mean,
        "standard_error": result.standard_error,
        "pairs": len(folds),
        "folds": len(result.accuracy),
    }


def _identification_rates(x, labels, metric, seed):
    """{rank: share of the probes found at that rank or a better one}."""
    gallery, probe = gallery_and_probe(labels, seed)
    rank = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    return {str(k): float(np.mean(rank <= k)) for k in RANKS if k < len(gallery)}


def format_report(report):
    """The text table of a :func:`report`, as the command ``verify`` prints it.

    Behind a rate stand its interval and the score from which a pair is accepted.
    """
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
    rows += _format_folds(report)
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
    threshold = report["thresholds"][key]
    return f"{text}   " + ("no score" if threshold is None else f"score {threshold:.4g}")


def _format_folds(report):
    """Rows of the table: the accuracy over folds, and what its ± is."""
    measured = report["ten_fold"]
    if measured is None:
        return [("accuracy in folds", _format_missing(report, "ten_fold"))]
    count, error = measured["folds"], measured["standard_error"]
    factor = count**0.5
    return [
        (
            f"accuracy in {count} folds",
            f"{measured['accuracy']:8.2%}   ± {error:.2%} (standard error)",
        ),
        (
            "  σ of the folds",
            f"{factor * error:8.2%}   √{count} = {factor:.1f} times as much; many papers print ± σ",
        ),
    ]


def _format_missing(report, key):
    return f"not measured: {report['undefined'][key]}"

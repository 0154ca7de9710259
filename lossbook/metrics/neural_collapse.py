"""Neural collapse: how far a training has shrunk its classes to the corners of a simplex.

Source: Papyan, Han and Donoho, "Prevalence of neural collapse during the terminal phase of deep
learning training", PNAS 2020. C unit vectors are as far apart as possible when every two have the
cosine −1/(C−1), a regular simplex, which needs C − 1 dimensions. The paper's four signs are
measured here: the classes shrink to their means (:func:`variability`), the means go to a simplex
and so do the class vectors (:func:`simplex_deviation`), the two become parallel
(:func:`duality_gap`), and the nearest mean predicts what the class vectors predict
(:func:`nearest_mean_disagreement`).

Embeddings ``x`` have shape ``(N, d)``, ``labels`` ``(N,)`` integers, class means and class vectors
``(C, d)``; torch tensors or numpy arrays, computed in float64. Every function raises ``ValueError``
for empty input, shapes that do not fit, values that are not finite and fewer than two classes.
"""

import numpy as np

from lossbook.utils.validation import check_labels, check_matrix, require, unit_rows

__all__ = [
    "class_means",
    "variability",
    "simplex_deviation",
    "duality_gap",
    "nearest_mean_disagreement",
]


def class_means(x, labels):
    """The mean embedding of every class, (C, d), with C one more than the greatest label.

    Raises ``ValueError`` for a class without an embedding.
    """
    x, labels = _check(x, labels)
    count = np.bincount(labels)
    require(
        count.min() > 0,
        f"class {count.argmin()} has no embedding: expected at least one of each class from 0 to "
        f"{len(count) - 1}",
    )
    total = np.zeros((len(count), x.shape[1]))
    np.add.at(total, labels, x)
    return total / count[:, None]


def variability(x, labels):
    """The variance within the classes relative to that between them, tr(Σ_W Σ_B⁺) / C.

    Σ_W is the covariance of the embeddings about their class means and Σ_B that of the class means
    about their mean, every class counted alike; Σ_B⁺ is its pseudo-inverse. 0 for classes that are
    points; it stays the same if all embeddings are turned, moved or scaled.
    """
    x, labels = _check(x, labels)
    means = class_means(x, labels)
    weight = 1 / np.bincount(labels)[labels] / len(means)
    deviations = x - means[labels]
    within = (weight[:, None] * deviations).T @ deviations
    centred = means - means.mean(axis=0)
    between = centred.T @ centred / len(means)
    require(np.any(between > 0), "all class means are equal: expected at least two that differ")
    return float(np.trace(within @ np.linalg.pinv(between, hermitian=True)) / len(means))


def simplex_deviation(vectors):
    """How far C vectors are from a regular simplex: 0 if their mean is 0 and all angles are equal.

    The root mean square of cos + 1/(C−1) over all pairs. Only directions count. Subtract the mean
    of class means first; class vectors are taken as they are. In fewer than C − 1 dimensions it
    cannot reach 0.

    >>> round(simplex_deviation([[0.0, 2.0], [3.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]), 3)
    0.471
    """
    unit = unit_rows("vectors", check_matrix("vectors", vectors))
    count = len(unit)
    require(count >= 2, f"{count} vector: expected at least 2, of which each pair has an angle")
    cosines = (unit @ unit.T)[np.triu_indices(count, k=1)]
    return float(np.sqrt(np.mean((cosines + 1 / (count - 1)) ** 2)))


def duality_gap(means, weight):
    """How far class vectors and class means are from parallel: ‖Ŵ − M̂‖², 0 if they are.

    M are the class means less their mean; Ŵ and M̂ are the matrices ``weight`` and M, each divided
    by its Frobenius norm. At most 4, and 2 if the two have nothing in common.
    """
    means, weight = check_matrix("means", means), check_matrix("weight", weight)
    require(
        means.shape == weight.shape and len(means) >= 2,
        f"means {means.shape} and weight {weight.shape}: expected one shape (C, d), C at least 2",
    )
    centred = means - means.mean(axis=0)
    lengths = np.linalg.norm(centred), np.linalg.norm(weight)
    require(min(lengths) > 0, "all means are equal or all class vectors are zero: no directions")
    return float(np.sum((centred / lengths[0] - weight / lengths[1]) ** 2))


def nearest_mean_disagreement(x, means, predictions):
    """The share of embeddings whose nearest class mean is not their predicted class.

    ``predictions`` (N,) are the classes with the greatest logit.
    """
    x, means = check_matrix("x", x), check_matrix("means", means)
    require(
        x.shape[1] == means.shape[1],
        f"x {x.shape} and means {means.shape} differ in their second dimension",
    )
    predictions = check_labels(predictions, len(x), classes=len(means))
    squared = np.square(means).sum(axis=1) - 2 * x @ means.T  # less ‖x‖², which all share
    return float(np.mean(squared.argmin(axis=1) != predictions))


def _check(x, labels):
    x = check_matrix("x", x)
    labels = check_labels(labels, len(x))
    require(
        labels.max() >= 1,
        "labels hold only class 0: expected at least 2 classes",
    )
    return x, labels

"""Accuracy and angles of a set of embeddings, measured without any margin.

Every function takes torch tensors (any device, any floating dtype) or numpy arrays, computes in
float64 and returns floats or numpy arrays. Embeddings ``x`` have shape ``(N, d)``, class vectors
``weight`` ``(C, d)``, ``labels`` ``(N,)`` integers. Angles are in radians.

Every function raises ``ValueError`` for empty input, shapes that do not fit together, values that
are not finite, a zero vector where a direction is needed and labels outside ``0 … C−1``, and
``TypeError`` for labels that are not integers.
"""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import (
    check_2d_embeddings,
    check_labels,
    check_matrix,
    require,
    unit_rows,
)

__all__ = [
    "accuracy",
    "angles",
    "angular_accuracy",
    "angular_gaps",
    "angular_spread",
    "AngularSpread",
    "largest_empty_arc",
]


def accuracy(logits, labels):
    """Fraction of rows whose largest logit is the true class.

    ``logits`` ``(N, C)`` must be margin-free: ``head(x)``, not ``head(x, y)``. The margin lowers
    the target logit, so scoring margined logits reports an accuracy that is far too low.
    """
    logits = check_matrix("logits", logits)
    labels = check_labels(labels, len(logits), classes=logits.shape[1])
    return float(np.mean(logits.argmax(axis=1) == labels))


def angular_accuracy(x, weight, labels):
    """Fraction of embeddings whose nearest class vector by angle is that of their class.

    Lengths and biases play no part, so for plain softmax this is lower than :func:`accuracy`.
    """
    x, weight, labels = _check_inputs(x, weight, labels)
    return float(np.mean(_angles_between(x, weight).argmin(axis=1) == labels))


def angles(x, weight, labels):
    """θ_y and the angle to the nearest other class vector, each ``(N,)``, radians in [0, π]."""
    x, weight, labels = _check_inputs(x, weight, labels)
    require(
        len(weight) >= 2,
        "weight has one class vector: there is no other class to measure to; give at least 2",
    )
    theta = _angles_between(x, weight)
    rows = np.arange(len(x))
    target = theta[rows, labels]
    theta[rows, labels] = np.inf
    return target, theta.min(axis=1)


class AngularSpread(NamedTuple):
    """Intra-class and inter-class angles in radians; see :func:`angular_spread`."""

    within: float
    between_min: float
    between_mean: float


def angular_spread(x, labels):
    """How tight the classes are (intra-class) and how far apart (inter-class), as angles.

    A class's mean direction is the direction of the sum of its unit-length embeddings.

    * ``within``: the angle between an embedding and its class's mean direction, averaged over
      each class and then over the classes, so that every class counts alike.
    * ``between_min``: the smallest angle between the mean directions of two classes.
    * ``between_mean``: the mean of these angles over all pairs of classes.

    Returns an :class:`AngularSpread`. Only classes that occur in ``labels`` count; there must be
    two.
    """
    x = unit_rows("x", check_matrix("x", x))
    labels = check_labels(labels, len(x))
    present = np.unique(labels)
    require(
        len(present) >= 2,
        f"labels hold only class {present[0]}: a separation needs at least 2 classes",
    )
    means = np.stack([_mean_direction(x[labels == j], j) for j in present])
    within = [_angles_between(x[labels == j], mean[None]).mean() for j, mean in zip(present, means)]
    between = _angles_between(means, means)[np.triu_indices(len(means), k=1)]
    return AngularSpread(float(np.mean(within)), float(between.min()), float(between.mean()))


def largest_empty_arc(x):
    """The largest arc of the circle, in radians, that holds no embedding's direction; 2-D only.

    Near 0 the embeddings fill the circle; ten tight clusters leave an arc near 2π/10. A single
    direction leaves 2π.
    """
    theta = np.sort(_polar_angle(unit_rows("x", check_2d_embeddings("x", x))))
    return float(np.max(np.diff(theta, append=theta[0] + 2 * np.pi)))


def angular_gaps(x, labels, low=1, high=99):
    """The empty angle between each class and its neighbour on the circle, ``(C,)``; 2-D only.

    A class occupies the arc from its ``low``-th to its ``high``-th percentile of angle, measured
    from its mean direction (so an arc may cross ±π). Entry k belongs to the k-th class in
    sorted order of the labels present: the angle from the end of its arc to the start of the
    arc of the next class counter-clockwise. Negative where the two arcs overlap.

    Raises ``ValueError`` unless 0 ≤ low < high ≤ 100 and at least 2 classes are present.
    """
    require(
        0 <= low < high <= 100,
        f"low = {low}, high = {high}: percentiles must satisfy 0 <= low < high <= 100",
    )
    x = unit_rows("x", check_2d_embeddings("x", x))
    labels = check_labels(labels, len(x))
    present = np.unique(labels)
    require(
        len(present) >= 2,
        f"labels hold only class {present[0]}: a gap needs at least 2 classes",
    )
    centre, start, end = [], [], []
    for j in present:
        members = x[labels == j]
        mean = _mean_direction(members, j)
        # Coordinates in which the mean direction is angle 0.
        rotated = np.stack([members @ mean, members @ [-mean[1], mean[0]]], axis=1)
        centre.append(_polar_angle(mean[None])[0])
        start.append(np.percentile(_polar_angle(rotated), low))
        end.append(np.percentile(_polar_angle(rotated), high))
    order = np.argsort(centre, kind="stable")
    following = np.empty_like(order)
    following[order] = np.roll(order, -1)
    centre, start, end = np.array(centre), np.array(start), np.array(end)
    return np.mod(centre[following] - centre, 2 * np.pi) + start[following] - end


def _angles_between(x, weight):
    """(N, C) angles by 2·atan2(‖u − v‖, ‖u + v‖) of unit vectors (Kahan).

    arccos of a cosine near 1 loses half the digits; this form is accurate from 0 to π.
    """
    x, weight = unit_rows("x", x), unit_rows("weight", weight)
    columns = [
        2 * np.arctan2(np.linalg.norm(x - w, axis=1), np.linalg.norm(x + w, axis=1)) for w in weight
    ]
    return np.stack(columns, axis=1)


def _mean_direction(unit_vectors, label):
    mean = unit_vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    require(
        length >= 1e-9,
        f"the directions of class {label} cancel out: it has no mean direction",
    )
    return mean / length


def _polar_angle(x):
    """(N,) angles of 2-D vectors, radians in [−π, π]."""
    return np.arctan2(x[:, 1], x[:, 0])


def _check_inputs(x, weight, labels):
    x, weight = check_matrix("x", x), check_matrix("weight", weight)
    require(
        x.shape[1] == weight.shape[1],
        f"x {x.shape} and weight {weight.shape} differ in their second dimension: "
        "embeddings and class vectors must live in the same space",
    )
    return x, weight, check_labels(labels, len(x), classes=len(weight))

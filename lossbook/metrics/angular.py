r"""What a set of embeddings is worth, measured without any margin.

Every function takes torch tensors (any device, any floating dtype) or numpy arrays, computes in
float64 and returns floats or numpy arrays. Embeddings ``x`` have shape ``(N, d)``, class vectors
``weight`` ``(C, d)``, ``labels`` ``(N,)`` integers. Angles are in radians.

Raises, in every function: ``ValueError`` for empty input, shapes that do not fit together,
values that are not finite, a zero vector where a direction is needed and labels outside
``0 … C−1``; ``TypeError`` for labels that are not integers.
"""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_2d_embeddings, check_labels, check_matrix, unit_rows

__all__ = [
    "accuracy",
    "angular_accuracy",
    "angles",
    "Spread",
    "angular_spread",
    "largest_empty_arc",
    "angular_gaps",
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
    """Fraction of embeddings whose nearest class vector by angle alone is their own.

    Lengths and biases play no part, so for plain softmax this is lower than :func:`accuracy`.
    """
    x, weight, labels = _checked(x, weight, labels)
    return float(np.mean(_angles_between(x, weight).argmin(axis=1) == labels))


def angles(x, weight, labels):
    """θ_y and the angle to the nearest other class vector, each ``(N,)``, radians in [0, π]."""
    x, weight, labels = _checked(x, weight, labels)
    if len(weight) < 2:
        raise ValueError(
            "weight has one class vector: there is no other class to measure to; give at least 2"
        )
    theta = _angles_between(x, weight)
    rows = np.arange(len(x))
    own = theta[rows, labels]
    theta[rows, labels] = np.inf
    return own, theta.min(axis=1)


class Spread(NamedTuple):
    """Angles in radians: how tight the classes are, and how far apart. See :func:`angular_spread`."""

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

    Returns a :class:`Spread`. Only classes that occur in ``labels`` count; there must be two.
    """
    x = unit_rows("x", check_matrix("x", x))
    labels = check_labels(labels, len(x))
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError(
            f"labels hold only class {present[0]}: a separation needs at least 2 classes"
        )
    means = np.stack([_mean_direction(x[labels == j], j) for j in present])
    within = [_angles_between(x[labels == j], mean[None]).mean() for j, mean in zip(present, means)]
    between = _angles_between(means, means)[np.triu_indices(len(means), k=1)]
    return Spread(float(np.mean(within)), float(between.min()), float(between.mean()))


def largest_empty_arc(x):
    """The largest arc of the circle, in radians, that holds no embedding's direction; 2-D only.

    Near 0 the embeddings fill the circle; ten tight clusters leave an arc near 2π/10. A single
    direction leaves 2π.
    """
    theta = np.sort(_direction(unit_rows("x", check_2d_embeddings("x", x))))
    return float(np.max(np.diff(theta, append=theta[0] + 2 * np.pi)))


def angular_gaps(x, labels, low=1, high=99):
    """The empty angle between each class and its neighbour on the circle, ``(C,)``; 2-D only.

    A class occupies the arc from its ``low``-th to its ``high``-th percentile of angle, measured
    from its mean direction (so an arc may cross ±π). Entry k belongs to the k-th class in
    sorted order of the labels present: the angle from the end of its arc to the start of the
    arc of the next class counter-clockwise. Negative where the two arcs overlap.

    Raises ``ValueError`` unless 0 ≤ low < high ≤ 100 and at least 2 classes are present.
    """
    if not 0 <= low < high <= 100:
        raise ValueError(
            f"low = {low}, high = {high}: percentiles must satisfy 0 <= low < high <= 100"
        )
    x = unit_rows("x", check_2d_embeddings("x", x))
    labels = check_labels(labels, len(x))
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError(f"labels hold only class {present[0]}: a gap needs at least 2 classes")
    centre, start, end = [], [], []
    for j in present:
        members = x[labels == j]
        mean = _mean_direction(members, j)
        turned = np.stack([members @ mean, members @ [-mean[1], mean[0]]], axis=1)
        centre.append(_direction(mean[None])[0])
        start.append(np.percentile(_direction(turned), low))
        end.append(np.percentile(_direction(turned), high))
    order = np.argsort(centre, kind="stable")
    following = np.empty_like(order)
    following[order] = np.roll(order, -1)
    centre, start, end = np.array(centre), np.array(start), np.array(end)
    return np.mod(centre[following] - centre, 2 * np.pi) + start[following] - end


def _angles_between(x, weight):
    """(N, C) angles by 2·atan2(‖u − v‖, ‖u + v‖) of unit vectors (Kahan).

    arccos of a cosine near 1 loses half the digits; this form is accurate from 0 to π.
    """
    u, v = unit_rows("x", x), unit_rows("weight", weight)
    return np.stack(
        [2 * np.arctan2(np.linalg.norm(u - w, axis=1), np.linalg.norm(u + w, axis=1)) for w in v],
        axis=1,
    )


def _mean_direction(unit_rows, label):
    mean = unit_rows.mean(axis=0)
    if np.linalg.norm(mean) < 1e-9:
        raise ValueError(f"the directions of class {label} cancel out: it has no mean direction")
    return mean / np.linalg.norm(mean)


def _direction(x):
    return np.arctan2(x[:, 1], x[:, 0])


def _checked(x, weight, labels):
    x, weight = check_matrix("x", x), check_matrix("weight", weight)
    if x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"x {x.shape} and weight {weight.shape} differ in their second dimension: "
            "embeddings and class vectors must live in the same space"
        )
    return x, weight, check_labels(labels, len(x), classes=len(weight))

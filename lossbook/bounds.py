r"""Bounds on the scale s and the margin m: what C classes in d dimensions can hold.

Two ends. With d ≥ C − 1 the class vectors can stand as a simplex, every pair at
cos = −1/(C − 1): the papers' formulas assume this. On the circle (d = 2) they can at best be
spaced by 2π/C, the neighbours are close, and more scale is needed for the same certainty.
Between the two the nearest pair is at best at a right angle up to C = 2d, and then no formula is
known: :func:`best_spacing` looks for a good arrangement by computer, and :func:`limits_of` says
what any arrangement can hold.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize

from lossbook.utils.validation import check_int

__all__ = [
    "centre_posterior",
    "least_scale",
    "least_scale_simplex",
    "greatest_cosine_margin",
    "greatest_angular_margin",
    "adacos_scale",
    "POSTERIOR",
    "Limits",
    "limits",
    "best_spacing",
    "limits_of",
]

POSTERIOR = 0.9  # what a class centre must be able to reach for a scale to count as feasible


def centre_posterior(scale, num_classes):
    """The best posterior of the true class on the circle: x on its class vector, C spaced evenly.

    e^s / Σ_j e^{s·cos(2πj/C)}, in (1/C, 1); d = 2. Its negative logarithm is the lowest loss
    that norm-softmax can reach there.
    """
    _check(num_classes)
    angles = 2 * math.pi * np.arange(num_classes) / num_classes
    return float(1 / np.exp(scale * (np.cos(angles) - 1)).sum())


def least_scale(posterior, num_classes):
    """The least s for which :func:`centre_posterior` reaches ``posterior``, in (1/C, 1); d = 2."""
    _check(num_classes, posterior)
    return _least(
        lambda s: centre_posterior(s, num_classes),
        posterior,
        num_classes,
        math.cos(2 * math.pi / num_classes),
    )


def _least(sure, posterior, num_classes, nearest):
    """The least s with ``sure(s)`` = ``posterior``; at most what it takes if all others stand where the nearest does."""
    most = math.log((num_classes - 1) * posterior / (1 - posterior)) / (1 - nearest)
    return brentq(lambda s: sure(s) - posterior, 0, 1.01 * most)


def least_scale_simplex(posterior, num_classes):
    """(C−1)/C · ln[(C−1)P/(1−P)], the least s for posterior P when d ≥ C − 1.

    Source: Wang et al., "CosFace", CVPR 2018, eq. 6.
    """
    _check(num_classes, posterior)
    return (
        (num_classes - 1) / num_classes * math.log((num_classes - 1) * posterior / (1 - posterior))
    )


def greatest_cosine_margin(num_classes, embedding_dim=2):
    """The largest cosine margin that all C classes can meet at their centres.

    C/(C−1) for C ≤ d + 1; 1 − cos(2π/C) for d = 2; 1 for C ≤ 2d. Beyond that no formula is known, only that
    it lies below 1: a ``ValueError`` says so.

    Source: Wang et al., "CosFace", CVPR 2018, eq. 7; Rankin, "The closest packing of spherical caps in n
    dimensions", 1955, for the third.
    """
    _check(num_classes)
    nearest = _nearest_cosine(num_classes, embedding_dim)
    if nearest is None:
        raise ValueError(
            f"no closed form for {num_classes} classes in {embedding_dim} dimensions: the bound is known for "
            "d = 2 and for C ≤ 2d; here it is only known to lie below 1"
        )
    return 1 - nearest


def _nearest_cosine(num_classes, embedding_dim):
    """The cosine of the nearest two of C class vectors in d dimensions, in the best arrangement; None if unknown."""
    if num_classes <= embedding_dim + 1:
        return -1 / (num_classes - 1)
    if embedding_dim == 2:
        return math.cos(2 * math.pi / num_classes)
    return 0.0 if num_classes <= 2 * embedding_dim else None


def greatest_angular_margin(num_classes):
    """2π/C radians, the angle between neighbours on the circle: the largest m2 met at the centres; d = 2."""
    _check(num_classes)
    return 2 * math.pi / num_classes


def adacos_scale(num_classes):
    """√2·ln(C−1), a scale chosen from the number of classes alone.

    Source: Zhang et al., "AdaCos", CVPR 2019, the fixed scale.
    """
    _check(num_classes)
    return math.sqrt(2) * math.log(num_classes - 1)


class Limits(NamedTuple):
    """What :func:`limits` returns. A field is None where no formula is known."""

    least_scale: float | None
    least_scale_simplex: float
    greatest_cosine_margin: float | None
    greatest_angular_margin: float | None
    explanation: str


def limits(num_classes, embedding_dim=2, posterior=POSTERIOR):
    """The least s and the greatest margins for C classes in d dimensions, and why, in words.

    ``least_scale`` reaches ``posterior`` at every class centre; ``least_scale_simplex`` is the
    papers' formula, which assumes that all classes are equally far from each other. For
    d ≥ C − 1 they can be, and the two agree; on the circle they cannot, and the formula promises
    too much; in between the formula is only a lower bound. ``greatest_angular_margin`` is in radians.

    Raises ``ValueError`` for numbers outside their domain.
    """
    _check(num_classes, posterior)
    check_int("embedding_dim", embedding_dim, 2)
    simplex, nearest = (
        least_scale_simplex(posterior, num_classes),
        _nearest_cosine(num_classes, embedding_dim),
    )
    room = (None, None) if nearest is None else (1 - nearest, math.acos(nearest))
    if num_classes <= embedding_dim + 1:
        return Limits(
            simplex,
            simplex,
            *room,
            f"{num_classes} class vectors fit into {embedding_dim} dimensions as a simplex: every two of them "
            f"have the cosine −1/(C − 1) = {nearest:.2f}, and the papers' formula is exact",
        )
    if embedding_dim == 2:
        exact = least_scale(posterior, num_classes)
        return Limits(
            exact,
            simplex,
            *room,
            f"on the circle {num_classes} class vectors are at best {math.degrees(room[1]):.0f}° apart; the papers' "
            f"formula puts every two at {math.degrees(math.acos(-1 / (num_classes - 1))):.0f}° and asks for "
            f"{exact / simplex:.1f} times less scale than it takes",
        )
    apart = (
        "the nearest two are less than 90° apart, so a cosine margin must be below 1"
        if nearest is None
        else "the nearest two are at best 90° apart, as Rankin has proven, which settles the margins"
    )
    return Limits(
        None,
        simplex,
        *room,
        f"{num_classes} class vectors do not fit into {embedding_dim} dimensions as a simplex, and no formula is "
        f"known for s: it must be above the simplex's; {apart}",
    )


def best_spacing(num_classes, embedding_dim, starts=20, seed=0):
    """Unit class vectors (C, d) whose smallest angle is as large as a search from ``starts`` random places finds.

    On the sphere this is Tammes' problem; with few classes the search reaches what is proven best
    (to about 0.01°), with many it may miss it. It minimises a soft maximum of the cosines,
    ln Σ_{i<j} exp(β cos θ_ij) / β, for growing β.

    Source: Tammes, "On the origin of number and arrangement of the places of exit", 1930.
    Raises ``ValueError`` for fewer than 2 classes or dimensions.
    """
    _check(num_classes)
    check_int("embedding_dim", embedding_dim, 2)
    random, pairs, found = np.random.default_rng(seed), ~np.eye(num_classes, dtype=bool), []

    def crowding(flat, beta):
        vectors = flat.reshape(num_classes, embedding_dim)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = vectors / length
        cos = unit @ unit.T
        weight = np.exp(np.where(pairs, beta * (cos - cos[pairs].max()), -np.inf))
        pull = 2 * (weight / weight.sum()) @ unit
        pull -= (pull * unit).sum(axis=1, keepdims=True) * unit
        return cos[pairs].max() + math.log(weight.sum()) / beta, (pull / length).ravel()

    for _ in range(starts):
        flat = random.normal(size=num_classes * embedding_dim)
        for beta in 4.0 ** np.arange(1, 9):
            flat = minimize(crowding, flat, beta, jac=True, method="L-BFGS-B").x
        vectors = flat.reshape(num_classes, embedding_dim)
        found.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return min(found, key=lambda unit: (unit @ unit.T)[pairs].max())


def limits_of(vectors, posterior=POSTERIOR):
    """The :class:`Limits` of one arrangement of class vectors (C, d), by their directions.

    The least s with which *every* class can reach ``posterior`` at its centre, and the margins that
    every class can still meet there. Another arrangement may allow more. Raises ``ValueError`` for numbers
    outside their domain, or a zero vector.
    """
    vectors = np.asarray(vectors, dtype=float)
    _check(len(vectors), posterior)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"class vector {int(np.argmin(length))} is zero: it has no direction")
    cos = np.clip(vectors / length @ (vectors / length).T, -1, 1)
    nearest = float(cos[~np.eye(len(cos), dtype=bool)].max())
    if nearest > 1 - 1e-9:
        raise ValueError(
            "two class vectors point the same way: no scale makes their classes certain"
        )

    def least_sure(scale):
        return float((1 / np.exp(scale * (cos - 1)).sum(axis=1)).min())

    apart = math.acos(nearest)
    return Limits(
        _least(least_sure, posterior, len(cos), nearest),
        least_scale_simplex(posterior, len(vectors)),
        1 - nearest,
        apart,
        f"in this arrangement the nearest two of {len(vectors)} class vectors are "
        f"{math.degrees(apart):.1f}° apart",
    )


def _check(num_classes, posterior=None):
    check_int("num_classes", num_classes, 2)
    if posterior is not None and not 1 / num_classes < posterior < 1:
        raise ValueError(
            f"posterior = {posterior!r}: with {num_classes} classes expected between chance, "
            f"{1 / num_classes:.3g}, and 1, both excluded"
        )

r"""Bounds on the scale s and the margin m: what C classes in d dimensions can hold.

There are two extremes. With d ≥ C − 1 the class vectors can stand as a simplex, every pair at
cos = −1/(C − 1): the papers' formulas assume this. On the circle (d = 2) they can at best be
spaced by 2π/C, the neighbours are close, and the same posterior takes a larger scale.
Between the two the nearest pair is at best at a right angle up to C = 2d, and beyond that no
formula is known: :func:`best_spacing` searches for a good arrangement numerically,
:func:`limits_of` gives the limits of any one arrangement, and :func:`sufficient_scale` is enough
for an average class.

These are bounds on the posterior at a class centre, not on accuracy. The embeddings that a network
learns stand at an angle to their class vectors: :func:`working_scale` is for them.
"""

import math
from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_matrix, unit_rows

__all__ = [
    "POSTERIOR",
    "centre_posterior",
    "least_scale",
    "least_scale_simplex",
    "sufficient_scale",
    "greatest_cosine_margin",
    "greatest_angular_margin",
    "adacos_scale",
    "working_scale",
    "Limits",
    "limits",
    "limits_of",
    "best_spacing",
]

POSTERIOR = 0.9  # what every class must be able to reach at its centre for a scale to be feasible
WORKING_ANGLE = math.pi / 4  # radians; where AdaCos, too, wants the posterior to change
LARGEST_SCALE = 1e7  # up to here sufficient_scale searches


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
    return _scale_reaching(
        posterior,
        lambda scale: centre_posterior(scale, num_classes),
        num_classes,
        math.cos(2 * math.pi / num_classes),
    )


def least_scale_simplex(posterior, num_classes):
    """(C−1)/C · ln[(C−1)P/(1−P)], the least s for posterior P when d ≥ C − 1.

    Source: Wang et al., "CosFace", CVPR 2018, eq. 6.
    """
    _check(num_classes, posterior)
    return (num_classes - 1) / num_classes * _log_odds(posterior, num_classes)


def sufficient_scale(posterior, num_classes, embedding_dim):
    """A scale with which some arrangement of C class vectors in d dimensions reaches P on average.

    It solves s − ln M(s) = ln[(C−1)P/(1−P)], where M(s) is the mean of e^{s·cos θ} over random
    directions. In a random arrangement the sum over the rivals has the mean (C−1)·M(s), and
    1/(1 + x) is convex, so that the posteriors at the centres have at least the mean P. With
    d ≫ s this is little more than :func:`least_scale_simplex`, below which no arrangement brings
    every class to P.

    Returns ``None`` if no scale up to 10⁷ is enough.
    """
    _check(num_classes, posterior)
    check_int("embedding_dim", embedding_dim, 2)
    from scipy.optimize import brentq  # imported late: most users of this module need none of it

    log_odds = _log_odds(posterior, num_classes)

    def excess(scale):
        return scale - _log_mean_exp(scale, embedding_dim) - log_odds

    if excess(LARGEST_SCALE) < 0:
        return None
    return brentq(excess, 0, LARGEST_SCALE)


def greatest_cosine_margin(num_classes, embedding_dim=2):
    """The largest cosine margin that all C classes can meet at their centres.

    C/(C−1) for C ≤ d + 1; 1 − cos(2π/C) for d = 2; 1 for C ≤ 2d.

    Source: Wang et al., "CosFace", CVPR 2018, eq. 7; Rankin, "The closest packing of spherical
    caps in n dimensions", 1955, for the third.

    Raises ``ValueError`` for other C and d: no formula is known there, only that the margin is
    below 1.
    """
    _check(num_classes)
    nearest = _nearest_cosine(num_classes, embedding_dim)
    if nearest is None:
        raise ValueError(
            f"no closed form for {num_classes} classes in {embedding_dim} dimensions: the bound is "
            "known for d = 2 and for C ≤ 2d; here it is only known to lie below 1"
        )
    return 1 - nearest


def greatest_angular_margin(num_classes):
    """2π/C radians, the angle between neighbours on the circle and the largest m2 there; d = 2."""
    _check(num_classes)
    return 2 * math.pi / num_classes


def adacos_scale(num_classes):
    """√2·ln(C−1), a scale chosen from the number of classes alone.

    Source: Zhang et al., "AdaCos", CVPR 2019, the fixed scale.
    """
    _check(num_classes)
    return math.sqrt(2) * math.log(num_classes - 1)


def working_scale(num_classes, m1=1.0, m2=0.0, m3=0.0, angle=WORKING_ANGLE, posterior=POSTERIOR):
    """The scale with which an embedding at ``angle`` from its class vector has the posterior P.

    That is the posterior in training, with the margin on the target:
    ln[(C−1)P/(1−P)] / (cos(m1·θ + m2) − m3), with all rivals at right angles, as random directions
    nearly are in many dimensions. Without a margin and with P = 1/2 this is AdaCos's fixed scale.

    Parameters
    ----------
    num_classes : int
        C.
    m1, m2, m3 : float
        The margins of the combined loss: factor, radians, cosine.
    angle : float
        θ, radians.
    posterior : float
        P, in (1/C, 1).

    Raises
    ------
    ValueError
        For C or P outside their domains, and if the margin leaves no positive target at ``angle``.

    Examples
    --------
    >>> round(working_scale(85_742, m2=0.5))  # ArcFace on MS1MV2, where the paper takes 64
    48
    """
    _check(num_classes, posterior)
    target = math.cos(m1 * angle + m2) - m3
    if target <= 0:
        raise ValueError(
            f"with m1 = {m1:g}, m2 = {m2:g}, m3 = {m3:g} the target at an angle of "
            f"{math.degrees(angle):.0f}° is {target:.2f}, and no scale makes it beat rivals at "
            "right angles: give a smaller margin or angle"
        )
    return _log_odds(posterior, num_classes) / target


class Limits(NamedTuple):
    """What :func:`limits` and :func:`limits_of` return; None where nothing is known."""

    least_scale: float | None
    least_scale_simplex: float
    greatest_cosine_margin: float | None
    greatest_angular_margin: float | None
    sufficient_scale: float | None
    explanation: str


def limits(num_classes, embedding_dim=2, posterior=POSTERIOR):
    """The least s and the greatest margins for C classes in d dimensions, with an explanation.

    ``least_scale`` reaches ``posterior`` at every class centre; ``least_scale_simplex`` is the
    papers' formula, which assumes that all classes are equally far from each other. For
    d ≥ C − 1 they can be, and the two agree; on the circle they cannot, and the formula promises
    too much; in between the formula is only a lower bound, and ``sufficient_scale`` an upper one:
    see :func:`sufficient_scale`. ``greatest_angular_margin`` is in radians.

    Raises ``ValueError`` for fewer than 2 classes or dimensions and for a posterior outside
    (1/C, 1).
    """
    _check(num_classes, posterior)
    check_int("embedding_dim", embedding_dim, 2)
    simplex_scale = least_scale_simplex(posterior, num_classes)
    nearest = _nearest_cosine(num_classes, embedding_dim)
    nearest_degrees = None if nearest is None else math.degrees(math.acos(nearest))

    if num_classes <= embedding_dim + 1:
        scale = sufficient = simplex_scale
        explanation = (
            f"{num_classes} class vectors fit into {embedding_dim} dimensions as a simplex: every "
            f"two of them have the cosine −1/(C − 1) = {nearest:.2f}, and the papers' formula is "
            "exact"
        )
    elif embedding_dim == 2:
        scale = sufficient = least_scale(posterior, num_classes)
        simplex_degrees = math.degrees(math.acos(-1 / (num_classes - 1)))
        explanation = (
            f"on the circle {num_classes} class vectors are at best {nearest_degrees:.0f}° apart; "
            f"the papers' formula puts every two at {simplex_degrees:.0f}° and asks for "
            f"{scale / simplex_scale:.1f} times less scale than it takes"
        )
    else:
        scale, sufficient = None, sufficient_scale(posterior, num_classes, embedding_dim)
        enough = (
            ""
            if sufficient is None
            else (f", and {sufficient:,.1f} is enough for an average class in a random arrangement")
        )
        margins = (
            "the nearest two are less than 90° apart, so a cosine margin must be below 1"
            if nearest is None
            else "the nearest two are at best 90° apart (Rankin), which settles the margins"
        )
        explanation = (
            f"{num_classes} class vectors do not fit into {embedding_dim} dimensions as a simplex, "
            f"and no formula is known for s: it must be above the simplex's {simplex_scale:.1f}"
            f"{enough}; {margins}"
        )
    return Limits(
        least_scale=scale,
        least_scale_simplex=simplex_scale,
        greatest_cosine_margin=None if nearest is None else 1 - nearest,
        greatest_angular_margin=None if nearest is None else math.acos(nearest),
        sufficient_scale=sufficient,
        explanation=explanation,
    )


def limits_of(vectors, posterior=POSTERIOR):
    """The :class:`Limits` of one arrangement of class vectors (C, d), by their directions.

    The least s with which *every* class can reach ``posterior`` at its centre, and the margins
    that every class can still meet there. Another arrangement may allow more.

    Raises ``ValueError`` for fewer than 2 vectors, a zero vector, two of the same direction, and a
    posterior outside (1/C, 1).
    """
    vectors = check_matrix("vectors", vectors)
    num_classes = len(vectors)
    _check(num_classes, posterior)
    unit = unit_rows("vectors", vectors)
    cos = np.clip(unit @ unit.T, -1, 1)
    nearest = _largest_cosine(unit)
    if nearest > 1 - 1e-9:
        raise ValueError(
            "two class vectors point the same way: no scale makes their classes certain"
        )

    def lowest_posterior(scale):
        return float((1 / np.exp(scale * (cos - 1)).sum(axis=1)).min())

    angle = math.acos(nearest)
    scale = _scale_reaching(posterior, lowest_posterior, num_classes, nearest)
    return Limits(
        least_scale=scale,
        least_scale_simplex=least_scale_simplex(posterior, num_classes),
        greatest_cosine_margin=1 - nearest,
        greatest_angular_margin=angle,
        sufficient_scale=scale,
        explanation=f"in this arrangement the nearest two of {num_classes} class vectors are "
        f"{math.degrees(angle):.1f}° apart",
    )


def best_spacing(num_classes, embedding_dim, starts=20, seed=0):
    """Unit class vectors (C, d) with the largest smallest angle that a numerical search finds.

    On the sphere this is Tammes' problem. The search starts from ``starts`` random arrangements;
    with few classes it reaches what is proven best (to about 0.01°), with many it may miss it.

    Source: Tammes, "On the origin of number and arrangement of the places of exit", 1930.

    Raises ``ValueError`` for fewer than 2 classes or dimensions.
    """
    _check(num_classes)
    check_int("embedding_dim", embedding_dim, 2)
    random = np.random.default_rng(seed)
    arrangements = [
        _move_apart(random.normal(size=(num_classes, embedding_dim))) for _ in range(starts)
    ]
    return min(arrangements, key=_largest_cosine)


def _move_apart(vectors):
    """Unit vectors (C, d), moved from ``vectors`` until their smallest angle grows no further."""
    from scipy.optimize import minimize  # imported late: most users of this module need none of it

    flat = vectors.ravel()
    for sharpness in 4.0 ** np.arange(1, 9):
        arguments = (vectors.shape, sharpness)
        flat = minimize(_crowding, flat, arguments, jac=True, method="L-BFGS-B").x
    return unit_rows("vectors", flat.reshape(vectors.shape))


def _crowding(flat, shape, sharpness):
    """A soft maximum of the cosines between the vectors, and its gradient, as ``minimize`` needs.

    ln Σ_{i≠j} exp(β cos θ_ij) / β; for a growing β, the ``sharpness``, it tends to the largest
    cosine.
    """
    vectors = flat.reshape(shape)
    unit = unit_rows("vectors", vectors)
    cos = unit @ unit.T
    np.fill_diagonal(cos, -np.inf)
    largest = cos.max()
    weight = np.exp(sharpness * (cos - largest))
    value = largest + math.log(weight.sum()) / sharpness
    by_unit = 2 * (weight / weight.sum()) @ unit
    # The length of a vector changes no cosine: only what is perpendicular to the vector remains.
    perpendicular = by_unit - (by_unit * unit).sum(axis=1, keepdims=True) * unit
    gradient = perpendicular / np.linalg.norm(vectors, axis=1, keepdims=True)
    return value, gradient.ravel()


def _largest_cosine(unit):
    """The cosine of the nearest two of the unit vectors (C, d)."""
    cos = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(cos, -np.inf)
    return float(cos.max())


def _nearest_cosine(num_classes, embedding_dim):
    """The cosine of the nearest two of C vectors in d dimensions, best arranged; None: unknown."""
    if num_classes <= embedding_dim + 1:
        return -1 / (num_classes - 1)
    if embedding_dim == 2:
        return math.cos(2 * math.pi / num_classes)
    return 0.0 if num_classes <= 2 * embedding_dim else None


def _scale_reaching(posterior, posterior_at, num_classes, nearest):
    """The least s with ``posterior_at(s)`` = ``posterior``.

    It is at most the scale that would be needed if all other classes were as close as the nearest,
    at the cosine ``nearest``.
    """
    from scipy.optimize import brentq  # imported late: most users of this module need none of it

    upper = _log_odds(posterior, num_classes) / (1 - nearest)
    return brentq(lambda scale: posterior_at(scale) - posterior, 0, 1.01 * upper)


def _log_mean_exp(scale, embedding_dim):
    """ln of the mean of e^{s·cos θ} over random directions, whose θ has the density sin^{d−2} θ."""
    from scipy.special import logsumexp  # imported late: most users of this module need none of it

    angles = np.linspace(0, math.pi, 100_001)[1:-1]
    log_density = (embedding_dim - 2) * np.log(np.sin(angles))
    log_terms = log_density + scale * np.cos(angles)
    return float(logsumexp(log_terms) - logsumexp(log_density))


def _log_odds(posterior, num_classes):
    """ln[(C−1)P/(1−P)]: by how much the true logit must exceed the others if these are equal."""
    return math.log((num_classes - 1) * posterior / (1 - posterior))


def _check(num_classes, posterior=None):
    check_int("num_classes", num_classes, 2)
    if posterior is not None and not 1 / num_classes < posterior < 1:
        raise ValueError(
            f"posterior = {posterior!r}: expected a number between chance, {1 / num_classes:.3g} "
            f"for {num_classes} classes, and 1, both excluded"
        )

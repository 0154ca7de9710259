"""Judge a margin function: from target cosines to margined targets."""

import functools
import math

import torch

from lossbook import margins as right_margins
from lossbook.teaching.check import mistakes
from lossbook.teaching.check.cases import UNIFIED_MARGINS, Target, tolerance_at
from lossbook.teaching.check.verdict import (
    RIGHT,
    Mismatch,
    Verdict,
    call,
    check_finite,
    compare,
    slope,
    tensor_like,
    verdict,
)
from lossbook.utils.validation import require

__all__ = ["margin"]

# 359 steps, a prime: no angle but the ends falls on a joint kπ/m, where rounding decides.
ANGLES = 360


def margin(attempt, loss, *, ends=True, up_to=math.pi, **margins):
    """Judge a margin function: ``attempt(cos)``, (N,) target cosines to (N,) margined targets.

    Parameters
    ----------
    attempt : callable, or a blank
    loss : str
        The name of a function in :mod:`lossbook.margins`: "cosface", "arcface", "sphereface", …
    ends : bool
        Whether it is judged at cos θ = ±1 too, where arccos has no slope.
    up_to : float
        The largest angle at which it is judged, in radians.
    **margins
        The arguments of that function: ``m=0.5``, or ``m1``, ``m2`` (radians) and ``m3``.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If lossbook has no such loss. No fault of the attempt raises an error.
    """
    require(
        loss in UNIFIED_MARGINS, f"loss = {loss!r}: expected one of {', '.join(UNIFIED_MARGINS)}"
    )
    right_margin = functools.partial(getattr(right_margins, loss), **margins)
    cos = torch.cos(torch.linspace(0, up_to, ANGLES, dtype=torch.float64))
    cos = cos if ends else cos[1:-1]

    def judge():
        _check_targets(attempt, right_margin, cos, UNIFIED_MARGINS[loss](**margins))
        return _judge_slope(attempt, right_margin, cos)

    return verdict(attempt, judge)


def _check_targets(attempt, right_margin, cos, unified_margins):
    right, argument = right_margin(cos), cos.clone()
    targets = tensor_like(call(attempt, argument), right, "targets", "one target for each cosine")
    if not torch.equal(argument, cos):
        raise Mismatch(
            "Your function changes the cosines that it is given. Make a new tensor instead.",
            "changes its input",
        )
    finite_targets = torch.where(targets.isfinite(), targets, right)
    case = Target(cos, *unified_margins, right, finite_targets)

    def describe_difference(i):
        return (
            f"At θ = {torch.rad2deg(case.theta[i]):.1f}° your target is {targets[i]:.4g}; "
            f"expected {right[i]:.4g}."
        )

    compare(targets, right, tolerance_at(cos), case, mistakes.TARGET, describe_difference)
    check_finite(targets, cos, "Your target is")


def _judge_slope(attempt, right_margin, cos):
    """The verdict on an attempt whose values are right, from its slope in cos θ."""
    given = slope(lambda cosines: call(attempt, cosines), cos)
    right = slope(right_margin, cos)
    check_finite(given, cos, "Your values are right, but their gradient is")
    differs = (given - right).abs() > 1e-3 * right.abs() + 1e-9
    if differs[cos.abs() < 0.9999].any():
        raise Mismatch(
            "Your values are right, but the gradient is not theirs: a part of them is cut off from "
            "it, by detach, no_grad or item.",
            "gradient cut off",
        )
    if ((given == 0) & (right > 0)).any():
        return Verdict(
            True, "Right. One thing to know: at cos θ = ±1 your clamp lets no gradient through."
        )
    return RIGHT

"""Judge a margin function: from target cosines to margined targets."""

import functools
import math

import torch

from lossbook import margins as target_functions
from lossbook.teaching.check import mistakes
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

ANGLES = (
    360  # 359 steps, a prime: no angle but the ends falls on a joint kπ/m, where rounding decides
)


UNIFIED = {
    "lsoftmax": lambda m: (m, 0.0, 0.0),
    "sphereface": lambda m: (m, 0.0, 0.0),
    "cosface": lambda m: (1.0, 0.0, m),
    "arcface": lambda m, easy_margin=False: (1.0, m, 0.0),
    "combined": lambda m1, m2, m3, easy_margin=False: (m1, m2, m3),
}


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
        The largest angle that counts, in radians.
    **margins
        What that function takes: ``m=0.5``, or ``m1``, ``m2`` (radians) and ``m3``.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If lossbook has no such loss. Whatever the attempt does raises nothing.
    """
    require(loss in UNIFIED, f"loss = {loss!r}: expected one of {', '.join(UNIFIED)}")
    right_one = functools.partial(getattr(target_functions, loss), **margins)
    cos = torch.cos(torch.linspace(0, up_to, ANGLES, dtype=torch.float64))
    cos = cos if ends else cos[1:-1]
    right, tolerance = right_one(cos), _tolerance(cos)

    def judge():
        given = cos.clone()
        got = tensor_like(call(attempt, given), right, "targets", "one target for each cosine")
        if not torch.equal(given, cos):
            raise Mismatch(
                "Your function changes the cosines it is given. Make a new tensor instead.",
                "changes its input",
            )
        question = mistakes.Target(
            cos, *UNIFIED[loss](**margins), right, torch.where(got.isfinite(), got, right)
        )
        compare(
            got,
            right,
            tolerance,
            question,
            mistakes.TARGET,
            lambda i: (
                f"At θ = {torch.rad2deg(question.theta[i]):.1f}° your target is {got[i]:.4g}; "
                f"right is {right[i]:.4g}."
            ),
        )
        check_finite(got, cos, "Your target is")
        own, true = slope(lambda c: call(attempt, c), cos), slope(right_one, cos)
        check_finite(own, cos, "Your values are right, but their gradient is")
        if ((own - true).abs() > 1e-3 * true.abs() + 1e-9)[cos.abs() < 0.9999].any():
            raise Mismatch(
                "Your values are right, but the gradient is not theirs: a part of them is cut off from it, "
                "by detach, no_grad or item.",
                "gradient cut off",
            )
        if ((own == 0) & (true > 0)).any():
            return Verdict(
                True, "Right. One thing to know: at cos θ = ±1 your clamp lets no gradient through."
            )
        return RIGHT

    return verdict(attempt, judge)


def _tolerance(cos):
    """How far off a value may be; more at the ends, where a clamp at 1 − 1e-6 moves the angle by 1.4e-3."""
    return torch.where(cos.abs() < 0.9999, 1e-5, 3e-3)


def _question(true, x, labels):
    """What the right head answers, and what a wrong one may get wrong."""
    length = true.scale * torch.ones(len(x), len(true.weight), dtype=x.dtype)
    length = length if true.unit_embedding else length * x.norm(dim=1, keepdim=True)
    length = length if true.unit_weight else length * true.weight.norm(dim=1)
    return mistakes.Logits(
        x,
        labels,
        true.weight,
        true.scale,
        length,
        getattr(true, "margin_of", lambda cos: cos),
        true(x),
        true(x, labels),
    )

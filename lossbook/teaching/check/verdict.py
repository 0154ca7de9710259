"""A Verdict on an attempt, and how it is reached: call it, look at what comes back, compare.

Nothing a student's code does gets past :func:`verdict`: a blank, an exception, a value of the
wrong kind are verdicts as well.
"""

import linecache
import math
import numbers
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

__all__ = ["Verdict", "RIGHT", "BLANK", "NOT_FINITE"]

NOT_FINITE = "NaN or infinity"
FEW = 0.01  # a mistake is the same mistake if it comes out otherwise at the very ends
LIBRARIES = Path(torch.__file__).parent, Path(np.__file__).parent, Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """What a check found. True only if the attempt is right.

    ``attempted`` is False for a blank; ``message`` says what is wrong; ``mistake`` is its name if
    it is a known one (:mod:`lossbook.teaching.check.mistakes`), else None.
    """

    right: bool
    message: str
    mistake: str | None = None
    attempted: bool = True

    def __bool__(self):
        return self.right

    def __repr__(self):
        return f"{self._sign} {self.message}"

    def _repr_markdown_(self):
        return f"**{self._sign}** {self.message}"

    @property
    def _sign(self):
        return "✓" if self.right else "✗" if self.attempted else "…"


RIGHT = Verdict(True, "Right.")
BLANK = Verdict(
    False,
    "Not attempted yet: put your answer in place of the blank, and run the cell again.",
    attempted=False,
)


class Mismatch(Exception):
    """Something to say about an attempt; ends the check."""

    def __init__(self, message, mistake=None):
        super().__init__(message)
        self.verdict = Verdict(False, message, mistake)


class NotAttempted(Exception):
    """There is nothing to check yet."""


def is_blank(attempt):
    return attempt is None or attempt is Ellipsis


def verdict(attempt, judge):
    """What ``judge()`` returns or finds out about ``attempt``."""
    try:
        return BLANK if is_blank(attempt) else judge()
    except Mismatch as found:
        return found.verdict
    except NotAttempted:
        return BLANK


def call(function, *arguments):
    """What a student's function returns; an exception in it is found, a blank is a Blank."""
    if not callable(function):
        raise Mismatch(f"Wanted is a function; this is {describe(function)}.", "not a function")
    try:
        result = function(*arguments)
    except (Mismatch, NotAttempted):
        raise
    except NotImplementedError:
        raise NotAttempted from None
    except (Exception, SystemExit) as error:
        raise Mismatch(
            f"Your code stopped{_line(error)} with {type(error).__name__}: {error}", "stopped"
        ) from None
    if is_blank(result):
        raise NotAttempted
    return result


def _line(error):
    """Where a student's own code stood when it raised, in words."""
    frame, own = error.__traceback__.tb_next, None
    while frame:
        code = frame.tb_frame.f_code
        if not any(Path(code.co_filename).is_relative_to(library) for library in LIBRARIES):
            own = code, frame.tb_lineno
        frame = frame.tb_next
    if own is None:
        return ""
    code, number = own
    source = linecache.getline(code.co_filename, number).strip()
    return f" in `{code.co_name}`, line {number - code.co_firstlineno + 1}" + (
        f", `{source}`," if source else ","
    )


def describe(thing):
    """What something is, in words."""
    if torch.is_tensor(thing) or isinstance(thing, np.ndarray):
        name = "a tensor" if torch.is_tensor(thing) else "a numpy array"
        return f"{name} of shape {tuple(thing.shape)} and {thing.dtype}"
    return "a function" if callable(thing) else f"of type {type(thing).__name__}"


def tensor_like(got, right, name, what):
    """``got`` if it is a tensor of the shape and dtype of ``right``."""
    if not torch.is_tensor(got):
        raise Mismatch(
            f"You return something {describe(got)}; wanted is a tensor, {what}.", "wrong type"
        )
    if got.shape != right.shape:
        raise Mismatch(
            f"The shape of your {name} is {tuple(got.shape)}; wanted is {tuple(right.shape)}, {what}.",
            "wrong shape",
        )
    if got.dtype != right.dtype:
        raise Mismatch(
            f"The dtype of your {name} is {got.dtype}; that of the input is {right.dtype}. Keep it.",
            "wrong dtype",
        )
    return got.detach()


def compare(got, right, tolerance, question, table, otherwise):
    """Find which mistake of ``table`` leads to ``got``, if it is not ``right``, as far as it is finite."""
    finite = got.isfinite()

    def differ(a, b):
        """The share of samples in which two answers differ."""
        return (
            (((a - b).abs() > tolerance) & finite).reshape(len(got), -1).any(dim=1).double().mean()
        )

    if differ(got, right) == 0:
        return
    for name, says, wrong in table:
        other = wrong(question)
        if differ(other, right) > FEW > differ(got, other):
            raise Mismatch(says, name)
    worst = torch.where(finite, (got - right).abs(), 0).argmax()
    raise Mismatch(otherwise(worst))


def check_finite(got, cos, begins):
    """Say where ``got`` is not finite, at which cosines."""
    bad = ~got.isfinite()
    if not bad.any():
        return
    value = "NaN" if got[bad].isnan().any() else "infinite"
    where = (
        "at cos θ = ±1"
        if (cos[bad].abs() > 1 - 1e-9).all()
        else f"for example at cos θ = {cos[bad][0]:.3f}"
    )
    raise Mismatch(
        f"{begins} {value} {where}. The slope of arccos is infinite at ±1, and beyond it has no value: "
        "guard the slope there.",
        NOT_FINITE,
    )


def slope(function, cos):
    """dv/d cos of ``v = function(cos)``, both of shape (N,)."""
    leaf = cos.clone().requires_grad_()
    value = function(leaf)
    if not value.requires_grad:
        raise Mismatch(
            "Your values are right, but cut off from their gradient (by detach, no_grad, item or numpy): nothing "
            "can be trained with them.",
            "gradient cut off",
        )
    (found,) = call(lambda: torch.autograd.grad(value.sum(), leaf, allow_unused=True))
    return torch.zeros_like(cos) if found is None else found


def number(thing):
    """A float, from a number or from an array or tensor that holds one; else None."""
    if torch.is_tensor(thing):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, (np.ndarray, np.generic)) and np.size(thing) == 1:
        thing = np.asarray(thing).reshape(()).item()
    try:
        return (
            float(thing)
            if isinstance(thing, numbers.Real) and not isinstance(thing, bool)
            else None
        )
    except OverflowError:
        return math.inf if thing > 0 else -math.inf

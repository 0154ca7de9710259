"""A verdict on an attempt, and how it is reached: call it, check what it returns, compare.

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

__all__ = [
    "BLANK",
    "NOT_FINITE",
    "RIGHT",
    "Mismatch",
    "NotAttempted",
    "Verdict",
    "call",
    "check_finite",
    "compare",
    "describe",
    "is_blank",
    "number",
    "slope",
    "tensor_like",
    "verdict",
]

NOT_FINITE = "NaN or infinity"
FEW = 0.01  # a mistake is recognised although this share of its values differ, at the very ends
LIBRARIES = Path(torch.__file__).parent, Path(np.__file__).parent, Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """The result of a check. It is true only if the attempt is right.

    ``attempted`` is False for a blank; ``message`` tells the student what is wrong; ``mistake`` is
    the name of a known one (:mod:`lossbook.teaching.check.mistakes`), else None.
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
    """The attempt is wrong: ends the check with this message."""

    def __init__(self, message, mistake=None):
        super().__init__(message)
        self.verdict = Verdict(False, message, mistake)


class NotAttempted(Exception):
    """There is nothing to check yet."""


def is_blank(attempt):
    return attempt is None or attempt is Ellipsis


def verdict(attempt, judge):
    """The verdict that ``judge()`` returns, or that its exception carries."""
    try:
        return BLANK if is_blank(attempt) else judge()
    except Mismatch as mismatch:
        return mismatch.verdict
    except NotAttempted:
        return BLANK


def call(function, *arguments):
    """The result of a student's function.

    Raises :class:`Mismatch` for an exception in it, :class:`NotAttempted` for a blank.
    """
    if not callable(function):
        raise Mismatch(f"Expected a function, got {describe(function)}.", "not a function")
    try:
        result = function(*arguments)
    except (Mismatch, NotAttempted):
        raise
    except NotImplementedError:
        raise NotAttempted from None
    except (Exception, SystemExit) as error:
        raise Mismatch(
            f"Your code stopped{_describe_line(error)} with {type(error).__name__}: {error}",
            "stopped",
        ) from None
    if is_blank(result):
        raise NotAttempted
    return result


def _describe_line(error):
    """The line of the student's own code that raised, in words; empty if there is none."""
    frame, code, line_number = error.__traceback__.tb_next, None, None
    while frame:
        path = Path(frame.tb_frame.f_code.co_filename)
        if not any(path.is_relative_to(library) for library in LIBRARIES):
            code, line_number = frame.tb_frame.f_code, frame.tb_lineno
        frame = frame.tb_next
    if code is None:
        return ""
    source = linecache.getline(code.co_filename, line_number).strip()
    line = f" in `{code.co_name}`, line {line_number - code.co_firstlineno + 1},"
    return f"{line} `{source}`," if source else line


def describe(thing):
    """A thing's type, with shape and dtype for tensors and arrays, in words."""
    if torch.is_tensor(thing) or isinstance(thing, np.ndarray):
        kind = "a tensor" if torch.is_tensor(thing) else "a numpy array"
        return f"{kind} of shape {tuple(thing.shape)} and {thing.dtype}"
    return "a function" if callable(thing) else f"an object of type {type(thing).__name__}"


def tensor_like(result, right, name, meaning):
    """``result``, detached, if it is a tensor of the shape and dtype of ``right``.

    Otherwise raises :class:`Mismatch`; ``name`` and ``meaning`` tell what was expected.
    """
    if not torch.is_tensor(result):
        raise Mismatch(
            f"You return {describe(result)}; expected a tensor, {meaning}.", "wrong type"
        )
    if result.shape != right.shape:
        raise Mismatch(
            f"The shape of your {name} is {tuple(result.shape)}; expected {tuple(right.shape)}, "
            f"{meaning}.",
            "wrong shape",
        )
    if result.dtype != right.dtype:
        raise Mismatch(
            f"The dtype of your {name} is {result.dtype}; expected {right.dtype}, that of the "
            "input.",
            "wrong dtype",
        )
    return result.detach()


def compare(values, right, tolerance, case, table, describe_difference):
    """Compare ``values`` with the right ones where they are finite.

    If they differ, raise :class:`Mismatch`: the first mistake of ``table`` that leads to them, or
    ``describe_difference`` of the flat position where they differ most.
    """
    finite = values.isfinite()

    def share_differing(a, b):
        """The share of samples in which two answers differ."""
        differs = ((a - b).abs() > tolerance) & finite
        return differs.reshape(len(values), -1).any(dim=1).double().mean()

    if share_differing(values, right) == 0:
        return
    for name, message, wrong in table:
        wrong_values = wrong(case)
        if share_differing(wrong_values, right) > FEW > share_differing(values, wrong_values):
            raise Mismatch(message, name)
    worst = torch.where(finite, (values - right).abs(), 0).argmax()
    raise Mismatch(describe_difference(worst))


def check_finite(values, cos, subject):
    """Raise :class:`Mismatch` if a value is not finite, naming the cosines where.

    ``subject`` begins the message, e.g. "Your target is".
    """
    bad = ~values.isfinite()
    if not bad.any():
        return
    kind = "NaN" if values[bad].isnan().any() else "infinite"
    where = (
        "at cos θ = ±1"
        if (cos[bad].abs() > 1 - 1e-9).all()
        else f"for example at cos θ = {cos[bad][0]:.3f}"
    )
    raise Mismatch(
        f"{subject} {kind} {where}. The slope of arccos is infinite at ±1, and beyond it has no "
        "value: guard the slope there.",
        NOT_FINITE,
    )


def slope(function, leaf):
    """The gradient of the sum of ``function(leaf)``, of the shape of ``leaf``; 0 where unused."""
    leaf = leaf.clone().requires_grad_()
    value = function(leaf)
    if not value.requires_grad:
        raise Mismatch(
            "Your values are right, but cut off from their gradient (by detach, no_grad, item or "
            "numpy): nothing can be trained with them.",
            "gradient cut off",
        )
    (gradient,) = call(lambda: torch.autograd.grad(value.sum(), leaf, allow_unused=True))
    return torch.zeros_like(leaf) if gradient is None else gradient


def number(thing):
    """A float, from a number or from an array or tensor that holds one; else None."""
    if torch.is_tensor(thing):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, (np.ndarray, np.generic)) and np.size(thing) == 1:
        thing = np.asarray(thing).reshape(()).item()
    if isinstance(thing, bool) or not isinstance(thing, numbers.Real):
        return None
    try:
        return float(thing)
    except OverflowError:
        return math.inf if thing > 0 else -math.inf

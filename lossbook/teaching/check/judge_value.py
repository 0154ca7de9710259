"""Judge a number."""

import math

from lossbook.teaching.check import mistakes
from lossbook.teaching.check.verdict import RIGHT, Mismatch, call, describe, number, verdict

__all__ = ["value"]


def value(attempt, expected, unit="", *, tolerance=0.01, wrong=None):
    """Judge a number.

    Parameters
    ----------
    attempt : float, int, or an array or tensor of one number, or a blank
        Or a function without arguments that returns one, such as ``lambda: my_rate(scores, 0.1)``: then
        a blank in ``my_rate``, and an exception from it, are verdicts too.
    expected : float
    unit : str
        "radians" and "degrees" let the check tell one from the other; any other is only named. Without
        one, a number in [−1, 1] may be a cosine, and its angle the mistake.
    tolerance : float
        Relative to ``expected``; absolute where that is 0.
    wrong : dict, what to say -> number
        Wrong answers of this very question, compared before the common ones. The nearest is named.

    Returns
    -------
    Verdict. It never states ``expected``. Whatever the attempt is raises nothing.
    """

    def judge():
        given, of = call(attempt) if callable(attempt) else attempt, f" {unit}" if unit else ""
        got = number(given)
        if got is None:
            raise Mismatch(
                f"Wanted is a number{of and ', in' + of}; this is {describe(given)}.",
                "not a number",
            )
        if not math.isfinite(got):
            raise Mismatch(f"Wanted is a finite number; this is {got}.", "not finite")

        def close(to, within=tolerance):
            return abs(got - to) <= within * (abs(to) or 1)

        if close(expected):
            return RIGHT
        own = {says: (says, other) for says, other in (wrong or {}).items()}
        for known in (own, mistakes.value_mistakes(expected, unit)):
            near = [
                (abs(got - other), says, name)
                for name, (says, other) in known.items()
                if close(other)
            ]
            if near:
                _, says, name = min(near, key=lambda mistake: mistake[0])
                raise Mismatch(says, name)
        if close(expected, within=min(5 * tolerance, 0.05)):
            raise Mismatch(
                f"{got:g}{of} is close, but off by more than {tolerance:.0%}: round at the very end.",
                "rounded too early",
            )
        raise Mismatch(f"{got:g}{of} is too {'large' if got > expected else 'small'}.")

    return verdict(attempt, judge)

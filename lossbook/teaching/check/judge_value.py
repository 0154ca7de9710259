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
        Or a function without arguments that returns one, such as ``lambda: my_rate(scores, 0.1)``:
        then a blank in ``my_rate``, and an exception from it, are verdicts too.
    expected : float
    unit : str
        "radians" and "degrees" let the check tell one from the other; any other is only named.
        Without one, a number in [−1, 1] may be a cosine, and its angle the mistake.
    tolerance : float
        Relative to ``expected``; absolute where that is 0.
    wrong : dict, message -> number
        Wrong answers of this very question, compared before the common ones. The nearest is named.

    Returns
    -------
    Verdict. It never states ``expected``. No fault of the attempt raises an error.
    """

    def judge():
        given = _read_number(call(attempt) if callable(attempt) else attempt, unit)
        in_words = f"{given:.9g} {unit}" if unit else f"{given:.9g}"
        if _is_close(given, expected, tolerance):
            return RIGHT
        own_mistakes = {message: (message, number) for message, number in (wrong or {}).items()}
        for known_mistakes in (own_mistakes, mistakes.value_mistakes(expected, unit)):
            _check_mistakes(given, known_mistakes, tolerance)
        if _is_close(given, expected, 0.05):
            raise Mismatch(
                f"{in_words} is close, but off by more than {100 * tolerance:.2g} %: round at the "
                "very end, or give more digits.",
                "rounded too early",
            )
        raise Mismatch(f"{in_words} is too {'large' if given > expected else 'small'}.")

    return verdict(attempt, judge)


def _read_number(given, unit):
    if _is_decimal_comma(given):
        whole, decimals = given
        raise Mismatch(
            f"Expected a number, got the tuple ({whole}, {decimals}): Python separates decimals "
            f"with a point. Write {whole}.{decimals}.",
            "decimal comma",
        )
    result = number(given)
    if result is None:
        raise Mismatch(
            f"Expected a number{unit and f' in {unit}'}, got {describe(given)}.", "not a number"
        )
    if not math.isfinite(result):
        raise Mismatch(f"Expected a finite number, got {result}.", "not finite")
    return result


def _is_decimal_comma(given):
    """Whether ``given`` is what Python makes of 0,25."""
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and all(type(part) is int for part in given)
        and given[1] >= 0
    )


def _is_close(given, to, tolerance):
    return abs(given - to) <= tolerance * (abs(to) or 1)


def _check_mistakes(given, known_mistakes, tolerance):
    """Raise the nearest of ``{name: (message, wrong number)}`` that ``given`` comes close to."""
    close = [
        (abs(given - wrong), message, name)
        for name, (message, wrong) in known_mistakes.items()
        if _is_close(given, wrong, tolerance)
    ]
    if close:
        _, message, name = min(close, key=lambda mistake: mistake[0])
        raise Mismatch(message, name)

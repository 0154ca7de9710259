"""Points of a task's tests: in proportion to their weights, and adding up to what was asked for."""

import math
from fractions import Fraction

from lossbook.utils.validation import require

__all__ = ["in_words", "share_points"]

UNITS = (Fraction(1), Fraction(1, 2), Fraction(1, 4))  # then tenths, twentieths, hundredths, …
MOST_OFF = Fraction(1, 10)


def share_points(total, weights):
    """``total`` points shared out in proportion to ``weights``, by largest remainders: a list.

    Everything gets whole points if no share is then off by more than a tenth of itself; otherwise
    halves, quarters, tenths, and so on. The shares add up to ``total``.

    Raises ``ValueError`` unless ``total`` is above 0 and finite.

    Examples
    --------
    >>> share_points(10, [2, 3, 5])
    [2.0, 3.0, 5.0]
    >>> share_points(7, [2, 3, 5])
    [1.5, 2.0, 3.5]
    """
    require(
        math.isfinite(total) and total > 0,
        f"points = {total!r}: expected a total above 0",
    )
    total = Fraction(str(total))
    weights = [Fraction(str(weight)) for weight in weights]
    exact = [total * weight / sum(weights) for weight in weights]
    for unit in _units():
        shares = _largest_remainders(total, exact, unit)
        if sum(shares) == total and all(
            abs(share - right) <= MOST_OFF * right for share, right in zip(shares, exact)
        ):
            return [float(share) for share in shares]


def in_words(points):
    """``"1 point"``, ``"2.5 points"``."""
    return f"{points:.12g} point{'' if points == 1 else 's'}"


def _units():
    yield from UNITS
    tenth = Fraction(1, 10)
    while True:
        yield tenth
        yield tenth / 2
        tenth /= 10


def _largest_remainders(total, exact, unit):
    """Multiples of ``unit``: shares rounded down, and the rest to the largest remainders."""
    shares = [right // unit * unit for right in exact]
    left = (total - sum(shares)) // unit
    by_remainder = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[:left]:
        shares[i] += unit
    return shares

"""Input checks, shared by the whole library: a refused value is named, with what was expected.

``check_*`` functions take the name of an argument for their message, return the value in the form
that the library computes with, and raise ``ValueError`` or ``TypeError``.
"""

import math
import numbers

import numpy as np

__all__ = [
    "require",
    "check_int",
    "check_number",
    "check_matrix",
    "check_2d_embeddings",
    "check_labels",
    "unit_rows",
]


def require(condition, message, error=ValueError):
    """Raise ``error(message)`` unless ``condition`` is true."""
    if not condition:
        raise error(message)


def check_int(name, value, least=1):
    """``value`` as an int.

    Raises ``ValueError`` unless it is a whole number, of Python or NumPy, of at least ``least``.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    require(
        is_integer and value >= least,
        f"{name} = {value!r}: expected a whole number of at least {least}",
    )
    return int(value)


def check_number(name, value, zero_allowed=False):
    """``value``, a real number above 0 and finite; ``zero_allowed`` allows 0 too.

    Raises ``ValueError`` otherwise.
    """
    require(
        isinstance(value, numbers.Real)
        and math.isfinite(value)
        and (value > 0 or zero_allowed and value == 0),
        f"{name} = {value!r}: expected a number {'of at least' if zero_allowed else 'above'} 0, "
        "and finite",
    )
    return value


def check_matrix(name, values):
    """A tensor or array of shape (N, d) as a float64 array.

    Raises ``ValueError`` unless it has two dimensions, is not empty and is finite.
    """
    if hasattr(values, "detach"):  # a tensor, without importing torch to tell
        values = values.detach().cpu().double().numpy()
    values = np.asarray(values, dtype=np.float64)
    require(
        values.ndim == 2 and values.size > 0,
        f"{name} has shape {values.shape}: expected two dimensions, neither of them empty",
    )
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"row {row} of {name} is not finite: {values[row]}")
    return values


def check_2d_embeddings(name, values):
    """As :func:`check_matrix`, and ``ValueError`` unless the embeddings are 2-D, (N, 2)."""
    values = check_matrix(name, values)
    require(
        values.shape[1] == 2,
        f"{name} has shape {values.shape}: expected 2-D embeddings, (N, 2), for the circle",
    )
    return values


def check_labels(labels, count, classes=None):
    """A tensor or array of class numbers as an array of integers, shape (``count``,).

    Raises ``TypeError`` if they are not integers, and ``ValueError`` for another shape or a label
    outside [0, ``classes``); without ``classes`` any number from 0 is accepted.
    """
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    labels = np.asarray(labels)
    require(
        np.issubdtype(labels.dtype, np.integer),
        f"labels are {labels.dtype}: expected integers, one class number per row",
        TypeError,
    )
    require(
        labels.shape == (count,),
        f"labels have shape {labels.shape}: expected ({count},), one for each row",
    )
    end = np.inf if classes is None else classes
    outside = labels[(labels < 0) | (labels >= end)]
    if len(outside):
        raise ValueError(
            f"label {outside[0]} is outside [0, {end}): labels number the classes from 0"
        )
    return labels


def unit_rows(name, values):
    """The directions of vectors of shape (…, d): float64, each of length 1.

    Raises ``ValueError`` for a zero vector, which has no direction.
    """
    values = np.asarray(values, dtype=np.float64)
    # Divided by the largest entry first, so that no square overflows or underflows.
    largest = np.abs(values).max(axis=-1, keepdims=True)
    if not largest.all():
        row = int(np.argmin(largest))
        raise ValueError(f"row {row} of {name} is the zero vector: it has no direction")
    scaled = values / largest
    scaled /= np.linalg.norm(scaled, axis=-1, keepdims=True)
    return scaled

"""Checks of what a caller hands in, and arrays read once: each error says what was given and what was expected."""

import numbers

import numpy as np
import torch

__all__ = [
    "require",
    "check_int",
    "check_matrix",
    "check_2d_embeddings",
    "unit_rows",
    "check_labels",
]


def require(condition, message, error=ValueError):
    """Raise ``error(message)`` unless ``condition`` holds."""
    if not condition:
        raise error(message)


def check_int(name, value, least=1):
    """``value`` as an int, if it is a whole number (numpy's too) of at least ``least``; else ``ValueError``."""
    require(
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least,
        f"{name} = {value!r}: expected a whole number of at least {least}",
    )
    return int(value)


def check_matrix(name, a):
    """``a``, a tensor or an array, in float64: two dimensions, not empty, all finite; else ``ValueError``."""
    a = a.detach().cpu().double().numpy() if torch.is_tensor(a) else np.asarray(a, dtype=np.float64)
    if a.ndim != 2 or a.size == 0:
        raise ValueError(
            f"{name} has shape {a.shape}: expected two dimensions, neither of them empty"
        )
    if not np.isfinite(a).all():
        row = int(np.argmax(~np.isfinite(a).all(axis=1)))
        raise ValueError(f"row {row} of {name} is not finite: {a[row]}")
    return a


def check_2d_embeddings(name, a):
    """A :func:`matrix` of 2-D embeddings, (N, 2)."""
    a = check_matrix(name, a)
    if a.shape[1] != 2:
        raise ValueError(f"{name} has shape {a.shape}: the circle needs 2-D embeddings, (N, 2)")
    return a


def unit_rows(name, a):
    """The rows of ``a`` (N, d) at length 1; ``ValueError`` for a zero row."""
    largest = np.abs(a).max(
        axis=1, keepdims=True
    )  # first, so that squares cannot over- or underflow
    if not largest.all():
        raise ValueError(
            f"row {int(np.argmin(largest))} of {name} is the zero vector: it has no direction"
        )
    a = a / largest
    return a / np.linalg.norm(a, axis=1, keepdims=True)


def check_labels(labels, count, classes=None):
    """``labels`` as (``count``,) integers in [0, ``classes``); else ``TypeError`` or ``ValueError``."""
    labels = np.asarray(labels.detach().cpu() if torch.is_tensor(labels) else labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels are {labels.dtype}: expected integers, one class number a row")
    if labels.shape != (count,):
        raise ValueError(f"labels have shape {labels.shape}: expected ({count},), one for each row")
    end = np.inf if classes is None else classes
    outside = labels[(labels < 0) | (labels >= end)]
    if len(outside):
        raise ValueError(
            f"label {outside[0]} is outside [0, {end}): labels number the classes from 0"
        )
    return labels

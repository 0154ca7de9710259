"""One line to refuse bad input: say what was given, what was expected and what to do."""

import numbers

__all__ = ["require", "whole"]


def require(condition, message, error=ValueError):
    """Raise ``error(message)`` unless ``condition`` holds."""
    if not condition:
        raise error(message)


def whole(name, value, least=1):
    """``value`` as an int, if it is a whole number (numpy's too) of at least ``least``; else ``ValueError``."""
    require(isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least,
            f"{name} = {value!r}: expected a whole number of at least {least}")
    return int(value)

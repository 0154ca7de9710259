"""One line to refuse bad input: say what was given, what was expected and what to do."""

__all__ = ["require"]


def require(condition, message, error=ValueError):
    """Raise ``error(message)`` unless ``condition`` holds."""
    if not condition:
        raise error(message)

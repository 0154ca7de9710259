"""The options of a head's loss that a training passes on, such as weights of the classes."""

import inspect

import torch

from lossbook.utils.validation import require

__all__ = ["check_loss_options", "describe_loss_options"]


def check_loss_options(head, options, device):
    """``options`` as keyword arguments of ``head.loss``, with tensors on ``device``.

    Raises ``TypeError`` for one that this loss does not have, and ``ValueError`` for one that a
    training decides itself.
    """
    options = dict(options or {})
    for name, reason in (
        ("reduction", "training takes the mean"),
        ("generator", "seed decides what is drawn"),
    ):
        require(name not in options, f"loss_options has {name!r}: leave it out, {reason}")
    parameters = inspect.signature(head.loss).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in options:
        require(
            takes_any or name in parameters,
            f"loss_options has {name!r}, which is no option of this loss: it is "
            f"loss({', '.join(parameters)})",
            TypeError,
        )
    return {
        name: value.to(device) if torch.is_tensor(value) else value
        for name, value in options.items()
    }


def describe_loss_options(options):
    """The options for JSON: a tensor as a list of numbers."""
    return {
        name: value.tolist() if torch.is_tensor(value) else value for name, value in options.items()
    }

"""The targets of a batch, as a margin that depends on the sample sees them."""

from typing import NamedTuple

import torch

__all__ = ["Targets"]


class Targets(NamedTuple):
    """One row per sample: ``cos`` of the target angle, ``length`` ‖x‖ and ``labels``, (N,) each.

    ``margined`` (N,) are the margined target cosines, once they are computed, without gradient.
    """

    cos: torch.Tensor
    length: torch.Tensor
    labels: torch.Tensor
    margined: torch.Tensor | None = None

    @classmethod
    def with_margin(cls, head, cos, length, labels):
        """``(targets, margined)``, with one call of the head's ``margin_of_samples``."""
        margined = head.margin_of_samples(cls(cos, length, labels))
        return cls(cos.detach(), length.detach(), labels, margined.detach()), margined

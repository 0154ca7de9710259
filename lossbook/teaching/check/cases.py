"""Inputs on which an attempt is tried, with the right answers.

:mod:`lossbook.teaching.check.mistakes` computes its wrong answers from them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

__all__ = ["Batches", "Logits", "Target", "UNIFIED_MARGINS", "logits_case", "tolerance_at"]

# The arguments of each loss in lossbook.margins, as the three margins of the unified formula.
UNIFIED_MARGINS = {
    "lsoftmax": lambda m: (m, 0.0, 0.0),
    "sphereface": lambda m: (m, 0.0, 0.0),
    "cosface": lambda m: (1.0, 0.0, m),
    "arcface": lambda m, easy_margin=False: (1.0, m, 0.0),
    "combined": lambda m1, m2, m3, easy_margin=False: (m1, m2, m3),
}


class Target(NamedTuple):
    """N target cosines, the margins of the unified formula, the right targets and the attempt's."""

    cos: torch.Tensor
    m1: float
    m2: float
    m3: float
    right: torch.Tensor
    attempt: torch.Tensor

    @property
    def theta(self):
        return torch.arccos(self.cos.clamp(-1, 1))

    @property
    def margined_angle(self):
        return self.m1 * self.theta + self.m2


class Logits(NamedTuple):
    """N embeddings, their labels, C class vectors, and the (N, C) logits that they should give."""

    x: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor
    scale: float
    length: torch.Tensor  # (N, C): what each cosine is multiplied by
    margin: Callable  # (N,) target cosines -> (N,) margined targets
    predicted: torch.Tensor  # the right logits without labels
    trained: torch.Tensor  # the right logits with labels

    @property
    def cos(self):
        return (F.normalize(self.x) @ F.normalize(self.weight).T).clamp(-1, 1)

    def is_target(self, labels):
        """(N, C), True in each row in the column of its label alone."""
        return F.one_hot(labels % len(self.weight), len(self.weight)).bool()

    @property
    def with_margin_everywhere(self):
        return self.length * self.margin(self.cos.flatten()).reshape(self.cos.shape)

    def with_margin_on(self, labels):
        return torch.where(self.is_target(labels), self.with_margin_everywhere, self.predicted)

    def with_target(self, wrong_target):
        """The training logits with another target: ``wrong_target`` of the N target cosines."""
        is_target = self.is_target(self.labels)
        target = wrong_target(self.cos[is_target])
        return torch.where(is_target, self.length * target[:, None], self.predicted)


class Batches(NamedTuple):
    """B batches, each of embeddings (N, d) and labels (N,), and the right loss of each, (B,)."""

    batches: list
    right: torch.Tensor

    def losses(self, loss):
        """Another loss of the same batches, (B,)."""
        return torch.stack([loss(x, labels) for x, labels in self.batches])


def logits_case(head, x, labels):
    """The :class:`Logits` of the right ``head`` for ``x`` and ``labels``."""
    length = head.scale * torch.ones(len(x), len(head.weight), dtype=x.dtype)
    if not head.unit_embedding:
        length = length * x.norm(dim=1, keepdim=True)
    if not head.unit_weight:
        length = length * head.weight.norm(dim=1)
    margin = getattr(head, "margin_of", lambda cos: cos)
    return Logits(x, labels, head.weight, head.scale, length, margin, head(x), head(x, labels))


def tolerance_at(cos):
    """The absolute error that is allowed in a target at each cosine.

    It is larger at the ends, where a clamp at 1 − 1e-6 moves the angle by 1.4e-3.
    """
    return torch.where(cos.abs() < 0.9999, 1e-5, 3e-3)

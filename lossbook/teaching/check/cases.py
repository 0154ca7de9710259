"""What an attempt is asked, and the right answer: what :mod:`lossbook.teaching.check.mistakes` computes its wrong answers from."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

__all__ = ["Target", "Logits", "Batches"]


class Target(NamedTuple):
    """A question about N target cosines: the cosines, the margins, the right answer and the attempt's."""

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
    def turned(self):
        return self.m1 * self.theta + self.m2


class Logits(NamedTuple):
    """A question about a head: N embeddings, labels, C class vectors, and the (N, C) logits they should give."""

    x: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor
    scale: float
    length: torch.Tensor  # (N, C): what each cosine is multiplied by
    margin: Callable  # (N,) target cosines -> (N,) margined targets
    predicted: torch.Tensor  # the right logits without labels
    trained: torch.Tensor  # and with them

    @property
    def cos(self):
        return (F.normalize(self.x) @ F.normalize(self.weight).T).clamp(-1, 1)

    def chosen(self, labels):
        """One True in each row: in the column of its label."""
        return F.one_hot(labels % len(self.weight), len(self.weight)).bool()

    @property
    def everywhere(self):
        """The margin on every entry."""
        return self.length * self.margin(self.cos.flatten()).reshape(self.cos.shape)

    def with_margin_on(self, labels):
        return torch.where(self.chosen(labels), self.everywhere, self.predicted)

    def target(self, wrong):
        """The training logits with another target, ``wrong`` of the N target cosines."""
        cos = self.cos[self.chosen(self.labels)]
        return torch.where(
            self.chosen(self.labels), self.length * wrong(cos)[:, None], self.predicted
        )


class Batches(NamedTuple):
    """A question about a loss: B batches of embeddings (N, d) and labels (N,), and the loss of each, (B,)."""

    batches: list
    right: torch.Tensor

    def each(self, loss):
        """Another loss of the same batches, (B,)."""
        return torch.stack([loss(x, labels) for x, labels in self.batches])

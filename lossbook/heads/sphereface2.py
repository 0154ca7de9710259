"""SphereFace2: a binary problem for each class, in the place of one softmax over all of them."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.base import Head
from lossbook.heads.cross_entropy import CrossEntropy
from lossbook.heads.input_checks import refuse_labels
from lossbook.utils.validation import require

__all__ = ["SphereFace2"]


class SphereFace2(Head):
    """C binary problems, "is it this class or not?", that share one bias.

    Logits z_j = s·g(cos θ_j) + b with the similarity g(c) = 2((c + 1)/2)^t − 1. With the margin m
    on either side, the loss of a sample is

        λ/s · ln(1 + e^{−(z_y − s·m)}) + (1 − λ)/s · Σ_{j≠y} ln(1 + e^{z_j + s·m}).

    No class competes with another: ``torch.sigmoid(head(x))`` is the probability of each class
    on its own, and those of a sample need not add up to 1. The loss is no cross-entropy of the
    logits, so ``head(x, labels)`` raises ``TypeError``: train with ``head.loss(x, labels)`` and
    predict with ``head(x)``. It is made for embeddings of many dimensions: ten digits train well in
    16 dimensions, and badly in the plane.

    Source: Wen et al., "SphereFace2", ICLR 2022, eq. 5. The authors' code takes 50 times this
    loss, which matters to weight decay and to the clipping of gradients.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0; r in the paper.
    margin : float
        m, in [0, 1): a difference of similarities.
    balance : float
        λ, in (0, 1): the weight of the target; 1 − λ is that of each other class.
    power : float
        t, at least 1: the larger, the more the similarity is spread where cos θ is high.

    Attributes
    ----------
    bias : Parameter, a scalar
        b. At first, the target and the other classes pull it equally for an embedding at right
        angles to all class vectors.

    Examples
    --------
    >>> head = SphereFace2(embedding_dim=2, num_classes=2, scale=10, power=1.0)
    >>> head.weight.data, head.bias.data = torch.eye(2), torch.tensor(-2.0)
    >>> head(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[4., 6.]])
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=40.0, margin=0.4, balance=0.7, power=3.0):
        settings = {"margin": margin, "balance": balance, "power": power}
        super().__init__(embedding_dim, num_classes, scale, **settings)
        self.check_settings()
        self.bias = nn.Parameter(torch.tensor(self._first_bias()))

    def check_settings(self):
        require(0 <= self.margin < 1, f"margin = {self.margin!r}: expected m in [0, 1)")
        require(0 < self.balance < 1, f"balance = {self.balance!r}: expected λ in (0, 1)")
        require(
            math.isfinite(self.power) and self.power >= 1,
            f"power = {self.power!r}: expected t of at least 1",
        )

    def reset_parameters(self):
        super().reset_parameters()
        if self.bias is not None:
            nn.init.constant_(self.bias, self._first_bias())

    def forward(self, x, labels=None):
        """Logits (N, C) of embeddings (N, d) to predict with; labels are a ``TypeError``."""
        refuse_labels(self, labels, "solves a binary problem for each class")
        return super().forward(x)

    def loss(self, x, labels, *, reduction="mean"):
        """The loss of embeddings (N, d) with labels (N,): its mean, a scalar, by default.

        ``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``, which gives (N,).
        """
        terms = CrossEntropy.checked(self.num_classes, reduction, 0.0, None)
        logits, shift = self(self.check_inputs(x, labels)), self.scale * self.margin
        target = logits.gather(1, labels[:, None]).squeeze(1)
        others = logits.scatter(1, labels[:, None], -math.inf)
        accepted = -F.logsigmoid(target - shift)
        rejected = -F.logsigmoid(-(others + shift)).sum(dim=1)
        loss = self.balance * accepted + (1 - self.balance) * rejected
        return terms.reduced(loss / self.scale)

    def plain_logits(self, x):
        """s·g(cos θ_j) + b, (N, C), of checked embeddings (N, d), in float32 or wider."""
        half = (self.products(x) + 1) / 2
        similarity = 2 * half.clamp_min(0) ** self.power - 1  # below 0 by rounding alone
        return self.scale * similarity + self.bias

    def _first_bias(self):
        """b where λσ(−s(g(0) − m) − b) = (1 − λ)(C − 1)σ(s(g(0) + m) + b), σ the sigmoid.

        With v = e^{s(g(0) + m) + b}, z = λ/((1 − λ)(C − 1)) and q = e^{−2sm} it is the positive
        root of q·v² + (1 − z)v − z = 0.
        """
        scale = float(self.scale)
        z = self.balance / ((1 - self.balance) * (self.num_classes - 1))
        root = math.sqrt((1 - z) ** 2 + 4 * z * math.exp(-2 * scale * self.margin))
        if z <= 1:
            log_v = math.log(2 * z / (1 - z + root))
        else:  # the same, without the difference of two nearly equal numbers
            log_v = math.log((z - 1 + root) / 2) + 2 * scale * self.margin
        return log_v - scale * (2 * 0.5**self.power - 1 + self.margin)

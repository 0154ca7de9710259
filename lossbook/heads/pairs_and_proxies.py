"""Heads that compare cosines within a batch: image with image, or class vector with images.

* :class:`SupCon` and :class:`Circle` compare the images of a batch with each other. They have no
  trained class vectors, and predict the class whose mean direction is nearest
  (``MeanDirection``).
* :class:`ProxyAnchor` has a class vector for each class, which the paper calls a proxy, and takes
  the sums of its loss over the images of the batch.

Train them with ``head.loss(x, labels)`` and predict with ``head(x)``; ``head(x, labels)`` raises
``TypeError``. A batch needs several images of a class: take the batches of
:class:`lossbook.data.samplers.MPerClassSampler`, with ``training.fit(…, per_class=4)``.
"""

import math

import torch
import torch.nn.functional as F

from lossbook.heads.base import Head
from lossbook.heads.euclidean import NearestMean
from lossbook.heads.input_checks import refuse_labels
from lossbook.utils.validation import check_number, require
from lossbook.utils.vectors import at_least_float32, polar

__all__ = ["MeanDirection", "SupCon", "Circle", "ProxyAnchor"]

SHORTEST = 1e-12  # the length below which an embedding has a bounded gradient


class MeanDirection(NearestMean):
    """A head without trained class vectors that compares directions.

    As :class:`~lossbook.heads.NearestMean`, of the embeddings divided by their lengths: ``weight``
    (C, d) holds the running mean direction of every class, and ``head(x)`` the logits
    −‖x/‖x‖ − mean_j‖².
    """

    def loss(self, x, labels):
        unit, _ = polar(self.check_inputs(x, labels), SHORTEST)
        return super().loss(unit, labels)

    def plain_logits(self, x):
        return super().plain_logits(polar(x, SHORTEST)[0])


class SupCon(MeanDirection):
    """Supervised contrastive loss: a softmax over the other images of the batch.

    For each anchor, the mean over its positives of the cross-entropy over all other images, with
    the logits cos/τ. The loss is the mean over the anchors that have a positive.

    Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2 (L_out).

    Parameters
    ----------
    embedding_dim : int
    num_classes : int, optional
        Needed to predict, not to train: see :class:`~lossbook.heads.NearestMean`.
    temperature : float
        τ, above 0: 1/s of a head with class vectors.

    Examples
    --------
    Two images of one class in one direction, and one at a right angle: ln(1 + e^(−1/τ)).

    >>> head = SupCon(embedding_dim=2, temperature=1.0)
    >>> x = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    >>> head.loss(x, torch.tensor([0, 0, 1]))
    tensor(0.3133)
    """

    def __init__(self, embedding_dim, num_classes=None, temperature=0.1):
        super().__init__(embedding_dim, num_classes, temperature=temperature)

    def check_settings(self):
        check_number("temperature", self.temperature)

    def distance_loss(self, x, labels):
        positive, _ = _pairs(labels)
        itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
        logits = (_cosines(x, x) / self.temperature).masked_fill(itself, -math.inf)
        log_share = torch.where(positive, logits.log_softmax(dim=1), 0.0)
        count = positive.sum(dim=1)
        losses = -log_share.sum(dim=1) / count.clamp_min(1)
        return losses.sum() / (count > 0).sum().clamp_min(1)


class Circle(MeanDirection):
    """Circle loss on pairs: every cosine is weighted by how far it is from where it should be.

    For each anchor ln(1 + Σ_n e^(γ a_n (s_n − m)) Σ_p e^(−γ a_p (s_p − 1 + m))) over the cosines
    s_p to its positives and s_n to its negatives, with the weights a_p = max(0, 1 + m − s_p) and
    a_n = max(0, s_n + m), which pass no gradient. The loss is the mean over the anchors that have
    both.

    Source: Sun et al., "Circle Loss", CVPR 2020, eq. 4 to 8.

    Parameters
    ----------
    embedding_dim : int
    num_classes : int, optional
        Needed to predict, not to train: see :class:`~lossbook.heads.NearestMean`.
    scale : float
        γ, above 0.
    margin : float
        m, in (0, 1). The defaults are those of the paper for image retrieval; for faces, with
        class vectors, it takes γ = 256 and m = 0.25.

    Examples
    --------
    A positive and a negative where they should be, at the cosines 1 and 0: ln(1 + e^(−2γm²)).

    >>> head = Circle(embedding_dim=2, scale=10.0, margin=0.25)
    >>> x = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    >>> head.loss(x, torch.tensor([0, 0, 1]))
    tensor(0.2519)
    """

    def __init__(self, embedding_dim, num_classes=None, scale=80.0, margin=0.4):
        super().__init__(embedding_dim, num_classes, scale=scale, margin=margin)

    def check_settings(self):
        require(0 < self.margin < 1, f"margin = {self.margin!r}: expected a number in (0, 1)")

    def distance_loss(self, x, labels):
        positive, negative = _pairs(labels)
        cos, m = _cosines(x, x), self.margin
        near = -(1 + m - cos.detach()).clamp_min(0) * (cos - 1 + m)
        far = (cos.detach() + m).clamp_min(0) * (cos - m)
        exponents = [
            (self.scale * terms).masked_fill(~kept, -math.inf).logsumexp(dim=1)
            for terms, kept in ((near, positive), (far, negative))
        ]
        complete = positive.any(dim=1) & negative.any(dim=1)
        losses = F.softplus(sum(exponents)[complete])
        return losses.sum() / complete.sum().clamp_min(1)


class ProxyAnchor(Head):
    """Proxy-Anchor: each class vector is an anchor, the images of the batch are its pairs.

    The mean over the classes in the batch of ln(1 + Σ e^(−α(cos θ − δ))) over their images, plus
    the mean over all classes of ln(1 + Σ e^(α(cos θ + δ))) over the images of other classes.

    Source: Kim et al., "Proxy Anchor Loss for Deep Metric Learning", CVPR 2020, eq. 4.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        α, above 0.
    margin : float
        δ, at least 0.

    Examples
    --------
    >>> head = ProxyAnchor(embedding_dim=2, num_classes=2, scale=1.0, margin=0.0)
    >>> head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> head.loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0])).detach()  # ln(1 + 1/e) + ln(2)/2
    tensor(0.6598)
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=32.0, margin=0.1):
        super().__init__(embedding_dim, num_classes, scale, margin=margin)
        self.check_settings()

    def check_settings(self):
        check_number("margin", self.margin, zero_allowed=True)

    def forward(self, x, labels=None):
        """Logits s·cos θ, (N, C), of embeddings (N, d) to predict with; labels: ``TypeError``."""
        refuse_labels(self, labels, "compares each class vector with the images of a batch")
        return super().forward(x)

    def loss(self, x, labels):
        """The loss, a scalar, of embeddings (N, d) with labels (N,) int64."""
        x = polar(self.check_inputs(x, labels), SHORTEST)[0]
        cos = _cosines(x, polar(self.weight, SHORTEST)[0])
        target = F.one_hot(labels, self.num_classes).bool()
        pull = _softplus_of_sum(-self.scale * (cos - self.margin), target)
        push = _softplus_of_sum(self.scale * (cos + self.margin), ~target)
        return pull.sum() / target.any(dim=0).sum() + push.mean()


def _cosines(unit, others):
    """(N, M) products of unit vectors, in float32 or wider."""
    with torch.autocast(unit.device.type, enabled=False):
        return at_least_float32(unit) @ at_least_float32(others).T


def _pairs(labels):
    """(positive, negative), boolean (N, N): two other images of one class, and of two classes."""
    same = labels[:, None] == labels
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def _softplus_of_sum(exponents, kept):
    """ln(1 + Σ e^exponent) over the kept rows of each column, (C,): zero if there is none."""
    terms = exponents.masked_fill(~kept, -math.inf)
    return torch.cat([terms, terms.new_zeros(1, terms.shape[1])]).logsumexp(dim=0)

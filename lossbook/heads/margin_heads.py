r"""Heads: the last layer of each loss, from embeddings to logits.

A head owns the class vectors ``weight``, shape ``(C, d)``. ``head(x)`` gives the logits you
predict with; ``head(x, labels)`` puts the margin on each sample's target and gives the logits
you train with; ``head.loss(x, labels)`` is their mean cross-entropy.

Every logit is a product of lengths and a cosine, ``a·‖x‖·‖W_j‖·cos θ_j``. The heads differ in two
choices: which of the two lengths they keep (normalising replaces it by 1), and the margin, a
function from :mod:`lossbook.margins` applied to the N target cosines. A new loss is a subclass
of :class:`MarginHead` with its ``margin_of`` method.

Precision: lengths, target cosines and angles are computed in float32 or wider, whatever the
dtype of ``x``, under autocast too; logits come out as float32 or wider.
"""

import math

import torch
from torch import nn

from lossbook import margins
from lossbook.heads.base import Head, MarginHead
from lossbook.utils.validation import require

__all__ = [
    "Softmax",
    "NormSoftmax",
    "LSoftmax",
    "SphereFace",
    "CosFace",
    "ArcFace",
    "CombinedMargin",
]


class Softmax(Head):
    """The plain linear classifier: logits ‖W_j‖‖x‖cos θ_j + b_j.

    Parameters: ``embedding_dim``, ``num_classes`` and ``bias`` (default True), the term b_j.
    """

    def __init__(self, embedding_dim, num_classes, bias=True):
        super().__init__(embedding_dim, num_classes)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if bias else None

    def reset_parameters(self):
        super().reset_parameters()
        if getattr(self, "bias", None) is not None:
            nn.init.zeros_(self.bias)


class NormSoftmax(Head):
    """Logits s·cos θ_j: unit class vectors, unit embeddings, one scale for all.

    Source: Wang et al., "NormFace", ACM MM 2017; the NSL of Wang et al., "CosFace", CVPR 2018, eq. 3.
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0):
        super().__init__(embedding_dim, num_classes, scale)


class _AnnealedHead(MarginHead):
    """ψ(θ), approached from cos θ: the target is (λ cos θ + ψ(θ)) / (1 + λ), λ → 0 over training.

    ψ alone is too steep to start from: at random initialisation its target logit is far below
    the others. λ falls linearly from ``lambda_start`` to ``lambda_floor`` over the first
    ``anneal_until`` of training, a fraction, so that short and long runs behave alike.
    Before :meth:`set_progress` is called the head is the pure loss.
    """

    def __init__(
        self, embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until
    ):
        require(
            math.isfinite(lambda_start) and lambda_start >= 0,
            f"lambda_start = {lambda_start!r}: the weight λ of the plain cosine must be at least 0",
        )
        require(
            0 <= lambda_floor <= lambda_start,
            f"lambda_floor = {lambda_floor!r}: expected between 0 and lambda_start = {lambda_start!r}",
        )
        require(
            0 < anneal_until <= 1,
            f"anneal_until = {anneal_until!r}: expected a fraction of training in (0, 1]",
        )
        self.lam = lambda_floor
        super().__init__(embedding_dim, num_classes, margin=margin)
        self.lambda_start, self.lambda_floor, self.anneal_until = (
            lambda_start,
            lambda_floor,
            anneal_until,
        )

    def set_progress(self, progress):
        """Set λ for this share of training, in [0, 1]; at 1 it is ``lambda_floor`` (0 by default)."""
        super().set_progress(progress)
        left = max(0.0, 1 - progress / self.anneal_until)
        self.lam = self.lambda_floor + (self.lambda_start - self.lambda_floor) * left

    def margin_of(self, cos):
        return (self.lam * cos + margins.lsoftmax(cos, self.margin)) / (1 + self.lam)


class LSoftmax(_AnnealedHead):
    """Target ‖W_y‖‖x‖ψ(θ_y), all other logits ‖W_j‖‖x‖cos θ_j; no bias.

    Parameters: ``margin`` is m, at least 1; the rest sets the annealing (see ``set_progress``).
    It anneals more slowly than SphereFace: free class vectors can shrink to zero, and a class
    whose target logit turns negative before its images are sorted does just that.

    Source: Liu et al., "Large-Margin Softmax Loss", ICML 2016, eq. 4 to 6; λ from its section 5.1.
    """

    def __init__(
        self,
        embedding_dim,
        num_classes,
        margin=4,
        lambda_start=20.0,
        lambda_floor=0.0,
        anneal_until=0.8,
    ):
        super().__init__(
            embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until
        )


class SphereFace(_AnnealedHead):
    """Target ‖x‖ψ(θ_y), all other logits ‖x‖cos θ_j: unit class vectors, free embeddings (A-softmax).

    Parameters: ``margin`` is m, at least 1; the rest sets the annealing (see ``set_progress``).

    Source: Liu et al., "SphereFace", CVPR 2017, eq. 6 and 7.
    """

    unit_weight = True

    def __init__(
        self,
        embedding_dim,
        num_classes,
        margin=4,
        lambda_start=5.0,
        lambda_floor=0.0,
        anneal_until=0.6,
    ):
        super().__init__(
            embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until
        )


class CosFace(MarginHead):
    """Target s(cos θ_y − m), all other logits s·cos θ_j (also called AM-softmax, LMCL).

    Parameters: ``scale`` is s, above 0; ``margin`` is m, a cosine, in [0, 2).

    Source: Wang et al., "CosFace", CVPR 2018, eq. 4.
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.35):
        super().__init__(embedding_dim, num_classes, scale, margin=margin)

    def margin_of(self, cos):
        return margins.cosface(cos, self.margin)


class ArcFace(MarginHead):
    """Target s·cos(θ_y + m), all other logits s·cos θ_j.

    Parameters: ``scale`` is s, above 0; ``margin`` is m in radians, in [0, π); ``easy_margin``
    leaves targets with cos θ_y ≤ 0 alone (see :func:`lossbook.margins.arcface`).

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 3.
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.5, easy_margin=False):
        self.easy_margin = easy_margin
        super().__init__(embedding_dim, num_classes, scale, margin=margin, **_if_easy(easy_margin))

    def margin_of(self, cos):
        return margins.arcface(cos, self.margin, self.easy_margin)


class CombinedMargin(MarginHead):
    """Target s(cos(m1·θ_y + m2) − m3), all other logits s·cos θ_j.

    Parameters: ``scale`` is s; ``m1``, ``m2`` (radians), ``m3`` and ``easy_margin`` as in
    :func:`lossbook.margins.combined`.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 4.
    """

    unit_weight = unit_embedding = True

    def __init__(
        self, embedding_dim, num_classes, scale=64.0, m1=1.0, m2=0.0, m3=0.0, easy_margin=False
    ):
        self.easy_margin = easy_margin
        super().__init__(
            embedding_dim, num_classes, scale, m1=m1, m2=m2, m3=m3, **_if_easy(easy_margin)
        )

    def margin_of(self, cos):
        return margins.combined(cos, self.m1, self.m2, self.m3, self.easy_margin)


def _if_easy(easy_margin):
    """The easy margin as a hyperparameter, told only where it is on."""
    return {"easy_margin": True} if easy_margin else {}

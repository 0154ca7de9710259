r"""Heads that compare distances: the Euclidean forerunners of the angular margins.

They work with :func:`lossbook.training.fit` as the heads of :mod:`lossbook.heads` do, and refuse
bad input in the same words. There are two kinds.

* :class:`Contrastive` and :class:`Triplet` know no class vectors, and :class:`CenterAlone` no softmax:
  they are :class:`NearestMean` heads. They predict the class whose mean embedding is nearest, and
  that mean is their ``weight``, kept up to date while they train.
* :class:`Center`, :class:`Range` and :class:`Marginal` are a softmax classifier with a second loss
  beside it. They predict with the softmax, and ``weight`` holds its class vectors.

The losses themselves are functions in :mod:`lossbook.euclidean_losses`.
"""

import math

import torch
from torch import nn

from lossbook import euclidean_losses
from lossbook.heads.base import Head
from lossbook.heads.margin_heads import Softmax
from lossbook.utils.validation import require
from lossbook.utils.vectors import at_least_float32

__all__ = ["NearestMean", "Contrastive", "Triplet", "CenterAlone", "Center", "Range", "Marginal"]


class NearestMean(Head):
    """A head without trained class vectors: logits −‖x − mean_j‖².

    Its ``weight`` (C, d) is a buffer, not a parameter: the running mean embedding of every class,
    moved by :func:`lossbook.euclidean_losses.updated_centers` with rate ``follow`` on every training batch.
    (Before the first batch it is where ``reset_parameters`` drew it.) A subclass says in
    ``compare`` what it trains with. In evaluation mode a loss moves nothing.
    """

    follow = 0.1

    def __init__(self, embedding_dim, num_classes, **hyperparameters):
        super().__init__(embedding_dim, num_classes, **hyperparameters)
        for key, value in hyperparameters.items():
            setattr(self, key, value)
        drawn = self.weight.detach()
        del self.weight
        self.register_buffer("weight", drawn)

    def compare(self, x, labels):
        """The loss, a scalar, of checked embeddings (N, d) and labels (N,)."""
        raise NotImplementedError(f"{type(self).__name__} must say what it compares")

    def loss(self, x, labels):
        """``compare`` on this batch; in training mode the class means then move towards it."""
        loss = self.compare(self._checked(x, labels), labels)
        if self.training:
            self.weight.copy_(euclidean_losses.updated_centers(self.weight, x, labels, self.follow))
        return loss

    def _logits(self, x):
        x = at_least_float32(x)
        middle = self.weight.mean(dim=0).to(
            x.dtype
        )  # distances are small beside lengths: subtract first
        x, means = x - middle, self.weight.to(x.dtype) - middle
        with torch.autocast(x.device.type, enabled=False):
            return 2 * x @ means.T - means.square().sum(dim=1) - x.square().sum(dim=1, keepdim=True)


class Contrastive(NearestMean):
    """All pairs of a batch: equal ones together, unequal ones ``margin`` apart.

    Parameters: ``margin`` is m, a distance above 0.

    Source: Hadsell et al., CVPR 2006, eq. 4; see :func:`lossbook.euclidean_losses.contrastive`.
    """

    def __init__(self, embedding_dim, num_classes, margin=1.0):
        super().__init__(embedding_dim, num_classes, margin=_above_zero("margin", margin))

    def compare(self, x, labels):
        return euclidean_losses.contrastive(x, labels, self.margin)


class Triplet(NearestMean):
    """Every anchor nearer to its positive than to its negative, by ``margin``.

    Parameters: ``margin``, a distance above 0; ``mining``, one of ``"random"``, ``"semi-hard"`` and
    ``"hard"`` (:func:`lossbook.euclidean_losses.select_triplets`).

    Random negatives come from the buffer ``draw``, a number drawn with the weights and raised by one every
    training batch: the same seed chooses the same triplets, in a resumed training too.

    Sources: Schroff et al., CVPR 2015, eq. 1 to 4; Hermans et al., arXiv 1703.07737, eq. 5; see
    :func:`lossbook.euclidean_losses.triplet`.
    """

    def __init__(self, embedding_dim, num_classes, margin=1.0, mining="semi-hard"):
        require(
            mining in euclidean_losses.MINING,
            f"mining = {mining!r}: expected one of {', '.join(map(repr, euclidean_losses.MINING))}",
        )
        super().__init__(
            embedding_dim, num_classes, margin=_above_zero("margin", margin), mining=mining
        )
        self.register_buffer("draw", torch.randint(2**31, ()))

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "draw"):
            self.draw.random_(2**31)

    def compare(self, x, labels):
        generator = torch.Generator().manual_seed(int(self.draw))
        self.draw += self.training
        return euclidean_losses.triplet(x, labels, self.margin, self.mining, generator)


class CenterAlone(NearestMean):
    """Center loss with no softmax beside it: ½‖x − c_y‖², the centers being the class means.

    Nothing keeps the classes apart: it is lowest with everything on one spot. A warning, not a method.
    Parameters: ``alpha`` is α, the rate of the centers, in (0, 1].
    """

    def __init__(self, embedding_dim, num_classes, alpha=0.5):
        super().__init__(embedding_dim, num_classes, alpha=_rate(alpha))

    @property
    def follow(self):
        return self.alpha

    def compare(self, x, labels):
        return euclidean_losses.center(x, labels, self.weight)


class _Joint(Softmax):
    """L_S + λ·L_2: softmax cross-entropy, and ``balance`` times what ``second`` returns."""

    def __init__(self, embedding_dim, num_classes, balance, **hyperparameters):
        require(
            math.isfinite(balance) and balance >= 0,
            f"balance = {balance!r}: λ, the weight of the second loss, must be at least 0 and finite",
        )
        super().__init__(embedding_dim, num_classes)
        self.hyperparameters = {"balance": float(balance), **hyperparameters}
        for key, value in self.hyperparameters.items():
            setattr(self, key, value)

    def second(self, x, labels):
        """The loss beside the softmax, a scalar, of checked embeddings and labels."""
        raise NotImplementedError(f"{type(self).__name__} must say what it adds to the softmax")

    def loss(self, x, labels):
        """Mean cross-entropy plus ``balance`` times the second loss."""
        return super().loss(x, labels) + self.balance * self.second(x, labels)


class Center(_Joint):
    """Softmax with center loss: L_S + λ·½‖x − c_y‖², means over the batch.

    Parameters: ``balance`` is λ; ``alpha`` is α, the rate of the centers, in (0, 1]; ``update`` says how they move:

    * ``"paper"``: ``centers`` (C, d) is a buffer, moved by :func:`lossbook.euclidean_losses.updated_centers` on every training
      batch, after the loss is taken, at a rate that neither λ nor the optimizer knows of;
    * ``"gradient"``: ``centers`` is a parameter like any other, and the optimizer follows λ·∂L_C/∂c_j
      (``alpha`` plays no part). Many published implementations do this.

    The centers begin at the origin. They are not the class vectors: those are in ``weight``.

    Source: Wen et al., ECCV 2016, eq. 2 to 5.
    """

    def __init__(self, embedding_dim, num_classes, balance=0.003, alpha=0.5, update="paper"):
        require(
            update in ("paper", "gradient"), f"update = {update!r}: expected 'paper' or 'gradient'"
        )
        moves = {"alpha": _rate(alpha)} if update == "paper" else {}
        super().__init__(embedding_dim, num_classes, balance, **moves, update=update)
        origin = torch.zeros(num_classes, embedding_dim)
        if update == "paper":
            self.register_buffer("centers", origin)
        else:
            self.centers = nn.Parameter(origin)

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "centers"):
            nn.init.zeros_(self.centers)

    def second(self, x, labels):
        loss = euclidean_losses.center(x, labels, self.centers)
        if self.training and self.update == "paper":
            self.centers.copy_(euclidean_losses.updated_centers(self.centers, x, labels, self.alpha))
        return loss


class Range(_Joint):
    """Softmax with range loss: L_S + λ(α·intra + β·inter).

    Parameters: ``balance`` is λ; ``intra`` and ``inter`` are α and β, at least 0; ``margin`` is a squared
    distance above 0. The defaults are lossbook's, for embeddings a few units long.

    Source: Zhang et al., ICCV 2017, section 3.2; see :func:`lossbook.euclidean_losses.range_loss`.
    """

    def __init__(
        self, embedding_dim, num_classes, balance=1.0, intra=0.01, inter=0.01, margin=20.0
    ):
        for name, value in (("intra", intra), ("inter", inter)):
            require(
                math.isfinite(value) and value >= 0,
                f"{name} = {value!r}: expected at least 0 and finite",
            )
        super().__init__(
            embedding_dim,
            num_classes,
            balance,
            intra=float(intra),
            inter=float(inter),
            margin=_above_zero("margin", margin),
        )

    def second(self, x, labels):
        intra, inter = euclidean_losses.range_loss(x, labels, self.margin)
        return self.intra * intra + self.inter * inter


class Marginal(_Joint):
    """Softmax with marginal loss, which compares directions, not places.

    Parameters: ``balance`` is λ; ``threshold`` is θ, a squared distance on the unit sphere in (0, 4);
    ``error`` is ξ, at least 0. The defaults are those of insightface's training code.

    Source: Deng, Zhou and Zafeiriou, CVPR Workshops 2017; see :func:`lossbook.euclidean_losses.marginal`.
    """

    def __init__(self, embedding_dim, num_classes, balance=1.0, threshold=1.2, error=0.3):
        require(
            0 < threshold < 4,
            f"threshold = {threshold!r}: squared distances on the unit sphere lie in (0, 4)",
        )
        require(
            math.isfinite(error) and error >= 0,
            f"error = {error!r}: expected at least 0 and finite",
        )
        super().__init__(
            embedding_dim, num_classes, balance, threshold=float(threshold), error=float(error)
        )

    def second(self, x, labels):
        return euclidean_losses.marginal(x, labels, self.threshold, self.error)


def _above_zero(name, value):
    require(
        math.isfinite(value) and value > 0,
        f"{name} = {value!r}: expected a distance above 0 and finite",
    )
    return float(value)


def _rate(alpha):
    require(
        0 < alpha <= 1,
        f"alpha = {alpha!r}: the rate of the centers must be in (0, 1], or they overshoot",
    )
    return float(alpha)

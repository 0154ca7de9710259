r"""Heads that compare distances: the Euclidean predecessors of the angular margins.

They work with :func:`lossbook.training.fit` as every head does, and refuse bad input with the same
messages. There are two kinds.

* :class:`Contrastive` and :class:`Triplet` have no trained class vectors, and :class:`CenterAlone`
  has no softmax: they are :class:`NearestMean` heads. They predict the class whose mean embedding
  is nearest, and that mean is their ``weight``, kept up to date while they train.
* :class:`Center`, :class:`Range` and :class:`Marginal` are a softmax classifier with a second
  loss. They predict with the softmax, and ``weight`` holds its class vectors.

Train them with ``head.loss(x, labels)`` and predict with ``head(x)``; ``head(x, labels)`` raises
``TypeError``, since distances are not in the logits. With many classes, take the batches of
:class:`lossbook.data.samplers.MPerClassSampler`: they hold pairs of a class, and triplets.

The losses themselves are functions in :mod:`lossbook.euclidean_losses`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from lossbook import euclidean_losses
from lossbook.heads.base import Head
from lossbook.heads.input_checks import refuse_labels
from lossbook.heads.margin_heads import Softmax
from lossbook.utils.validation import check_int, check_number, require
from lossbook.utils.vectors import at_least_float32

__all__ = ["NearestMean", "Contrastive", "Triplet", "CenterAlone", "Center", "Range", "Marginal"]


class NearestMean(Head):
    """A head without trained class vectors: logits −‖x − mean_j‖².

    Its ``weight`` (C, d) is a buffer, not a parameter: the running mean embedding of every class,
    moved on every training batch by :func:`lossbook.euclidean_losses.updated_centers` with the rate
    ``mean_rate``. (Before the first batch it is as ``reset_parameters`` drew it.) A subclass
    defines in ``distance_loss`` what it trains with. In evaluation mode a loss moves nothing.

    With ``num_classes=None`` the head keeps no means: ``weight`` is empty, (0, d), labels may be
    any numbers from 0, and ``head(x)`` raises ``ValueError``. Embeddings can then be compared, but
    not classified, and :func:`lossbook.training.fit`, which reports an accuracy, needs the number.

    Examples
    --------
    >>> head = NearestMean(embedding_dim=2, num_classes=2)
    >>> head.weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> head(torch.tensor([[0.0, 4.0]]))
    tensor([[-16.,  -9.]])
    """

    mean_rate = 0.1

    def __init__(self, embedding_dim, num_classes, **hyperparameters):
        super().__init__(
            embedding_dim, 2 if num_classes is None else num_classes, **hyperparameters
        )
        self.hyperparameters = hyperparameters
        self.check_settings()
        drawn = self.weight.detach()
        if num_classes is None:
            self.num_classes, drawn = None, drawn[:0]
        del self.weight
        self.register_buffer("weight", drawn)

    def forward(self, x, labels=None):
        """Logits (N, C) of embeddings (N, d) to predict with; labels are a ``TypeError``."""
        refuse_labels(self, labels, "compares distances, which are not in its logits")
        require(
            self.num_classes is not None,
            f"num_classes = None: without classes {type(self).__name__} keeps no class means to "
            f"predict with; make it with {type(self).__name__}({self.embedding_dim}, num_classes), "
            "or compare embeddings themselves, as in lossbook.metrics.verification",
        )
        return super().forward(x)

    def distance_loss(self, x, labels):
        """The loss, a scalar, of checked embeddings (N, d) and labels (N,)."""
        raise NotImplementedError(f"{type(self).__name__} must define distance_loss(x, labels)")

    def loss(self, x, labels):
        """``distance_loss`` of the batch; in training mode the class means then move towards it."""
        loss = self.distance_loss(self.check_inputs(x, labels), labels)
        if self.training and self.num_classes is not None:
            self.weight.copy_(
                euclidean_losses.updated_centers(self.weight, x, labels, self.mean_rate)
            )
        return loss

    def plain_logits(self, x):
        """−‖x − mean_j‖², (N, C), of checked embeddings (N, d), in float32 or wider."""
        x = at_least_float32(x)
        # Distances are small beside lengths: subtract the middle first.
        middle = self.weight.mean(dim=0).to(x.dtype)
        x, means = x - middle, self.weight.to(x.dtype) - middle
        with torch.autocast(x.device.type, enabled=False):
            return 2 * x @ means.T - means.square().sum(dim=1) - x.square().sum(dim=1, keepdim=True)


class Contrastive(NearestMean):
    """All pairs of a batch: those of one class together, those of two ``margin`` apart.

    Source: Hadsell et al., CVPR 2006, eq. 4; see :func:`lossbook.euclidean_losses.contrastive`.

    Parameters
    ----------
    embedding_dim : int
    num_classes : int, optional
        Needed to predict, not to train: see :class:`NearestMean`.
    margin : float
        m, a distance above 0.

    Examples
    --------
    One pair of two classes, 0.6 apart: ½ (1 − 0.6)².

    >>> head = Contrastive(embedding_dim=2, margin=1.0)
    >>> head.loss(torch.tensor([[0.0, 0.0], [0.0, 0.6]]), torch.tensor([0, 1]))
    tensor(0.0800)
    """

    def __init__(self, embedding_dim, num_classes=None, margin=1.0):
        super().__init__(embedding_dim, num_classes, margin=margin)

    def check_settings(self):
        check_number("margin", self.margin)

    def distance_loss(self, x, labels):
        return euclidean_losses.contrastive(x, labels, self.margin)


class Triplet(NearestMean):
    """Every anchor nearer to its positive than to its negative, by ``margin``.

    Random negatives come from the buffer ``draw``, a number drawn with the weights and increased
    by one on every training batch: the same seed draws the same triplets, in a resumed training
    too.

    Sources: Schroff et al., CVPR 2015, eq. 1 to 4; Hermans et al., arXiv 1703.07737, eq. 5; see
    :func:`lossbook.euclidean_losses.triplet`.

    Parameters
    ----------
    embedding_dim : int
    num_classes : int, optional
        Needed to predict, not to train: see :class:`NearestMean`.
    margin : float
        A distance above 0.
    mining : str
        ``"batch-all"``, ``"batch-hard"`` (or ``"hard"``), ``"semi-hard"`` or ``"random"``: see
        :func:`lossbook.euclidean_losses.select_triplets`.

    Examples
    --------
    The positive is 1 away and the negative 1.5: the margin of 1 is missed by 0.5 from the first
    anchor, and from the second, whose negative is 0.5 away, by 1.5.

    >>> head = Triplet(embedding_dim=1, margin=1.0, mining="batch-hard")
    >>> head.loss(torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1]))
    tensor(1.)
    """

    def __init__(self, embedding_dim, num_classes=None, margin=1.0, mining="semi-hard"):
        super().__init__(embedding_dim, num_classes, margin=margin, mining=mining)
        self.register_buffer("draw", torch.randint(2**31, ()))

    def check_settings(self):
        check_number("margin", self.margin)
        euclidean_losses.check_mining(self.mining)

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "draw"):
            self.draw.random_(2**31)

    def distance_loss(self, x, labels):
        generator = torch.Generator().manual_seed(int(self.draw))
        self.draw += self.training
        return euclidean_losses.triplet(x, labels, self.margin, self.mining, generator)


class CenterAlone(NearestMean):
    """Center loss without a softmax: ½‖x − c_y‖², where the centers are the class means.

    Nothing keeps the classes apart: it is lowest with everything on one spot.

    Parameters
    ----------
    embedding_dim, num_classes : int
    alpha : float
        α, the rate of the centers, in (0, 1].

    Examples
    --------
    >>> head = CenterAlone(embedding_dim=2, num_classes=2)
    >>> head.weight = torch.zeros(2, 2)
    >>> head.loss(torch.tensor([[3.0, 4.0]]), torch.tensor([0]))   # ½ · 5²
    tensor(12.5000)
    """

    def __init__(self, embedding_dim, num_classes, alpha=0.5):
        num_classes = check_int("num_classes", num_classes, 2)
        super().__init__(embedding_dim, num_classes, alpha=alpha)

    def check_settings(self):
        _check_rate(self.alpha)

    @property
    def mean_rate(self):
        return self.alpha

    def distance_loss(self, x, labels):
        return euclidean_losses.center(x, labels, self.weight)


class _JointHead(Softmax):
    """Joint supervision, L_S + λ·L_2: softmax cross-entropy plus λ times ``second_loss``."""

    def __init__(self, embedding_dim, num_classes, balance, **hyperparameters):
        super().__init__(embedding_dim, num_classes)
        self.hyperparameters = {"balance": balance, **hyperparameters}
        self.check_settings()

    def check_settings(self):
        check_number("balance", self.balance, zero_allowed=True)

    def forward(self, x, labels=None):
        """Logits (N, C) of embeddings (N, d) to predict with; labels are a ``TypeError``."""
        refuse_labels(self, labels, "compares distances, which are not in its logits")
        return super().forward(x)

    def second_loss(self, x, labels):
        """The loss beside the softmax, a scalar, of checked embeddings and labels."""
        raise NotImplementedError(f"{type(self).__name__} must define second_loss(x, labels)")

    def loss(self, x, labels):
        """Mean cross-entropy plus ``balance`` times the second loss."""
        cross_entropy = F.cross_entropy(self(self.check_inputs(x, labels)), labels)
        return cross_entropy + self.balance * self.second_loss(x, labels)


class Center(_JointHead):
    """Softmax with center loss: L_S + λ·½‖x − c_y‖², means over the batch.

    The centers begin at the origin. They are not the class vectors: those are in ``weight``.
    ``update`` decides how they move:

    * ``"paper"``: ``centers`` (C, d) is a buffer, moved on every training batch by
      :func:`lossbook.euclidean_losses.updated_centers`, after the loss is taken, at a rate that
      depends neither on λ nor on the optimizer;
    * ``"gradient"``: ``centers`` is a parameter like any other, and the optimizer follows
      λ·∂L_C/∂c_j (``alpha`` is not used). Many published implementations do this.

    Source: Wen et al., ECCV 2016, eq. 2 to 5.

    Parameters
    ----------
    embedding_dim, num_classes : int
    balance : float
        λ, at least 0.
    alpha : float
        α, the rate of the centers, in (0, 1].
    update : str
        ``"paper"`` or ``"gradient"``.

    Examples
    --------
    Zero class vectors make the softmax part log 2; the center is 5 away.

    >>> import math
    >>> head = Center(embedding_dim=2, num_classes=2, balance=0.1)
    >>> head.weight.data = torch.zeros(2, 2)
    >>> head.loss(torch.tensor([[3.0, 4.0]]), torch.tensor([0])).item() - math.log(2)
    1.25...
    """

    def __init__(self, embedding_dim, num_classes, balance=0.003, alpha=0.5, update="paper"):
        rate = {"alpha": alpha} if update == "paper" else {}
        super().__init__(embedding_dim, num_classes, balance, **rate, update=update)
        origin = torch.zeros(num_classes, embedding_dim)
        if update == "paper":
            self.register_buffer("centers", origin)
        else:
            self.centers = nn.Parameter(origin)

    def check_settings(self):
        super().check_settings()
        require(
            self.update in ("paper", "gradient"),
            f"update = {self.update!r}: expected 'paper' or 'gradient'",
        )
        if self.update == "paper":
            _check_rate(self.alpha)

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "centers"):
            nn.init.zeros_(self.centers)

    def second_loss(self, x, labels):
        loss = euclidean_losses.center(x, labels, self.centers)
        if self.training and self.update == "paper":
            self.centers.copy_(
                euclidean_losses.updated_centers(self.centers, x, labels, self.alpha)
            )
        return loss


class Range(_JointHead):
    """Softmax with range loss: L_S + λ(α·intra + β·inter).

    The defaults are lossbook's, for embeddings a few units long.

    Source: Zhang et al., ICCV 2017, section 3.2; see :func:`lossbook.euclidean_losses.range_loss`.

    Parameters
    ----------
    embedding_dim, num_classes : int
    balance : float
        λ, at least 0.
    intra, inter : float
        α and β, at least 0.
    margin : float
        A squared distance above 0.

    Examples
    --------
    Two classes whose centers are 4 apart, squared 16: the margin of 20 is missed by 4.

    >>> head = Range(embedding_dim=1, num_classes=2, intra=0.0, inter=0.01, margin=20.0)
    >>> x = torch.tensor([[0.0], [0.0], [4.0], [4.0]])
    >>> head.second_loss(x, torch.tensor([0, 0, 1, 1]))
    tensor(0.0400)
    """

    def __init__(
        self, embedding_dim, num_classes, balance=1.0, intra=0.01, inter=0.01, margin=20.0
    ):
        super().__init__(
            embedding_dim, num_classes, balance, intra=intra, inter=inter, margin=margin
        )

    def check_settings(self):
        super().check_settings()
        check_number("intra", self.intra, zero_allowed=True)
        check_number("inter", self.inter, zero_allowed=True)
        check_number("margin", self.margin)

    def second_loss(self, x, labels):
        intra, inter = euclidean_losses.range_loss(x, labels, self.margin)
        return self.intra * intra + self.inter * inter


class Marginal(_JointHead):
    """Softmax with marginal loss, which compares directions, not places.

    The defaults are those of insightface's training code.

    Source: Deng, Zhou and Zafeiriou, CVPR Workshops 2017; see
    :func:`lossbook.euclidean_losses.marginal`.

    Parameters
    ----------
    embedding_dim, num_classes : int
    balance : float
        λ, at least 0.
    threshold : float
        θ, a squared distance on the unit sphere, in (0, 4).
    error : float
        ξ, at least 0.

    Examples
    --------
    Two images of one class at a right angle, squared distance 2: 2 − 1.2 + 0.3.

    >>> head = Marginal(embedding_dim=2, num_classes=2)
    >>> head.second_loss(torch.tensor([[5.0, 0.0], [0.0, 0.1]]), torch.tensor([0, 0]))
    tensor(1.1000)
    """

    def __init__(self, embedding_dim, num_classes, balance=1.0, threshold=1.2, error=0.3):
        super().__init__(embedding_dim, num_classes, balance, threshold=threshold, error=error)

    def check_settings(self):
        super().check_settings()
        require(
            0 < self.threshold < 4,
            f"threshold = {self.threshold!r}: squared distances on the unit sphere lie in (0, 4)",
        )
        check_number("error", self.error, zero_allowed=True)

    def second_loss(self, x, labels):
        return euclidean_losses.marginal(x, labels, self.threshold, self.error)


def _check_rate(alpha):
    require(
        0 < alpha <= 1,
        f"alpha = {alpha!r}: the rate of the centers must be in (0, 1], or they overshoot",
    )

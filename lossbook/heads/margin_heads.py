r"""The heads of the book's losses, from softmax to ArcFace.

A head owns the class vectors ``weight``, shape ``(C, d)``. ``head(x)`` gives the logits you
predict with; ``head(x, labels)`` puts the margin on each sample's target and gives the logits
you train with; ``head.loss(x, labels)`` is their mean cross-entropy.

Every logit is a product of lengths and a cosine, ``s·‖x‖·‖W_j‖·cos θ_j``. The heads differ in two
choices: which of the two lengths they keep (normalising replaces it by 1), and the margin, a
function from :mod:`lossbook.margins` applied to the N target cosines. A new loss is a subclass
of :class:`~lossbook.heads.MarginHead` with its ``margin_of`` method.

Precision: lengths, target cosines and angles are computed in float32 or wider, whatever the
dtype of ``x``, under autocast too; logits come out as float32 or wider.
"""

import math
import warnings

import torch
from torch import nn

from lossbook import margins
from lossbook.heads.base import Head, MarginHead, constant_margin
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


# How many losses an annealed head computes before it warns that it was not told its progress.
LOSSES_BEFORE_WARNING = 200


class Softmax(Head):
    """The plain linear classifier: logits ‖W_j‖‖x‖cos θ_j + b_j.

    Parameters
    ----------
    embedding_dim, num_classes : int
    bias : bool
        Whether there is a term b_j, a parameter of shape (C,).

    Examples
    --------
    >>> head = Softmax(embedding_dim=2, num_classes=3)
    >>> head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> head.bias.data = torch.tensor([0.5, 0.0, 0.0])
    >>> head(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[ 3.5000,  4.0000, -7.0000]])
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

    Source: Wang et al., "NormFace", ACM MM 2017; the NSL of Wang et al., "CosFace", CVPR 2018,
    eq. 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.

    Examples
    --------
    >>> head = NormSoftmax(embedding_dim=2, num_classes=2, scale=10)
    >>> head.weight.data = torch.tensor([[5.0, 0.0], [0.0, 0.1]])
    >>> head(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[6., 8.]])
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0):
        super().__init__(embedding_dim, num_classes, scale)


class _AnnealedHead(MarginHead):
    """ψ(θ), approached from cos θ: the target is (λ cos θ + ψ(θ)) / (1 + λ), λ → 0 over training.

    ψ alone is too steep to start from: at random initialisation its target logit is far below
    the others. λ falls linearly from ``lambda_start`` to ``lambda_floor`` over the first
    ``anneal_until`` of training, a fraction, so that short and long runs behave alike.
    Before :meth:`set_progress` is called the head is the pure loss. :func:`lossbook.training.fit`
    calls it; a loop of your own must do so before every step::

        for step, (images, labels) in enumerate(batches):
            head.set_progress(step / steps)
            loss = head.loss(backbone(images), labels)

    λ is ``lam``: it is in ``repr`` and in the state dict. A head that computes
    ``LOSSES_BEFORE_WARNING`` losses with gradients without being told its progress warns once.
    """

    always_saved = ("lam",)

    def __init__(
        self, embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until
    ):
        require(
            math.isfinite(lambda_start) and lambda_start >= 0,
            f"lambda_start = {lambda_start!r}: the weight λ of the plain cosine must be at least 0",
        )
        require(
            0 <= lambda_floor <= lambda_start,
            f"lambda_floor = {lambda_floor!r}: expected a number between 0 and "
            f"lambda_start = {lambda_start!r}",
        )
        require(
            0 < anneal_until <= 1,
            f"anneal_until = {anneal_until!r}: expected a fraction of training in (0, 1]",
        )
        self.lam = float(lambda_floor)
        # Counts down to the warning; a list, because only plain attributes are settings.
        self._losses_left = [LOSSES_BEFORE_WARNING]
        super().__init__(embedding_dim, num_classes, margin=margin)
        self.lambda_start = lambda_start
        self.lambda_floor = lambda_floor
        self.anneal_until = anneal_until

    def set_progress(self, progress):
        """Set λ for this share of training, in [0, 1]; at 1 it is ``lambda_floor``."""
        super().set_progress(progress)
        self._losses_left = []
        share_left = max(0.0, 1 - progress / self.anneal_until)
        self.lam = self.lambda_floor + (self.lambda_start - self.lambda_floor) * share_left

    def check_settings(self):
        require(self.lam >= 0, f"lam = {self.lam!r}: the weight λ of the plain cosine, at least 0")
        super().check_settings()

    def extra_repr(self):
        return f"{super().extra_repr()}, lam={self.lam:g}"

    def _count_loss(self):
        """Warn once if many losses were computed before the first :meth:`set_progress`."""
        self._losses_left[0] -= 1
        if self._losses_left[0] == 0:
            self._losses_left = []
            warnings.warn(
                f"{self.name} has computed {LOSSES_BEFORE_WARNING} training losses at "
                f"λ = {self.lam:g}, without its annealing from {self.lambda_start:g} to "
                f"{self.lambda_floor:g}: call head.set_progress(step / steps) before every step, "
                "as lossbook.training.fit does, or head.set_progress(1) once for a constant λ",
                stacklevel=2,
            )

    @constant_margin
    def margin_of(self, cos):
        if self._losses_left and cos.requires_grad and not torch.compiler.is_compiling():
            self._count_loss()
        return (self.lam * cos + margins.lsoftmax(cos, self.margin)) / (1 + self.lam)


class LSoftmax(_AnnealedHead):
    """Target ‖W_y‖‖x‖ψ(θ_y), all other logits ‖W_j‖‖x‖cos θ_j; no bias.

    It anneals more slowly than SphereFace: free class vectors can shrink to zero, and a class
    whose target logit turns negative before its images are sorted does just that.

    Source: Liu et al., "Large-Margin Softmax Loss", ICML 2016, eq. 4 to 6; λ from its section 5.1.

    Parameters
    ----------
    embedding_dim, num_classes : int
    margin : float
        m, at least 1, the multiplier of the angle.
    lambda_start, lambda_floor : float
        λ at the start of training and after the annealing, with 0 ≤ floor ≤ start.
    anneal_until : float
        The share of training, in (0, 1], over which λ falls.

    Examples
    --------
    At θ = 60° and m = 2, ψ(θ) = cos 120° = −½; both lengths are 2.

    >>> head = LSoftmax(embedding_dim=2, num_classes=2, margin=2)
    >>> head.weight.data = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    >>> angle = torch.tensor(math.pi / 3)
    >>> x = 2 * torch.stack([angle.cos(), angle.sin()])[None]
    >>> head(x, torch.tensor([0])).detach()
    tensor([[-2.0000,  3.4641]])
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
    """A-softmax: target ‖x‖ψ(θ_y), all other logits ‖x‖cos θ_j; unit class vectors.

    Source: Liu et al., "SphereFace", CVPR 2017, eq. 6 and 7.

    Parameters
    ----------
    embedding_dim, num_classes : int
    margin : float
        m, at least 1, the multiplier of the angle.
    lambda_start, lambda_floor : float
        λ at the start of training and after the annealing, with 0 ≤ floor ≤ start.
    anneal_until : float
        The share of training, in (0, 1], over which λ falls.

    Examples
    --------
    At θ = 60° and m = 2, ψ(θ) = cos 120° = −½; the embedding's length is 2.

    >>> head = SphereFace(embedding_dim=2, num_classes=2, margin=2)
    >>> head.weight.data = torch.tensor([[5.0, 0.0], [0.0, 0.1]])
    >>> angle = torch.tensor(math.pi / 3)
    >>> x = 2 * torch.stack([angle.cos(), angle.sin()])[None]
    >>> head(x, torch.tensor([0])).detach()
    tensor([[-1.0000,  1.7321]])
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

    Source: Wang et al., "CosFace", CVPR 2018, eq. 4.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m, a difference of cosines, in [0, 2).

    Examples
    --------
    >>> head = CosFace(embedding_dim=2, num_classes=2, scale=10, margin=0.25)
    >>> head.weight.data = torch.eye(2)
    >>> x, labels = torch.tensor([[3.0, 4.0]]), torch.tensor([0])
    >>> head(x).detach()
    tensor([[6., 8.]])
    >>> head(x, labels).detach()   # 10 (0.6 − 0.25)
    tensor([[3.5000, 8.0000]])
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.35):
        super().__init__(embedding_dim, num_classes, scale, margin=margin)

    @constant_margin
    def margin_of(self, cos):
        return margins.cosface(cos, self.margin)


class ArcFace(MarginHead):
    """Target s·cos(θ_y + m), all other logits s·cos θ_j.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m in radians, in [0, π). Above arccos(−1/(C − 1)), 90° to 180°, no class can meet it, and
        the head warns that degrees may have been meant.
    easy_margin : bool
        Leave targets with cos θ_y ≤ 0 without a margin (see :func:`lossbook.margins.arcface`).

    Examples
    --------
    With a margin of 30°, a target at 30° is as one at 60°.

    >>> head = ArcFace(embedding_dim=2, num_classes=2, scale=10, margin=math.radians(30))
    >>> head.weight.data = torch.eye(2)
    >>> x, labels = torch.tensor([[math.sqrt(3), 1.0]]), torch.tensor([0])
    >>> head(x).detach()
    tensor([[8.6603, 5.0000]])
    >>> head(x, labels).detach()
    tensor([[5.0000, 5.0000]])
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.5, easy_margin=False):
        self.easy_margin = easy_margin
        settings = {"margin": margin, **_easy_margin_setting(easy_margin)}
        super().__init__(embedding_dim, num_classes, scale, **settings)

    def check_settings(self):
        super().check_settings()
        _warn_of_degrees("margin", self.margin, self.num_classes)

    @constant_margin
    def margin_of(self, cos):
        return margins.arcface(cos, self.margin, self.easy_margin)


class CombinedMargin(MarginHead):
    """Target s(cos(m1·θ_y + m2) − m3), all other logits s·cos θ_j.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 4.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    m1 : float
        The multiplier of the angle, above 0.
    m2 : float
        Added to the angle: radians, at least 0.
    m3 : float
        Subtracted from the cosine, at least 0.
    easy_margin : bool
        Leave targets with cos θ_y ≤ 0 without a margin (see :func:`lossbook.margins.arcface`).

    Examples
    --------
    >>> head = CombinedMargin(2, 2, scale=10, m1=1.5, m2=0.0, m3=0.1)
    >>> head.weight.data = torch.eye(2)
    >>> x, labels = torch.tensor([[1.0, math.sqrt(3)]]), torch.tensor([0])
    >>> head(x, labels).detach()   # 10 (cos 90° − 0.1)
    tensor([[-1.0000,  8.6603]])
    """

    unit_weight = unit_embedding = True

    def __init__(
        self, embedding_dim, num_classes, scale=64.0, m1=1.0, m2=0.0, m3=0.0, easy_margin=False
    ):
        self.easy_margin = easy_margin
        settings = {"m1": m1, "m2": m2, "m3": m3, **_easy_margin_setting(easy_margin)}
        super().__init__(embedding_dim, num_classes, scale, **settings)

    def check_settings(self):
        super().check_settings()
        _warn_of_degrees("m2", self.m2, self.num_classes)

    @constant_margin
    def margin_of(self, cos):
        return margins.combined(cos, self.m1, self.m2, self.m3, self.easy_margin)


def _easy_margin_setting(easy_margin):
    """The easy margin as a hyperparameter, which is named only where it is on."""
    return {"easy_margin": True} if easy_margin else {}


def _warn_of_degrees(name, margin, num_classes):
    """Warn of an angular margin that no C directions can meet, whatever their dimension.

    At best all pairs of class vectors are arccos(−1/(C−1)) apart, the vertices of a simplex. With
    a larger margin even an embedding on its own class vector loses to a rival.
    """
    widest = math.acos(-1 / (num_classes - 1))
    if margin > widest + 1e-9:
        warnings.warn(
            f"{name} = {margin:g} is in radians: {margin:g} is {math.degrees(margin):.0f}°, and "
            f"{num_classes} classes can be at most {math.degrees(widest):.0f}° apart, so that no "
            f"embedding can meet it; if you mean degrees, use math.radians({margin:g})",
            stacklevel=2,
        )

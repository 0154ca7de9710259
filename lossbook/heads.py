r"""Heads: the last layer of each loss, from embeddings to logits.

A head owns the class vectors ``weight``, shape ``(C, d)``. ``head(x)`` gives the logits you
predict with; ``head(x, labels)`` puts the margin on each sample's target and gives the logits
you train with; ``head.loss(x, labels)`` is their mean cross-entropy.

Every logit is a product of lengths and a cosine, ``a·‖x‖·‖W_j‖·cos θ_j``. The heads differ in two
choices: which of the two lengths they keep (normalising replaces it by 1), and the margin, a
function from :mod:`lossbook.margins` applied to the N target cosines. A new loss is a subclass
of :class:`MarginHead` with its ``margin`` method.

Precision: lengths, target cosines and angles are computed in float32 or wider, whatever the
dtype of ``x``, under autocast too; logits come out as float32 or wider.
"""

import difflib
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from . import margins

__all__ = ["Head", "MarginHead", "Softmax", "NormSoftmax", "LSoftmax", "SphereFace", "CosFace",
           "ArcFace", "CombinedMargin", "Preset", "PRESETS", "from_preset", "NonFiniteEmbedding"]


class NonFiniteEmbedding(ValueError):
    """An embedding handed to a head holds NaN or infinity."""


class Head(nn.Module):
    """Class vectors and the logits they give; the base of every head.

    Parameters
    ----------
    embedding_dim : int
        d, the length of an embedding.
    num_classes : int
        C, at least 2.

    Attributes
    ----------
    weight : Parameter, shape (C, d)
        The class vectors as trained (not normalised).
    hyperparameters : dict
        Scale, margins and the like, as given.

    Errors raised on use: ``TypeError`` for embeddings or labels of the wrong kind, ``ValueError``
    for wrong shapes and labels outside [0, C), :class:`NonFiniteEmbedding` for NaN or inf.
    """

    unit_weight = False      # read W_j as W_j / ‖W_j‖
    unit_embedding = False   # read x as x / ‖x‖

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__()
        _require(isinstance(embedding_dim, int) and embedding_dim >= 1,
                 f"embedding_dim = {embedding_dim!r}: expected a whole number of at least 1")
        _require(isinstance(num_classes, int) and num_classes >= 2,
                 f"num_classes = {num_classes!r}: expected a whole number of at least 2")
        _require(math.isfinite(scale) and scale > 0,
                 f"scale = {scale!r}: the scale s multiplies cosines and must be above 0 and finite")
        self.embedding_dim, self.num_classes, self.scale = embedding_dim, num_classes, float(scale)
        self.hyperparameters = {"scale": scale, **hyperparameters} if self.unit_embedding else hyperparameters
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the class vectors anew (Xavier uniform) from torch's global generator."""
        nn.init.xavier_uniform_(self.weight)

    @property
    def name(self):
        """The loss and its settings, e.g. ``ArcFace(scale=64, margin=0.5)``."""
        settings = ", ".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                             for key, value in self.hyperparameters.items())
        return f"{type(self).__name__}({settings})" if settings else type(self).__name__

    def set_progress(self, progress):
        """Tell the head how much of training is done, in [0, 1]. Only annealing heads listen."""
        _require(0 <= progress <= 1, f"progress = {progress!r}: expected a fraction of training in [0, 1]")

    def forward(self, x, labels=None):
        """Logits, shape (N, C), of embeddings ``x``, shape (N, d).

        Without ``labels`` there is no margin: predict with these. With ``labels``, shape (N,)
        int64, the target entries carry the margin: train with these.
        """
        x = self._checked(x, labels)
        logits = self._logits(x)
        return logits if labels is None else self._with_margin(logits, x, labels)

    def loss(self, x, labels):
        """Mean cross-entropy of ``head(x, labels)``, a scalar.

        ``labels`` as for ``nn.CrossEntropyLoss``: class indices, shape (N,), int64.
        """
        return F.cross_entropy(self(x, labels), labels)

    def _logits(self, x):
        features = _polar(x, self._shortest(x))[0] if self.unit_embedding else x
        vectors = _polar(self.weight, self._shortest(self.weight))[0] if self.unit_weight else self.weight
        # A product of unit vectors cannot overflow in half precision; any other can.
        bounded = self.unit_embedding and self.unit_weight
        with torch.autocast(x.device.type, enabled=bounded and torch.is_autocast_enabled(x.device.type)):
            products = F.linear(features, vectors.to(features.dtype))
        return products.to(features.dtype) * self.scale

    def _with_margin(self, logits, x, labels):
        return logits

    def _shortest(self, tensor):
        """The length below which a vector's gradient, about s/‖x‖, would leave its dtype's range."""
        return max(1e-12, 8 * self.scale / torch.finfo(tensor.dtype).max)

    def _checked(self, x, labels):
        d, C = self.embedding_dim, self.num_classes
        if not (torch.is_tensor(x) and x.is_floating_point()):
            raise TypeError("embeddings must be a floating-point tensor, got "
                            + (str(x.dtype) if torch.is_tensor(x) else type(x).__name__))
        _require(x.ndim == 2 and x.shape[1] == d and len(x) > 0,
                 f"embeddings have shape {tuple(x.shape)}, expected (N, {d}) with N at least 1: "
                 f"this head was made with embedding_dim={d}")
        bad = ~torch.isfinite(x).all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise NonFiniteEmbedding(f"embedding {row} of {len(x)} holds {x[row][~torch.isfinite(x[row])][0].item()}, "
                                     "expected finite numbers: look for a diverged backbone or bad input images")
        if labels is not None:
            if not torch.is_tensor(labels) or labels.dtype != torch.int64:
                got = str(labels.dtype) if torch.is_tensor(labels) else type(labels).__name__
                raise TypeError(f"labels must be class indices in an int64 tensor, got {got}: "
                                "use labels.long() if they are whole numbers")
            _require(labels.shape == x.shape[:1],
                     f"labels have shape {tuple(labels.shape)}, expected ({len(x)},): one index an embedding")
            outside = (labels < 0) | (labels >= C)
            if outside.any():
                raise ValueError(f"label {int(labels[outside][0])} is outside [0, {C}): this head was made "
                                 f"with num_classes={C}, and classes count from 0")
        return x

    def extra_repr(self):
        settings = "".join(f", {key}={value}" for key, value in self.hyperparameters.items())
        return f"embedding_dim={self.embedding_dim}, num_classes={self.num_classes}{settings}"


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

    def _logits(self, x):
        logits = super()._logits(x)
        return logits if self.bias is None else logits + self.bias


class NormSoftmax(Head):
    """Logits s·cos θ_j: unit class vectors, unit embeddings, one scale for all.

    Source: Wang et al., "NormFace", ACM MM 2017, eq. 7; the NSL of CosFace, eq. 3.
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0):
        super().__init__(embedding_dim, num_classes, scale)


class MarginHead(Head):
    """A head whose target cosine goes through ``self.margin``, (N,) → (N,), before the lengths."""

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__(embedding_dim, num_classes, scale, **hyperparameters)
        for key, value in hyperparameters.items():
            setattr(self, key, value)
        self.margin_of(torch.ones(1))    # a margin outside its domain is refused here, not in training

    def margin_of(self, cos):
        """The margined target, shape (N,), of the target cosines ``cos``, shape (N,)."""
        raise NotImplementedError(f"{type(self).__name__} must say what its margin does to the target cosine")

    def _with_margin(self, logits, x, labels):
        direction, length = _polar(x, self._shortest(x))
        vector, vector_length = _polar(self.weight[labels], self._shortest(self.weight))
        target = self.margin_of((direction * vector).sum(dim=1)) * self.scale
        if not self.unit_embedding:
            target = target * length
        if not self.unit_weight:
            target = target * vector_length
        return logits.scatter(1, labels[:, None], target[:, None].to(logits.dtype))


class _AnnealedHead(MarginHead):
    """ψ(θ), approached from cos θ: the target is (λ cos θ + ψ(θ)) / (1 + λ), λ → 0 over training.

    ψ alone is too steep to start from: at random initialisation its target logit is far below
    the others. λ falls linearly from ``lambda_start`` to ``lambda_floor`` over the first
    ``anneal_until`` of training, a fraction, so that short and long runs behave alike.
    Before :meth:`set_progress` is called the head is the pure loss.
    """

    def __init__(self, embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until):
        _require(math.isfinite(lambda_start) and lambda_start >= 0,
                 f"lambda_start = {lambda_start!r}: the weight λ of the plain cosine must be at least 0")
        _require(0 <= lambda_floor <= lambda_start,
                 f"lambda_floor = {lambda_floor!r}: expected between 0 and lambda_start = {lambda_start!r}")
        _require(0 < anneal_until <= 1, f"anneal_until = {anneal_until!r}: expected a fraction of training in (0, 1]")
        self.lam = lambda_floor
        super().__init__(embedding_dim, num_classes, margin=margin)
        self.lambda_start, self.lambda_floor, self.anneal_until = lambda_start, lambda_floor, anneal_until

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

    Source: Liu et al., "Large-Margin Softmax Loss", ICML 2016, eq. 4 to 6; λ from its section 5.1.
    """

    def __init__(self, embedding_dim, num_classes, margin=4, lambda_start=5.0, lambda_floor=0.0, anneal_until=0.6):
        super().__init__(embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until)


class SphereFace(_AnnealedHead):
    """Target ‖x‖ψ(θ_y), all other logits ‖x‖cos θ_j: unit class vectors, free embeddings (A-softmax).

    Parameters: ``margin`` is m, at least 1; the rest sets the annealing (see ``set_progress``).

    Source: Liu et al., "SphereFace", CVPR 2017, eq. 6 and 7.
    """

    unit_weight = True

    def __init__(self, embedding_dim, num_classes, margin=4, lambda_start=5.0, lambda_floor=0.0, anneal_until=0.6):
        super().__init__(embedding_dim, num_classes, margin, lambda_start, lambda_floor, anneal_until)


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
        super().__init__(embedding_dim, num_classes, scale, margin=margin)

    def margin_of(self, cos):
        return margins.arcface(cos, self.margin, self.easy_margin)


class CombinedMargin(MarginHead):
    """Target s(cos(m1·θ_y + m2) − m3), all other logits s·cos θ_j.

    Parameters: ``scale`` is s; ``m1``, ``m2`` (radians), ``m3`` and ``easy_margin`` as in
    :func:`lossbook.margins.combined`.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 4.
    """

    unit_weight = unit_embedding = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, m1=1.0, m2=0.0, m3=0.0, easy_margin=False):
        self.easy_margin = easy_margin
        super().__init__(embedding_dim, num_classes, scale, m1=m1, m2=m2, m3=m3)

    def margin_of(self, cos):
        return margins.combined(cos, self.m1, self.m2, self.m3, self.easy_margin)


class Preset(NamedTuple):
    """One row of the presets table: which lengths are normalised, the scale, the three margins."""

    w_norm: bool
    x_norm: bool
    scale: float
    m1: float
    m2: float
    m3: float


# The ten settings of a well-known MNIST comparison (niyunsheng/Visualization-of-Face-Losses), by its names.
PRESETS = {
    "softmax": Preset(False, False, 1, 1, 0, 0),
    "L-softmax_v1": Preset(False, False, 1, 2, 0, 0),
    "A-softmax_v1": Preset(True, False, 1, 2, 0, 0),
    "A-softmax_v2": Preset(True, False, 1, 3, 0, 0),
    "norm-softmax": Preset(True, True, 1, 1, 0, 0),
    "CosFace_v1": Preset(True, True, 4, 1, 0, 0.1),
    "CosFace_v2": Preset(True, True, 4, 1, 0, 0.2),
    "ArcFace_v1": Preset(True, True, 4, 1, 0.1, 0),
    "ArcFace_v2": Preset(True, True, 4, 1, 0.2, 0),
    "ArcFace_v3": Preset(True, True, 4, 1, 0.3, 0),
}


def from_preset(name, embedding_dim, num_classes):
    """The head of a row of :data:`PRESETS`, e.g. ``from_preset("ArcFace_v1", 2, 10)``.

    Raises ``KeyError`` naming the nearest presets if there is none of that name.
    """
    if name not in PRESETS:
        lowered = {preset.lower(): preset for preset in PRESETS}
        near = difflib.get_close_matches(str(name).lower(), lowered, n=3, cutoff=0.4)
        hint = "did you mean " + " or ".join(lowered[match] for match in near) + "? " if near else ""
        raise KeyError(f"no preset {name!r}: {hint}The presets are {', '.join(PRESETS)}")
    row = PRESETS[name]
    if row.w_norm and row.x_norm:
        if row.m1 == 1 and row.m2 == 0 and row.m3 == 0:
            return NormSoftmax(embedding_dim, num_classes, scale=row.scale)
        if row.m1 == 1 and row.m2 == 0:
            return CosFace(embedding_dim, num_classes, scale=row.scale, margin=row.m3)
        if row.m1 == 1 and row.m3 == 0:
            return ArcFace(embedding_dim, num_classes, scale=row.scale, margin=row.m2)
        return CombinedMargin(embedding_dim, num_classes, *row[2:])
    if row.m1 == 1:
        return Softmax(embedding_dim, num_classes, bias=False)
    return (SphereFace if row.w_norm else LSoftmax)(embedding_dim, num_classes, margin=row.m1)


def _polar(vectors, shortest):
    """Directions and lengths of the rows of ``vectors``, in float32 or wider.

    Rows are divided by their largest entry first, so squares neither overflow nor underflow.
    A row shorter than ``shortest`` gets a direction shorter than 1, and so a bounded gradient;
    a zero row has no direction: it gets zero, and a zero gradient.
    """
    wide = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    largest = wide.detach().abs().amax(dim=1, keepdim=True)
    unit = largest.clamp_min(shortest)
    scaled = torch.where(largest > 0, wide / unit, 0.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / length.clamp_min(1.0), (length * unit).squeeze(1)


def _require(condition, message):
    if not condition:
        raise ValueError(message)

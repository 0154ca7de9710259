"""What every head shares: class vectors, lengths and cosines in sound precision, checked input."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.fused import one_pass
from lossbook.heads.partial_fc import sample_classes
from lossbook.utils.validation import check_int, require
from lossbook.utils.vectors import at_least_float32, polar

__all__ = ["Head", "MarginHead", "NonFiniteEmbedding"]


class NonFiniteEmbedding(ValueError):
    """An embedding handed to a head holds NaN or infinity."""


class Head(nn.Module):
    """Class vectors and the logits they give; the base of every head.

    Errors raised on use: ``TypeError`` for embeddings or labels of the wrong kind, ``ValueError``
    for wrong shapes and labels outside [0, C), :class:`NonFiniteEmbedding` for NaN or inf.

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
    """

    unit_weight = False  # read W_j as W_j / ‖W_j‖
    unit_embedding = False  # read x as x / ‖x‖

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__()
        embedding_dim, num_classes = (
            check_int("embedding_dim", embedding_dim),
            check_int("num_classes", num_classes, 2),
        )
        require(
            math.isfinite(scale) and scale > 0,
            f"scale = {scale!r}: the scale s multiplies cosines and must be above 0 and finite",
        )
        self.embedding_dim, self.num_classes, self.scale = embedding_dim, num_classes, float(scale)
        self.hyperparameters = (
            {"scale": scale, **hyperparameters} if self.unit_embedding else hyperparameters
        )
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_dim))
        self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the class vectors anew from torch's global generator: Xavier uniform, with one exception.

        Unit class vectors in the plane start evenly spaced, in the order of their classes, turned
        by one random angle. Drawn at random, some start bunched; where only directions count and
        there are only two to turn, a class between two others cannot get past them.
        """
        if self.unit_weight and self.embedding_dim == 2:
            step = 2 * math.pi / self.num_classes
            angles = step * torch.arange(self.num_classes) + step * torch.rand(1)
            with torch.no_grad():
                self.weight.copy_(torch.stack([angles.cos(), angles.sin()], dim=1))
        else:
            nn.init.xavier_uniform_(self.weight)

    @property
    def name(self):
        """The loss and its settings, e.g. ``ArcFace(scale=64, margin=0.5)``."""
        settings = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.hyperparameters.items()
        )
        return f"{type(self).__name__}({settings})" if settings else type(self).__name__

    def set_progress(self, progress):
        """Tell the head how much of training is done, in [0, 1]. Only annealing heads listen."""
        require(
            0 <= progress <= 1,
            f"progress = {progress!r}: expected a fraction of training in [0, 1]",
        )

    def forward(self, x, labels=None):
        """Logits, shape (N, C), of embeddings ``x``, shape (N, d).

        Without ``labels`` there is no margin: predict with these. With ``labels``, shape (N,)
        int64, the target entries carry the margin: train with these.
        """
        x = self._checked(x, labels)
        logits = self._logits(x)
        return logits if labels is None else self._with_margin(logits, x, labels)

    def loss(self, x, labels, chunk=None, sample=None, generator=None):
        """Mean cross-entropy of ``head(x, labels)``, a scalar; large problems in one fused pass (:mod:`lossbook.heads.fused.one_pass`).

        ``labels`` as for ``nn.CrossEntropyLoss``: class indices, shape (N,), int64. For many classes:

        chunk : int, optional
            Hold the logits of this many classes at a time and compute them twice: the same loss and
            gradients without the (N, C) matrix.
        sample : float, in (0, 1], optional
            The loss over the batch's own classes and random others, this share of all C in total:
            Partial FC (An et al., CVPR 2022). It is lower than the full loss; ``generator`` draws the classes.

        Raises ``ValueError`` for a chunk or share outside its domain, and if either is asked of a head that
        defines logits of its own.
        """
        require(
            chunk is None or (isinstance(chunk, int) and chunk >= 1),
            f"chunk = {chunk!r}: expected how many classes to hold at a time, a whole number of at least 1",
        )
        asked = chunk is not None or sample is not None
        if not asked and not (one_pass.is_faster(self, x, labels) and self._is_as_written_here()):
            return F.cross_entropy(self(x, labels), labels)
        require(
            self._is_as_written_here(),
            f"{type(self).__name__} defines logits of its own, or has hooks or parts that learn: chunk and sample "
            "know only the library's logits; leave them out, or give the subclass a margin_of alone",
        )
        x, weight, bias = self._checked(x, labels), self.weight, self.bias
        if sample is not None:
            classes, labels = sample_classes(labels, self.num_classes, sample, generator)
            weight, bias = (
                weight.index_select(0, classes),
                None if bias is None else bias.index_select(0, classes),
            )
        return one_pass.cross_entropy(self, x, weight, bias, labels, chunk)

    def _is_as_written_here(self):
        """Whether this head's logits are the ones of this module, whatever its ``margin_of``."""
        kind = MarginHead if isinstance(self, MarginHead) else Head
        return (
            all(
                getattr(getattr(self, name, None), "__func__", None) is getattr(kind, name, None)
                for name in _DEFINITIONS
            )
            and not (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
            )
            and set(self._parameters) == {"weight", "bias"}
            and not self._modules
            and not self._margin_learns()
        )

    def _margin_learns(self):
        return False

    def _logits(self, x):
        features = polar(x, self._shortest(x))[0] if self.unit_embedding else at_least_float32(x)
        vectors = (
            polar(self.weight, self._shortest(self.weight))[0] if self.unit_weight else self.weight
        )
        # A product of unit vectors cannot overflow in half precision; any other can.
        bounded = self.unit_embedding and self.unit_weight
        with torch.autocast(
            x.device.type, enabled=bounded and torch.is_autocast_enabled(x.device.type)
        ):
            products = F.linear(features, vectors.to(features.dtype))
        logits = products.to(features.dtype) * self.scale
        return logits if self.bias is None else logits + self.bias

    def _with_margin(self, logits, x, labels):
        return logits

    def _shortest(self, tensor):
        """The length below which a vector's gradient, about s/‖x‖, would leave its dtype's range."""
        return max(1e-12, 8 * self.scale / torch.finfo(tensor.dtype).max)

    def _checked(self, x, labels):
        d, C = self.embedding_dim, self.num_classes
        if not (torch.is_tensor(x) and x.is_floating_point()):
            raise TypeError(
                "embeddings must be a floating-point tensor, got "
                + (str(x.dtype) if torch.is_tensor(x) else type(x).__name__)
            )
        require(
            x.ndim == 2 and x.shape[1] == d and len(x) > 0,
            f"embeddings have shape {tuple(x.shape)}, expected (N, {d}) with N at least 1: "
            f"this head was made with embedding_dim={d}",
        )
        bad = ~torch.isfinite(x).all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise NonFiniteEmbedding(
                f"embedding {row} of {len(x)} holds {x[row][~torch.isfinite(x[row])][0].item()}, "
                "expected finite numbers: look for a diverged backbone or bad input images"
            )
        if labels is not None:
            if not torch.is_tensor(labels) or labels.dtype != torch.int64:
                got = str(labels.dtype) if torch.is_tensor(labels) else type(labels).__name__
                raise TypeError(
                    f"labels must be class indices in an int64 tensor, got {got}: "
                    "use labels.long() if they are whole numbers"
                )
            require(
                labels.shape == x.shape[:1],
                f"labels have shape {tuple(labels.shape)}, expected ({len(x)},): one index an embedding",
            )
            outside = (labels < 0) | (labels >= C)
            if outside.any():
                raise ValueError(
                    f"label {int(labels[outside][0])} is outside [0, {C}): this head was made "
                    f"with num_classes={C}, and classes count from 0"
                )
        return x

    def extra_repr(self):
        settings = "".join(f", {key}={value}" for key, value in self.hyperparameters.items())
        return f"embedding_dim={self.embedding_dim}, num_classes={self.num_classes}{settings}"


class MarginHead(Head):
    """A head whose target cosines go through ``margin_of``, (N,) → (N,), before the lengths."""

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__(embedding_dim, num_classes, scale, **hyperparameters)
        for key, value in hyperparameters.items():
            setattr(self, key, value)
        self.margin_of(
            torch.ones(1)
        )  # a margin outside its domain is refused here, not in training

    def margin_of(self, cos):
        """The margined target, shape (N,), of the target cosines ``cos``, shape (N,)."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what its margin does to the target cosine"
        )

    def _with_margin(self, logits, x, labels):
        direction, length = polar(x, self._shortest(x))
        vector, vector_length = polar(self.weight[labels], self._shortest(self.weight))
        target = self._target((direction * vector).sum(dim=1), length, vector_length)
        return logits.scatter(1, labels[:, None], target[:, None].to(logits.dtype))

    def _target(self, cos, length, vector_length):
        """The margined target logits, (N,), from target cosines and lengths of embeddings and of their class vectors."""
        target = self.margin_of(cos) * self.scale
        if not self.unit_embedding:
            target = target * length
        if not self.unit_weight:
            target = target * vector_length
        return target

    def _margin_learns(self):
        if type(self).margin_of.__module__ == "lossbook.heads.margin_heads":
            return False
        with torch.enable_grad():
            return self.margin_of(self.weight.detach().new_ones(1)).requires_grad


# What a subclass may define anew; the fused pass computes only what these say.
_DEFINITIONS = "forward", "_logits", "_with_margin", "_target", "_shortest", "_checked"

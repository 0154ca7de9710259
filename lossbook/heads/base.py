"""The base classes of all heads: class vectors, logits in sound precision, and checked input."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.fused import one_pass
from lossbook.heads.partial_fc import sample_classes
from lossbook.utils.validation import check_int, require
from lossbook.utils.vectors import at_least_float32, polar

__all__ = ["Head", "MarginHead", "NonFiniteEmbedding", "constant_margin"]

# The methods that define the logits. The fused pass computes what they compute in this module,
# so a head that overrides one of them is computed as it is written instead.
LOGIT_METHODS = (
    "forward",
    "plain_logits",
    "apply_margin",
    "target_logits",
    "shortest_length",
    "check_inputs",
)


class NonFiniteEmbedding(ValueError):
    """An embedding passed to a head contains NaN or infinity."""


class Head(nn.Module):
    """Class vectors and the logits they give; the base class of every head.

    Parameters
    ----------
    embedding_dim : int
        d, the length of an embedding.
    num_classes : int
        C, at least 2.
    scale : float
        s, above 0: the factor of every logit. It is a setting of the heads with unit embeddings.

    Attributes
    ----------
    weight : Parameter, shape (C, d)
        The class vectors as trained (not normalised).
    hyperparameters : dict
        Scale, margins and other settings, as given.
    unit_weight, unit_embedding : bool
        Whether the logits use W_j / ‖W_j‖ in place of W_j, and x / ‖x‖ in place of x.

    Raises
    ------
    TypeError
        On use, for embeddings or labels of the wrong type.
    ValueError
        On use, for wrong shapes and for labels outside [0, C). :class:`NonFiniteEmbedding`, a
        ``ValueError`` too, for NaN or infinity.

    Examples
    --------
    >>> head = Head(embedding_dim=2, num_classes=3)
    >>> head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> head(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[ 3.,  4., -7.]])
    """

    unit_weight = False
    unit_embedding = False
    has_margin = False
    _overrides_logits = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        library_class = next(base for base in cls.__mro__ if base.__module__ == __name__)
        cls._overrides_logits = any(
            getattr(cls, name, None) is not getattr(library_class, name, None)
            for name in LOGIT_METHODS
        )

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__()
        self.embedding_dim = check_int("embedding_dim", embedding_dim)
        self.num_classes = check_int("num_classes", num_classes, 2)
        require(
            math.isfinite(scale) and scale > 0,
            f"scale = {scale!r}: the scale s multiplies cosines and must be above 0 and finite",
        )
        self.scale = float(scale)
        self.hyperparameters = (
            {"scale": scale, **hyperparameters} if self.unit_embedding else hyperparameters
        )
        self.weight = nn.Parameter(torch.empty(self.num_classes, self.embedding_dim))
        self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new class vectors from torch's global generator: Xavier uniform, with one exception.

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
        """Set the share of training that is done, in [0, 1]; only annealed heads depend on it."""
        require(
            0 <= progress <= 1,
            f"progress = {progress!r}: expected a fraction of training in [0, 1]",
        )

    def forward(self, x, labels=None):
        """Logits, shape (N, C), of embeddings ``x``, shape (N, d).

        Without ``labels`` there is no margin: predict with these. With ``labels``, shape (N,)
        int64, the target entries carry the margin: train with these.
        """
        x = self.check_inputs(x, labels)
        logits = self.plain_logits(x)
        return logits if labels is None else self.apply_margin(logits, x, labels)

    def loss(self, x, labels, chunk=None, sample=None, generator=None):
        """Mean cross-entropy of ``head(x, labels)``, a scalar.

        Large problems are computed in one fused pass (:mod:`lossbook.heads.fused.one_pass`).

        Parameters
        ----------
        x : Tensor, shape (N, d)
        labels : Tensor, shape (N,), int64
            Class indices, as for ``nn.CrossEntropyLoss``.
        chunk : int, optional
            Hold the logits of this many classes at a time and compute them twice: the same loss
            and gradients without the (N, C) matrix.
        sample : float in (0, 1], optional
            Compute the loss over the classes of the batch and random others, this share of all C
            in total: Partial FC (An et al., CVPR 2022). It is lower than the full loss.
        generator : torch.Generator, optional
            Draws the classes of ``sample``.

        Raises
        ------
        ValueError
            For ``chunk`` or ``sample`` outside its domain, or if either is given to a head that
            defines its own logits.
        """
        require(
            chunk is None or (isinstance(chunk, int) and chunk >= 1),
            f"chunk = {chunk!r}: expected how many classes to hold at a time, "
            "a whole number of at least 1",
        )
        needs_fused_pass = chunk is not None or sample is not None
        if not needs_fused_pass and not (
            one_pass.is_faster(self, x, labels) and self.uses_library_logits()
        ):
            return F.cross_entropy(self(x, labels), labels)
        require(
            self.uses_library_logits(),
            f"{type(self).__name__} defines logits of its own, or has hooks or parts that learn: "
            "chunk and sample are available for the library's logits alone; leave them out, or "
            "define the subclass by margin_of alone",
        )
        x, weight, bias = self.check_inputs(x, labels), self.weight, self.bias
        if sample is not None:
            classes, labels = sample_classes(labels, self.num_classes, sample, generator)
            weight = weight.index_select(0, classes)
            bias = None if bias is None else bias.index_select(0, classes)
        return one_pass.cross_entropy(self, x, weight, bias, labels, chunk)

    def uses_library_logits(self):
        """Whether the logits are computed by the methods of this module, for any ``margin_of``.

        What the class decides is decided once, when it is defined. What an instance can change is
        checked here: methods set on it, hooks, extra parameters or modules, a margin that learns.
        """
        has_hooks = (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        )
        return not (
            self._overrides_logits
            or any(name in vars(self) for name in LOGIT_METHODS)
            or has_hooks
            or set(self._parameters) != {"weight", "bias"}
            or self._modules
            or self._margin_learns()
        )

    def _margin_learns(self):
        return False

    def plain_logits(self, x):
        """Logits without margin, (N, C), in float32 or wider, of checked embeddings (N, d)."""
        features = at_least_float32(x)
        if self.unit_embedding:
            features, _ = polar(x, self.shortest_length(x))
        vectors = self.weight
        if self.unit_weight:
            vectors, _ = polar(self.weight, self.shortest_length(self.weight))
        # A product of unit vectors cannot overflow in half precision; any other can.
        bounded = self.unit_embedding and self.unit_weight
        with torch.autocast(
            x.device.type, enabled=bounded and torch.is_autocast_enabled(x.device.type)
        ):
            products = F.linear(features, vectors.to(features.dtype))
        logits = products.to(features.dtype) * self.scale
        return logits if self.bias is None else logits + self.bias

    def apply_margin(self, logits, x, labels):
        """``logits`` (N, C) with the margin on each row's target; here there is none."""
        return logits

    def shortest_length(self, tensor):
        """The length below which a vector's gradient, about s/‖x‖, would overflow in its dtype."""
        return max(1e-12, 8 * self.scale / torch.finfo(tensor.dtype).max)

    def check_inputs(self, x, labels):
        """``x``, if ``x`` and ``labels`` (or None) are valid input; raises as the class states."""
        self._check_embeddings(x)
        if labels is not None:
            self._check_labels(labels, len(x))
        return x

    def _check_embeddings(self, x):
        d = self.embedding_dim
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
            value = x[row][~torch.isfinite(x[row])][0].item()
            raise NonFiniteEmbedding(
                f"embedding {row} of {len(x)} holds {value}, expected finite numbers: "
                "look for a diverged backbone or bad input images"
            )

    def _check_labels(self, labels, count):
        C = math.inf if self.num_classes is None else self.num_classes
        if not torch.is_tensor(labels) or labels.dtype != torch.int64:
            got = str(labels.dtype) if torch.is_tensor(labels) else type(labels).__name__
            raise TypeError(
                f"labels must be class indices in an int64 tensor, got {got}: "
                "use labels.long() if they are whole numbers"
            )
        require(
            labels.shape == (count,),
            f"labels have shape {tuple(labels.shape)}, expected ({count},): "
            "one class index per embedding",
        )
        outside = (labels < 0) | (labels >= C)
        if outside.any():
            raise ValueError(
                f"label {int(labels[outside][0])} is outside [0, {C}): this head was made "
                f"with num_classes={self.num_classes}, and classes count from 0"
            )

    def extra_repr(self):
        settings = "".join(f", {key}={value}" for key, value in self.hyperparameters.items())
        return f"embedding_dim={self.embedding_dim}, num_classes={self.num_classes}{settings}"


class MarginHead(Head):
    """A head that applies ``margin_of``, (N,) → (N,), to the target cosines before the lengths.

    Every keyword argument after ``scale`` becomes an attribute, and is part of the head's name.

    Examples
    --------
    >>> class Halved(MarginHead):
    ...     unit_weight = unit_embedding = True
    ...
    ...     def margin_of(self, cos):
    ...         return cos / 2 - self.margin
    >>> head = Halved(embedding_dim=2, num_classes=2, scale=10, margin=0.2)
    >>> head.weight.data = torch.eye(2)
    >>> head(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()
    tensor([[3., 0.]])
    >>> head.name
    'Halved(scale=10, margin=0.2)'
    """

    has_margin = True

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__(embedding_dim, num_classes, scale, **hyperparameters)
        for key, value in hyperparameters.items():
            setattr(self, key, value)
        # A margin outside its domain is refused here rather than in training.
        self.margin_of(torch.ones(1))

    def margin_of(self, cos):
        """The margined target, shape (N,), of the target cosines ``cos``, shape (N,)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define margin_of(cos), the margin on the target cosine"
        )

    def apply_margin(self, logits, x, labels):
        """``logits`` (N, C) with the margined target logit in the column of each row's label."""
        direction, length = polar(x, self.shortest_length(x))
        vector, vector_length = polar(self.weight[labels], self.shortest_length(self.weight))
        cos = (direction * vector).sum(dim=1)
        target_logits = self.target_logits(cos, length, vector_length)
        return logits.scatter(1, labels[:, None], target_logits[:, None].to(logits.dtype))

    def target_logits(self, cos, length, vector_length):
        """The margined target logits, (N,).

        ``cos`` (N,) are the target cosines, ``length`` (N,) the lengths of the embeddings, and
        ``vector_length`` (N,) those of their class vectors; a length read as 1 is not used.
        """
        target = self.margin_of(cos) * self.scale
        if not self.unit_embedding:
            target = target * length
        if not self.unit_weight:
            target = target * vector_length
        return target

    def _margin_learns(self):
        if getattr(self.margin_of, "is_constant", False):
            return False
        with torch.enable_grad():
            return self.margin_of(self.weight.detach().new_ones(1)).requires_grad


def constant_margin(margin_of):
    """Mark a ``margin_of`` that contains constants only, so that no loss checks if it learns.

    The mark is on the function, so a subclass that overrides ``margin_of`` does not inherit it.
    """
    margin_of.is_constant = True
    return margin_of

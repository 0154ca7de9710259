"""The base classes of all heads: class vectors, logits in sound precision, and checked input."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.cross_entropy import CrossEntropy
from lossbook.heads.distributed import check_gradients_are_shared
from lossbook.heads.fused import one_pass
from lossbook.heads.input_checks import (
    NonFiniteEmbedding,
    check_embeddings,
    check_label_type,
    check_labels,
)
from lossbook.heads.partial_fc import sample_classes, share_correction
from lossbook.heads.settings import ModuleWithSettings, check_scale
from lossbook.utils.validation import check_int, require
from lossbook.utils.vectors import at_least_float32, polar

__all__ = ["Head", "MarginHead", "NonFiniteEmbedding", "constant_margin"]

# The methods that define the logits. The fused pass computes what they compute in this module,
# so a head that overrides one of them is computed as it is written instead.
LOGIT_METHODS = (
    "forward",
    "plain_logits",
    "products",
    "apply_margin",
    "target_logits",
    "shortest_length",
    "check_inputs",
)
MODULES_OF_THE_LIBRARY_LOGITS = (__name__, "lossbook.heads.per_sample")


class Head(ModuleWithSettings):
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
        Scale, margins and other settings, at their present values. Each is an attribute, and may
        be set during training: ``head.margin = 0.3``. A value outside its domain is refused. The
        name, ``repr`` and the state dict follow (:mod:`lossbook.heads.settings`). A scale that
        learns is a parameter: ``head.scale = nn.Parameter(torch.tensor(16.0))``.
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
    sees_samples = adapts_rivals = False
    gradients_are_shared = False
    _overrides_logits = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        library_class = next(
            base for base in cls.__mro__ if base.__module__ in MODULES_OF_THE_LIBRARY_LOGITS
        )
        cls._overrides_logits = any(
            getattr(cls, name, None) is not getattr(library_class, name, None)
            for name in LOGIT_METHODS
        )

    def __init__(self, embedding_dim, num_classes, scale=1.0, **hyperparameters):
        super().__init__()
        self.embedding_dim = check_int("embedding_dim", embedding_dim)
        self.num_classes = check_int("num_classes", num_classes, 2)
        self.scale = check_scale(scale)
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
            classes = torch.arange(self.num_classes, device="cpu")
            angles = step * classes + step * torch.rand(1, device="cpu")
            with torch.no_grad():
                self.weight.copy_(torch.stack([angles.cos(), angles.sin()], dim=1))
        else:
            nn.init.xavier_uniform_(self.weight)

    def set_progress(self, progress):
        """Set the share of training that is done, in [0, 1]; only annealed heads depend on it."""
        require(
            0 <= progress <= 1,
            f"progress = {progress!r}: expected a fraction of training in [0, 1]",
        )

    def forward(self, x, labels=None):
        """Logits, shape (N, C), of embeddings ``x``, shape (N, d).

        Without ``labels`` there is no margin: predict with these. With ``labels``, shape (N,)
        int64, the target entries carry the margin: train with these. They are logits, not yet a
        loss: ``head(x, labels).backward()`` ends in PyTorch's "grad can be implicitly created
        only for scalar outputs", and ``head.loss(x, labels).backward()`` is meant.
        """
        x = self.check_inputs(x, labels)
        logits = self.plain_logits(x)
        if labels is None:
            return logits
        return self.apply_margin(logits, x, labels)

    def loss(
        self,
        x,
        labels,
        chunk=None,
        sample=None,
        generator=None,
        *,
        correct_sample=False,
        reduction="mean",
        label_smoothing=0.0,
        weight=None,
        ignore_index=None,
    ):
        """Cross-entropy of ``head(x, labels)``: its mean, a scalar, by default.

        Large problems are computed in one fused pass (:mod:`lossbook.heads.fused.one_pass`).

        Parameters
        ----------
        x : Tensor, shape (N, d)
        labels : Tensor, shape (N,), int64
            Class indices, as for ``nn.CrossEntropyLoss``. For mixup, mix two losses:
            ``t * head.loss(x, labels) + (1 - t) * head.loss(x, other_labels)``.
        chunk : int, optional
            Hold the logits of this many classes at a time and compute them twice: the same loss
            and gradients without the (N, C) matrix. Under ``torch.compile`` and ``torch.func``
            the same loss is computed without it.
        sample : float in (0, 1], optional
            Compute the loss over the classes of the batch and random others, this share of all C
            in total: Partial FC (An et al., CVPR 2022). It is lower than the full loss.
        generator : torch.Generator, optional
            Draws the classes of ``sample``.
        correct_sample : bool
            Let the drawn classes stand for those left out, by what
            :func:`~lossbook.heads.partial_fc.share_correction` adds to their logits.
        reduction, label_smoothing, weight
            As in ``F.cross_entropy``: ``"mean"``, ``"sum"`` or ``"none"``; the share of the
            target that is spread over all classes; a weight for each class, (C,). With ``sample``
            they refer to the sampled classes.
        ignore_index : int, optional
            Samples with this label count for nothing, as in ``F.cross_entropy``. By default there
            is none, and a label outside [0, C) is refused.

        Returns
        -------
        Tensor, a scalar, or (N,) with ``reduction="none"``.

        Raises
        ------
        ValueError
            For an option outside its domain, or if ``chunk`` or ``sample`` is given to a head that
            defines its own logits.
        RuntimeError
            Outside ``DistributedDataParallel`` in a process group of several ranks: see
            :class:`~lossbook.heads.WithLoss`.
        """
        terms = CrossEntropy.checked(self.num_classes, reduction, label_smoothing, weight)
        ways = {"chunk": chunk, "sample": (sample, generator, correct_sample)}
        if ignore_index is None:
            return self._loss(x, labels, terms, **ways)
        check_label_type(self, labels, len(x))
        kept = labels != ignore_index
        if not kept.any():
            return terms.of_no_samples(x)
        loss = self._loss(x[kept], labels[kept], terms, **ways)
        if reduction != "none":
            return loss
        return torch.zeros_like(labels, dtype=loss.dtype).masked_scatter(kept, loss)

    def penalties(self, x):
        """What is added to the samples' losses, (N,), for embeddings (N, d); here None."""
        return None

    def _loss(self, x, labels, terms, chunk, sample):
        """As :meth:`loss`, where every sample counts; ``sample`` holds its three arguments."""
        loss = self._cross_entropy(x, labels, terms, chunk, sample)
        penalties = self.penalties(x)
        return loss if penalties is None else loss + terms.reduced(penalties)

    def _cross_entropy(self, x, labels, terms, chunk, sample):
        require(
            chunk is None or (isinstance(chunk, int) and chunk >= 1),
            f"chunk = {chunk!r}: expected how many classes to hold at a time, "
            "a whole number of at least 1",
        )
        share, generator, correct_sample = sample
        needs_fused_pass = chunk is not None or share is not None
        # Several losses are computed anew in the backward pass; such a margin cannot be.
        once = self.sees_samples and terms.reduction == "none"
        require(
            not (once and needs_fused_pass),
            f"reduction = 'none': {type(self).__name__} has a margin that depends on the sample, "
            "and computes chunk and sample with 'mean' or 'sum' only",
        )
        if not needs_fused_pass and not (
            one_pass.is_faster(self, x, labels) and self.uses_library_logits() and not once
        ):
            return terms.of_logits(self(x, labels), labels)
        require(
            self.uses_library_logits(),
            f"{type(self).__name__} defines logits of its own, or has hooks or parts that learn: "
            "chunk and sample are available for the library's logits alone; leave them out, or "
            "define the subclass by margin_of alone",
        )
        x, weight, bias = self.check_inputs(x, labels), self.weight, self.bias
        all_labels = labels
        if share is not None:
            classes, labels = sample_classes(labels, self.num_classes, share, generator)
            weight = weight.index_select(0, classes)
            bias = None if bias is None else bias.index_select(0, classes)
            if correct_sample:
                correction = share_correction(labels, len(classes), self.num_classes)
                bias = correction.to(x) if bias is None else bias + correction.to(bias)
            terms = terms.of_classes(classes)
        return one_pass.cross_entropy(self, x, weight, bias, labels, chunk, terms, all_labels)

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
            or torch.is_tensor(self.scale)
            or self._margin_learns()
        )

    def _margin_learns(self):
        return False

    def plain_logits(self, x):
        """Logits without margin, (N, C), in float32 or wider, of checked embeddings (N, d)."""
        logits = self.products(x) * self.scale
        return logits if self.bias is None else logits + self.bias

    def products(self, x):
        """The products of embeddings (N, d) and class vectors, (N, C), in float32 or wider.

        They are cosines where both are unit vectors.
        """
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
            return F.linear(features, vectors.to(features.dtype)).to(features.dtype)

    def apply_margin(self, logits, x, labels):
        """``logits`` (N, C) with the margin on each row's target; here there is none."""
        return logits

    def shortest_length(self, tensor):
        """The length below which a vector's gradient, about s/‖x‖, would overflow in its dtype."""
        scale = self.scale.detach() if torch.is_tensor(self.scale) else self.scale
        return max(1e-12, 8 * scale / torch.finfo(tensor.dtype).max)

    def check_inputs(self, x, labels):
        """``x``, if ``x`` and ``labels`` (or None) are valid input; raises as the class states.

        With labels a loss is computed, and ``RuntimeError`` says if its gradients would stay on one
        rank of several.
        """
        if labels is not None:
            check_gradients_are_shared(self)
        check_embeddings(self, x)
        if labels is not None:
            check_labels(self, labels, x.shape[0])
        return x


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
        self.check_settings()

    def check_settings(self):
        # A margin outside its domain is refused when it is set rather than in training.
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

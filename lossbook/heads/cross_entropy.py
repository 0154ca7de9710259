"""The cross-entropy of training logits, with the options of ``F.cross_entropy``."""

import numbers
from typing import NamedTuple

import torch
import torch.nn.functional as F

from lossbook.utils.validation import require

__all__ = ["CrossEntropy"]

REDUCTIONS = ("mean", "sum", "none")


class CrossEntropy(NamedTuple):
    """How a batch's logits become a loss: ``F.cross_entropy``'s options, checked.

    ``class_weight`` is (C,), or None where all classes weigh the same.
    """

    reduction: str = "mean"
    label_smoothing: float = 0.0
    class_weight: torch.Tensor | None = None

    @classmethod
    def checked(cls, num_classes, reduction, label_smoothing, weight):
        """The options, or ``ValueError`` or ``TypeError`` if one is outside its domain."""
        require(
            reduction in REDUCTIONS,
            f"reduction = {reduction!r}: expected one of {', '.join(map(repr, REDUCTIONS))}",
        )
        if not (isinstance(label_smoothing, numbers.Real) and 0 <= label_smoothing <= 1):
            raise ValueError(
                f"label_smoothing = {label_smoothing!r}: expected the share of the target that is "
                "spread over all classes, in [0, 1]"
            )
        if weight is not None:
            if not (torch.is_tensor(weight) and weight.is_floating_point()):
                kind = weight.dtype if torch.is_tensor(weight) else type(weight).__name__
                raise TypeError(f"weight must be a floating-point tensor, got {kind}")
            require(
                weight.shape == (num_classes,),
                f"weight has shape {tuple(weight.shape)}, expected ({num_classes},): "
                "one number per class",
            )
        return cls(reduction, float(label_smoothing), weight)

    @property
    def is_plain_mean(self):
        return self.reduction == "mean" and not self.label_smoothing and self.class_weight is None

    def of_classes(self, classes):
        """The same options where only these ``classes``, (K,) indices, are left."""
        if self.class_weight is None:
            return self
        return self._replace(class_weight=self.class_weight[classes])

    def of_logits(self, logits, labels):
        """``F.cross_entropy`` of logits (N, C)."""
        weight = self.class_weight
        return F.cross_entropy(
            logits,
            labels,
            weight=None if weight is None else weight.to(logits.dtype),
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def of_no_samples(self, x):
        """The loss where every sample is ignored: 0, and NaN for a mean, as in PyTorch."""
        zeros = 0 * x.sum(dim=1)
        if self.reduction == "none":
            return zeros
        return zeros.sum() if self.reduction == "sum" else zeros[:0].mean()

    def reduced(self, values):
        """Values of the samples, (N,), reduced as the loss is; class weights do not count."""
        if self.reduction == "none":
            return values
        return values.sum() if self.reduction == "sum" else values.mean()

"""Checks of what a head is given: embeddings (N, d) and labels (N,)."""

import math

import torch

from lossbook.utils.validation import require

__all__ = ["NonFiniteEmbedding", "check_embeddings", "check_labels", "check_label_type"]
__all__ += ["refuse_labels", "is_transformed", "values_can_be_read"]


class NonFiniteEmbedding(ValueError):
    """An embedding passed to a head contains NaN or infinity."""


def values_can_be_read():
    """Whether Python code may depend on the numbers in a tensor.

    It may not while torch.compile or torch.export traces it, nor in a torch.func transform.
    Shapes and dtypes are checked there, the numbers are not.
    """
    return not (torch.compiler.is_compiling() or is_transformed())


def is_transformed():
    """Whether a torch.func transform (grad, jacrev, vmap, …) is computing.

    What it transforms must be a pure function: it changes no buffer and no setting.
    """
    return torch._C._are_functorch_transforms_active()


def check_embeddings(head, x):
    """Raise ``TypeError`` or ``ValueError`` unless ``x`` is (N, d), floating point and finite."""
    d = head.embedding_dim
    if not (torch.is_tensor(x) and x.is_floating_point()):
        raise TypeError(
            "embeddings must be a floating-point tensor, got "
            + (str(x.dtype) if torch.is_tensor(x) else type(x).__name__)
        )
    if x.ndim != 2 or x.shape[1] != d or x.shape[0] == 0:
        swapped = x.ndim == 2 and x.shape[1] == head.num_classes
        kind = type(head).__name__
        raise ValueError(
            f"embeddings have shape {tuple(x.shape)}, expected (N, {d}) with N at least 1: "
            f"this head was made with embedding_dim={d}"
            + (
                f" and num_classes={head.num_classes}; were the two swapped? "
                f"{kind}(embedding_dim={head.num_classes}, num_classes={d}, …) fits"
                if swapped
                else ""
            )
        )
    # A finite sum has finite terms; that of large finite numbers may overflow.
    if not values_can_be_read() or math.isfinite(x.detach().sum()):
        return
    bad = ~torch.isfinite(x).all(dim=1)
    if bad.any():
        row = int(bad.nonzero()[0])
        value = x[row][~torch.isfinite(x[row])][0].item()
        raise NonFiniteEmbedding(
            f"embedding {row} of {len(x)} holds {value}, expected finite numbers: "
            "look for a diverged backbone or bad input images"
        )


def check_labels(head, labels, count):
    """Raise ``TypeError`` or ``ValueError`` unless ``labels`` are (``count``,) class indices."""
    check_label_type(head, labels, count)
    if not values_can_be_read():
        return
    C = math.inf if head.num_classes is None else head.num_classes
    outside = (labels < 0) | (labels >= C)
    if outside.any():
        first = int(labels[outside][0])
        raise ValueError(
            f"label {first} is outside [0, {C}): this head was made "
            f"with num_classes={head.num_classes}, and classes count from 0"
            + ("; to leave such samples out, pass ignore_index=-100" if first == -100 else "")
        )


def refuse_labels(head, labels, reason):
    """Raise ``TypeError`` if ``labels`` are given to a head whose loss is no cross-entropy.

    ``reason`` is a verb phrase that says what the head does instead.
    """
    require(
        labels is None,
        f"{type(head).__name__} {reason}, so the cross-entropy of head(x, labels) would train "
        "another loss: train with head.loss(x, labels), and predict with head(x)",
        TypeError,
    )


def check_label_type(head, labels, count):
    """As :func:`check_labels`, without regard to their values."""
    if not torch.is_tensor(labels) or labels.dtype != torch.int64:
        raise TypeError(_not_class_indices(labels, count, head.num_classes))
    if labels.shape != (count,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, expected ({count},): "
            "one class index per embedding"
            + ("; use labels.argmax(dim=1) if they are one-hot" if labels.ndim == 2 else "")
        )


def _not_class_indices(labels, count, num_classes):
    if torch.is_tensor(labels) and labels.shape == (count, num_classes):
        return (
            f"labels must be class indices in an int64 tensor of shape ({count},), got "
            f"{labels.dtype} of shape {tuple(labels.shape)}: a margin belongs to one target class. "
            "For mixup, mix two losses, t * head.loss(x, labels) + (1 - t) * head.loss(x, others); "
            "for smoothed labels pass label_smoothing to loss; for one-hot ones, argmax(dim=1)"
        )
    kind = str(labels.dtype) if torch.is_tensor(labels) else type(labels).__name__
    return (
        f"labels must be class indices in an int64 tensor, got {kind}: "
        "use labels.long() if they are whole numbers"
    )

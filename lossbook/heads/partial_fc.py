"""Partial FC: the classes that one training step uses, the batch's own and a share of the rest."""

import math

import torch

from lossbook.utils.validation import require

__all__ = ["sample_classes"]


def sample_classes(labels, num_classes, share, generator=None):
    """``(classes, labels)``: the classes kept, (K,) ascending, and ``labels`` counted among them.

    Every class of ``labels`` (N,) is kept; others are drawn, each with the same probability and
    none twice, until K = ⌈share · C⌉ (more only if the batch alone has more classes).
    ``generator`` must be on the labels' device; without one, torch's global generator draws.

    Source: An et al., "Killing Two Birds with One Stone", CVPR 2022, section 3.2.

    Raises ``ValueError`` for a share outside (0, 1].

    >>> classes, positions = sample_classes(torch.tensor([7, 3, 7]), num_classes=10, share=0.5)
    >>> len(classes), classes[positions]
    (5, tensor([7, 3, 7]))
    """
    require(
        isinstance(share, (int, float)) and 0 < share <= 1,
        f"sample = {share!r}: expected the share of all classes to keep, in (0, 1]",
    )
    batch_classes = labels.unique()
    priority = torch.rand(num_classes, device=labels.device, generator=generator)
    priority[batch_classes] = 2.0  # above every draw
    count = max(len(batch_classes), math.ceil(share * num_classes))
    classes = priority.topk(count).indices.sort().values
    return classes, torch.searchsorted(classes, labels)

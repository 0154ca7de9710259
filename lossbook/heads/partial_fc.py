"""Partial FC: the classes that one step of training sees, the batch's own and a random share of the others."""

import math

import torch

from lossbook.utils.validation import require

__all__ = ["sample_classes"]


def sample_classes(labels, num_classes, share, generator=None):
    """``(classes, labels)``: the classes kept, (K,) ascending, and ``labels`` counted among them, (N,).

    Every class of ``labels`` is kept; others are drawn, each with the same chance and none twice,
    until K = ⌈share · C⌉ (more only if the batch alone has more classes). ``generator`` must live
    on the labels' device; without one, torch's global generator draws.

    Source: An et al., "Killing Two Birds with One Stone", CVPR 2022, section 3.2.

    Raises ``ValueError`` for a share outside (0, 1].
    """
    require(
        isinstance(share, (int, float)) and 0 < share <= 1,
        f"sample = {share!r}: expected the share of all classes to keep, in (0, 1]",
    )
    own = labels.unique()
    order = torch.rand(num_classes, device=labels.device, generator=generator)
    order[own] = 2.0  # above every draw
    kept = order.topk(max(len(own), math.ceil(share * num_classes))).indices.sort().values
    return kept, torch.searchsorted(kept, labels)

"""Partial FC: the classes that one training step uses, the batch's own and a share of the rest."""

import math

import torch

from lossbook.utils.validation import require

__all__ = ["sample_classes", "share_correction"]


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


def share_correction(labels, num_kept, num_classes):
    """What to add to the logits of the kept classes, (K,), so that they stand for all C.

    With P classes in the batch, K − P rivals are kept of C − P. Each stands for (C − P)/(K − P) of
    them, so ln((C − P)/(K − P)) is added to its logit, and nothing to those of the batch. The sum
    over the rivals' exponentials then has that over all rivals as its expected value; its
    logarithm, which is in the loss, lies below on average.

    ``labels`` (N,) are counted among the kept classes, as :func:`sample_classes` returns them.

    >>> share_correction(torch.tensor([0, 2]), num_kept=4, num_classes=12)   # ln(10 / 2)
    tensor([0.0000, 1.6094, 0.0000, 1.6094])
    """
    is_rival = torch.ones(num_kept, dtype=torch.bool, device=labels.device)
    is_rival[labels] = False
    rivals = int(is_rival.sum())
    if rivals == 0:
        return torch.zeros(num_kept, device=labels.device)
    return is_rival * math.log((num_classes - (num_kept - rivals)) / rivals)

r"""Linear layer, margin and cross-entropy in one pass over the classes: the fast way behind ``head.loss``.

``F.cross_entropy(head(x, labels), labels)`` is how a head is read. Computed as it is written, it
copies the class vectors to normalise them and the logits to take their softmax, and walks through
every copy again on the way back. This module computes the same number and the same gradients,

* with 1/‖W_j‖ as a factor on column j of the logits, so the class vectors are never copied:
  :math:`z_{ij} = s\, r_j\, f_i^\top W_j,\; r_j = 1/\lVert W_j \rVert`;
* with the margin on the N target logits only, through the head's own ``margin_of``;
* with both gradients made in the forward pass, where the softmax stands in the logits' place:
  :math:`G_j = s\, r_j \sum_i a_{ij} f_i` for a weight as it stands, from which a class vector that is
  read by its direction loses the part along itself, :math:`G_j - r_j^2 (G_j^\top W_j)\, W_j`;
* a panel of classes at a time, which stays in the cache. The softmax's denominator is carried from
  panel to panel: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018.

With ``chunk`` a panel is thrown away after its sum and computed again for its gradients: 4 instead
of 3 products, and (N, chunk) instead of (N, C) numbers held.
"""

import torch
import torch.nn.functional as F
from torch.func import functional_call

from lossbook.heads.fused.class_blocks import panels_of
from lossbook.heads.fused.samples import ends_of

__all__ = ["cross_entropy", "is_faster"]

SMALL = (
    2**17
)  # numbers in embeddings, class vectors and logits; below, the plain way is at least as fast
PANEL = 2048  # classes at a time on a CPU, where a panel and its class vectors stay in the cache


def is_faster(head, x, labels):
    """Whether :func:`cross_entropy` is the faster way here, and equal to rounding: large, no half precision."""
    weight, normalises = (
        head.weight,
        head.unit_weight or head.unit_embedding or hasattr(head, "_target"),
    )
    return (
        torch.is_tensor(x)
        and torch.is_tensor(labels)
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and x.numel() + weight.numel() + len(x) * len(weight) >= SMALL * (1 if normalises else 8)
        and type(weight) in (torch.nn.Parameter, torch.Tensor)
        and not torch.is_autocast_enabled(x.device.type)
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def cross_entropy(head, x, weight, bias, labels, chunk=None):
    """Mean cross-entropy of a head that has these class vectors, a scalar; the inputs are not checked again.

    ``x`` (N, d), ``weight`` (C, d), ``bias`` (C,) or None, ``labels`` (N,). Gradients are computed
    with the loss, and only for what requires them. A second derivative is taken the plain way, which
    holds the (N, C) logits.
    """
    if torch.is_grad_enabled() and any(
        one is not None and one.requires_grad for one in (x, weight, bias)
    ):
        return _CrossEntropy.apply(x, weight, bias, labels, head, chunk)
    return _one_pass(x, weight, bias, labels, head, chunk, (False, False, False))[0]


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, labels, head, chunk):
        loss, ctx.gradients = _one_pass(
            x, weight, bias, labels, head, chunk, ctx.needs_input_grad[:3]
        )
        ctx.save_for_backward(x, weight, bias, labels)
        ctx.asked = head, chunk
        return loss

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled():  # create_graph: the gradients must have gradients
            return *_plain_gradients(ctx, grad), None, None, None
        gradients, ctx.gradients = ctx.gradients, None  # given away, for no second copy of (C, d)
        if gradients is None:  # a second time through a retained graph
            _, gradients = _one_pass(*ctx.saved_tensors, *ctx.asked, ctx.needs_input_grad[:3])
        if grad.device.type != "cpu" or grad != 1:
            for one in gradients:
                if one is not None:
                    one.mul_(grad)
        return *gradients, None, None, None


def _plain_gradients(ctx, grad):
    x, weight, bias, labels = ctx.saved_tensors
    state = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    loss = F.cross_entropy(functional_call(ctx.asked[0], state, (x, labels)), labels)
    needed = ctx.needs_input_grad[:3]
    found = iter(
        torch.autograd.grad(
            loss,
            [one for one, asked in zip((x, weight, bias), needed) if asked],
            grad,
            create_graph=True,
        )
    )
    return [next(found) if asked else None for asked in needed]


@torch.no_grad()
def _one_pass(x, weight, bias, labels, head, chunk, wanted):
    """``(loss, gradients)``: gradients of x, weight and bias, None where they are not wanted."""
    with torch.autocast(x.device.type, enabled=False):
        ends = ends_of(head, x, weight, labels, wanted)
        size = chunk or (PANEL if x.device.type == "cpu" else len(weight))
        panels = panels_of(head, ends, weight, bias, labels, min(size, len(weight)))
        top = ends.features.new_full((len(x),), -torch.inf)
        total, own = (
            torch.zeros_like(top),
            torch.empty_like(top) if ends.target is None else ends.target,
        )
        for panel in panels:
            logits = panel.logits(own)
            highest = logits.amax(dim=1).clamp_min_(torch.finfo(top.dtype).min)
            part = logits.sub_(highest[:, None]).exp_().sum(dim=1)
            before, top = top, torch.maximum(top, highest)
            total = total * (before - top).exp_() + part * (highest - top).exp_()
            if chunk is None and any(wanted):
                panel.kept = logits, highest
        log_sum = top + total.log()
        loss = (log_sum - own).mean()
        if not any(wanted):
            return loss, None
        grads = [
            torch.zeros_like(ends.features) if wanted[0] else None,
            torch.empty_like(weight) if wanted[1] else None,
            torch.empty_like(bias) if wanted[2] else None,
        ]
        at_targets = ends.at_targets(torch.expm1(own - log_sum).div_(len(own)))
        for panel in panels:
            panel.pull_back(own, log_sum, at_targets, *grads)
        grads[0], for_own = ends.pull_back(grads[0], wanted)
        if for_own is not None:
            grads[1].index_add_(0, labels, for_own)
        return loss, grads

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

from .lengths import polar, widened

__all__ = ["cross_entropy", "pays"]

SMALL = 2**15           # logits; below, the plain way is at least as fast
PANEL = 2048            # classes at a time on a CPU, where a panel and its class vectors fit the cache
MODERATE = 2.0**40      # lengths up to here, and down to 1 over it, square and multiply without a second thought


def pays(x, labels, weight):
    """Whether :func:`cross_entropy` is the faster way here, and equal to rounding: large, no half precision."""
    return (torch.is_tensor(x) and torch.is_tensor(labels) and x.dtype == weight.dtype
            and x.dtype in (torch.float32, torch.float64) and len(x) * len(weight) >= SMALL
            and type(weight) in (torch.nn.Parameter, torch.Tensor) and not torch.is_autocast_enabled(x.device.type)
            and not torch.compiler.is_compiling() and not torch._C._are_functorch_transforms_active())


def cross_entropy(head, x, weight, bias, labels, chunk=None):
    """Mean cross-entropy of a head that has these class vectors, a scalar; the inputs are not checked again.

    ``x`` (N, d), ``weight`` (C, d), ``bias`` (C,) or None, ``labels`` (N,). Gradients are computed
    with the loss, and only for what requires them. A second derivative is taken the plain way, which
    holds the (N, C) logits.
    """
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (x, weight, bias)):
        return _CrossEntropy.apply(x, weight, bias, labels, head, chunk)
    return _one_pass(x, weight, bias, labels, head, chunk, (False, False, False))[0]


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, labels, head, chunk):
        loss, ctx.gradients = _one_pass(x, weight, bias, labels, head, chunk, ctx.needs_input_grad[:3])
        ctx.save_for_backward(x, weight, bias, labels)
        ctx.asked = head, chunk
        return loss

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled():                     # create_graph: the gradients must have gradients
            return *_plain_gradients(ctx, grad), None, None, None
        gradients, ctx.gradients = ctx.gradients, None  # given away, for no second copy of (C, d)
        if gradients is None:                           # a second time through a retained graph
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
    found = iter(torch.autograd.grad(loss, [one for one, asked in zip((x, weight, bias), needed) if asked], grad,
                                     create_graph=True))
    return [next(found) if asked else None for asked in needed]


@torch.no_grad()
def _one_pass(x, weight, bias, labels, head, chunk, wanted):
    """``(loss, gradients)``: gradients of x, weight and bias, None where they are not wanted."""
    with torch.autocast(x.device.type, enabled=False):
        ends = _Ends(head, x, weight, labels, wanted)
        panels = _panels(head, ends, weight, bias, labels, chunk)
        top = ends.features.new_full((len(x),), -torch.inf)
        total, own = torch.zeros_like(top), torch.empty_like(top) if ends.target is None else ends.target
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
        grads = [torch.zeros_like(ends.features) if wanted[0] else None,
                 torch.empty_like(weight) if wanted[1] else None, torch.empty_like(bias) if wanted[2] else None]
        for panel in panels:
            panel.pull_back(own, log_sum, *grads)
        grads[0], for_own = ends.pull_back(grads[0], ((own - log_sum).exp_() - 1) / len(own), wanted)
        if for_own is not None:
            grads[1].index_add_(0, labels, for_own)
        return loss, grads


class _Ends:
    """What has N rows: the features and the margined targets, and the small graph that they come out of."""

    def __init__(self, head, x, weight, labels, wanted):
        margin = hasattr(head, "margin_of")
        with torch.set_grad_enabled(any(wanted)):
            self.x = x.detach().requires_grad_(wanted[0])
            embedding = polar(self.x, head._shortest(x)) if margin or head.unit_embedding else None
            self.graph = embedding[0] if head.unit_embedding else widened(self.x)
            if margin:
                self.vectors = weight.detach()[labels].requires_grad_(wanted[1])
                self.graph_target = head._target(embedding, polar(self.vectors, head._shortest(weight)))
        self.features, self.scale = self.graph.detach(), head.scale
        self.scaled = self.features if head.scale == 1 else self.features * head.scale
        self.target = self.graph_target.detach().to(self.features.dtype) if margin else None
        self.moderate = head.unit_embedding or bool(self.features.abs().amax() < MODERATE)

    def pull_back(self, for_features, for_target, wanted):
        """Gradients of x and of the targets' class vectors, (N, d) both or None, from features' and targets'."""
        outputs, grads, leaves = [], [], []
        if wanted[0]:
            outputs, grads, leaves = [self.graph], [for_features.mul_(self.scale)], [self.x]
        if self.target is not None and self.graph_target.requires_grad:
            outputs, grads = outputs + [self.graph_target], grads + [for_target.to(self.graph_target.dtype)]
            leaves = leaves + [self.vectors] * wanted[1]
        found = list(torch.autograd.grad(outputs, leaves, grads, materialize_grads=True)) if leaves else []
        return found.pop(0) if wanted[0] else None, found.pop() if found else None


def _panels(head, ends, weight, bias, labels, chunk):
    """The panels of all classes, each with the batch's rows whose target lies in it."""
    size = min(chunk or (PANEL if weight.device.type == "cpu" else len(weight)), len(weight))
    starts = range(0, len(weight), size)
    order = labels.argsort()
    ranked = labels[order]
    cuts = torch.searchsorted(ranked, torch.tensor([*starts, len(weight)], device=labels.device)).tolist()
    return [_Panel(head, ends, weight[start:start + size], None if bias is None else bias[start:start + size],
                   slice(start, start + size), order[low:high], ranked[low:high] - start)
            for start, low, high in zip(starts, cuts, cuts[1:])]


class _Panel:
    """Some neighbouring classes: their logits, and what their softmax adds to the gradients."""

    def __init__(self, head, ends, weight, bias, where, rows, columns):
        self.head, self.ends, self.weight, self.bias = head, ends, weight, bias
        self.where, self.rows, self.columns, self.kept, self.factor = where, rows, columns, None, None

    def logits(self, own):
        """The training logits, (N, columns); reads the targets from ``own`` if there is a margin, else writes them."""
        vectors, factor = self._directions()
        logits = self.ends.scaled @ vectors.T
        if factor is not None:
            logits.mul_(factor)
        if self.bias is not None:
            logits.add_(self.bias)
        if len(self.rows) and self.ends.target is not None:
            logits[self.rows, self.columns] = own[self.rows]
        elif len(self.rows):
            own[self.rows] = logits[self.rows, self.columns]
        return logits

    def pull_back(self, own, log_sum, for_features, for_weight, for_bias):
        """Add to the gradient of the features (still without the scale); write the classes' own."""
        if self.kept is None:
            pull = self.logits(own).sub_(log_sum[:, None]).exp_().div_(len(own))
        else:
            (pull, highest), self.kept = self.kept, None
            pull.mul_((highest - log_sum).exp_().div_(len(own))[:, None])
        if len(self.rows):
            # A target with a margin has its own way back, through margin_of; one without is pulled by p - 1.
            pull[self.rows, self.columns] = 0.0 if self.ends.target is not None else (
                pull[self.rows, self.columns] - 1 / len(own))
        if for_bias is not None:
            for_bias[self.where] = pull.sum(dim=0)
        vectors, factor = self._directions()
        if factor is not None:
            pull.mul_(factor)
        if for_features is not None:
            for_features.addmm_(pull, vectors)
        if for_weight is not None:
            self._write(for_weight[self.where], pull, vectors, factor)

    def _write(self, out, pull, vectors, factor):
        if out.dtype == pull.dtype:
            found = torch.mm(pull.T, self.ends.scaled, out=out)
        else:
            found = pull.T @ self.ends.scaled
        if factor is not None:                          # the part along W_j only made it longer
            along = (found * vectors).sum(dim=1).mul_(factor).mul_(factor)
            found.addcmul_(vectors, along[:, None], value=-1)
        elif self.head.unit_weight:
            with torch.enable_grad():
                leaf = self.weight.detach().requires_grad_()
                directions = polar(leaf, self.head._shortest(leaf))[0]
            found = torch.autograd.grad(directions, leaf, found.to(directions.dtype))[0]
        if found is not out:
            out.copy_(found)

    def _directions(self):
        """``(vectors, factor)``: the class vectors as they are read are ``vectors`` times ``factor``, None for 1.

        The vectors are the weights themselves, not a copy, unless one is so long or short that its
        square would be lost; then the panel is normalised as in the plain head.
        """
        vectors = self.weight.to(self.ends.features.dtype)
        if not self.head.unit_weight:
            return vectors, None
        if self.factor is None:
            self.factor = torch.linalg.vector_norm(vectors, dim=1).reciprocal_()
            self.moderate = self.ends.moderate and bool((self.factor < MODERATE).all() and self.factor.amin() > 1 / MODERATE)
        if self.moderate:
            return vectors, self.factor
        return polar(self.weight, self.head._shortest(self.weight))[0].to(vectors.dtype), None

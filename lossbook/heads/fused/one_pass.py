r"""Linear layer, margin and cross-entropy in one pass over the classes: the fast form of ``loss``.

``F.cross_entropy(head(x, labels), labels)`` is the definition. Computed as it is written, it
copies the class vectors to normalise them and the logits to take their softmax, and walks through
every copy again in the backward pass. This module computes the same number and the same gradients
block by block, where a block of classes is small enough to stay in the cache.

Forward, for each block of classes B:

1. The logits :math:`z_{ij} = s\, r_j\, f_i^\top W_j` of its classes :math:`j \in B`, with the
   margined target logits in their places. The factor :math:`r_j = 1/\lVert W_j\rVert` multiplies
   column j, so that no class vector is copied; the margin is N numbers, from the head's own
   ``margin_of``.
2. Their maximum and their sum in every row: :math:`m^B_i = \max_j z_{ij}` and
   :math:`d^B_i = \sum_j e^{z_{ij} - m^B_i}`.
3. The same of all blocks so far, :math:`m_i \leftarrow \max(m_i, m^B_i)` and
   :math:`d_i \leftarrow d_i\, e^{m_i^{\text{old}} - m_i} + d^B_i\, e^{m^B_i - m_i}`. This is the
   online softmax: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018
   (arXiv 1805.02867), algorithm 3, with a block in the place of a single logit.
4. After the last block, the loss: the mean over i of :math:`m_i + \log d_i - z_{i y_i}`.

Backward, in the same call, for each block again:

5. The gradient of the logits, :math:`a_{ij} = (p_{ij} - [j = y_i]) / N`.
6. The gradients of its class vectors and its share in those of the features. A class vector that
   is read by its direction gets :math:`G_j = s\, r_j \sum_i a_{ij} f_i` without the part along
   itself: :math:`G_j - r_j^2 (G_j^\top W_j)\, W_j`, where
   :math:`G_j^\top W_j = \sum_i a_{ij} z_{ij}`.
7. After the last block, the gradients of the embeddings and of the target logits, back through
   the normalisation and the margin.

Class weights, label smoothing and another reduction than the mean change the factors of steps 4
and 5, N numbers and C numbers (``lossbook.heads.fused.sample_shares``).

With ``chunk`` the logits of a block are dropped after step 3 and computed again in step 5: 4
instead of 3 matrix products, and (N, chunk) instead of (N, C) numbers held.
"""

import copy
from typing import NamedTuple

import torch

from lossbook.heads.cross_entropy import CrossEntropy
from lossbook.heads.fused.class_blocks import split_classes
from lossbook.heads.fused.sample_shares import SampleShares
from lossbook.heads.fused.samples import prepare_samples
from lossbook.heads.input_checks import values_can_be_read

__all__ = ["cross_entropy", "is_faster"]

# Numbers in embeddings, class vectors and logits: with fewer, the definition is at least as fast.
SMALL_PROBLEM = 2**17
# Logits in a block on a CPU, N times the classes: 2 MB in single precision, which the cache holds.
LOGITS_PER_BLOCK = 2**19


def is_faster(head, x, labels):
    """Whether :func:`cross_entropy` is faster than the definition, and equal up to rounding.

    It is for large problems in single or double precision.
    """
    weight = head.weight
    # With nothing to normalise and no margin, the definition copies less.
    is_plain = not (head.unit_weight or head.unit_embedding or head.has_margin)
    return (
        torch.is_tensor(x)
        and torch.is_tensor(labels)
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and x.numel() + weight.numel() + len(x) * len(weight)
        >= SMALL_PROBLEM * (8 if is_plain else 1)
        and type(weight) in (torch.nn.Parameter, torch.Tensor)
        and not torch.is_autocast_enabled(x.device.type)
        and values_can_be_read()
    )


class Problem(NamedTuple):
    """All that is constant in a loss: the head, the labels and how the loss is formed.

    ``labels`` (N,) count the classes that are in the loss, ``all_labels`` (N,) those of the head;
    they differ where classes are sampled.
    """

    head: torch.nn.Module
    labels: torch.Tensor
    all_labels: torch.Tensor
    chunk: int | None
    terms: CrossEntropy


def cross_entropy(head, x, weight, bias, labels, chunk=None, terms=None, all_labels=None):
    """Cross-entropy of a head with these class vectors; input is not checked again.

    ``x`` (N, d), ``weight`` (C, d), ``bias`` (C,) or None, ``labels`` (N,); ``terms`` are the
    options of the loss, and without them it is the mean, a scalar. Gradients are computed together
    with the loss, and only for what requires them. A second derivative is taken from the
    definition, which holds the (N, C) logits, and so is everything under ``torch.compile`` and the
    transforms of ``torch.func``.
    """
    terms = terms or CrossEntropy()
    problem = Problem(head, labels, labels if all_labels is None else all_labels, chunk, terms)
    if not values_can_be_read():
        return _definition(problem, x, weight, bias)
    if torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in (x, weight, bias)
    ):
        return _CrossEntropy.apply(x, weight, bias, problem)
    return _one_pass(x, weight, bias, problem, None, (False, False, False))[0]


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, problem):
        # What comes back to each of several losses is not known yet.
        needs_grad = ctx.needs_input_grad[:3]
        if problem.terms.reduction == "none":
            needs_grad = (False, False, False)
        loss, ctx.gradients = _one_pass(x, weight, bias, problem, None, needs_grad)
        ctx.save_for_backward(x, weight, bias)
        ctx.problem = problem
        return loss

    @staticmethod
    def backward(ctx, loss_gradient):
        if torch.is_grad_enabled():  # create_graph: the gradients must have gradients
            return *_differentiable_gradients(ctx, loss_gradient), None
        needs_grad = ctx.needs_input_grad[:3]
        if ctx.problem.terms.reduction == "none":
            gradients = _one_pass(*ctx.saved_tensors, ctx.problem, loss_gradient, needs_grad)[1]
            return *gradients, None
        # The gradients are given away, so that (C, d) is never held twice.
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a second backward pass through a retained graph
            _check_margin_can_be_recomputed(ctx.problem.head)
            gradients = _one_pass(*ctx.saved_tensors, ctx.problem, None, needs_grad)[1]
        if loss_gradient.device.type != "cpu" or loss_gradient != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(loss_gradient)
        return *gradients, None


def _check_margin_can_be_recomputed(head):
    if head.sees_samples:
        raise NotImplementedError(
            f"{type(head).__name__} has a margin that depends on the sample, and would compute it "
            "anew here: take F.cross_entropy(head(x, labels), labels) for second derivatives, "
            "transforms and a graph that is used twice"
        )


def _definition(problem, x, weight, bias):
    """The loss as it is written, with (N, C) logits and a graph."""
    _check_margin_can_be_recomputed(problem.head)
    head = copy.copy(problem.head)
    head._parameters = {"weight": weight, "bias": bias}
    logits = head.apply_margin(head.plain_logits(x), x, problem.labels)
    return problem.terms.of_logits(logits, problem.labels)


def _differentiable_gradients(ctx, loss_gradient):
    """Gradients of x, weight and bias from the definition, with a graph of their own."""
    loss = _definition(ctx.problem, *ctx.saved_tensors)
    needs_grad = ctx.needs_input_grad[:3]
    inputs = [tensor for tensor, needed in zip(ctx.saved_tensors, needs_grad) if needed]
    gradients = iter(torch.autograd.grad(loss, inputs, loss_gradient, create_graph=True))
    return [next(gradients) if needed else None for needed in needs_grad]


@torch.no_grad()
def _one_pass(x, weight, bias, problem, loss_gradient, needs_grad):
    """``(loss, gradients)``: those of x, weight and bias, None where ``needs_grad`` is False.

    ``loss_gradient`` (N,) is what comes back to the losses of ``reduction="none"``, or None.
    ``gradients`` is None if none is needed.
    """
    head, labels, _, chunk, terms = problem
    with torch.autocast(x.device.type, enabled=False):
        samples = prepare_samples(problem, x, weight, needs_grad)
        shares = None
        if not terms.is_plain_mean:
            shares = SampleShares(terms, labels, len(weight), samples.features, loss_gradient)
        in_cache = max(1, LOGITS_PER_BLOCK // len(x))
        size = chunk or (in_cache if x.device.type == "cpu" else len(weight))
        keep_logits = chunk is None and any(needs_grad) and not head.adapts_rivals
        growing = keep_logits and len(weight) > 2 * size
        blocks = split_classes(head, samples, weight, bias, labels, size, growing)
        target_logits, log_normalizer, smoothed = _forward(blocks, samples, keep_logits, shares)
        if shares is None:
            loss = (log_normalizer - target_logits).mean()
        else:
            loss = shares.losses(log_normalizer, target_logits, smoothed)
            if terms.reduction != "none":
                loss = (loss * shares.sample_weight).sum()
        if not any(needs_grad):
            return loss, None

        feature_gradient = torch.zeros_like(samples.features) if needs_grad[0] else None
        weight_gradient = torch.empty_like(weight) if needs_grad[1] else None
        bias_gradient = torch.empty_like(bias) if needs_grad[2] else None
        if shares is None:
            # p − 1 of the targets, from a difference that does not cancel where p is almost 1
            target_gradient = torch.expm1(target_logits - log_normalizer).div_(len(x))
        else:
            target_gradient = shares.target_gradient(log_normalizer, target_logits, labels)
        at_targets = samples.logit_gradient(target_gradient)
        for block in blocks:  # steps 5 and 6
            block.backward(
                log_normalizer, shares, at_targets, feature_gradient, weight_gradient, bias_gradient
            )
        x_gradient, target_vector_gradient = samples.backward(feature_gradient)  # step 7
        if target_vector_gradient is not None:
            weight_gradient.index_add_(0, labels, target_vector_gradient)
        return loss, [x_gradient, weight_gradient, bias_gradient]


def _forward(blocks, samples, keep_logits, shares):
    """Steps 1 to 4: the target logits and the logarithm of the softmax's denominator, (N,) each.

    The third value is Σ_c of the logits times ``shares.smoothed``, (N,), or None.
    """
    row_max = samples.features.new_full((len(samples.features),), -torch.inf)
    row_sum = torch.zeros_like(row_max)
    has_margin = samples.margined_targets is not None
    target_logits = samples.margined_targets if has_margin else torch.empty_like(row_max)
    smoothed = None if shares is None or shares.smoothed is None else torch.zeros_like(row_max)
    for block in blocks:
        logits = block.logits()  # step 1
        if not has_margin:
            target_logits[block.rows] = logits[block.rows, block.columns]
        if smoothed is not None:
            smoothed.addmv_(logits, shares.smoothed[block.classes])
        block_max = logits.amax(dim=1).clamp_min_(torch.finfo(row_max.dtype).min)  # step 2
        block_sum = (logits - block_max[:, None]).exp_().sum(dim=1)
        old_max, row_max = row_max, torch.maximum(row_max, block_max)  # step 3
        row_sum = row_sum * (old_max - row_max).exp_() + block_sum * (block_max - row_max).exp_()
        if keep_logits:
            block.kept_logits = logits
    return target_logits, row_max + row_sum.log(), smoothed  # step 4

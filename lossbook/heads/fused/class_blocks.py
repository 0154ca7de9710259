"""The classes' side of the fused pass: what has one row or one column per class of a block.

:mod:`lossbook.heads.fused.one_pass` has the steps.
"""

import torch

from lossbook.utils.vectors import polar, safe_to_square

__all__ = ["ClassBlock", "split_classes"]

# Class vectors projected at a time on a CPU, so that no second copy of a block's is held.
ROWS_AT_A_TIME = 128


def split_classes(head, samples, weight, bias, labels, size):
    """All classes in blocks of ``size``, each with the samples whose target is in the block."""
    starts = range(0, len(weight), size)
    order = labels.argsort()
    sorted_labels = labels[order]
    boundaries = torch.tensor([*starts, len(weight)], device=labels.device)
    positions = torch.searchsorted(sorted_labels, boundaries).tolist()
    return [
        ClassBlock(
            head,
            samples,
            weight[start : start + size],
            None if bias is None else bias[start : start + size],
            slice(start, start + size),
            order[first:end],
            sorted_labels[first:end] - start,
        )
        for start, first, end in zip(starts, positions, positions[1:])
    ]


class ClassBlock:
    """B neighbouring classes: their logits, and what their softmax adds to the gradients.

    ``classes`` is the slice of all classes that the block holds. The targets that it contains are
    at ``rows`` (samples) and ``columns`` (classes, counted from the block's first).
    """

    def __init__(self, head, samples, weight, bias, classes, rows, columns):
        self.head, self.samples = head, samples
        self.weight, self.bias, self.classes = weight, bias, classes
        self.rows, self.columns = rows, columns
        self.exponentials = self.block_max = self.cosines = None
        self.inverse_length = None

    def logits(self, for_gradient=False):
        """Step 1: the training logits, (N, B); ``for_gradient`` keeps what their gradient needs."""
        vectors, inverse_length = self._class_vectors()
        logits = self.samples.scaled_features @ vectors.T
        if inverse_length is not None:
            logits.mul_(inverse_length)
        if self.head.adapts_rivals:
            cosines = logits.div_(self.head.scale)
            self.cosines = cosines if for_gradient else None
            logits = self.head.adapt_rivals(cosines, self.samples.targets) * self.head.scale
        if self.bias is not None:
            logits.add_(self.bias)
        if len(self.rows) and self.samples.margined_targets is not None:
            logits[self.rows, self.columns] = self.samples.margined_targets[self.rows]
        return logits

    def read_targets(self, logits, target_logits):
        """Copy the block's targets from ``logits`` (N, B) into ``target_logits`` (N,)."""
        if len(self.rows):
            target_logits[self.rows] = logits[self.rows, self.columns]

    def keep(self, exponentials, block_max):
        """Keep exp(logits − block_max) for the backward pass, which then need not compute it."""
        self.exponentials, self.block_max = exponentials, block_max

    def backward(
        self, log_normalizer, shares, at_targets, feature_gradient, weight_gradient, bias_gradient
    ):
        """Steps 5 and 6: add to ``feature_gradient`` (N, d), without its factor s; write the rest.

        ``shares`` are the samples' shares in the loss, or None for a plain mean.
        ``at_targets`` (N,) is the gradient of the logits at the targets. Each of the other
        gradients may be None; of those of all classes, the block writes the rows of its own.
        """
        logit_gradient = self._logit_gradient(log_normalizer, shares)
        if self.head.adapts_rivals:
            logit_gradient = self._gradient_of_rivals(logit_gradient)
        if len(self.rows):
            logit_gradient[self.rows, self.columns] = at_targets[self.rows]
        if bias_gradient is not None:
            bias_gradient[self.classes] = logit_gradient.sum(dim=0)
        vectors, inverse_length = self._class_vectors()
        if inverse_length is not None:
            logit_gradient.mul_(inverse_length)
        if feature_gradient is not None:
            feature_gradient.addmm_(logit_gradient, vectors)
        if weight_gradient is not None:
            self._write_weight_gradient(
                weight_gradient[self.classes], logit_gradient, vectors, inverse_length
            )

    def _logit_gradient(self, log_normalizer, shares):
        """The gradient of the block's rivals, (N, B), in the memory of the logits."""
        n = len(log_normalizer)
        share = None if shares is None else shares.softmax
        if self.exponentials is None:
            softmax = self.logits(for_gradient=True).sub_(log_normalizer[:, None]).exp_()
            gradient = softmax.div_(n) if share is None else softmax.mul_(share[:, None])
        else:
            exponentials, self.exponentials = self.exponentials, None
            factor = (self.block_max - log_normalizer).exp_()
            factor = factor.div_(n) if share is None else factor.mul_(share)
            gradient = exponentials.mul_(factor[:, None])
        if shares is not None and shares.smoothed is not None:
            gradient.addr_(shares.sample_weight, shares.smoothed[self.classes], alpha=-1)
        return gradient

    def _gradient_of_rivals(self, gradient):
        """The gradient of the rivals' logits before ``adapt_rivals``, from that after it."""
        cosines, self.cosines = self.cosines, None
        with torch.enable_grad():
            adapted = self.head.adapt_rivals(cosines.requires_grad_(), self.samples.targets)
        return torch.autograd.grad(adapted, cosines, gradient)[0]

    def _write_weight_gradient(self, out, logit_gradient, vectors, inverse_length):
        """Write the gradient of the class vectors into ``out`` (B, d)."""
        if out.dtype == logit_gradient.dtype:
            gradient = torch.mm(logit_gradient.T, self.samples.scaled_features, out=out)
        else:
            gradient = logit_gradient.T @ self.samples.scaled_features
        if inverse_length is not None:
            _remove_part_along(vectors, inverse_length, gradient)
        elif self.head.unit_weight:
            with torch.enable_grad():
                leaf = self.weight.detach().requires_grad_()
                directions = polar(leaf, self.head.shortest_length(leaf))[0]
            gradient = torch.autograd.grad(directions, leaf, gradient.to(directions.dtype))[0]
        if gradient is not out:
            out.copy_(gradient)

    def _class_vectors(self):
        """``(vectors, inverse_length)``: the logits use vectors · inverse_length; None means 1.

        The vectors are the weights themselves, not a copy, unless one is so long or short that its
        square would overflow or underflow; then the block is normalised as in ``plain_logits``.
        """
        vectors = self.weight.to(self.samples.features.dtype)
        if not self.head.unit_weight:
            return vectors, None
        if self.inverse_length is None:
            length = torch.linalg.vector_norm(vectors, dim=1)
            self.squares_are_safe = self.samples.squares_are_safe and safe_to_square(length)
            self.inverse_length = length.reciprocal_()
        if self.squares_are_safe:
            return vectors, self.inverse_length
        directions, _ = polar(self.weight, self.head.shortest_length(self.weight))
        return directions.to(vectors.dtype), None


def _remove_part_along(vectors, inverse_length, gradient):
    """Subtract r² (G · W) W from each row G of ``gradient``, in place: it only changes a length."""
    size = ROWS_AT_A_TIME if gradient.device.type == "cpu" else len(gradient)
    for G, W, r in zip(gradient.split(size), vectors.split(size), inverse_length.split(size)):
        along = (G * W).sum(dim=1).mul_(r).mul_(r)
        G.addcmul_(W, along[:, None], value=-1)

"""The classes' side of the fused pass: what has one row or one column per class of a block.

:mod:`lossbook.heads.fused.one_pass` has the steps.
"""

import math

import torch

from lossbook.utils.vectors import polar, safe_to_square

__all__ = ["ClassBlock", "split_classes"]


def split_classes(head, samples, weight, bias, labels, size, growing=False):
    """All classes in blocks of ``size``, each with the samples whose target is in the block.

    If they are ``growing``, the first block is an eighth of that and each is up to twice as large
    as the one before. In the backward pass the gradient of a block's logits then hardly needs more
    memory than the logits of the blocks before it have left.
    """
    starts, step = [0], max(1, size // 8) if growing else size
    while starts[-1] + step < len(weight):
        starts.append(starts[-1] + step)
        step = min(2 * step, size)
    order = labels.argsort()
    sorted_labels = labels[order]
    boundaries = torch.tensor([*starts, len(weight)], device=labels.device)
    positions = torch.searchsorted(sorted_labels, boundaries).tolist()
    return [
        ClassBlock(
            head,
            samples,
            weight[start:stop],
            None if bias is None else bias[start:stop],
            slice(start, stop),
            order[first:end],
            sorted_labels[first:end] - start,
        )
        for start, stop, first, end in zip(
            starts, [*starts[1:], len(weight)], positions, positions[1:]
        )
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
        self.kept_logits = self.cosines = None
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

    def backward(
        self, log_normalizer, shares, at_targets, feature_gradient, weight_gradient, bias_gradient
    ):
        """Steps 5 and 6: add to ``feature_gradient`` (N, d), without its factor s; write the rest.

        ``shares`` are the samples' shares in the loss, or None for a plain mean.
        ``at_targets`` (N,) is the gradient of the logits at the targets. Each of the other
        gradients may be None; of those of all classes, the block writes the rows of its own.
        """
        logits, self.kept_logits = self.kept_logits, None
        if logits is None:
            logits = self.logits(for_gradient=True)
        vectors, inverse_length = self._class_vectors()
        logits_are_needed = inverse_length is not None and weight_gradient is not None
        memory = torch.empty_like(logits) if logits_are_needed else logits
        logit_gradient = _gradient_of_logits(
            logits, log_normalizer, shares, self.classes, out=memory
        )
        if self.head.adapts_rivals:
            logits, logit_gradient = self._before_adaptation(logit_gradient)
        if len(self.rows):
            logit_gradient[self.rows, self.columns] = at_targets[self.rows]
        if bias_gradient is not None:
            bias_gradient[self.classes] = logit_gradient.sum(dim=0)
        along = None
        if logits_are_needed:
            along = self._gradient_along_vectors(logits, logit_gradient)
        if inverse_length is not None:
            logit_gradient.mul_(inverse_length)
        if feature_gradient is not None:
            feature_gradient.addmm_(logit_gradient, vectors)
        if weight_gradient is not None:
            out = weight_gradient[self.classes]
            self._write_weight_gradient(out, logit_gradient, vectors, inverse_length, along)

    def _before_adaptation(self, gradient):
        """The logits (N, B) that ``adapt_rivals`` was given, and their gradient."""
        cosines, self.cosines = self.cosines, None
        with torch.enable_grad():
            adapted = self.head.adapt_rivals(cosines.requires_grad_(), self.samples.targets)
        gradient = torch.autograd.grad(adapted, cosines, gradient)[0]
        return cosines.detach().mul_(self.head.scale), gradient

    def _gradient_along_vectors(self, logits, logit_gradient):
        """G_j · W_j of the block's classes, (B,), as Σ_i a_ij z_ij; overwrites ``logits``.

        They are equal because z_ij is s r_j f_i · W_j. There are N numbers per class in the
        sum, and no second walk through the class vectors.
        """
        if self.bias is not None and not self.head.adapts_rivals:
            logits.sub_(self.bias)
        if len(self.rows) and self.samples.plain_targets is not None:
            logits[self.rows, self.columns] = self.samples.plain_targets[self.rows]
        return logits.mul_(logit_gradient).sum(dim=0)

    def _write_weight_gradient(self, out, logit_gradient, vectors, inverse_length, along):
        """Write the gradient of the class vectors into ``out`` (B, d)."""
        if out.dtype == logit_gradient.dtype:
            gradient = torch.mm(logit_gradient.T, self.samples.scaled_features, out=out)
        else:
            gradient = logit_gradient.T @ self.samples.scaled_features
        if inverse_length is not None:  # the part along a vector only changes its length
            along = along * inverse_length * inverse_length
            gradient.addcmul_(vectors, along[:, None], value=-1)
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


def _gradient_of_logits(logits, log_normalizer, shares, classes, out):
    """Step 5, in ``out``: the gradient of a block's logits, (N, B), as if none were a target."""
    if shares is None:  # e^(z − Z) / N in one walk
        log_normalizer = log_normalizer + math.log(len(logits))
    gradient = torch.sub(logits, log_normalizer[:, None], out=out).exp_()
    if shares is not None:
        gradient.mul_(shares.softmax[:, None])
        if shares.smoothed is not None:
            gradient.addr_(shares.sample_weight, shares.smoothed[classes], alpha=-1)
    return gradient

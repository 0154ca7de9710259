"""What each sample contributes to a loss and its gradient, where that is not the plain 1/N."""

import torch

__all__ = ["SampleShares"]


class SampleShares:
    """What every sample's softmax and target contribute to the gradient of a loss.

    With ε the smoothing, w the class weights, W their sum, z the logits and Z their log-sum-exp,
    sample i has the loss

        (1 − ε)·w_y·(Z − z_y) + (ε/C)·Σ_c w_c·(Z − z_c),

    and the loss of the batch is the sum of these times g_i, which is 1 over Σ_i w_y for a mean.

    Attributes
    ----------
    softmax : Tensor, shape (N,)
        g_i·((1 − ε)·w_y + ε·W/C): the factor of the softmax in the gradient of the logits.
    smoothed : Tensor, shape (C,), or None
        ε·w_c/C.
    """

    def __init__(self, terms, labels, num_classes, like, sample_weight=None):
        epsilon, weight = terms.label_smoothing, terms.class_weight
        ones = like.new_ones(len(labels))
        weight = None if weight is None else weight.detach().to(like)
        target_weight = ones if weight is None else weight[labels]
        self.target = (1 - epsilon) * target_weight
        self.smoothed = self.sum_of_smoothed = None
        in_softmax = self.target
        if epsilon:
            all_weights = like.new_ones(num_classes) if weight is None else weight
            self.smoothed = all_weights * (epsilon / num_classes)
            self.sum_of_smoothed = self.smoothed.sum()
            in_softmax = self.target + self.sum_of_smoothed
        self.in_softmax = in_softmax
        self.sample_weight = sample_weight
        if sample_weight is None:
            self.sample_weight = ones / target_weight.sum() if terms.reduction == "mean" else ones
        self.softmax = self.sample_weight * in_softmax

    def losses(self, log_normalizer, target_logits, smoothed_logits):
        """The samples' losses, (N,), before g; ``smoothed_logits`` (N,) are Σ_c ε·w_c·z_c/C."""
        if self.smoothed is None:
            return self.target * (log_normalizer - target_logits)
        smoothed = self.sum_of_smoothed * log_normalizer - smoothed_logits
        return self.target * (log_normalizer - target_logits) + smoothed

    def target_gradient(self, log_normalizer, target_logits, labels):
        """The gradient of the target logits, (N,), without cancellation where p is almost 1."""
        gradient = self.softmax * torch.expm1(target_logits - log_normalizer)
        if self.smoothed is None:
            return gradient
        rest = self.sum_of_smoothed - self.smoothed[labels]
        return gradient + self.sample_weight * rest

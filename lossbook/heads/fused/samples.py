"""The batch's side of the fused pass: what has one row per sample, features and target logits.

:mod:`lossbook.heads.fused.one_pass` has the steps.
"""

import torch

from lossbook.heads.targets import Targets
from lossbook.utils.vectors import at_least_float32, polar, safe_to_square

__all__ = ["Samples", "UnitSamples", "prepare_samples"]


def prepare_samples(problem, x, weight, needs_grad):
    """Features and target logits of a batch: :class:`UnitSamples` where it can be, else Samples.

    ``needs_grad`` tells for x, weight and bias whether their gradients are needed.
    """
    head, labels = problem.head, problem.labels
    if head.unit_embedding and head.unit_weight:
        x = at_least_float32(x.detach())
        vectors = at_least_float32(weight.detach().index_select(0, labels))
        length = torch.linalg.vector_norm(x, dim=1)
        vector_length = torch.linalg.vector_norm(vectors, dim=1)
        if safe_to_square(length) and safe_to_square(vector_length):
            return UnitSamples(problem, x, vectors, length, vector_length, needs_grad)
    return Samples(problem, x, weight, needs_grad)


class Samples:
    """The batch of any head, with a small autograd graph from x to the features and the targets.

    Attributes
    ----------
    features : Tensor, shape (N, d)
        The embeddings as the head reads them: directions, or as they stand.
    scaled_features : Tensor, shape (N, d)
        s times the features.
    margined_targets : Tensor, shape (N,), or None
        The target logits of a head with a margin.
    plain_targets : Tensor, shape (N,), or None
        The same without the margin, where the gradient of the logits refers to them.
    targets : Targets
        Those of a head whose margin depends on the sample.
    squares_are_safe : bool
        Whether no product with a feature overflows.
    """

    plain_targets = None

    def __init__(self, problem, x, weight, needs_grad):
        head, labels = problem.head, problem.labels
        self.scale, self.needs_grad = head.scale, needs_grad
        self.margined_targets = self.target_graph = None
        with torch.set_grad_enabled(any(needs_grad)):
            self.x = x.detach().requires_grad_(needs_grad[0])
            direction = length = None
            if head.has_margin or head.unit_embedding:
                direction, length = polar(self.x, head.shortest_length(x))
            self.feature_graph = direction if head.unit_embedding else at_least_float32(self.x)
            if head.has_margin:
                self.vectors = weight.detach()[labels].requires_grad_(needs_grad[1])
                vector, vector_length = polar(self.vectors, head.shortest_length(weight))
                cos = (direction * vector).sum(dim=1)
                if head.sees_samples:
                    self.targets, margined = Targets.with_margin(
                        head, cos, length, problem.all_labels
                    )
                    self.target_graph = margined * head.scale
                else:
                    self.target_graph = head.target_logits(cos, length, vector_length)
        self.features = self.feature_graph.detach()
        self.scaled_features = self.features if head.scale == 1 else self.features * head.scale
        if head.has_margin:
            self.margined_targets = self.target_graph.detach().to(self.features.dtype)
        self.squares_are_safe = head.unit_embedding or safe_to_square(
            self.features.abs().amax(dim=1), least=0.0
        )

    def logit_gradient(self, target_gradient):
        """What to put at the targets in the gradient of the logits, (N,).

        ``target_gradient`` (N,) is the gradient of the target logits. Without a margin it goes
        there; with one there is nothing, and it goes back through the small graph instead.
        """
        self.target_gradient = target_gradient
        return target_gradient if self.target_graph is None else torch.zeros_like(target_gradient)

    def backward(self, feature_gradient):
        """Gradients of x and of the targets' class vectors, (N, d) each, or None.

        ``feature_gradient`` (N, d), or None, lacks the factor s.
        """
        needs_x, needs_weight, _ = self.needs_grad
        outputs, output_gradients, inputs = [], [], []
        if needs_x:
            outputs.append(self.feature_graph)
            output_gradients.append(feature_gradient.mul_(self.scale))
            inputs.append(self.x)
        if self.target_graph is not None and self.target_graph.requires_grad:
            outputs.append(self.target_graph)
            output_gradients.append(self.target_gradient.to(self.target_graph.dtype))
            if needs_weight:
                inputs.append(self.vectors)
        if not inputs:
            return None, None
        gradients = list(
            torch.autograd.grad(outputs, inputs, output_gradients, materialize_grads=True)
        )
        x_gradient = gradients.pop(0) if needs_x else None
        return x_gradient, gradients.pop() if gradients else None


class UnitSamples:
    """The batch of a head that reads all lengths as 1, where no length is extreme: no (N, d) graph.

    A margined target s·φ(cos θ) has the gradient of a plain logit s·cos θ times φ'(cos θ). So the
    margin is N numbers in the gradient of the logits, and the matrix products do the rest.
    The attributes are those of :class:`Samples`.
    """

    squares_are_safe = True

    def __init__(self, problem, x, vectors, length, vector_length, needs_grad):
        head = problem.head
        self.length, self.scale, self.needs_grad = length, head.scale, needs_grad
        self.features = x / length[:, None]
        self.scaled_features = self.features * head.scale
        self.margined_targets = self.plain_targets = self.length_gradient = None
        if head.has_margin:
            self.cos = (vectors.mul_(self.features)).sum(dim=1).div_(vector_length)
            with torch.set_grad_enabled(any(needs_grad)):
                self.cos.requires_grad_(any(needs_grad))
                if head.sees_samples:
                    self.length_leaf = length.clone().requires_grad_(any(needs_grad))
                    self.targets, margined = Targets.with_margin(
                        head, self.cos, self.length_leaf, problem.all_labels
                    )
                    self.target_graph = margined * head.scale
                else:
                    self.length_leaf = None
                    self.target_graph = head.target_logits(self.cos, None, None)
            self.margined_targets = self.target_graph.detach()
            self.plain_targets = self.cos.detach() * head.scale

    def logit_gradient(self, target_gradient):
        """As :meth:`Samples.logit_gradient`: here ``target_gradient`` times the margin's slope."""
        if self.margined_targets is None:
            return target_gradient
        if not self.target_graph.requires_grad:
            return torch.zeros_like(target_gradient)
        if self.length_leaf is None:
            of_cos = torch.autograd.grad(self.target_graph, self.cos, target_gradient)[0]
        else:
            of_cos, self.length_gradient = torch.autograd.grad(
                self.target_graph, [self.cos, self.length_leaf], target_gradient,
                materialize_grads=True,
            )  # fmt: skip
        return of_cos / self.scale

    def backward(self, feature_gradient):
        """As :meth:`Samples.backward`; the class vectors' gradient is in the logits' already."""
        if not self.needs_grad[0]:
            return None, None
        along = (feature_gradient * self.features).sum(dim=1, keepdim=True)
        across = feature_gradient.addcmul_(self.features, along, value=-1)
        across.mul_((self.scale / self.length)[:, None])
        if self.length_gradient is not None:
            across.addcmul_(self.features, self.length_gradient[:, None])
        return across, None

"""The ends of the fused pass (:mod:`lossbook.heads.fused.one_pass`): what has N rows, features and margined targets, and the way back."""

import torch

from lossbook.utils.vectors import at_least_float32, polar, safe_to_square

__all__ = ["ends_of"]


def ends_of(head, x, weight, labels, wanted):
    """The ends of one pass; ``wanted`` says which of the gradients of x, weight and bias are."""
    if head.unit_embedding and head.unit_weight:
        x, vectors = at_least_float32(x.detach()), at_least_float32(weight.detach()[labels])
        lengths = [torch.linalg.vector_norm(one, dim=1) for one in (x, vectors)]
        if all(map(safe_to_square, lengths)):
            return UnitEnds(head, x, vectors, *lengths)
    return Ends(head, x, weight, labels, wanted)


class Ends:
    """What has N rows: the features and the margined targets, and the small graph that they come out of."""

    def __init__(self, head, x, weight, labels, wanted):
        margin = hasattr(head, "_target")
        with torch.set_grad_enabled(any(wanted)):
            self.x = x.detach().requires_grad_(wanted[0])
            direction, length = (
                polar(self.x, head._shortest(x)) if margin or head.unit_embedding else (None, None)
            )
            self.graph = direction if head.unit_embedding else at_least_float32(self.x)
            if margin:
                self.vectors = weight.detach()[labels].requires_grad_(wanted[1])
                vector, vector_length = polar(self.vectors, head._shortest(weight))
                self.graph_target = head._target(
                    (direction * vector).sum(dim=1), length, vector_length
                )
        self.features, self.scale = self.graph.detach(), head.scale
        self.scaled = self.features if head.scale == 1 else self.features * head.scale
        self.target = self.graph_target.detach().to(self.features.dtype) if margin else None
        self.moderate = head.unit_embedding or safe_to_square(
            self.features.abs().amax(dim=1), least=0.0
        )

    def at_targets(self, for_target):
        """What stands at the targets in the gradient of the logits, (N,), if the loss pulls the targets so.

        Without a margin the pull itself; with one, nothing: it goes back through the small graph.
        """
        self.for_target = for_target
        return for_target if self.target is None else torch.zeros_like(for_target)

    def pull_back(self, for_features, wanted):
        """Gradients of x and of the targets' class vectors, (N, d) both or None; ``for_features`` lacks the scale."""
        outputs, grads, leaves = [], [], []
        if wanted[0]:
            outputs, grads, leaves = [self.graph], [for_features.mul_(self.scale)], [self.x]
        if self.target is not None and self.graph_target.requires_grad:
            outputs, grads = (
                outputs + [self.graph_target],
                grads + [self.for_target.to(self.graph_target.dtype)],
            )
            leaves = leaves + [self.vectors] * wanted[1]
        found = (
            list(torch.autograd.grad(outputs, leaves, grads, materialize_grads=True))
            if leaves
            else []
        )
        return found.pop(0) if wanted[0] else None, found.pop() if found else None


class UnitEnds:
    """The same where all lengths are read as 1 and none is extreme: without a graph of (N, d) tensors.

    A target s·φ(cos θ) is pulled like a plain logit s·cos θ that weighs φ'(cos θ) times as much, so the
    margin is N numbers in the gradient of the logits, and the products do the rest.
    """

    safe_to_square = True

    def __init__(self, head, x, vectors, length, vector_length):
        self.dtype, self.length, self.scale = x.dtype, length, head.scale
        self.features = x / length[:, None]
        self.scaled, self.target = self.features * head.scale, None
        if hasattr(head, "_target"):
            self.cos = (vectors.mul_(self.features)).sum(dim=1).div_(vector_length)
            with torch.enable_grad():
                self.graph_target = head._target(self.cos.requires_grad_(), None, None)
            self.target = self.graph_target.detach()

    def at_targets(self, for_target):
        if self.target is None:
            return for_target
        if not self.graph_target.requires_grad:
            return torch.zeros_like(for_target)
        return torch.autograd.grad(self.graph_target, self.cos, for_target)[0] / self.scale

    def pull_back(self, for_features, wanted):
        if not wanted[0]:
            return None, None
        along = (for_features * self.features).sum(dim=1, keepdim=True)
        return for_features.addcmul_(self.features, along, value=-1).mul_(
            (self.scale / self.length)[:, None]
        ), None

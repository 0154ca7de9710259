"""The error of a training that stopped being finite, and the likely cause in words."""

import torch

from lossbook.heads.base import NonFiniteEmbedding

__all__ = ["TrainingDiverged"]


class TrainingDiverged(FloatingPointError):
    """A loss, a gradient or an embedding stopped being finite."""


def finite_loss(head, x, labels, where):
    try:
        loss = head.loss(x, labels)
    except NonFiniteEmbedding as error:
        raise TrainingDiverged(
            f"{where}: {error}. Likely cause: the weights diverged; "
            "lower learning_rate or clip_norm"
        ) from error
    if not torch.isfinite(loss):
        cause = (
            "the embeddings are finite, so the head made it: exp or log written by hand, "
            "or an angle outside arccos's domain"
            if torch.isfinite(x).all()
            else "the embeddings are not finite: the weights diverged; lower learning_rate or clip_norm"
        )
        raise TrainingDiverged(f"{where}: the loss is {loss.item()}. Likely cause: {cause}")
    return loss


def gradient_message(backbone, head, loss, where):
    named = [*head.named_parameters("head"), *backbone.named_parameters("backbone")]
    broken = [name for name, p in named if p.grad is not None and not torch.isfinite(p.grad).all()]
    return (
        f"{where}: the loss is {loss.item():.4g} but its gradient is not finite (in {', '.join(broken[:3])}"
        f"{', …' if len(broken) > 3 else ''}). Likely cause: arccos or a square root in the head at "
        "cos θ = ±1, where its slope is infinite; the heads in lossbook.heads guard against it"
    )

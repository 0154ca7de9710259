"""The error of a training that diverged, with the likely cause in its message."""

import torch

from lossbook.heads.base import NonFiniteEmbedding

__all__ = ["TrainingDiverged", "compute_loss", "diagnose_gradient"]


class TrainingDiverged(FloatingPointError):
    """A loss, a gradient or an embedding is no longer finite."""


def compute_loss(head, x, labels, where, **options):
    """``head.loss(x, labels, **options)``, a finite scalar; else :class:`TrainingDiverged`.

    ``where`` (for instance "epoch 1, step 3 of 79") begins the error's message.
    """
    try:
        loss = head.loss(x, labels, **options)
    except NonFiniteEmbedding as error:
        raise TrainingDiverged(
            f"{where}: {error}. Likely cause: the weights diverged; "
            "lower learning_rate or clip_norm"
        ) from error
    if not torch.isfinite(loss):
        if torch.isfinite(x).all():
            cause = (
                "the embeddings are finite, so the head made it: exp or log written by hand, "
                "or an angle outside arccos's domain"
            )
        else:
            cause = (
                "the embeddings are not finite: the weights diverged; "
                "lower learning_rate or clip_norm"
            )
        raise TrainingDiverged(f"{where}: the loss is {loss.item()}. Likely cause: {cause}")
    return loss


def diagnose_gradient(backbone, head, loss, where):
    """The message for a finite loss whose gradient is not finite: which weights, and why."""
    parameters = [*head.named_parameters("head"), *backbone.named_parameters("backbone")]
    broken = [
        name
        for name, parameter in parameters
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all()
    ]
    if not broken:
        return (
            f"{where}: the loss is {loss.item():.4g} and every gradient is finite, but their "
            "common length is too large for a number. Likely cause: a scale that has run away; "
            f"the head is {head!r}"
        )
    names = ", ".join(broken[:3]) + (", …" if len(broken) > 3 else "")
    return (
        f"{where}: the loss is {loss.item():.4g} but its gradient is not finite (in {names}). "
        "Likely cause: arccos or a square root in the head at cos θ = ±1, where its slope is "
        "infinite; the heads in lossbook.heads guard against it"
    )

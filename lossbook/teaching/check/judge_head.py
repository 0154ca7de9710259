"""Judge a head: its logits for prediction and for training."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.teaching.check import mistakes
from lossbook.teaching.check.judge_margin import UNIFIED, _question, _tolerance
from lossbook.teaching.check.verdict import (
    NOT_FINITE,
    RIGHT,
    Mismatch,
    call,
    check_finite,
    compare,
    tensor_like,
    verdict,
)
from lossbook.utils.validation import require

__all__ = ["head"]

# The loss's own arguments, as the three margins of the unified formula.


def head(attempt, reference, *, only=None):
    """Judge a head: its logits with and without labels, and its gradient.

    Parameters
    ----------
    attempt : nn.Module, or a function, or a blank
        A module is called as ``attempt(x)`` and ``attempt(x, labels)``, and keeps its class vectors
        in ``weight``, shape (C, d); it is judged on a copy. A function is called as
        ``attempt(x, weight, None)`` and ``attempt(x, weight, labels)``. Both return logits, (N, C).
    reference : lossbook head
        The right one, with the scale and the margins asked for.
    only : "prediction" or "training"
        Judge the logits without labels alone, or those with labels and their gradient.

    Returns
    -------
    Verdict. Whatever the attempt does raises nothing.
    """
    require(
        only in (None, "prediction", "training"),
        f"only = {only!r}: expected 'prediction', 'training' or None",
    )
    true = copy.deepcopy(reference).double().requires_grad_(False)
    x, labels = _batch(true.weight)
    question = _question(true, x, labels)

    def judge():
        run, weight = _runner(attempt, true.weight)
        for part, given, right, table in (
            ("prediction", None, question.predicted, mistakes.PREDICTION),
            ("training", labels, question.trained, _training_mistakes(true)),
        ):
            if only not in (None, part):
                continue
            got = tensor_like(
                call(run, x, given),
                right,
                "logits",
                "a row for each embedding, a column for each class",
            )
            where = "without" if given is None else "with"
            compare(
                got,
                right,
                _tolerance(question.cos) * (1 + right.abs().amax()),
                question,
                table,
                lambda _: f"Your logits {where} labels differ from the right ones.",
            )
            check_finite(got, question.cos, f"Your logits {where} labels are")
        if only == "prediction":
            return RIGHT
        leaf = x.clone().requires_grad_()
        loss = F.cross_entropy(call(run, leaf, labels), labels)
        if not loss.requires_grad:
            raise Mismatch(
                "Your logits are right, but cut off from their gradient: nothing can be trained with them.",
                "gradient cut off",
            )
        for name, to in (("embeddings", leaf), ("class vectors", weight)):
            (pull,) = call(
                lambda: torch.autograd.grad(loss, to, retain_graph=True, allow_unused=True)
            )
            if pull is None:
                raise Mismatch(
                    f"Your logits are right, but the {name} get no gradient from them.",
                    "gradient cut off",
                )
            if not pull.isfinite().all():
                raise Mismatch(
                    f"Your logits are right, but the gradient of the {name} is not finite once an embedding points "
                    "exactly along a class vector, cos θ = ±1: arccos has an infinite slope there.",
                    NOT_FINITE,
                )
        return RIGHT

    return verdict(attempt, judge)


def _batch(weight):
    """Embeddings at random, one exactly along a class vector and one exactly opposite, and labels.

    These two class vectors are put on an axis, where a cosine of ±1 is exact on every machine.
    """
    (C, d), draw = weight.shape, torch.Generator().manual_seed(0)
    x = 2 * torch.randn(6 * C + 2, d, generator=draw, dtype=torch.float64)
    labels = torch.randint(0, C, (len(x),), generator=draw)
    labels[:2] = torch.tensor([0, 1])
    weight[:2] = torch.eye(d, dtype=weight.dtype)[[0, -1]]
    x[0], x[1] = 2 * weight[0], -4 * weight[1]
    return x, labels


def _training_mistakes(true):
    """A head's own mistakes, then those of its margin, made on the target entries."""
    loss = next(
        (
            name
            for name in UNIFIED
            for kind in type(true).__mro__
            if kind.__name__.lower().startswith(name)
        ),
        None,
    )
    given = {
        name: true.hyperparameters[key]
        for key, name in (("margin", "m"), ("m1", "m1"), ("m2", "m2"), ("m3", "m3"))
        if key in true.hyperparameters
    }
    if loss is None or not given:
        return mistakes.TRAINING
    margins = UNIFIED[loss](**given)

    def on_target(wrong):
        return lambda q: q.target(
            lambda cos: wrong(mistakes.Target(cos, *margins, q.margin(cos), q.margin(cos)))
        )

    return (
        *mistakes.TRAINING,
        *(mistake._replace(wrong=on_target(mistake.wrong)) for mistake in mistakes.TARGET),
    )


def _runner(attempt, weight):
    """The attempt as a function of embeddings and labels, with these class vectors, and the vectors themselves."""
    if not isinstance(attempt, nn.Module):
        own = weight.clone().requires_grad_()
        return lambda x, labels: call(attempt, x, own, labels), own
    if (
        not isinstance(getattr(attempt, "weight", None), nn.Parameter)
        or attempt.weight.shape != weight.shape
    ):
        raise Mismatch(
            f"A head keeps its class vectors in a parameter `weight`, here of shape {tuple(weight.shape)}; "
            "yours has none like it.",
            "no class vectors",
        )
    own = call(copy.deepcopy, attempt).double()
    own.weight.data = weight.clone()
    return lambda x, labels: call(own, x) if labels is None else call(own, x, labels), own.weight

"""Judge a head: its logits for prediction and for training."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.teaching.check import mistakes
from lossbook.teaching.check.cases import UNIFIED_MARGINS, Target, logits_case, tolerance_at
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


def head(attempt, reference, *, only=None):
    """Judge a head: its logits with and without labels, and its gradient.

    Parameters
    ----------
    attempt : nn.Module, or a function, or a blank
        A module is called as ``attempt(x)`` and ``attempt(x, labels)``, and keeps its class vectors
        in ``weight``, shape (C, d); it is judged on a copy. A function is called as
        ``attempt(x, weight, None)`` and ``attempt(x, weight, labels)``. Both return logits, (N, C).
    reference : lossbook head
        The right one, with the scale and the margins of the exercise.
    only : "prediction" or "training"
        Judge the logits without labels alone, or those with labels and their gradient.

    Returns
    -------
    Verdict. No fault of the attempt raises an error.
    """
    require(
        only in (None, "prediction", "training"),
        f"only = {only!r}: expected 'prediction', 'training' or None",
    )
    reference = copy.deepcopy(reference).double().requires_grad_(False)
    x, labels = _make_batch(reference.weight)
    case = logits_case(reference, x, labels)

    def judge():
        logits_of, weight = _as_function(attempt, reference.weight)
        if only != "training":
            _check_logits(logits_of, None, case.predicted, case, mistakes.PREDICTION)
        if only != "prediction":
            table = _training_mistakes(reference)
            _check_logits(logits_of, labels, case.trained, case, table)
            _check_gradients(logits_of, weight, x, labels)
        return RIGHT

    return verdict(attempt, judge)


def _make_batch(weight):
    """Random embeddings, one exactly along a class vector and one exactly opposite, and labels.

    These two class vectors are put on an axis, where a cosine of ±1 is exact on every machine.
    """
    (C, d), generator = weight.shape, torch.Generator().manual_seed(0)
    x = 2 * torch.randn(6 * C + 2, d, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, C, (len(x),), generator=generator)
    labels[:2] = torch.tensor([0, 1])
    weight[:2] = torch.eye(d, dtype=weight.dtype)[[0, -1]]
    x[0], x[1] = 2 * weight[0], -4 * weight[1]
    return x, labels


def _as_function(attempt, weight):
    """(logits of embeddings and labels with these class vectors, the vectors themselves)."""
    if not isinstance(attempt, nn.Module):
        class_vectors = weight.clone().requires_grad_()
        return lambda x, labels: call(attempt, x, class_vectors, labels), class_vectors
    if (
        not isinstance(getattr(attempt, "weight", None), nn.Parameter)
        or attempt.weight.shape != weight.shape
    ):
        raise Mismatch(
            "A head keeps its class vectors in a parameter `weight`, here of shape "
            f"{tuple(weight.shape)}; yours has no such parameter.",
            "no class vectors",
        )
    module = call(copy.deepcopy, attempt).double()
    module.weight.data = weight.clone()

    def logits_of(x, labels):
        return call(module, x) if labels is None else call(module, x, labels)

    return logits_of, module.weight


def _check_logits(logits_of, labels, right, case, table):
    where = "without" if labels is None else "with"
    logits = tensor_like(
        call(logits_of, case.x, labels),
        right,
        "logits",
        "one row for each embedding, one column for each class",
    )
    tolerance = tolerance_at(case.cos) * (1 + right.abs().amax())

    def describe_difference(_):
        row, column = ((logits - right).abs() > tolerance).nonzero()[0].tolist()
        label = int(case.labels[row])
        target = "the target" if column == label else f"not the target, which is {label}"
        return (
            f"Your logits {where} labels differ from the right ones, first in row {row}, column "
            f"{column} ({target}): {logits[row, column]:.4g}, expected {right[row, column]:.4g}."
        )

    compare(logits, right, tolerance, case, table, describe_difference)
    check_finite(logits, case.cos, f"Your logits {where} labels are")


def _check_gradients(logits_of, weight, x, labels):
    """Check that both embeddings and class vectors get a finite gradient."""
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(call(logits_of, x, labels), labels)
    if not loss.requires_grad:
        raise Mismatch(
            "Your logits are right, but cut off from their gradient: nothing can be trained with "
            "them.",
            "gradient cut off",
        )
    for name, leaf in (("embeddings", x), ("class vectors", weight)):
        (gradient,) = call(
            lambda leaf=leaf: torch.autograd.grad(loss, leaf, retain_graph=True, allow_unused=True)
        )
        if gradient is None:
            raise Mismatch(
                f"Your logits are right, but the {name} get no gradient from them.",
                "gradient cut off",
            )
        if not gradient.isfinite().all():
            raise Mismatch(
                f"Your logits are right, but the gradient of the {name} is not finite once an "
                "embedding points exactly along a class vector, cos θ = ±1: arccos has an infinite "
                "slope there.",
                NOT_FINITE,
            )


def _training_mistakes(reference):
    """The mistakes of a head, then those of its margin, made on the target entries."""
    class_names = [kind.__name__.lower() for kind in type(reference).__mro__]
    loss = next(
        (loss for loss in UNIFIED_MARGINS for name in class_names if name.startswith(loss)), None
    )
    margins = {
        argument: reference.hyperparameters[key]
        for key, argument in (("margin", "m"), ("m1", "m1"), ("m2", "m2"), ("m3", "m3"))
        if key in reference.hyperparameters
    }
    if loss is None or not margins:
        return mistakes.TRAINING
    unified_margins = UNIFIED_MARGINS[loss](**margins)

    def on_target(wrong):
        def wrong_logits(case):
            def wrong_target(cos):
                right = case.margin(cos)
                return wrong(Target(cos, *unified_margins, right, right))

            return case.with_target(wrong_target)

        return wrong_logits

    return (
        *mistakes.TRAINING,
        *(mistake._replace(wrong=on_target(mistake.wrong)) for mistake in mistakes.TARGET),
    )

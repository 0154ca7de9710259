"""Judge a loss of a batch that needs no head: from logits, from distances. Offered as :func:`lossbook.teaching.check.loss`."""

import math

import torch

from lossbook.teaching.check import mistakes
from lossbook.teaching.check.verdict import (
    NOT_FINITE,
    RIGHT,
    Mismatch,
    call,
    compare,
    slope,
    tensor_like,
    verdict,
)
from lossbook.utils.validation import require

__all__ = ["loss"]

BATCHES, PER_CLASS = 4, 3


def loss(attempt, right, num_classes=4, embedding_dim=2, *, size=1.0, on_one_spot=True, wrong=None):
    """Judge a loss: ``attempt(x, labels)``, rows (N, d) and labels (N,), to one number for the batch.

    Parameters
    ----------
    attempt : callable, or a blank
    right : callable
        The right one, with the same arguments.
    num_classes, embedding_dim : int
        C and d of the batches that it is tried on. For a loss of logits d is C.
    size : float
        How large the numbers in ``x`` are, about. The attempt must be finite there.
    on_one_spot : bool
        Whether its gradient is judged with two rows of ``x`` on one spot too, where a distance has no slope.
    wrong : dict, what to say -> callable
        Wrong losses of this very question, compared before the common ones.

    Returns
    -------
    Verdict, on the value and on the gradient in ``x``. Whatever the attempt does raises nothing.
    """
    require(
        math.isfinite(size) and size > 0,
        f"size = {size!r}: expected how large the numbers in x are, above 0",
    )
    batches = _batches(num_classes, embedding_dim, size)
    values = torch.stack([right(x, labels) for x, labels in batches])
    own = [
        mistakes.Mistake(says, says, lambda q, other=other: q.each(other))
        for says, other in (wrong or {}).items()
    ]

    def judge():
        got = []
        for (x, labels), value in zip(batches, values):
            given = x.clone()
            got.append(
                tensor_like(
                    call(attempt, given, labels), value, "loss", "one number for the whole batch"
                )
            )
            if not torch.equal(given, x):
                raise Mismatch(
                    "Your function changes the tensor it is given. Make a new one.",
                    "changes its input",
                )
        got = torch.stack(got)
        compare(
            got,
            values,
            1e-5 * (1 + values.abs()),
            mistakes.Batches(batches, values),
            [*own, *mistakes.LOSS],
            lambda i: f"Your loss of a batch is {got[i]:.4g}; right is {values[i]:.4g}.",
        )
        where = f"where the numbers in x are about {size:g} in size"
        if not got.isfinite().all():
            raise Mismatch(
                f"Your loss is {_kind(got)} {where}. Look for an exp that overflows, or a logarithm of zero.",
                NOT_FINITE,
            )
        for x, labels in batches:
            pull, true = (
                slope(lambda x: call(attempt, x, labels), x),
                slope(lambda x: right(x, labels), x),
            )
            if not pull.isfinite().all():
                raise Mismatch(
                    f"Your loss is right, but its gradient is {_kind(pull)} {where}. Look for a root or a "
                    "division that meets a zero.",
                    NOT_FINITE,
                )
            if ((pull - true).abs() > 1e-3 * true.abs() + 1e-6 * true.abs().amax()).any():
                raise Mismatch(
                    "Your loss is right, but the gradient is not its own: a part of it is cut off, by detach, "
                    "no_grad or item.",
                    "gradient cut off",
                )
        x, labels = batches[0]
        rows = torch.arange(len(x))
        x = x[rows.where(rows % num_classes > 1, 0)]  # the first two classes on one spot
        pull = slope(lambda x: call(attempt, x, labels), x) if on_one_spot else x
        if not pull.isfinite().all():
            raise Mismatch(
                f"Your loss is right, but its gradient is {_kind(pull)} as soon as two rows of x lie on one spot: "
                "the slope of a root at zero is infinite. Take the root only where there is something under it.",
                NOT_FINITE,
            )
        return RIGHT

    return verdict(attempt, judge)


def _kind(values):
    return "NaN" if values.isnan().any() else "infinite"


def _batches(num_classes, embedding_dim, size):
    """Rows at random, every class a few times."""
    draw, labels = (
        torch.Generator().manual_seed(0),
        torch.arange(PER_CLASS * num_classes) % num_classes,
    )
    return [
        (
            size * torch.randn(len(labels), embedding_dim, generator=draw, dtype=torch.float64),
            labels,
        )
        for _ in range(BATCHES)
    ]

"""Judge a loss of a batch that needs no head: from logits or from distances."""

import math

import torch

from lossbook.teaching.check import mistakes
from lossbook.teaching.check.cases import Batches
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
    """Judge a loss: ``attempt(x, labels)``, rows (N, d) and labels (N,), to one number per batch.

    Parameters
    ----------
    attempt : callable, or a blank
    right : callable
        The right one, with the same arguments.
    num_classes, embedding_dim : int
        C and d of the batches that it is tried on. For a loss of logits d is C.
    size : float
        The standard deviation of the numbers in ``x``. The attempt must be finite there.
    on_one_spot : bool
        Whether its gradient is judged, too, with two rows of ``x`` on one spot, where a distance
        has no slope.
    wrong : dict, message -> callable
        Wrong losses of this very question, compared before the common ones.

    Returns
    -------
    Verdict, on the value and on the gradient in ``x``. No fault of the attempt raises an error.
    """
    require(
        math.isfinite(size) and size > 0,
        f"size = {size!r}: expected the size of the numbers in x, above 0",
    )
    batches = _make_batches(num_classes, embedding_dim, size)
    own_mistakes = [
        mistakes.Mistake(message, message, lambda case, loss=wrong_loss: case.losses(loss))
        for message, wrong_loss in (wrong or {}).items()
    ]

    def judge():
        where = f"where the numbers in x are about {size:g} in size"
        _check_values(attempt, right, batches, [*own_mistakes, *mistakes.LOSS], where)
        for x, labels in batches:
            _check_gradient(attempt, right, x, labels, where)
        if on_one_spot:
            _check_gradient_on_one_spot(attempt, *batches[0], num_classes)
        return RIGHT

    return verdict(attempt, judge)


def _make_batches(num_classes, embedding_dim, size):
    """Random rows, every class a few times."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(PER_CLASS * num_classes) % num_classes
    shape = len(labels), embedding_dim
    return [
        (size * torch.randn(shape, generator=generator, dtype=torch.float64), labels)
        for _ in range(BATCHES)
    ]


def _check_values(attempt, right, batches, table, where):
    right_values = torch.stack([right(x, labels) for x, labels in batches])
    values = torch.stack(
        [
            _loss_of_batch(attempt, x, labels, value)
            for (x, labels), value in zip(batches, right_values)
        ]
    )
    compare(
        values,
        right_values,
        1e-5 * (1 + right_values.abs()),
        Batches(batches, right_values),
        table,
        lambda i: f"Your loss of a batch is {values[i]:.4g}; expected {right_values[i]:.4g}.",
    )
    if not values.isfinite().all():
        raise Mismatch(
            f"Your loss is {_nan_or_infinite(values)} {where}. Look for an exp that overflows, or "
            "a logarithm of zero.",
            NOT_FINITE,
        )


def _loss_of_batch(attempt, x, labels, right_value):
    argument = x.clone()
    value = tensor_like(
        call(attempt, argument, labels), right_value, "loss", "one number for the whole batch"
    )
    if not torch.equal(argument, x):
        raise Mismatch(
            "Your function changes the tensor that it is given. Make a new one.",
            "changes its input",
        )
    return value


def _check_gradient(attempt, right, x, labels, where):
    given = slope(lambda x: call(attempt, x, labels), x)
    expected = slope(lambda x: right(x, labels), x)
    if not given.isfinite().all():
        raise Mismatch(
            f"Your loss is right, but its gradient is {_nan_or_infinite(given)} {where}. Look for "
            "a root or a division that meets a zero.",
            NOT_FINITE,
        )
    tolerance = 1e-3 * expected.abs() + 1e-6 * expected.abs().amax()
    if ((given - expected).abs() > tolerance).any():
        raise Mismatch(
            "Your loss is right, but the gradient is not its own: a part of it is cut off, by "
            "detach, no_grad or item.",
            "gradient cut off",
        )


def _check_gradient_on_one_spot(attempt, x, labels, num_classes):
    """Put the first two classes on one spot, and check that the gradient is finite."""
    rows = torch.arange(len(x))
    x = x[rows.where(rows % num_classes > 1, 0)]
    gradient = slope(lambda x: call(attempt, x, labels), x)
    if not gradient.isfinite().all():
        raise Mismatch(
            f"Your loss is right, but its gradient is {_nan_or_infinite(gradient)} as soon as two "
            "rows of x lie on one spot: the slope of a root at zero is infinite. Take the root "
            "only where there is something under it.",
            NOT_FINITE,
        )


def _nan_or_infinite(values):
    return "NaN" if values.isnan().any() else "infinite"

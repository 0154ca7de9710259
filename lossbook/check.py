"""Tell a student what is wrong with an attempt, and not only that it is.

Each check compares an attempt with lossbook's own answer, in float64, and if they differ with the
answers of :mod:`lossbook.mistakes`. A blank attempt (``...``, ``None``, ``NotImplementedError``)
and one that raises give a :class:`Verdict` too: nothing here stops a notebook.
"""

import copy
import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from . import margins as target_functions
from . import mistakes
from .check_loss import loss
from .errors import require
from .verdict import NOT_FINITE, RIGHT, Found, Verdict, call, compare, finite, kind, number, slope, tensor_like, verdict

__all__ = ["Verdict", "margin", "value", "head", "loss"]

ANGLES = 360      # 359 steps, a prime: no angle but the ends falls on a joint kπ/m, where rounding decides

# The loss's own arguments, as the three margins of the unified formula.
UNIFIED = {
    "lsoftmax": lambda m: (m, 0.0, 0.0), "sphereface": lambda m: (m, 0.0, 0.0), "cosface": lambda m: (1.0, 0.0, m),
    "arcface": lambda m, easy_margin=False: (1.0, m, 0.0), "combined": lambda m1, m2, m3, easy_margin=False: (m1, m2, m3),
}


def margin(attempt, loss, *, ends=True, up_to=math.pi, **margins):
    """Judge a margin function: ``attempt(cos)``, (N,) target cosines to (N,) margined targets.

    Parameters
    ----------
    attempt : callable, or a blank
    loss : str
        The name of a function in :mod:`lossbook.margins`: "cosface", "arcface", "sphereface", …
    ends : bool
        Whether it is judged at cos θ = ±1 too, where arccos has no slope.
    up_to : float
        The largest angle that counts, in radians.
    **margins
        What that function takes: ``m=0.5``, or ``m1``, ``m2`` (radians) and ``m3``.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If lossbook has no such loss. Whatever the attempt does raises nothing.
    """
    require(loss in UNIFIED, f"loss = {loss!r}: expected one of {', '.join(UNIFIED)}")
    right_one = functools.partial(getattr(target_functions, loss), **margins)
    cos = torch.cos(torch.linspace(0, up_to, ANGLES, dtype=torch.float64))
    cos = cos if ends else cos[1:-1]
    right, tolerance = right_one(cos), _tolerance(cos)

    def judge():
        given = cos.clone()
        got = tensor_like(call(attempt, given), right, "targets", "one target for each cosine")
        if not torch.equal(given, cos):
            raise Found("Your function changes the cosines it is given. Make a new tensor instead.", "changes its input")
        question = mistakes.Target(cos, *UNIFIED[loss](**margins), right, torch.where(got.isfinite(), got, right))
        compare(got, right, tolerance, question, mistakes.TARGET,
                 lambda i: f"At θ = {torch.rad2deg(question.theta[i]):.1f}° your target is {got[i]:.4g}; "
                           f"right is {right[i]:.4g}.")
        finite(got, cos, "Your target is")
        own, true = slope(lambda c: call(attempt, c), cos), slope(right_one, cos)
        finite(own, cos, "Your values are right, but their gradient is")
        if ((own - true).abs() > 1e-3 * true.abs() + 1e-9)[cos.abs() < 0.9999].any():
            raise Found("Your values are right, but the gradient is not theirs: a part of them is cut off from it, "
                         "by detach, no_grad or item.", "gradient cut off")
        if ((own == 0) & (true > 0)).any():
            return Verdict(True, "Right. One thing to know: at cos θ = ±1 your clamp lets no gradient through.")
        return RIGHT

    return verdict(attempt, judge)


def value(attempt, expected, unit="", *, tolerance=0.01, wrong=None):
    """Judge a number.

    Parameters
    ----------
    attempt : float, int, or an array or tensor of one number, or a blank
        Or a function without arguments that returns one, such as ``lambda: my_rate(scores, 0.1)``: then
        a blank in ``my_rate``, and an exception from it, are verdicts too.
    expected : float
    unit : str
        "radians" and "degrees" let the check tell one from the other; any other is only named. Without
        one, a number in [−1, 1] may be a cosine, and its angle the mistake.
    tolerance : float
        Relative to ``expected``; absolute where that is 0.
    wrong : dict, what to say -> number
        Wrong answers of this very question, compared before the common ones. The nearest is named.

    Returns
    -------
    Verdict. It never states ``expected``. Whatever the attempt is raises nothing.
    """
    def judge():
        given, of = call(attempt) if callable(attempt) else attempt, f" {unit}" if unit else ""
        got = number(given)
        if got is None:
            raise Found(f"Wanted is a number{of and ', in' + of}; this is {kind(given)}.", "not a number")
        if not math.isfinite(got):
            raise Found(f"Wanted is a finite number; this is {got}.", "not finite")

        def close(to, within=tolerance):
            return abs(got - to) <= within * (abs(to) or 1)
        if close(expected):
            return RIGHT
        own = {says: (says, other) for says, other in (wrong or {}).items()}
        for known in (own, mistakes.value_mistakes(expected, unit)):
            near = [(abs(got - other), says, name) for name, (says, other) in known.items() if close(other)]
            if near:
                _, says, name = min(near, key=lambda mistake: mistake[0])
                raise Found(says, name)
        if close(expected, within=min(5 * tolerance, 0.05)):
            raise Found(f"{got:g}{of} is close, but off by more than {tolerance:.0%}: round at the very end.",
                         "rounded too early")
        raise Found(f"{got:g}{of} is too {'large' if got > expected else 'small'}.")

    return verdict(attempt, judge)


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
    require(only in (None, "prediction", "training"), f"only = {only!r}: expected 'prediction', 'training' or None")
    true = copy.deepcopy(reference).double().requires_grad_(False)
    x, labels = _batch(true.weight)
    question = _question(true, x, labels)

    def judge():
        run, weight = _runner(attempt, true.weight)
        for part, given, right, table in (("prediction", None, question.predicted, mistakes.PREDICTION),
                                          ("training", labels, question.trained, _training_mistakes(true))):
            if only not in (None, part):
                continue
            got = tensor_like(call(run, x, given), right, "logits", "a row for each embedding, a column for each class")
            where = "without" if given is None else "with"
            compare(got, right, _tolerance(question.cos) * (1 + right.abs().amax()), question, table,
                     lambda _: f"Your logits {where} labels differ from the right ones.")
            finite(got, question.cos, f"Your logits {where} labels are")
        if only == "prediction":
            return RIGHT
        leaf = x.clone().requires_grad_()
        loss = F.cross_entropy(call(run, leaf, labels), labels)
        if not loss.requires_grad:
            raise Found("Your logits are right, but cut off from their gradient: nothing can be trained with them.",
                         "gradient cut off")
        for name, to in (("embeddings", leaf), ("class vectors", weight)):
            pull, = call(lambda: torch.autograd.grad(loss, to, retain_graph=True, allow_unused=True))
            if pull is None:
                raise Found(f"Your logits are right, but the {name} get no gradient from them.", "gradient cut off")
            if not pull.isfinite().all():
                raise Found(f"Your logits are right, but the gradient of the {name} is not finite once an embedding points "
                             "exactly along a class vector, cos θ = ±1: arccos has an infinite slope there.", NOT_FINITE)
        return RIGHT

    return verdict(attempt, judge)


def _tolerance(cos):
    """How far off a value may be; more at the ends, where a clamp at 1 − 1e-6 moves the angle by 1.4e-3."""
    return torch.where(cos.abs() < 0.9999, 1e-5, 3e-3)


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


def _question(true, x, labels):
    """What the right head answers, and what a wrong one may get wrong."""
    length = true.scale * torch.ones(len(x), len(true.weight), dtype=x.dtype)
    length = length if true.unit_embedding else length * x.norm(dim=1, keepdim=True)
    length = length if true.unit_weight else length * true.weight.norm(dim=1)
    return mistakes.Logits(x, labels, true.weight, true.scale, length, getattr(true, "margin_of", lambda cos: cos),
                           true(x), true(x, labels))


def _training_mistakes(true):
    """A head's own mistakes, then those of its margin, made on the target entries."""
    loss = next((name for name in UNIFIED for kind in type(true).__mro__ if kind.__name__.lower().startswith(name)), None)
    given = {name: true.hyperparameters[key] for key, name in (("margin", "m"), ("m1", "m1"), ("m2", "m2"), ("m3", "m3"))
             if key in true.hyperparameters}
    if loss is None or not given:
        return mistakes.TRAINING
    margins = UNIFIED[loss](**given)

    def on_target(wrong):
        return lambda q: q.target(lambda cos: wrong(mistakes.Target(cos, *margins, q.margin(cos), q.margin(cos))))
    return (*mistakes.TRAINING, *(mistake._replace(wrong=on_target(mistake.wrong)) for mistake in mistakes.TARGET))


def _runner(attempt, weight):
    """The attempt as a function of embeddings and labels, with these class vectors, and the vectors themselves."""
    if not isinstance(attempt, nn.Module):
        own = weight.clone().requires_grad_()
        return lambda x, labels: call(attempt, x, own, labels), own
    if not isinstance(getattr(attempt, "weight", None), nn.Parameter) or attempt.weight.shape != weight.shape:
        raise Found(f"A head keeps its class vectors in a parameter `weight`, here of shape {tuple(weight.shape)}; "
                    "yours has none like it.", "no class vectors")
    own = call(copy.deepcopy, attempt).double()
    own.weight.data = weight.clone()
    return lambda x, labels: call(own, x) if labels is None else call(own, x, labels), own.weight

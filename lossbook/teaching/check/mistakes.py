"""Mistakes in writing these losses: each one once, with the wrong answer that it leads to.

:mod:`lossbook.teaching.check` compares an attempt with the right answer and then with these. A
mistake that you have met in your class is one more entry here: a name, a message for the student,
and a function that computes the wrong answer.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from lossbook import margins

__all__ = ["Mistake", "TARGET", "TRAINING", "PREDICTION", "LOSS", "value_mistakes", "all_mistakes"]


class Mistake(NamedTuple):
    """A known wrong answer.

    ``wrong`` computes it from one of the cases in ``lossbook.teaching.check.cases``.
    """

    name: str
    message: str
    wrong: Callable


def _sign_and_floor(u):
    k = torch.floor(u / math.pi)
    return 1 - 2 * torch.remainder(k, 2), k


def _common_branch(case):
    past = case.cos - case.m2 * math.sin(case.m2)
    return (
        torch.where(case.theta > math.pi - case.m2, past, torch.cos(case.theta + case.m2)) - case.m3
    )


TARGET = (
    Mistake("no margin", "This is the plain cosine. The margin is missing.", lambda case: case.cos),
    Mistake(
        "raw cosine past π",
        "Right as long as the turned angle stays below π. Past it your curve turns round and "
        "rises, and rewards a sample for moving away from its class. Continue it with ψ: (−1)^k "
        "cos u − 2k, where k counts the multiples of π in u (u is m·θ or θ + m).",
        lambda case: torch.cos(case.margined_angle) - case.m3,
    ),
    Mistake(
        "margin added to the cosine",
        "You add the margin to the target cosine. Subtract it: in training the right class must "
        "win with a handicap, and you give it a head start.",
        lambda case: case.right + 2 * case.m3,
    ),
    Mistake(
        "margin subtracted from the angle",
        "You subtract the margin from the angle, cos(θ − m). Add it: the arc to the right class "
        "must count as longer than it is. (By the addition theorem cos(θ + m) = cos θ cos m − sin "
        "θ sin m, with a minus.)",
        lambda case: torch.cos(case.m1 * case.theta - case.m2) - case.m3,
    ),
    Mistake(
        "margin read in degrees",
        "Your margin is far too small: it is taken for degrees. Degrees for radians: m is in "
        "radians here, as arccos is, so no conversion is needed.",
        lambda case: torch.cos(case.m1 * case.theta + math.radians(case.m2)) - case.m3,
    ),
    Mistake(
        "margin turned into degrees",
        "You turn the margin into degrees and add it to an angle in radians. Degrees for radians: "
        "leave m as it is.",
        lambda case: torch.cos(case.m1 * case.theta + math.degrees(case.m2)) - case.m3,
    ),
    Mistake(
        "angle in degrees",
        "You take the cosine of an angle in degrees. Degrees for radians: torch.cos and "
        "torch.arccos work in radians.",
        lambda case: torch.cos(torch.rad2deg(case.theta) * case.m1 + case.m2) - case.m3,
    ),
    Mistake(
        "cosine margin on the angle",
        "The margin is in the wrong place: cos(θ + m) is ArcFace. CosFace leaves the angle alone "
        "and subtracts m from the cosine.",
        lambda case: margins.combined(case.cos, case.m1, case.m2 + case.m3, 0.0),
    ),
    Mistake(
        "cosine margin on the angle",
        "The margin is in the wrong place: cos(θ + m) is ArcFace. CosFace leaves the angle alone "
        "and subtracts m from the cosine.",
        lambda case: torch.cos(case.margined_angle + case.m3),
    ),
    Mistake(
        "angular margin added to the cosine",
        "The margin is in the wrong place: you compute cos θ + m; expected cos(θ + m). Go to the "
        "angle with arccos, add m there, and come back with cos.",
        lambda case: margins.combined(case.cos, case.m1, 0.0, case.m3) + case.m2,
    ),
    Mistake(
        "angular margin subtracted from the cosine",
        "The margin is in the wrong place: cos θ − m is CosFace. Expected cos(θ + m): add m to "
        "the angle itself.",
        lambda case: margins.combined(case.cos, case.m1, 0.0, case.m3 + case.m2),
    ),
    Mistake(
        "multiplier outside the cosine",
        "The margin is in the wrong place: you compute m·cos θ; expected a function of m·θ. "
        "Multiply the angle.",
        lambda case: case.m1 * case.cos,
    ),
    Mistake(
        "multiplier added to the angle",
        "You add m to the angle. This margin multiplies it: m·θ.",
        lambda case: torch.cos(case.theta + case.m1),
    ),
    Mistake(
        "multiplier on the margin too",
        "You multiply the margin as well: m1·(θ + m2). Expected m1·θ + m2.",
        lambda case: margins.combined(case.cos, case.m1, case.m1 * case.m2, case.m3),
    ),
    Mistake(
        "ψ without its steps",
        "The sign (−1)^k is there, but the step −2k is missing: the pieces do not join, and the "
        "curve jumps.",
        lambda case: (
            _sign_and_floor(case.margined_angle)[0] * torch.cos(case.margined_angle) - case.m3
        ),
    ),
    Mistake(
        "ψ without its sign",
        "The step −2k is there, but the sign (−1)^k is missing: every second piece rises.",
        lambda case: (
            torch.cos(case.margined_angle) - 2 * _sign_and_floor(case.margined_angle)[1] - case.m3
        ),
    ),
    Mistake(
        "the common branch past π",
        "Past θ = π − m you use cos θ − m·sin m, as many programs do. It falls, but it jumps at θ "
        "= π − m. The continuation expected here is −2 − cos(θ + m), which joins.",
        _common_branch,
    ),
    Mistake(
        "easy margin",
        "You apply the margin only where cos θ > 0. That is the easy margin; its curve jumps up "
        "at 90°. Expected the margin everywhere.",
        lambda case: torch.where(case.cos > 0, case.right, case.cos),
    ),
    Mistake(
        "arccos forgotten",
        "You treat the cosine as if it were the angle. Your input is cos θ: take arccos first.",
        lambda case: torch.cos(case.m1 * case.cos + case.m2) - case.m3,
    ),
    Mistake(
        "angle returned",
        "You return an angle. The target is a cosine: take cos at the end.",
        lambda case: case.margined_angle - case.m3,
    ),
    Mistake(
        "sine term forgotten",
        "In cos(θ + m) = cos θ cos m − sin θ sin m the second term is missing.",
        lambda case: case.cos * math.cos(case.m2) - case.m3,
    ),
    Mistake(
        "margin applied twice",
        "The margin is applied twice.",
        lambda case: margins.combined(case.cos, case.m1**2, 2 * case.m2, 2 * case.m3),
    ),
    Mistake("all zeros", "Every value you return is 0.", lambda case: torch.zeros_like(case.cos)),
    Mistake(
        "a constant factor",
        "Your target is the right one times a constant. The scale s comes later, on all logits "
        "alike; the margin function does not contain it.",
        lambda case: case.right * (case.attempt @ case.right) / (case.right @ case.right),
    ),
    Mistake(
        "a constant too much",
        "The shape of your curve is right, but it is shifted up or down by a constant. Look at "
        "how much you subtract.",
        lambda case: case.right + (case.attempt - case.right).mean(),
    ),
)
TRAINING = (
    Mistake(
        "margin missing in training",
        "With labels you return the plain logits: the margin is missing in training.",
        lambda case: case.predicted,
    ),
    Mistake(
        "margin on all classes",
        "The margin is applied to all classes. Only the target, column labels[i] of row i, may "
        "carry it: a handicap that everybody has is none.",
        lambda case: case.with_margin_everywhere,
    ),
    Mistake(
        "margin on the wrong classes",
        "The margin is applied to every class but the target: the mask is the wrong way round.",
        lambda case: torch.where(
            case.is_target(case.labels), case.predicted, case.with_margin_everywhere
        ),
    ),
    Mistake(
        "labels off by one",
        "The margin is on the neighbouring class: your labels are off by one. Classes count from "
        "0.",
        lambda case: case.with_margin_on(case.labels + 1),
    ),
    Mistake(
        "labels off by one",
        "The margin is on the neighbouring class: your labels are off by one. Classes count from "
        "0.",
        lambda case: case.with_margin_on(case.labels - 1),
    ),
    Mistake(
        "margin outside the scale",
        "You subtract the margin after scaling: s·cos θ − m. It belongs inside: s(cos θ − m). "
        "At s = 64 yours is 64 times too small.",
        lambda case: torch.where(
            case.is_target(case.labels),
            case.predicted + (case.trained - case.predicted) / case.scale,
            case.predicted,
        ),
    ),
    Mistake(
        "scale on the target only",
        "Only the target is scaled. Multiply all logits by s.",
        lambda case: torch.where(
            case.is_target(case.labels), case.trained, case.predicted / case.scale
        ),
    ),
    Mistake(
        "scale on the other classes only",
        "The target is not scaled. Multiply all logits by s.",
        lambda case: torch.where(
            case.is_target(case.labels), case.trained / case.scale, case.predicted
        ),
    ),
    Mistake(
        "lengths missing on the target",
        "The target is not multiplied by the lengths of embedding and class vector that this loss "
        "keeps.",
        lambda case: torch.where(
            case.is_target(case.labels), case.trained / case.length, case.predicted
        ),
    ),
    Mistake(
        "lengths missing on the other classes",
        "Only the target is multiplied by the lengths that this loss keeps. The other classes "
        "need theirs.",
        lambda case: torch.where(
            case.is_target(case.labels), case.trained, case.predicted / case.length
        ),
    ),
    Mistake(
        "probabilities returned",
        "You return probabilities. A head returns logits; cross_entropy takes the softmax itself.",
        lambda case: case.trained.softmax(dim=1),
    ),
    Mistake(
        "log-probabilities returned",
        "You return logarithms of probabilities. A head returns logits; cross_entropy takes the "
        "softmax itself.",
        lambda case: case.trained.log_softmax(dim=1),
    ),
    Mistake(
        "scale forgotten",
        "The scale s is missing: multiply the logits by it.",
        lambda case: case.trained / case.scale,
    ),
    Mistake(
        "scale applied twice",
        "The scale s is applied twice.",
        lambda case: case.trained * case.scale,
    ),
)
PREDICTION = (
    Mistake(
        "margin kept at prediction",
        "Without labels your logits still carry the margin, on every class. The margin kept at "
        "prediction is a mistake: it exists in training only.",
        lambda case: case.with_margin_everywhere,
    ),
    Mistake(
        "margin kept at prediction",
        "Without labels your logits still carry the margin, on the largest one. The margin kept "
        "at prediction punishes the right answer: it exists in training only.",
        lambda case: case.with_margin_on(case.predicted.argmax(dim=1)),
    ),
    Mistake(
        "scale forgotten",
        "The scale s is missing at prediction: multiply the logits by it.",
        lambda case: case.predicted / case.scale,
    ),
    Mistake(
        "scale applied twice",
        "The scale s is applied twice at prediction.",
        lambda case: case.predicted * case.scale,
    ),
    Mistake(
        "nothing normalised",
        "Neither embeddings nor class vectors are brought to length 1: these are plain products.",
        lambda case: case.scale * case.x @ case.weight.T,
    ),
    Mistake(
        "class vectors normalised where their length counts",
        "You bring the class vectors to length 1. This loss keeps their length.",
        lambda case: case.predicted / case.weight.norm(dim=1),
    ),
    Mistake(
        "embeddings normalised where their length counts",
        "You bring the embeddings to length 1. This loss keeps their length.",
        lambda case: case.predicted / case.x.norm(dim=1, keepdim=True),
    ),
    Mistake(
        "everything normalised where lengths count",
        "You bring embeddings and class vectors to length 1. This loss keeps their lengths.",
        lambda case: case.predicted / case.x.norm(dim=1, keepdim=True) / case.weight.norm(dim=1),
    ),
    Mistake(
        "embeddings not normalised",
        "The embeddings are not brought to length 1.",
        lambda case: case.scale * case.x @ F.normalize(case.weight).T,
    ),
    Mistake(
        "class vectors not normalised",
        "The class vectors are not brought to length 1.",
        lambda case: case.scale * F.normalize(case.x) @ case.weight.T,
    ),
    Mistake(
        "normalised along the wrong dimension",
        "You normalise over the batch, not over the d numbers of each vector: use dim=1.",
        lambda case: case.scale * F.normalize(case.x, dim=0) @ F.normalize(case.weight, dim=0).T,
    ),
    Mistake(
        "probabilities returned",
        "You return probabilities. A head returns logits; their softmax is taken elsewhere.",
        lambda case: case.predicted.softmax(dim=1),
    ),
)
LOSS = (
    Mistake(
        "sum for mean",
        "You add up over the batch. Expected the mean, which does not grow with the batch.",
        lambda case: case.right * len(case.batches[0][1]),
    ),
    Mistake(
        "wrong sign",
        "The size is right, the sign is not: a loss has to fall when the answers get better.",
        lambda case: -case.right,
    ),
    Mistake("factor of two", "Your loss is twice too large.", lambda case: 2 * case.right),
    Mistake("half", "Your loss is half of the right one.", lambda case: case.right / 2),
)


def value_mistakes(expected, unit=""):
    """Numbers that ``expected`` is often mistaken for: ``{name: (message, wrong number)}``."""
    wrong = {"wrong sign": ("The size is right, the sign is not.", -expected)}
    if unit in ("rad", "radians"):
        wrong["degrees for radians"] = (
            "This is the right angle in degrees; expected radians.",
            math.degrees(expected),
        )
    elif unit in ("°", "degrees"):
        wrong["degrees for radians"] = (
            "This is the right angle in radians; expected degrees.",
            math.radians(expected),
        )
    if unit in ("rad", "radians", "°", "degrees"):
        radians = expected if unit in ("rad", "radians") else math.radians(expected)
        wrong["cosine for the angle"] = (
            "This is the cosine of the angle; expected the angle.",
            math.cos(radians),
        )
    elif not unit and abs(expected) <= 1:
        wrong["angle for the cosine"] = (
            "This is an angle in radians; expected its cosine.",
            math.acos(expected),
        )
    wrong["percent"] = ("This is 100 times too large: is it in percent?", 100 * expected)
    wrong["fraction"] = (
        "This is 100 times too small: it looks like a fraction; expected percent.",
        expected / 100,
    )
    wrong["factor of two"] = ("This is twice too large.", 2 * expected)
    wrong["half"] = ("This is half of it.", expected / 2)
    return wrong


def all_mistakes():
    """Every known mistake, each once: ``[(what it is made in, name, message), …]``."""
    tables = {"target": TARGET, "training": TRAINING, "prediction": PREDICTION, "loss": LOSS}
    rows = [
        (where, mistake.name, mistake.message)
        for where, table in tables.items()
        for mistake in table
    ]
    for unit in ("rad", ""):
        wrong = value_mistakes(0.5, unit)
        rows += [("number", name, message) for name, (message, _) in wrong.items()]
    return list(dict.fromkeys(rows))

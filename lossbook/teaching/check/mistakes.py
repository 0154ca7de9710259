"""What goes wrong when people write these losses: each mistake once, with the wrong answer it leads to.

:mod:`lossbook.teaching.check` compares an attempt with the right answer and then with these. A mistake you
have met in your class is one more entry here: a name, what to tell the student, and a function
that computes the wrong answer.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from lossbook import margins

__all__ = ["Mistake", "TARGET", "TRAINING", "PREDICTION", "LOSS", "value_mistakes", "everything"]


class Mistake(NamedTuple):
    """A known wrong answer: its name, what to say, and what it computes from a Target, Logits or Batches."""

    name: str
    says: str
    wrong: Callable


def _sign_and_floor(u):
    k = torch.floor(u / math.pi)
    return 1 - 2 * torch.remainder(k, 2), k


def _common_branch(q):
    past = q.cos - q.m2 * math.sin(q.m2)
    return torch.where(q.theta > math.pi - q.m2, past, torch.cos(q.theta + q.m2)) - q.m3


TARGET = (
    Mistake("no margin", "This is the plain cosine. The margin is missing.", lambda q: q.cos),
    Mistake(
        "raw cosine past π",
        "Right as long as the turned angle stays below π. Past it your curve turns round and rises, and rewards "
        "a sample for moving away from its class. Continue it with ψ: (−1)^k cos u − 2k, where k counts the "
        "multiples of π in u (u is m·θ or θ + m).",
        lambda q: torch.cos(q.turned) - q.m3,
    ),
    Mistake(
        "margin added to the cosine",
        "You add the margin to the target cosine. Subtract it: in training the right class must win "
        "with a handicap, and you give it a head start.",
        lambda q: q.right + 2 * q.m3,
    ),
    Mistake(
        "margin subtracted from the angle",
        "You subtract the margin from the angle, cos(θ − m). Add it: the arc to the right class must count "
        "as longer than it is. (By the addition theorem cos(θ + m) = cos θ cos m − sin θ sin m, with a minus.)",
        lambda q: torch.cos(q.m1 * q.theta - q.m2) - q.m3,
    ),
    Mistake(
        "margin read in degrees",
        "Your margin is far too small: it is taken for degrees. Degrees for radians: m is in radians here, "
        "as arccos is, so no conversion is needed.",
        lambda q: torch.cos(q.m1 * q.theta + math.radians(q.m2)) - q.m3,
    ),
    Mistake(
        "margin turned into degrees",
        "You turn the margin into degrees and add it to an angle in radians. Degrees for radians: leave m as it is.",
        lambda q: torch.cos(q.m1 * q.theta + math.degrees(q.m2)) - q.m3,
    ),
    Mistake(
        "angle in degrees",
        "You take the cosine of an angle in degrees. Degrees for radians: torch.cos and torch.arccos "
        "speak radians.",
        lambda q: torch.cos(torch.rad2deg(q.theta) * q.m1 + q.m2) - q.m3,
    ),
    Mistake(
        "cosine margin on the angle",
        "The margin is in the wrong place: cos(θ + m) is ArcFace. CosFace leaves the angle alone and subtracts "
        "m from the cosine.",
        lambda q: margins.combined(q.cos, q.m1, q.m2 + q.m3, 0.0),
    ),
    Mistake(
        "angular margin added to the cosine",
        "The margin is in the wrong place: you compute cos θ + m, wanted is cos(θ + m). Go to the angle with "
        "arccos, add m there, and come back with cos.",
        lambda q: margins.combined(q.cos, q.m1, 0.0, q.m3) + q.m2,
    ),
    Mistake(
        "angular margin subtracted from the cosine",
        "The margin is in the wrong place: cos θ − m is CosFace. Wanted is cos(θ + m): add m to the angle itself.",
        lambda q: margins.combined(q.cos, q.m1, 0.0, q.m3 + q.m2),
    ),
    Mistake(
        "multiplier outside the cosine",
        "The margin is in the wrong place: you compute m·cos θ, wanted is a function of m·θ. Multiply the angle.",
        lambda q: q.m1 * q.cos,
    ),
    Mistake(
        "multiplier added to the angle",
        "You add m to the angle. This margin multiplies it: m·θ.",
        lambda q: torch.cos(q.theta + q.m1),
    ),
    Mistake(
        "multiplier on the margin too",
        "You multiply the margin as well: m1·(θ + m2). Wanted is m1·θ + m2.",
        lambda q: margins.combined(q.cos, q.m1, q.m1 * q.m2, q.m3),
    ),
    Mistake(
        "ψ without its steps",
        "The sign (−1)^k is there, but the step −2k is missing: the pieces do not join, and the curve jumps.",
        lambda q: _sign_and_floor(q.turned)[0] * torch.cos(q.turned) - q.m3,
    ),
    Mistake(
        "ψ without its sign",
        "The step −2k is there, but the sign (−1)^k is missing: every second piece rises.",
        lambda q: torch.cos(q.turned) - 2 * _sign_and_floor(q.turned)[1] - q.m3,
    ),
    Mistake(
        "the common branch past π",
        "Past θ = π − m you use cos θ − m·sin m, as many programs do. It falls, but it jumps at θ = π − m. "
        "The continuation wanted here is −2 − cos(θ + m), which joins.",
        _common_branch,
    ),
    Mistake(
        "easy margin",
        "You apply the margin only where cos θ > 0. That is the easy margin; its curve jumps up at 90°. "
        "Wanted is the margin everywhere.",
        lambda q: torch.where(q.cos > 0, q.right, q.cos),
    ),
    Mistake(
        "arccos forgotten",
        "You treat the cosine as if it were the angle. Your input is cos θ: take arccos first.",
        lambda q: torch.cos(q.m1 * q.cos + q.m2) - q.m3,
    ),
    Mistake(
        "angle returned",
        "You return an angle. The target is a cosine: take cos at the end.",
        lambda q: q.turned - q.m3,
    ),
    Mistake(
        "sine term forgotten",
        "In cos(θ + m) = cos θ cos m − sin θ sin m the second term is missing.",
        lambda q: q.cos * math.cos(q.m2) - q.m3,
    ),
    Mistake(
        "margin applied twice",
        "The margin is applied twice.",
        lambda q: margins.combined(q.cos, q.m1**2, 2 * q.m2, 2 * q.m3),
    ),
    Mistake("all zeros", "Every value you return is 0.", lambda q: torch.zeros_like(q.cos)),
    Mistake(
        "a constant factor",
        "Your target is the right one times a constant. The scale s comes later, on all logits alike; "
        "the margin function knows nothing of it.",
        lambda q: q.right * (q.attempt @ q.right) / (q.right @ q.right),
    ),
    Mistake(
        "a constant too much",
        "The shape of your curve is right, but it is shifted up or down by a constant. Look at how much you subtract.",
        lambda q: q.right + (q.attempt - q.right).mean(),
    ),
)
TRAINING = (
    Mistake(
        "margin missing in training",
        "With labels you return the plain logits: the margin is missing in training.",
        lambda q: q.predicted,
    ),
    Mistake(
        "margin on all classes",
        "The margin is applied to all classes. Only the target, column labels[i] of row i, may carry it: "
        "a handicap that everybody has is none.",
        lambda q: q.everywhere,
    ),
    Mistake(
        "margin on the wrong classes",
        "The margin is applied to every class but the target: the mask is the wrong way round.",
        lambda q: torch.where(q.chosen(q.labels), q.predicted, q.everywhere),
    ),
    Mistake(
        "labels off by one",
        "The margin is on the neighbouring class: your labels are off by one. Classes count from 0.",
        lambda q: q.with_margin_on(q.labels + 1),
    ),
    Mistake(
        "labels off by one",
        "The margin is on the neighbouring class: your labels are off by one. Classes count from 0.",
        lambda q: q.with_margin_on(q.labels - 1),
    ),
    Mistake(
        "margin outside the scale",
        "You subtract the margin after scaling: s·cos θ − m. It belongs inside: s(cos θ − m). "
        "At s = 64 yours is 64 times too small.",
        lambda q: torch.where(
            q.chosen(q.labels), q.predicted + (q.trained - q.predicted) / q.scale, q.predicted
        ),
    ),
    Mistake(
        "scale on the target only",
        "Only the target is scaled. Multiply all logits by s.",
        lambda q: torch.where(q.chosen(q.labels), q.trained, q.predicted / q.scale),
    ),
    Mistake(
        "scale on the other classes only",
        "The target is not scaled. Multiply all logits by s.",
        lambda q: torch.where(q.chosen(q.labels), q.trained / q.scale, q.predicted),
    ),
    Mistake(
        "lengths missing on the target",
        "The target is not multiplied by the lengths of embedding and class vector that this loss keeps.",
        lambda q: torch.where(q.chosen(q.labels), q.trained / q.length, q.predicted),
    ),
    Mistake(
        "lengths missing on the other classes",
        "Only the target is multiplied by the lengths that this loss keeps. The other classes need theirs.",
        lambda q: torch.where(q.chosen(q.labels), q.trained, q.predicted / q.length),
    ),
    Mistake(
        "probabilities returned",
        "You return probabilities. A head returns logits; cross_entropy takes the softmax itself.",
        lambda q: q.trained.softmax(dim=1),
    ),
    Mistake(
        "log-probabilities returned",
        "You return logarithms of probabilities. A head returns logits; cross_entropy takes the softmax itself.",
        lambda q: q.trained.log_softmax(dim=1),
    ),
    Mistake(
        "scale forgotten",
        "The scale s is missing: multiply the logits by it.",
        lambda q: q.trained / q.scale,
    ),
    Mistake("scale applied twice", "The scale s is applied twice.", lambda q: q.trained * q.scale),
)
PREDICTION = (
    Mistake(
        "margin kept at prediction",
        "Without labels your logits still carry the margin, on every class. The margin kept at prediction is a mistake: "
        "it exists in training only.",
        lambda q: q.everywhere,
    ),
    Mistake(
        "margin kept at prediction",
        "Without labels your logits still carry the margin, on the largest one. The margin kept at prediction "
        "punishes the right answer: it exists in training only.",
        lambda q: q.with_margin_on(q.predicted.argmax(dim=1)),
    ),
    Mistake(
        "scale forgotten",
        "The scale s is missing at prediction: multiply the logits by it.",
        lambda q: q.predicted / q.scale,
    ),
    Mistake(
        "scale applied twice",
        "The scale s is applied twice at prediction.",
        lambda q: q.predicted * q.scale,
    ),
    Mistake(
        "nothing normalised",
        "Neither embeddings nor class vectors are brought to length 1: these are plain products.",
        lambda q: q.scale * q.x @ q.weight.T,
    ),
    Mistake(
        "class vectors normalised where their length counts",
        "You bring the class vectors to length 1. This loss keeps their length.",
        lambda q: q.predicted / q.weight.norm(dim=1),
    ),
    Mistake(
        "embeddings normalised where their length counts",
        "You bring the embeddings to length 1. This loss keeps their length.",
        lambda q: q.predicted / q.x.norm(dim=1, keepdim=True),
    ),
    Mistake(
        "everything normalised where lengths count",
        "You bring embeddings and class vectors to length 1. This loss keeps their lengths.",
        lambda q: q.predicted / q.x.norm(dim=1, keepdim=True) / q.weight.norm(dim=1),
    ),
    Mistake(
        "embeddings not normalised",
        "The embeddings are not brought to length 1.",
        lambda q: q.scale * q.x @ F.normalize(q.weight).T,
    ),
    Mistake(
        "class vectors not normalised",
        "The class vectors are not brought to length 1.",
        lambda q: q.scale * F.normalize(q.x) @ q.weight.T,
    ),
    Mistake(
        "normalised along the wrong dimension",
        "You normalise over the batch, not over the d numbers of each vector: use dim=1.",
        lambda q: q.scale * F.normalize(q.x, dim=0) @ F.normalize(q.weight, dim=0).T,
    ),
    Mistake(
        "probabilities returned",
        "You return probabilities. A head returns logits; their softmax is taken elsewhere.",
        lambda q: q.predicted.softmax(dim=1),
    ),
)
LOSS = (
    Mistake(
        "sum for mean",
        "You add up over the batch. Wanted is the mean, which does not grow with the batch.",
        lambda q: q.right * len(q.batches[0][1]),
    ),
    Mistake(
        "wrong sign",
        "The size is right, the sign is not: a loss has to fall when the answers get better.",
        lambda q: -q.right,
    ),
    Mistake("factor of two", "Your loss is twice too large.", lambda q: 2 * q.right),
    Mistake("half", "Your loss is half of the right one.", lambda q: q.right / 2),
)


def value_mistakes(expected, unit=""):
    """The wrong numbers that a right one, ``expected``, is often mistaken for: ``{name: (what to say, wrong number)}``."""
    angle = unit in ("rad", "radians", "°", "degrees")
    found = {"wrong sign": ("The size is right, the sign is not.", -expected)}
    if angle:
        other = ("degrees", "radians") if unit in ("rad", "radians") else ("radians", "degrees")
        found["degrees for radians"] = (
            f"This is the right angle in {other[0]}; wanted are {other[1]}.",
            math.degrees(expected) if other[0] == "degrees" else math.radians(expected),
        )
        in_radians = expected if unit in ("rad", "radians") else math.radians(expected)
        found["cosine for the angle"] = (
            "This is the cosine of the angle; wanted is the angle.",
            math.cos(in_radians),
        )
    elif not unit and abs(expected) <= 1:
        found["angle for the cosine"] = (
            "This is an angle in radians; wanted is its cosine.",
            math.acos(expected),
        )
    found["percent"] = ("This is 100 times too large: is it in percent?", 100 * expected)
    found["fraction"] = (
        "This is 100 times too small: wanted are percent, and this looks like a fraction.",
        expected / 100,
    )
    found["factor of two"] = ("This is twice too large.", 2 * expected)
    found["half"] = ("This is half of it.", expected / 2)
    return found


def everything():
    """Every mistake that :mod:`lossbook.teaching.check` can name, as ``[(where, name, what it says), …]``, each once."""
    tables = {"target": TARGET, "training": TRAINING, "prediction": PREDICTION, "loss": LOSS}
    rows = [
        (where, mistake.name, mistake.says) for where, table in tables.items() for mistake in table
    ]
    for unit in ("rad", ""):
        rows += [("number", name, says) for name, (says, _) in value_mistakes(0.5, unit).items()]
    return list(dict.fromkeys(rows))

"""When a margin pays: strangers among typefaces, by loss, number of identities and of images.

A cell is one training, kept by :mod:`lossbook.experiments.resumable`. Characters are identities
and typefaces their writers. Strangers are characters that no training saw, in typefaces that no
training saw. Margins and scales are chosen on other characters, in other typefaces: see
:mod:`lossbook.experiments.typefaces_rows`. The whole experiment is ``STAGES``, in an order in which
a part of it answers something already.
"""

import time
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from lossbook.backbones import LeNetPP, embed
from lossbook.data.dataset import Dataset, Split
from lossbook.data.typefaces import HeldOut
from lossbook.experiments import resumable
from lossbook.experiments.typefaces_rows import ADAPTIVE, GRID, LOSSES, build_head
from lossbook.metrics.all_pairs import verify_all_pairs
from lossbook.metrics.identification import search
from lossbook.metrics.protocols import gallery_and_probe
from lossbook.metrics.quality import error_versus_discard
from lossbook.training.loop import fit
from lossbook.training.run import Run
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = [
    "CLASSES",
    "Cell",
    "RECIPE",
    "STAGES",
    "SIZES",
    "Stage",
    "Trained",
    "cells_of",
    "expected_minutes",
    "fit_steps",
    "load",
    "plan",
    "run",
    "seen_faces",
    "settings_of",
    "small_network",
    "train",
    "tuning_plan",
]

# The data: enough characters for 6,400 to train on, 1,000 strangers, and 1,400 to choose margins.
MIN_FACES, CHARACTERS = 36, 8800
SIZES = {
    "strangers": 1000,
    "unseen_faces": 12,
    "tuning_classes": 400,
    "tuning_strangers": 1000,
    "tuning_unseen_faces": 8,
}

EMBEDDING_DIM = 64
RECIPE = {"batch_size": 256, "learning_rate": 5e-3, "precision": "bfloat16"}
PER_CLASS = 4  # images of a class in a batch, for losses on pairs and triplets
STEPS = 1500
DISCARDED = (0, 0.1, 0.2, 0.3, 0.5)  # shares of the strangers' images, those of least quality
SECONDS_PER_STEP = 0.15  # with verification, on two CPU cores with matrix units
CLASSES = (100, 400, 1600, 6400)


class Cell(NamedTuple):
    """One training: a row (the loss with its margin), and what is varied.

    ``typefaces`` is the greatest number of typefaces per character, None for all there are.
    ``tuning`` cells are trained and scored on characters that no other cell is scored on.
    """

    row: str
    classes: int
    typefaces: int | None = None
    steps: int = STEPS
    seed: int = 0
    tuning: bool = False

    @property
    def name(self):
        typefaces = "all" if self.typefaces is None else self.typefaces
        name = f"{self.row}-{self.classes}c-{typefaces}t-{self.steps}steps-seed{self.seed}"
        return name + ("-tuning" if self.tuning else "")


class Stage(NamedTuple):
    """A part of the whole experiment: some losses, with the options of :func:`plan`.

    ``options`` is None where the margins and scales of the losses are chosen.
    """

    title: str
    losses: tuple
    options: dict | None


class Trained(NamedTuple):
    """A trained cell: its network, what it was trained on, and the kind of similarity it has."""

    backbone: nn.Module
    head: nn.Module
    similarity: str  # "cosine" or "distance"
    run: Run
    parts: HeldOut
    num_images: int  # to train on
    epochs: int


MAIN = ("softmax", "norm-softmax", "CosFace", "ArcFace")
OTHERS = tuple(loss for loss in LOSSES if loss not in MAIN)
FEW_CLASSES = (400,)  # with which typefaces per character and steps are varied
STAGES = (
    Stage("choice of margins and scales", MAIN, None),
    Stage("fewest and most identities", MAIN, {"classes": (100, 6400)}),
    Stage("number of identities", MAIN, {"seeds": (0,)}),
    Stage(
        "typefaces per identity",
        MAIN,
        {"classes": FEW_CLASSES, "typefaces": (5, 15, 45), "seeds": (0,)},
    ),
    Stage("steps", MAIN, {"classes": FEW_CLASSES, "steps": (500, 4500), "seeds": (0,)}),
    Stage(
        "steps, most identities",
        ("norm-softmax", "ArcFace"),
        {"classes": (6400,), "steps": (4500,), "seeds": (0, 1, 2)},
    ),
    Stage("margins that adapt", ADAPTIVE, {"classes": (6400,)}),
    Stage("choice of margins and scales", OTHERS, None),
    Stage("number of identities", OTHERS, {"seeds": (0,)}),
    Stage("number of identities", LOSSES, {"seeds": (1, 2)}),
    Stage(
        "typefaces per identity",
        MAIN,
        {"classes": FEW_CLASSES, "typefaces": (5, 15, 45), "seeds": (1, 2)},
    ),
    Stage("steps", MAIN, {"classes": FEW_CLASSES, "steps": (500, 4500), "seeds": (1, 2)}),
)


def small_network(embedding_dim):
    """Six 3×3 convolutions, 16-16-32-32-64-64 channels, with batch normalisation."""
    return LeNetPP(
        embedding_dim, widths=(16, 32, 64), kernel_size=3, batch_norm=True, activation=nn.ReLU
    )


def plan(rows, classes=CLASSES, typefaces=(None,), steps=(STEPS,), seeds=range(3)):
    """The cells of all combinations; seed by seed, and the fewest and the most classes first."""
    corners = [*dict.fromkeys([min(classes), max(classes), *classes])]
    return [
        Cell(row, count, faces, number, seed)
        for seed in seeds
        for faces in typefaces
        for number in steps
        for count in corners
        for row in rows
    ]


def tuning_plan(losses=LOSSES, steps=STEPS, seeds=(0,)):
    """The cells that choose the margins of ``losses``; a loss without a choice has none."""
    return [
        Cell(row, SIZES["tuning_classes"], None, steps, seed, True)
        for seed in seeds
        for loss in losses
        for row in GRID.get(loss, ())
        if len(GRID[loss]) > 1
    ]


def cells_of(stage, rows):
    """The cells of a :class:`Stage`, whose losses have these ``rows``.

    They are what :func:`lossbook.experiments.typefaces_rows.rows_of` returns.
    """
    if stage.options is None:
        return tuning_plan(stage.losses)
    return plan(rows, **stage.options)


def expected_minutes(cells, record=None):
    """How long ``cells`` take, from those that ``record`` has measured: (minutes, are they known).

    The time for a step is the mean of the cells measured, or that of two CPU cores with matrix
    units if there is none yet.
    """
    measured = (record or {"cells": {}})["cells"].values()
    seconds = [cell["total_seconds"] / cell["steps"] for cell in measured]
    rate = np.mean(seconds) if seconds else SECONDS_PER_STEP
    return float(rate) * sum(cell.steps for cell in cells) / 60, bool(seconds)


def run(
    cells,
    data,
    folder,
    *,
    backbone=small_network,
    made_by=None,
    report=None,
    device=None,
    sizes=None,
    **recipe,
):
    """Train every cell that is not in ``folder`` yet.

    ``data`` is what :func:`lossbook.data.typefaces.typefaces` returns. ``sizes`` overrides entries
    of ``SIZES``. ``report``, what is returned and what is raised are as in
    :func:`lossbook.experiments.resumable.run`.
    """
    settings = settings_of(data, sizes, **recipe)

    def measure(cell):
        start = time.perf_counter()
        trained = train(cell, data, backbone=backbone, device=device, sizes=sizes, **recipe)
        return _measure(cell, trained, data, start)

    return resumable.run(cells, measure, folder, settings, made_by, report)


def settings_of(data, sizes=None, **recipe):
    """What all cells of an experiment have in common, a dict for JSON; arguments as :func:`run`."""
    return {
        "dataset": "typefaces",
        "sources": data.sources,
        "held_out": {**SIZES, **(sizes or {})},
        "asked": {**RECIPE, **recipe},
        "embedding_dim": EMBEDDING_DIM,
    }


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder.

    ``arrays[name]`` has what :func:`lossbook.metrics.all_pairs.verify_all_pairs` measures:
    ``estimate`` (R,) and ``resampled`` (B, R) of the strangers. With ``known_`` before their names
    they are of characters that were trained on, and with ``in_seen_faces_`` of the strangers in
    typefaces that were trained on; a cell measured before these were has none of the last.
    """
    return resumable.load(folder or FOLDER / "typefaces")


def _parts(cell, data, sizes):
    """What a cell is trained and scored on.

    The tuning characters are the last of those to train on, which only a training with more classes
    than the others sees; its typefaces are all typefaces to train on.
    """
    held_out = data.hold_out(sizes["strangers"], sizes["unseen_faces"])
    if not cell.tuning:
        return HeldOut(held_out.characters[: cell.classes], *held_out[1:])
    characters = held_out.characters[::-1]
    strangers = characters[cell.classes : cell.classes + sizes["tuning_strangers"]]
    faces, unseen_faces = data.hold_out_faces(sizes["tuning_unseen_faces"], held_out.faces, seed=1)
    return HeldOut(characters[: cell.classes], faces, strangers, unseen_faces)


def seen_faces(parts):
    """Typefaces of the training to verify strangers in, as many as ``parts`` has unseen ones."""
    return np.random.default_rng(0).choice(parts.faces, len(parts.unseen_faces), replace=False)


def _with_steps(split, steps, batch_size, seed):
    """(split, epochs): so many images that ``epochs`` passes in batches are ``steps`` steps.

    An epoch has every image once, and some of them twice to fill it up; in a training too short for
    one pass it has a random part of them.
    """
    divisors = [count for count in range(1, steps + 1) if steps % count == 0]
    enough = [count for count in divisors if steps // count * batch_size >= len(split)]
    epochs = max(enough, default=1)
    generator = torch.Generator().manual_seed(seed)
    size = steps // epochs * batch_size
    turns = -(-size // len(split))
    rows = torch.cat([torch.randperm(len(split), generator=generator) for _ in range(turns)])
    rows = rows[:size].sort().values
    return Split(split.images[rows], split.labels[rows], split.classes), epochs


def train(cell, data, *, backbone=small_network, device=None, sizes=None, **recipe):
    """Train the network of a cell: :class:`Trained`. Arguments as :func:`run`.

    Raises ``ValueError`` if there are fewer characters to train on than the cell has classes.
    """
    recipe = {**RECIPE, **recipe}
    parts = _parts(cell, data, {**SIZES, **(sizes or {})})
    require(
        len(parts.characters) == cell.classes,
        f"{cell.name}: there are {len(parts.characters)} characters to train on",
    )
    images = data.select(parts.characters, parts.faces, cell.typefaces)
    model = backbone(EMBEDDING_DIM)
    head, kind = build_head(cell.row, EMBEDDING_DIM, cell.classes)
    if kind == "distance":
        recipe["per_class"] = PER_CLASS
    run, epochs = fit_steps(model, head, images, cell.steps, cell.seed, device, recipe)
    return Trained(model, head, kind, run, parts, len(images), epochs)


def fit_steps(model, head, images, steps, seed, device, recipe):
    """Train on a split of images for a number of steps: the Run, and its number of epochs."""
    split, epochs = _with_steps(images, steps, recipe["batch_size"], seed)
    few = slice(None, None, max(1, len(images) // 100))  # fit tests after every epoch
    test = Split(images.images[few], images.labels[few], images.classes)
    run = fit(
        model,
        head,
        Dataset("typefaces", split, test),
        seed=seed,
        device=device,
        progress=False,
        snapshot_size=10,
        epochs=epochs,
        **recipe,
    )
    return run, epochs


def _measure(cell, trained, data, start):
    """(record, arrays) of one cell, begun at ``start``: its rates on strangers and on the known."""
    parts, history, config = trained.parts, trained.run.history, trained.run.config
    seen = seen_faces(parts)

    def embeddings(characters, faces):
        split = data.select(characters, faces)
        return embed(trained.backbone, split.images).numpy(), split.labels.numpy()

    def verify(x, labels):
        return verify_all_pairs(x, labels, trained.similarity)

    of_strangers = embeddings(parts.strangers, parts.unseen_faces)
    strangers = verify(*of_strangers)
    known = verify(*embeddings(parts.characters[: len(parts.strangers)], parts.unseen_faces))
    in_seen_faces = verify(*embeddings(parts.strangers, seen))
    record = {
        **cell._asdict(),
        "loss": trained.run.name,
        "scale": float(getattr(trained.head, "scale", 1)),
        "similarity": trained.similarity,
        "images": trained.num_images,
        "epochs": trained.epochs,
        "train_accuracy": float(history.train_acc.iloc[-1]),
        "strangers": strangers.summary,
        "known": known.summary,
        "in_seen_faces": in_seen_faces.summary,
        "quality": _quality(*of_strangers, trained.similarity),
        "device": config["device"],
        "versions": config["versions"],
        "seconds": round(float(history.seconds.sum()), 1),
        "total_seconds": round(time.perf_counter() - start, 1),
    }
    arrays = {
        "estimate": strangers.estimate,
        "resampled": strangers.resampled.astype(np.float32),
        "known_estimate": known.estimate,
        "known_resampled": known.resampled.astype(np.float32),
        "in_seen_faces_estimate": in_seen_faces.estimate,
        "in_seen_faces_resampled": in_seen_faces.resampled.astype(np.float32),
    }
    return record, arrays


def _quality(x, labels, metric):
    """What the length of an embedding says of the errors of rank 1, and what the score does."""
    gallery, probe = gallery_and_probe(labels)
    searches = search(x[gallery], labels[gallery], x[probe], labels[probe], metric)
    right, lengths = searches.rank == 1, np.linalg.norm(x[probe], axis=1)
    return {
        "discarded": list(DISCARDED),
        "by_length": error_versus_discard(lengths, right, DISCARDED).tolist(),
        "by_score": error_versus_discard(searches.top, right, DISCARDED).tolist(),
    }

"""Closed set in the plane: every loss trained alike on the embedded digits, with several seeds."""

from typing import NamedTuple

import pandas as pd

from lossbook import data, heads
from lossbook.backbones import LeNetPP
from lossbook.data.dataset import checksums
from lossbook.experiments import resumable
from lossbook.heads.presets import head_from_name
from lossbook.metrics.scores import score
from lossbook.profiles import PROFILES
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER

__all__ = ["Cell", "PLAN", "SEEDS", "build_head", "run", "load", "scores_by_training"]

EMBEDDING_DIM = 2
SEEDS = 5
EUCLIDEAN = {
    "contrastive": heads.Contrastive,
    "triplet": heads.Triplet,
    "center": heads.Center,
    "range": heads.Range,
    "marginal": heads.Marginal,
}
LOSSES = (
    "softmax",
    "norm-softmax_s16",
    "ArcFace_s16_m0.3",
    "CosFace_s16_m0.2",
    "A-softmax_v1",
    "L-softmax_v1",
    *EUCLIDEAN,
)


class Cell(NamedTuple):
    """One training: a loss, by a name that :func:`build_head` takes, and a seed."""

    row: str
    seed: int

    @property
    def name(self):
        return f"{self.row}-seed{self.seed}"


PLAN = [Cell(row, seed) for seed in range(SEEDS) for row in LOSSES]


def build_head(row, num_classes):
    """The head of a loss in the plane; ``row`` is a key of ``EUCLIDEAN`` or a head's name."""
    if row in EUCLIDEAN:
        return EUCLIDEAN[row](EMBEDDING_DIM, num_classes)
    return head_from_name(row, EMBEDDING_DIM, num_classes)


def run(
    cells, folder, *, dataset=None, backbone=LeNetPP.small, made_by=None, device=None, **recipe
):
    """Train every cell that is not in ``folder`` yet, by the quick profile's recipe.

    Returns and raises as :func:`lossbook.experiments.resumable.run`.
    """
    dataset = dataset or data.load("mnist5k")
    recipe = {**PROFILES["quick"].recipe, **recipe}
    settings = {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "asked": recipe,
        "embedding_dim": EMBEDDING_DIM,
    }

    def measure(cell):
        return _train_cell(cell, dataset, backbone, device, recipe), {}

    return resumable.run(cells, measure, folder, settings, made_by)


def load(folder=None):
    """The saved experiment, or that of another folder, as ``resumable.load`` returns it."""
    return resumable.load(folder or FOLDER / "closed-set")


def scores_by_training(record):
    """One row per training: ``row``, ``seed`` and all that ``metrics.scores.score`` measures."""
    cells = record["cells"].values()
    return pd.DataFrame(
        [{"row": cell["row"], "seed": cell["seed"], **cell["test"]} for cell in cells]
    )


def _train_cell(cell, dataset, backbone, device, recipe):
    model = backbone(EMBEDDING_DIM)
    head = build_head(cell.row, len(dataset.classes))
    run = fit(
        model,
        head,
        dataset,
        seed=cell.seed,
        device=device,
        progress=False,
        snapshot_size=10,
        **recipe,
    )
    return {
        **cell._asdict(),
        "loss": run.name,
        "test": score(model, head, dataset.test),
        "train": score(model, head, dataset.train),
        "device": run.config["device"],
        "versions": run.config["versions"],
        "seconds": round(float(run.history.seconds.sum()), 1),
    }

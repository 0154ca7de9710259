"""Closed set: losses trained alike on the embedded digits, with several seeds.

``PLAN`` is the experiment in the plane, ``SPHERE_PLAN`` the one in three dimensions.
"""

from typing import NamedTuple

import pandas as pd

from lossbook import data, heads
from lossbook.backbones import LeNetPP
from lossbook.experiments import resumable
from lossbook.experiments.results import half_width_of_mean
from lossbook.experiments.rows import FREE_SCALE
from lossbook.heads.presets import head_from_name
from lossbook.metrics.scores import score
from lossbook.profiles import PROFILES
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = [
    "Cell",
    "PLAN",
    "SEEDS",
    "SPHERE_PLAN",
    "SPHERE_RECIPE",
    "build_head",
    "run",
    "load",
    "scores_by_training",
    "Difference",
    "paired_difference",
]

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

# In three dimensions the scale and the margins are those that the chapter "Three dimensions"
# derives for ten classes, and six epochs are enough.
SPHERE_LOSSES = (
    "softmax",
    "norm-softmax_s11",
    "A-softmax_m4",
    "CosFace_s11_m0.3",
    "ArcFace_s11_m0.58",
)
SPHERE_RECIPE = {"epochs": 6}


class Cell(NamedTuple):
    """One training: a loss, by a name that :func:`build_head` takes, and a seed."""

    row: str
    seed: int

    @property
    def name(self):
        return f"{self.row}-seed{self.seed}"


# A learned scale is compared with fixed ones, not with the other losses.
PLAN = [Cell(row, seed) for seed in range(SEEDS) for row in (*LOSSES, "learned-scale")]
SPHERE_PLAN = [Cell(row, seed) for seed in range(SEEDS) for row in SPHERE_LOSSES]


def build_head(row, num_classes, embedding_dim=EMBEDDING_DIM):
    """The head of a loss; ``row`` is a key of ``EUCLIDEAN`` or ``rows.FREE_SCALE``, or a head's
    name."""
    special = {**EUCLIDEAN, **FREE_SCALE}
    if row in special:
        return special[row](embedding_dim, num_classes)
    return head_from_name(row, embedding_dim, num_classes)


def run(
    cells,
    folder,
    *,
    embedding_dim=EMBEDDING_DIM,
    dataset=None,
    backbone=LeNetPP.small,
    made_by=None,
    device=None,
    **recipe,
):
    """Train every cell that is not in ``folder`` yet, by the quick profile's recipe.

    Other keyword arguments replace entries of the recipe. Returns and raises as
    :func:`lossbook.experiments.resumable.run`.
    """
    dataset = dataset or data.load("mnist5k")
    recipe = {**PROFILES["quick"].recipe, **recipe}
    settings = resumable.settings_on(dataset, recipe, embedding_dim)

    def measure(cell):
        model = backbone(embedding_dim)
        head = build_head(cell.row, len(dataset.classes), embedding_dim)
        return _train_cell(cell, model, head, dataset, device, recipe), {}

    return resumable.run(cells, measure, folder, settings, made_by)


def load(folder=None):
    """The saved experiment in the plane, or that of another folder.

    Returns and raises as :func:`lossbook.experiments.resumable.load`.
    """
    return resumable.load(folder or FOLDER / "closed-set")


def scores_by_training(record):
    """One row per training: ``row``, ``seed`` and all that ``metrics.scores.score`` measures."""
    cells = record["cells"].values()
    return pd.DataFrame(
        [{"row": cell["row"], "seed": cell["seed"], **cell["test"]} for cell in cells]
    )


class Difference(NamedTuple):
    """The mean of a difference over the seeds, and half the width of its 95 % interval."""

    mean: float
    half_width: float


def paired_difference(scores, first, second, measure):
    """A :class:`Difference`: how much greater a measure is for one loss than for another.

    The two losses are compared seed by seed; the interval is Student's.

    Parameters
    ----------
    scores : DataFrame
        As :func:`scores_by_training` returns it.
    first, second : str
        Losses, as in its column ``row``.
    measure : str
        One of its other columns. Accuracies are fractions, angles radians.

    Raises
    ------
    ValueError
        For a loss or a measure that ``scores`` does not have, and for losses that have fewer than
        two seeds in common.
    """
    require(
        measure in scores,
        f"no measure {measure!r} among the scores: expected one of {', '.join(scores)}",
    )
    by_seed = scores.pivot(index="seed", columns="row", values=measure)
    for loss in (first, second):
        require(
            loss in by_seed,
            f"no loss {loss!r} among the scores: expected one of {', '.join(by_seed)}",
        )
    differences = (by_seed[first] - by_seed[second]).dropna()
    n = len(differences)
    require(n > 1, f"{first} and {second} have {n} seeds in common, expected at least 2")
    return Difference(float(differences.mean()), half_width_of_mean(differences))


def _train_cell(cell, model, head, dataset, device, recipe):
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
        **({"scale": float(head.scale)} if cell.row in FREE_SCALE else {}),
        "test": score(model, head, dataset.test),
        "train": score(model, head, dataset.train),
        "device": run.config["device"],
        "versions": run.config["versions"],
        "seconds": round(float(run.history.seconds.sum()), 1),
    }

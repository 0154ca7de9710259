"""Noise: train losses on digits of which a share has a wrong label, and keep what came out."""

from typing import NamedTuple

import torch

from lossbook import data
from lossbook.backbones import LeNetPP, embed
from lossbook.data.corruption import flip_labels
from lossbook.data.dataset import checksums, stratified_positions
from lossbook.experiments import resumable
from lossbook.heads.presets import head_from_name
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER

__all__ = ["Cell", "PLAN", "run", "load"]

IMAGES, EMBEDDING_DIM = 1000, 16  # few images, so that a network can learn wrong labels by heart
RECIPE = {"epochs": 12, "batch_size": 64, "learning_rate": 5e-3}
SUB_CENTRES = "SubCenterArcFace_s16_m0.3_K3"
LOSSES = (
    "softmax",
    "norm-softmax_s16",
    "ArcFace_s16_m0.3",
    SUB_CENTRES,
    "CosFace_s16_m0.2",
    "A-softmax_v1",
    "L-softmax_v1",
)
SHARES = (0, 0.1, 0.2, 0.3, 0.4)


class Cell(NamedTuple):
    """One training: a row of :mod:`lossbook.experiments.rows` or ``SUB_CENTRES``, the share of wrong labels, the seed of both."""

    row: str
    share: float
    seed: int

    @property
    def name(self):
        return f"{self.row}-{100 * self.share:.0f}percent-seed{self.seed}"


PLAN = [Cell(row, share, seed) for row in LOSSES for share in SHARES for seed in range(3)]


def run(
    cells, folder, *, dataset=None, backbone=LeNetPP.small, made_by=None, device=None, **recipe
):
    """Train every cell that is not in ``folder`` yet; (record, arrays) as :func:`lossbook.experiments.resumable.load`.

    ``dataset`` is by default every fourth of the embedded training digits, a class like any other,
    with all 1,000 test digits.
    """
    recipe = {**RECIPE, **recipe}
    if dataset is None:
        digits = data.load("mnist5k")
        few = stratified_positions(digits.train.labels, IMAGES)
        dataset = data.Dataset(
            "mnist5k, 1,000 images",
            data.Split(digits.train.images[few], digits.train.labels[few], digits.classes),
            digits.test,
        )
    about = {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "asked": recipe,
        "embedding_dim": EMBEDDING_DIM,
    }
    return resumable.run(
        cells,
        lambda cell: (_measured(cell, dataset, backbone, device, recipe), {}),
        folder,
        about,
        made_by,
    )


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return resumable.load(folder or FOLDER / "noise")


def head_named(row, embedding_dim, num_classes):
    """The head of a row, or ArcFace with three sub-centres."""
    if row == SUB_CENTRES:
        return SubCenterArcFace(embedding_dim, num_classes, scale=16, margin=0.3, centers=3)
    return head_from_name(row, embedding_dim, num_classes)


def _measured(cell, dataset, backbone, device, recipe):
    """Accuracies without margin: on clean test labels, on flipped training images by wrong and true label."""
    noisy, flipped = flip_labels(dataset, cell.share, cell.seed)
    model, head = backbone(EMBEDDING_DIM), head_named(cell.row, EMBEDDING_DIM, len(dataset.classes))
    run = fit(
        model,
        head,
        noisy,
        seed=cell.seed,
        device=device,
        progress=False,
        snapshot_size=10,
        **recipe,
    )
    head.eval()
    with torch.no_grad():
        said = head(embed(model, dataset.train.images).to(head.weight.device)).argmax(dim=1).cpu()

    def share(right):
        return float(right[flipped].double().mean()) if flipped.any() else None

    return {
        **cell._asdict(),
        "loss": run.name,
        "test": float(run.history.test_acc.iloc[-1]),
        "best_test": float(run.history.test_acc.max()),
        "train": float(run.history.train_acc.iloc[-1]),
        "flipped_as_labelled": share(said == noisy.train.labels),
        "flipped_as_true": share(said == dataset.train.labels),
        "device": run.config["device"],
        "versions": run.config["versions"],
        "seconds": round(float(run.history.seconds.sum()), 1),
    }

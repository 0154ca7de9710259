"""Label noise: losses trained on digits of which a share has a wrong label."""

from typing import NamedTuple

import torch

from lossbook import data
from lossbook.backbones import LeNetPP, embed
from lossbook.data.corruption import flip_labels
from lossbook.data.dataset import stratified_positions
from lossbook.experiments import resumable
from lossbook.heads.presets import head_from_name
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER

__all__ = ["Cell", "PLAN", "RECIPE", "LOSSES", "SHARES", "SUB_CENTRES", "build_head", "run", "load"]

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
    """One training: the loss, the share of wrong labels, and the seed of both.

    ``row`` is a name that :func:`lossbook.heads.head_from_name` takes, or ``SUB_CENTRES``.
    """

    row: str
    share: float
    seed: int

    @property
    def name(self):
        return f"{self.row}-{100 * self.share:.0f}percent-seed{self.seed}"


PLAN = [Cell(row, share, seed) for row in LOSSES for share in SHARES for seed in range(3)]


def run(
    cells,
    folder,
    *,
    dataset=None,
    backbone=LeNetPP.small,
    made_by=None,
    device=None,
    **recipe,
):
    """Train every cell that is not in ``folder`` yet.

    ``dataset`` is by default every fourth of the embedded training digits, as many of each class,
    with all 1,000 test digits. Returns and raises as :func:`lossbook.experiments.resumable.run`.
    """
    recipe = {**RECIPE, **recipe}
    dataset = dataset or _few_digits()
    settings = resumable.settings_on(dataset, recipe, EMBEDDING_DIM)

    def measure(cell):
        return _train_cell(cell, dataset, backbone, device, recipe), {}

    return resumable.run(cells, measure, folder, settings, made_by)


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return resumable.load(folder or FOLDER / "noise")


def build_head(row, embedding_dim, num_classes):
    """The head of a cell's row: a named one, or ArcFace with three sub-centres."""
    if row == SUB_CENTRES:
        return SubCenterArcFace(embedding_dim, num_classes, scale=16, margin=0.3, centers=3)
    return head_from_name(row, embedding_dim, num_classes)


def _few_digits():
    digits = data.load("mnist5k")
    positions = stratified_positions(digits.train.labels, IMAGES)
    few = data.Split(digits.train.images[positions], digits.train.labels[positions], digits.classes)
    return data.Dataset("mnist5k, 1,000 images", few, digits.test)


def _train_cell(cell, dataset, backbone, device, recipe):
    """Train on flipped labels, and measure accuracies without margin.

    They are those on the clean test labels and, of the training images whose label is wrong, the
    shares predicted as labelled and as they truly are (None if no label is wrong).
    """
    noisy, flipped = flip_labels(dataset, cell.share, cell.seed)
    model, head = backbone(EMBEDDING_DIM), build_head(cell.row, EMBEDDING_DIM, len(dataset.classes))
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
        logits = head(embed(model, dataset.train.images).to(head.weight.device))
    predictions = logits.argmax(dim=1).cpu()

    def share_of_flipped(correct):
        return float(correct[flipped].double().mean()) if flipped.any() else None

    return {
        **cell._asdict(),
        "loss": run.name,
        "test": float(run.history.test_acc.iloc[-1]),
        "best_test": float(run.history.test_acc.max()),
        "train": float(run.history.train_acc.iloc[-1]),
        "flipped_as_labelled": share_of_flipped(predictions == noisy.train.labels),
        "flipped_as_true": share_of_flipped(predictions == dataset.train.labels),
        "device": run.config["device"],
        "versions": run.config["versions"],
        "seconds": round(float(run.history.seconds.sum()), 1),
    }

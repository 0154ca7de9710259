"""Degraded digits: which loss helps them, and what the length of an embedding says of them.

The networks are trained on digits that are blurred at random. They are tested on digits blurred
alike, and on digits with noise or at a low resolution, which no training saw.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from lossbook import data
from lossbook.backbones import LeNetPP, embed
from lossbook.data.corruption import add_noise, blur, blur_at_random, lower_resolution
from lossbook.experiments import resumable
from lossbook.heads.presets import head_from_name
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER

__all__ = [
    "Cell",
    "LOSSES",
    "PLAN",
    "RECIPE",
    "STRONGEST_BLUR",
    "CONDITIONS",
    "blurred",
    "measure",
    "run",
    "load",
]

EMBEDDING_DIM = 16
STRONGEST_BLUR = 3.0  # pixels, the standard deviation of the Gaussian
RECIPE = {"epochs": 10, "batch_size": 64, "learning_rate": 5e-3}
LOSSES = (
    "softmax",
    "norm-softmax_s16",
    "ArcFace_s16_m0.3",
    "CosFace_s16_m0.2",
    "MagFace_s16",
    "AdaFace_s16_m0.3",
    "MV-softmax_s16_m0.2",
    "CurricularFace_s16_m0.3",
    "ElasticFace_s16_m0.3",
)
CONDITIONS = {  # of all test images
    "clean": None,
    "blur, σ = 1 pixel": (blur, 1.0),
    "blur, σ = 2 pixels": (blur, 2.0),
    "blur, σ = 3 pixels": (blur, 3.0),
    "noise, σ = 0.2": (add_noise, 0.2),
    "noise, σ = 0.4": (add_noise, 0.4),
    "noise, σ = 0.6": (add_noise, 0.6),
    "14 × 14 pixels": (lower_resolution, 14),
    "7 × 7 pixels": (lower_resolution, 7),
    "5 × 5 pixels": (lower_resolution, 5),
}


class Cell(NamedTuple):
    """One training: a name that :func:`lossbook.heads.head_from_name` takes, and the seed."""

    row: str
    seed: int

    @property
    def name(self):
        return f"{self.row}-seed{self.seed}"


PLAN = [Cell(row, seed) for seed in range(5) for row in LOSSES]


def blurred(dataset, seed):
    """(data set, σ): its images blurred at random, and how much each test image is, (N,).

    The standard deviations are uniform from 0 to ``STRONGEST_BLUR`` pixels. Those of the test
    images are the same for every seed.
    """
    train, _ = blur_at_random(dataset.train.images, STRONGEST_BLUR, seed)
    test, sigma = blur_at_random(dataset.test.images, STRONGEST_BLUR, 0)
    classes = dataset.classes
    changed = data.Dataset(
        f"{dataset.name}, blurred",
        data.Split(train, dataset.train.labels, classes),
        data.Split(test, dataset.test.labels, classes),
    )
    return changed, sigma


def measure(model, head, split):
    """{"length", "cosine", "right"} of each image of a split, tensors (N,).

    ``cosine`` is the highest with any class vector, and ``right`` says whether the image is
    classified correctly, without a margin.
    """
    head.eval()
    with torch.no_grad():
        x = embed(model, split.images).to(head.weight.device)
        cos = F.normalize(x) @ F.normalize(head.weight).T
        right = head(x).argmax(dim=1).cpu() == split.labels
    return {
        "length": x.norm(dim=1).cpu(),
        "cosine": cos.amax(dim=1).cpu(),
        "right": right,
    }


def run(
    cells, folder, *, dataset=None, backbone=LeNetPP.small, made_by=None, device=None, **recipe
):
    """Train every cell that is not in ``folder`` yet, by default on the embedded digits.

    Returns and raises as :func:`lossbook.experiments.resumable.run`.
    """
    recipe = {**RECIPE, **recipe}
    dataset = dataset or data.load("mnist5k")
    settings = resumable.settings_on(dataset, recipe, EMBEDDING_DIM)
    settings["strongest_blur"] = STRONGEST_BLUR

    def train(cell):
        return _train_cell(cell, dataset, backbone, device, recipe)

    return resumable.run(cells, train, folder, settings, made_by)


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder.

    ``record["cells"][name]["conditions"]`` has for each of ``CONDITIONS`` the ``accuracy`` and the
    mean ``length`` and ``cosine``. ``arrays[name]`` has what :func:`measure` returns of the test
    images blurred at random, and their ``sigma`` in pixels, ``(N,)`` each.
    """
    return resumable.load(folder or FOLDER / "degraded-digits")


def _train_cell(cell, dataset, backbone, device, recipe):
    changed, sigma = blurred(dataset, cell.seed)
    classes = len(dataset.classes)
    model, head = backbone(EMBEDDING_DIM), head_from_name(cell.row, EMBEDDING_DIM, classes)
    trained = fit(
        model,
        head,
        changed,
        seed=cell.seed,
        device=device,
        progress=False,
        snapshot_size=10,
        **recipe,
    )
    conditions = {}
    for name, change in CONDITIONS.items():
        images = dataset.test.images
        if change is not None:
            degrade, strength = change
            images = degrade(images, strength)
        split = data.Split(images, dataset.test.labels, dataset.classes)
        measured = measure(model, head, split)
        conditions[name] = {
            "accuracy": measured["right"].double().mean().item(),
            "length": measured["length"].mean().item(),
            "cosine": measured["cosine"].mean().item(),
        }
    record = {
        **cell._asdict(),
        "loss": trained.name,
        "conditions": conditions,
        "device": trained.config["device"],
        "versions": trained.config["versions"],
        "seconds": round(float(trained.history.seconds.sum()), 1),
    }
    arrays = {**measure(model, head, changed.test), "sigma": sigma}
    return record, {name: values.numpy() for name, values in arrays.items()}

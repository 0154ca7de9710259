"""Training: one function, ``fit``, that turns a backbone, a head and data into a Run."""

from lossbook.backbones import embed
from lossbook.training.devices import pick_device
from lossbook.training.divergence import TrainingDiverged
from lossbook.training.loop import fit
from lossbook.training.recipe import Recipe
from lossbook.training.run import Run, RunFileError, Snapshot

__all__ = [
    "fit",
    "Recipe",
    "Run",
    "Snapshot",
    "RunFileError",
    "TrainingDiverged",
    "embed",
    "pick_device",
]

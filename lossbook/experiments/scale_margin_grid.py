"""Scale and margin: a loss trained in the plane for every pair of the two, with several seeds."""

import itertools
from typing import NamedTuple

import pandas as pd

from lossbook.experiments import resumable
from lossbook.experiments.reproduce import train_row
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = ["SCALES", "MARGINS", "Cell", "run", "load", "mean_over_seeds", "deviation_over_seeds"]

SCALES = (1, 2, 4, 8, 16, 32, 64)
MARGINS = {  # 0 is norm-softmax in both
    "CosFace": (0, 0.1, 0.2, 0.35, 0.5, 0.8),  # as cosines
    "ArcFace": (0, 0.1, 0.3, 0.5, 0.7, 1.0),  # in radians
}


class Cell(NamedTuple):
    """One training of the grid."""

    scale: float
    margin: float
    seed: int = 0

    @property
    def name(self):
        return f"s{self.scale:g}-m{self.margin:g}-seed{self.seed}"


def run(
    loss,
    dataset,
    backbone,
    folder,
    *,
    scales=SCALES,
    margins=None,
    seed=0,
    made_by=None,
    device=None,
    **recipe,
):
    """Train ``loss`` in the plane with every scale and margin; cells in ``folder`` are kept.

    Parameters
    ----------
    loss : "CosFace" or "ArcFace"
    dataset, backbone : as for :func:`lossbook.experiments.reproduce.reproduce`
    folder : path
        Several seeds share a folder.
    scales, margins : sequences of numbers
        By default ``SCALES`` and the loss's ``MARGINS``.
    seed : int
    made_by : dict, optional
        Written into a new record, e.g. the command.
    **recipe
        For :func:`lossbook.training.fit`.

    Returns
    -------
    dict
        The record, as :func:`load` returns it.

    Raises
    ------
    ValueError
        If ``loss`` is another, or ``folder`` holds a grid of another loss, other images or another
        recipe.
    """
    require(loss in MARGINS, f"loss = {loss!r}: expected one of {', '.join(MARGINS)}")
    margins = MARGINS[loss] if margins is None else margins
    settings = resumable.settings_on(dataset, recipe, embedding_dim=2)
    settings |= {"loss": loss, "classes": len(dataset.classes)}

    def measure(cell):
        return _train_cell(cell, loss, dataset, backbone, device, recipe), {}

    cells = [Cell(scale, margin, seed) for scale, margin in itertools.product(scales, margins)]
    record, _ = resumable.run(cells, measure, folder, settings, made_by)
    return record


def load(loss, folder=None):
    """The record of the saved grid of ``loss``, or of another folder.

    ``record["cells"][name]`` has the cell's ``scale``, ``margin`` and ``seed``, its row's name, its
    recipe, and everything that :func:`lossbook.metrics.scores.score` measures on the test half.
    """
    folder = folder or FOLDER / "maps" / f"{loss}-mnist5k-2d"
    record, _ = resumable.load(folder)
    return record


def mean_over_seeds(record):
    """A DataFrame of the test half's measures, indexed by (margin, scale): means over the seeds.

    ``seeds`` counts them. Accuracies are fractions, angles radians.
    """
    groups = _cells_by_setting(record)
    table = groups.mean(numeric_only=True).drop(columns="seed")
    table.insert(0, "seeds", groups.size())
    return table


def deviation_over_seeds(record):
    """The standard deviation over the seeds of each measure; NaN where there is one seed."""
    return _cells_by_setting(record).std(numeric_only=True).drop(columns="seed")


def _cells_by_setting(record):
    return pd.DataFrame(record["cells"].values()).groupby(["margin", "scale"])


def _train_cell(cell, loss, dataset, backbone, device, recipe):
    row = f"{loss}_s{cell.scale:g}_m{cell.margin:g}"
    _, measured = train_row(
        row, dataset, backbone, seed=cell.seed, device=device, progress=False, **recipe
    )
    keys = ("recipe", "precision", "device", "versions", "backbone")
    return {
        **cell._asdict(),
        "row": row,
        **measured["test"],
        **{key: measured[key] for key in keys},
    }

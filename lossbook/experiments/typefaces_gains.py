"""What a margin gains among typefaces: rates of the saved experiment, and ratios of them."""

import numpy as np
import pandas as pd

from lossbook.experiments.typefaces import MAIN, STEPS, Cell
from lossbook.experiments.typefaces_rows import best_row
from lossbook.metrics.bootstrap import percentile_interval

__all__ = ["MEASURES", "SCORED", "chosen_rows", "mean_rates", "ratio", "ratios", "table", "usual"]

# Where the rates stand in the saved arrays; a TAR is turned into false rejects.
MEASURES = {
    "EER": 0,
    "FRR, FAR 1e-2": 1,
    "FRR, FAR 1e-3": 2,
    "FRR, FAR 1e-4": 3,
    "FRR, FAR 1e-5": 4,
    "errors of rank 1": 5,
}

# Who is scored, and in which typefaces: the name of their rates in a cell, and what stands before
# the names of their arrays.
SCORED = {
    "strangers": ("strangers", ""),
    "known": ("known", "known_"),
    "strangers in seen typefaces": ("in_seen_faces", "in_seen_faces_"),
}

VARIED = ("row", "classes", "typefaces", "steps", "seed")

# The rates of a table, and their names in it.
RATES = {
    "eer": "EER",
    "tar@0.01": "TAR at 1e-2",
    "tar@0.001": "TAR at 1e-3",
    "tar@0.0001": "TAR at 1e-4",
    "tar@1e-05": "TAR at 1e-5",
    "rank_1": "rank 1",
}


def chosen_rows(record, losses=MAIN):
    """The row that was chosen for each loss, as a dict row → loss; see
    ``typefaces_rows.best_row``."""
    return {best_row(loss, record): loss for loss in losses}


def mean_rates(record, losses=MAIN, scored="strangers"):
    """A DataFrame of rates in percent, means over seeds, by classes and loss.

    Of the trainings with all typefaces and the usual number of steps. ``seeds`` counts them.
    ``scored`` is one of ``SCORED``.
    """
    rows = chosen_rows(record, losses)
    lines = table(record, scored)
    lines = usual(lines[lines.row.isin(rows)])
    lines = lines.assign(loss=lines.row.map(rows)).sort_values("classes", kind="stable")
    groups = lines.groupby(["classes", "loss"], sort=False)
    means = 100 * groups[list(RATES)].mean()
    return means.rename(columns=RATES).assign(seeds=groups.size())


def table(record, scored="strangers"):
    """A DataFrame of all cells but those of the tuning: what was varied, and rates in [0, 1].

    Cells that did not measure what ``scored``, one of ``SCORED``, names are left out.
    """
    lines, (measured, _) = [], SCORED[scored]
    for cell in record["cells"].values():
        if cell["tuning"] or measured not in cell:
            continue
        line = {key: cell[key] for key in (*VARIED, "train_accuracy")}
        for name in RATES:
            triple = cell[measured][name]
            line[name] = np.nan if triple is None else triple[0]
        lines.append(line)
    return pd.DataFrame(lines)


def usual(lines):
    """Those lines of a table of this module that have all typefaces and the usual steps."""
    return lines[lines.typefaces.isna() & lines.steps.eq(STEPS)]


def ratio(arrays, without, with_margin, measure="EER", scored="strangers", seed=0):
    """(ratio, low, high): an error rate of some cells over that of others; below 1 they are better.

    ``without`` and ``with_margin`` are lists of cells that differ in their training seeds alone.
    The interval (95 %) resamples identities, the same ones for both, and training seeds. A seed
    decides the first weights and the batches of both, so those of the same seeds are drawn
    together; lists of other seeds are drawn each on its own. ``measure`` is one of ``MEASURES``,
    ``scored`` one of ``SCORED``. All three are NaN if ``without`` makes no error on some
    resample, or the measure is undefined.
    """
    random = np.random.default_rng(seed)
    paired = [cell.seed for cell in without] == [cell.seed for cell in with_margin]
    drawn = None
    (_, prefix), column = SCORED[scored], MEASURES[measure]
    means, resampled_means = [], []
    for cells in (without, with_margin):
        estimates = np.array([arrays[cell.name][prefix + "estimate"][column] for cell in cells])
        resampled = np.array([arrays[cell.name][prefix + "resampled"][:, column] for cell in cells])
        if measure != "EER":
            estimates, resampled = 1 - estimates, 1 - resampled
        if drawn is None or not paired:
            drawn = random.integers(0, len(cells), resampled.shape)
        means.append(estimates.mean())
        resampled_means.append(np.take_along_axis(resampled, drawn, axis=0).mean(axis=0))
    if means[0] == 0 or not resampled_means[0].all():
        return (np.nan, np.nan, np.nan)
    low, high = percentile_interval(resampled_means[1] / resampled_means[0])
    return float(means[1] / means[0]), float(low), float(high)


def ratios(record, arrays, baseline, scored="strangers"):
    """A DataFrame of :func:`ratio` to the row ``baseline``, for every other row and measure.

    A line is one row with one number of classes, typefaces and steps, over the seeds of each.
    Trainings that did not measure what ``scored`` names are left out.
    """
    groups = {}
    for saved in record["cells"].values():
        cell = Cell(*(saved[field] for field in Cell._fields))
        if not cell.tuning and SCORED[scored][0] in saved:
            groups.setdefault(cell[:4], []).append(cell)
    lines = []
    for (row, *setting), cells in groups.items():
        without = groups.get((baseline, *setting))
        if row == baseline or without is None:
            continue
        for measure in MEASURES:
            values = ratio(arrays, without, cells, measure, scored)
            lines.append((row, *setting, measure, *values))
    columns = ["row", "classes", "typefaces", "steps", "measure", "ratio", "low", "high"]
    return pd.DataFrame(lines, columns=columns)

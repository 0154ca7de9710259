"""Results: saved trainings on full data, one JSON file per run, and the tables made from them.

``measure`` makes the record of one training; ``load`` reads a folder of such files; ``table`` gives
one line per row of the results, with mean and interval over seeds. No number of the results page
has another source.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.metrics.scores import ANGLES, score
from lossbook.utils.records import FOLDER, FORMAT, read
from lossbook.utils.validation import require

__all__ = ["REPORTED", "measure", "load", "table", "with_units", "prediction_half_width"]

# Train and test accuracy of the presets as their source prints them (NaN: it prints NaN; None: it
# leaves the row blank). MNIST, 2-D: niyunsheng/Visualization-of-Face-Losses.
REPORTED = {
    "softmax": (0.9334, 0.9465),
    "L-softmax_v1": (0.9379, 0.9292),
    "A-softmax_v1": (0.9412, 0.9407),
    "A-softmax_v2": None,
    "norm-softmax": (0.9165, 0.9237),
    "CosFace_v1": (0.9552, 0.9632),
    "CosFace_v2": None,
    "ArcFace_v1": (math.nan, math.nan),
    "ArcFace_v2": (math.nan, math.nan),
    "ArcFace_v3": (math.nan, math.nan),
}
REPORTED_SETTING = ("mnist", 10, 2)  # data set, classes, dimensions


def measure(backbone, head, dataset, run, row):
    """The record of one finished training, a dict that JSON can hold.

    Accuracies are fractions over *all* images of a half, without margin; angles are in radians.
    ``row`` is the row's name, see :mod:`lossbook.experiments.rows`.
    """
    return {
        "format": FORMAT,
        "row": row,
        "loss": run.name,
        "classes": len(dataset.classes),
        "embedding_dim": head.embedding_dim,
        **run.config,
        "train": score(backbone, head, dataset.train),
        "test": score(backbone, head, dataset.test),
        "history": {column: run.history[column].tolist() for column in run.history},
        "seconds": float(run.history.seconds.sum()),
    }


def load(folder=None, setting=None):
    """All records in ``folder`` (default ``FOLDER``), or those of one setting, e.g. ``"mnist-2d"``.

    Raises ``FileNotFoundError`` if there are none, :class:`lossbook.utils.records.ResultError`
    naming a file that is damaged or of another format.
    """
    folder = Path(folder or FOLDER) / (setting or "")
    pattern = "*-seed*.json" if setting else "*/*-seed*.json"
    records = [read(path) for path in sorted(folder.glob(pattern))]
    if not records:
        raise FileNotFoundError(f"no results in {folder}: make some with lossbook reproduce")
    return records


def prediction_half_width(accuracies, images):
    """Half the width of the 95 % interval for one more run's accuracy, as a fraction.

    Two things vary: the seed (Student's prediction interval, from two runs on) and which images
    a test set of this size happens to hold (the binomial deviation of a difference of two runs).
    The result is the larger of the two; for one run it is the second.
    """
    mean, n = float(np.mean(accuracies)), len(accuracies)
    over_images = 1.96 * math.sqrt(2 * mean * (1 - mean) / images)
    if n < 2:
        return over_images
    deviation = float(np.std(accuracies, ddof=1))
    over_seeds = _student_quantile(n) * deviation * math.sqrt(1 + 1 / n)
    return max(over_images, over_seeds)


def table(records):
    """A DataFrame with one line per row of the results, indexed by row name in the records' order.

    Accuracies are fractions, angles radians. Raises ``ValueError`` for records of more than one
    setting. The columns are

    ``loss``, ``seeds``, ``epochs``
        ``epochs`` of one training.
    ``train``, ``test``, ``test_by_angle``
        Accuracies, means over seeds.
    ``test_interval``
        Half the width of Student's 95 % interval for the mean; NaN for one seed.
    ``source_test``, ``difference``
        The test accuracy as the source prints it for MNIST in 2-D, NaN elsewhere, and ``test``
        minus it.
    angles
        Those that :func:`lossbook.metrics.scores.score` measures on the test half, medians over
        seeds.
    """
    settings = sorted({_setting(record) for record in records})
    require(
        len(settings) == 1,
        f"records of {len(settings)} settings (data set, classes, dimensions), {settings}: "
        "expected one; give load a setting",
    )
    runs = pd.DataFrame([_flat(record) for record in records])
    by_row = runs.groupby("row", sort=False)
    means = by_row[["train", "test", "test_by_angle"]].mean()
    seeds = by_row.size()
    reported = REPORTED if settings[0] == REPORTED_SETTING else {}
    source_test = [(reported.get(row) or (math.nan, math.nan))[1] for row in means.index]
    table = pd.DataFrame(
        {
            "loss": by_row["loss"].first(),
            "seeds": seeds,
            "epochs": by_row["epochs"].first(),
            "train": means["train"],
            "test": means["test"],
            # NaN for one seed: its deviation is.
            "test_interval": seeds.map(_student_quantile) * by_row["test"].std() / np.sqrt(seeds),
            "test_by_angle": means["test_by_angle"],
            "source_test": source_test,
            "difference": means["test"] - source_test,
        }
    )
    angles = [name for name in ANGLES if name in runs]
    return table.join(by_row[angles].median()).rename_axis(None)


def with_units(table, *columns):
    """``columns`` of :func:`table` for a reader, with their units in the headings.

    Accuracies are in percent, angles in degrees.
    """
    shown = {}
    for column in columns:
        name = column.replace("_", " ")
        if column in ANGLES:
            shown[f"{name} (°)"] = np.degrees(table[column]).round(1)
        elif table[column].dtype == float:
            shown[f"{name} (%)"] = (100 * table[column]).round(2)
        else:
            shown[name] = table[column]
    return pd.DataFrame(shown)


def _setting(record):
    return record["dataset"], record["classes"], record["embedding_dim"]


def _flat(record):
    """What the table needs of one record."""
    test = record["test"]
    return {
        "row": record["row"],
        "loss": record["loss"],
        "epochs": record["recipe"]["epochs"],
        "train": record["train"]["accuracy"],
        "test": test["accuracy"],
        "test_by_angle": test["accuracy_by_angle"],
        **{name: test[name] for name in ANGLES if name in test},
    }


def _student_quantile(n):
    """The 97.5 % quantile of Student's distribution for n runs."""
    from scipy import stats  # slow to import, and needed by no other command

    return stats.t.ppf(0.975, n - 1)

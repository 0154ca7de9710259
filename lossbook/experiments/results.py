"""Results: saved trainings on full data, one JSON file a run, and the tables read from them.

``measure`` writes down what a training came to; ``load`` reads a folder of such files; ``table``
gives one line a row, with mean and interval over seeds. No number of the results page has
another source.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lossbook.metrics.scores import ANGLES, score
from lossbook.utils.records import FOLDER, FORMAT, read
from lossbook.utils.validation import require

__all__ = ["REPORTED", "measure", "load", "table", "readable", "prediction_half_width"]

# Train and test accuracy of the presets as their source prints them (NaN: it says NaN; None: it leaves the row
# blank). MNIST, 2-D: niyunsheng/Visualization-of-Face-Losses.
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


def measure(backbone, head, dataset, run, row):
    """What one finished training came to, as a dict that JSON can hold.

    Accuracies are fractions over *all* images of a half, without margin; angles are in radians.
    ``row`` is the row's name, see ``lossbook.experiments.rows``.
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

    Raises ``FileNotFoundError`` if there are none, :class:`ResultError` naming the file that is
    damaged or of another format.
    """
    folder = Path(folder or FOLDER) / (setting or "")
    records = [
        read(path) for path in sorted(folder.glob("*-seed*.json" if setting else "*/*-seed*.json"))
    ]
    if not records:
        raise FileNotFoundError(
            f"no results in {folder}: make some with python -m lossbook reproduce"
        )
    return records


def prediction_half_width(accuracies, images):
    """Half the width of the 95 % interval for one more run's accuracy, as a fraction.

    Two things vary: the seed (Student's prediction interval, from two runs on) and which images
    a test set of this size happens to hold (the binomial deviation of a difference of two runs).
    The larger of the two counts; with one run the second alone is known.
    """
    mean, n = float(np.mean(accuracies)), len(accuracies)
    binomial = 1.96 * math.sqrt(2 * mean * (1 - mean) / images)
    if n < 2:
        return binomial
    return max(
        binomial,
        stats.t.ppf(0.975, n - 1) * float(np.std(accuracies, ddof=1)) * math.sqrt(1 + 1 / n),
    )


def table(records):
    """One line a row of the results: seeds, mean test and train accuracy, its 95 % interval over seeds.

    A DataFrame indexed by row name, in the order of the records: ``loss``, ``seeds``, ``epochs``
    (of one training), ``train``, ``test``, ``test_interval`` (half the width of Student's interval
    for the mean; NaN for one seed), ``test_by_angle``, ``source_test`` (as the source prints
    it for MNIST in 2-D; NaN elsewhere), ``difference``, and the medians over seeds of the angles that :func:`score` measures on the
    test half. Accuracies are fractions, angles radians. Raises ``ValueError`` for records of more than one setting.
    """
    settings = sorted(
        {(record["dataset"], record["classes"], record["embedding_dim"]) for record in records}
    )
    require(
        len(settings) == 1,
        f"records of {len(settings)} settings (data set, classes, dimensions), {settings}: "
        "a table is of one; give load a setting",
    )
    lines = {}
    for row in dict.fromkeys(record["row"] for record in records):
        mine = [record for record in records if record["row"] == row]
        test, n = np.array([record["test"]["accuracy"] for record in mine]), len(mine)
        half = stats.t.ppf(0.975, n - 1) * test.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
        as_in_source = (mine[0]["dataset"], mine[0]["classes"], mine[0]["embedding_dim"]) == (
            "mnist",
            10,
            2,
        )
        reported = (REPORTED.get(row) if as_in_source else None) or (math.nan, math.nan)
        lines[row] = {
            "loss": mine[0]["loss"],
            "seeds": n,
            "epochs": mine[0]["recipe"]["epochs"],
            "train": float(np.mean([r["train"]["accuracy"] for r in mine])),
            "test": float(test.mean()),
            "test_interval": float(half),
            "test_by_angle": float(np.mean([r["test"]["accuracy_by_angle"] for r in mine])),
            "source_test": reported[1],
            "difference": float(test.mean()) - reported[1],
            **{
                key: float(np.median([r["test"][key] for r in mine]))
                for key in ANGLES
                if key in mine[0]["test"]
            },
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def readable(table, *columns):
    """``columns`` of :func:`table` for a reader: accuracies in percent, angles in degrees, units in the headings."""
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

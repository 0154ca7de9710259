"""Results: saved trainings on full data, one JSON file per run, and the tables made from them.

``measure`` makes the record of one training; ``load`` reads a folder of such files; ``table`` gives
one line per row of the results and ``differences`` one line per pair of rows, with mean and
interval over seeds. No number of the results page has another source.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.metrics.scores import ANGLES, score
from lossbook.utils.records import FOLDER, FORMAT, read
from lossbook.utils.validation import require

__all__ = [
    "REPORTED",
    "as_reported",
    "measure",
    "load",
    "table",
    "differences",
    "half_width_of_mean",
    "with_units",
    "prediction_half_width",
]

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


def as_reported(row):
    """Train and test accuracy (%) of a preset as its source prints them, as text.

    >>> as_reported("softmax"), as_reported("ArcFace_v1"), as_reported("CosFace_v2")
    ('93.34 / 94.65', 'prints NaN', 'blank')

    Raises ``KeyError`` for a row that the source does not have.
    """
    accuracies = REPORTED[row]
    if accuracies is None:
        return "blank"
    if math.isnan(accuracies[0]):
        return "prints NaN"
    return " / ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)


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
    over_seeds = half_width_of_mean(accuracies) * math.sqrt(n + 1)
    return max(over_images, over_seeds)


def half_width_of_mean(values):
    """Half the width of Student's 95 % interval for the mean of ``values``; NaN for one value."""
    from scipy import stats  # slow to import, and needed by no other command

    n = len(values)
    if n < 2:
        return math.nan
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))


def table(records):
    """A DataFrame with one line per row of the results, indexed by row name in the records' order.

    Accuracies are fractions, angles radians. The columns are

    ``loss``, ``seeds``, ``epochs``
        ``epochs`` of one training.
    ``train``, ``test``, ``test_by_angle``
        Accuracies, means over seeds.
    angles
        Those that :func:`lossbook.metrics.scores.score` measures on the test half, means over
        seeds.
    ``train_interval``, ``test_interval``, …
        For each of these means, half the width of Student's 95 % interval over seeds; NaN for one
        seed.
    ``source_test``, ``difference``
        The test accuracy as the source prints it for MNIST in 2-D, NaN elsewhere, and ``test``
        minus it.

    Raises
    ------
    ValueError
        For records of more than one setting, or if the seeds of a row were trained differently.
    """
    settings = sorted({_setting(record) for record in records})
    require(
        len(settings) == 1,
        f"records of {len(settings)} settings (data set, classes, dimensions), {settings}: "
        "expected one; give load a setting",
    )
    for row in dict.fromkeys(record["row"] for record in records):
        _check_equal_training([record for record in records if record["row"] == row])
    runs = pd.DataFrame([_flat(record) for record in records])
    by_row = runs.groupby("row", sort=False)
    described = by_row.agg(
        loss=("loss", "first"), seeds=("seed", "size"), epochs=("epochs", "first")
    )
    table = described.join(_means_with_intervals(by_row, ["train", *_measures_in(runs)]))
    reported = REPORTED if settings[0] == REPORTED_SETTING else {}
    table["source_test"] = [(reported.get(row) or (math.nan, math.nan))[1] for row in table.index]
    table["difference"] = table["test"] - table["source_test"]
    return table.rename_axis(None)


def differences(records, pairs):
    """What changes from one row to another, seed by seed: a DataFrame with one line per pair.

    Two trainings with the same seed start from the same backbone and see the same images in the
    same order: what the seed does to both of them cancels in their difference.

    Parameters
    ----------
    records : list of dict
    pairs : dict, row → row that is subtracted from it

    Returns
    -------
    DataFrame
        Indexed by the first row of each pair. ``minus`` is the second row, ``seeds`` counts the
        seeds that both have. ``test`` and ``test_by_angle`` (fractions) and the angles (radians)
        are means over these seeds of first minus second; ``test_interval`` and so on are half the
        width of Student's 95 % interval for them, NaN for one seed.

    Raises
    ------
    ValueError
        If the two rows of a pair were trained differently, or share no seed.
    """
    lines = []
    for row, reference in pairs.items():
        compared = [record for record in records if record["row"] in (row, reference)]
        _check_equal_training(compared)
        runs = pd.DataFrame([_flat(record) for record in compared])
        measures = _measures_in(runs)
        by_seed = runs.pivot(index="seed", columns="row", values=measures).dropna()
        require(
            {row, reference} <= set(runs["row"]) and len(by_seed) > 0,
            f"no seed for which both {row} and {reference} are among the records: "
            "train them with the same seeds",
        )
        changes = by_seed.xs(row, axis=1, level="row") - by_seed.xs(reference, axis=1, level="row")
        line = _means_with_intervals(changes.groupby([row] * len(changes)), measures)
        line.insert(0, "minus", reference)
        line.insert(1, "seeds", len(changes))
        lines.append(line)
    return pd.concat(lines).rename_axis(None)


def with_units(table, *columns):
    """``columns`` of :func:`table` or :func:`differences` for a reader, as text.

    The units are in the headings: percent for accuracies, points (of a hundred) for their
    differences, degrees for angles. A mean that has an interval is shown with half its width,
    ``98.62 ± 0.12``, and a missing number as –.

    >>> with_units(pd.DataFrame({"test": [0.9862], "test_interval": [0.0012]}), "test")
           test (%)
    0  98.62 ± 0.12
    """
    shown = {}
    for column in columns:
        name = column.replace("_", " ")
        if table[column].dtype != float:
            shown[name] = table[column]
            continue
        signed = "minus" in table or column == "difference"
        if column in ANGLES:
            unit, factor, digits = "°", math.degrees(1), 2 if signed else 1
        else:
            unit, factor, digits = "points" if signed else "%", 100, 2
        halves = table.get(f"{column}_interval", pd.Series(math.nan, table.index))
        shown[f"{name} ({unit})"] = [
            _as_text(factor * mean, factor * half, digits, "+" if signed else "")
            for mean, half in zip(table[column], halves)
        ]
    return pd.DataFrame(shown, index=table.index)


def _as_text(mean, half_width, digits, sign):
    if math.isnan(mean):
        return "–"
    spread = "" if math.isnan(half_width) else f" ± {half_width:.{digits}f}"
    return f"{mean:{sign}.{digits}f}{spread}".replace("-", "−")


def _setting(record):
    return record["dataset"], record["classes"], record["embedding_dim"]


def _check_equal_training(records):
    """Raise ``ValueError`` if records differ in network, recipe or precision."""
    for key in ("backbone", "weights", "recipe", "precision"):
        values = {str(record.get(key)): record["row"] for record in records}
        require(
            len(values) <= 1,
            f"trained differently, {key}: "
            + ", ".join(f"{value} ({row})" for value, row in values.items())
            + "; a mean or a difference needs equal training",
        )


def _flat(record):
    """What the tables need of one record."""
    test = record["test"]
    return {
        "row": record["row"],
        "seed": record["seed"],
        "loss": record["loss"],
        "epochs": record.get("recipe", {}).get("epochs"),
        "train": record["train"]["accuracy"],
        "test": test["accuracy"],
        "test_by_angle": test["accuracy_by_angle"],
        **{name: test[name] for name in ANGLES if name in test},
    }


def _measures_in(runs):
    """The columns that were measured on the test half."""
    return ["test", "test_by_angle", *(name for name in ANGLES if name in runs)]


def _means_with_intervals(groups, columns):
    """A DataFrame of means over each group, and half the widths of their 95 % intervals."""
    half_widths = groups[columns].agg(half_width_of_mean)
    return groups[columns].mean().join(half_widths.add_suffix("_interval"))

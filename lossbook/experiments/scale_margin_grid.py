"""Sweep: one training for every pair of a scale and a margin, kept in one JSON file."""

import itertools
from pathlib import Path

from tqdm.auto import tqdm

from lossbook.data.dataset import checksums
from lossbook.experiments.reproduce import train_row
from lossbook.utils import records
from lossbook.utils.records import FORMAT
from lossbook.utils.validation import require

__all__ = ["SCALES", "MARGINS", "sweep"]

SCALES = (1, 2, 4, 8, 16, 32, 64)
MARGINS = {
    "CosFace": (0, 0.1, 0.2, 0.35, 0.5, 0.8),  # as cosines; 0 is norm-softmax in both
    "ArcFace": (0, 0.1, 0.3, 0.5, 0.7, 1.0),
}  # in radians


def sweep(
    loss, dataset, backbone, path, *, scales=None, margins=None, seed=0, made_by=None, **options
):
    """Train ``loss`` in the plane once a cell of scales × margins; the record, saved after every cell.

    Parameters
    ----------
    loss : "CosFace" or "ArcFace"
    dataset, backbone : as for :func:`lossbook.experiments.reproduce.reproduce`
    path : path
        The JSON file. Cells that it holds already are not trained again.
    scales, margins : sequences of numbers
        Default ``SCALES`` and the loss's ``MARGINS``.
    **options
        For :func:`lossbook.training.fit`.

    Returns
    -------
    dict
        What was trained, and ``cells``, a list of dicts with ``scale``, ``margin`` and everything
        that :func:`lossbook.experiments.results.measure` says of the test half.

    Raises
    ------
    ValueError
        If ``loss`` is another, or ``path`` holds a sweep of another loss, other images or another recipe.
    """
    require(loss in MARGINS, f"loss = {loss!r}: expected one of {', '.join(MARGINS)}")
    path, scales = Path(path), SCALES if scales is None else scales
    margins = MARGINS[loss] if margins is None else margins
    about = {
        "format": FORMAT,
        "loss": loss,
        "dataset": dataset.name,
        "classes": len(dataset.classes),
        "embedding_dim": 2,
        "seed": seed,
        "data_sha256": checksums(dataset),
        "asked": {key: value for key, value in options.items() if key != "device"},
    }
    record = {**about, "made_by": made_by or {}, "cells": []}
    if path.exists():
        record = records.read(path)
        for key, value in about.items():
            if record[key] != value:
                raise ValueError(
                    f"{path} holds a sweep whose {key} is {record[key]!r}, this one's is {value!r}: "
                    "give another file, or delete that one to start afresh"
                )
    done = {(cell["scale"], cell["margin"]) for cell in record["cells"]}
    waiting = [cell for cell in itertools.product(scales, margins) if cell not in done]
    for scale, margin in tqdm(waiting, desc=f"{loss}, s × m", unit="training"):
        name = f"{loss}_s{scale:g}_m{margin:g}"
        _, measured = train_row(name, dataset, backbone, seed=seed, progress=False, **options)
        record.update(
            {
                key: measured[key]
                for key in ("recipe", "precision", "device", "versions", "backbone")
            }
        )
        record["cells"].append({"scale": scale, "margin": margin, "row": name, **measured["test"]})
        records.save(record, path)
    return record

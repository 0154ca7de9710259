"""Experiments of many trainings: each one done once, kept in one JSON and one NPZ file, gone on with after a stop."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lossbook.utils import records
from lossbook.utils.files import write_atomically
from lossbook.utils.records import FORMAT, ResultError
from lossbook.utils.validation import require

__all__ = ["run", "load"]


def run(cells, measured, folder, about, made_by=None):
    """Measure every cell that ``folder`` does not hold yet; (record, arrays), as :func:`load` gives them.

    Parameters
    ----------
    cells : list of named tuples, each with a ``name`` that no other has
    measured : callable, cell → (dict that JSON can hold, dict of arrays)
    folder : path
        ``record.json`` and ``record.npz`` in it are written anew, whole, after every cell; an experiment without
        any array has no ``record.npz``, and its record says so.
    about : dict that JSON can hold
        What the cells have in common: data, recipe.

    Raises
    ------
    ValueError
        If the folder holds an experiment about something else.
    """
    folder, about = (
        Path(folder),
        json.loads(json.dumps({"format": FORMAT, **about})),
    )  # as the file will say it
    record, arrays = {**about, "made_by": made_by or {}, "arrays": False, "cells": {}}, {}
    if (folder / "record.json").exists():
        record, arrays = load(folder)
        for key, value in about.items():
            require(
                record[key] == value,
                f"{folder} holds an experiment whose {key} is {record[key]!r}, this one's is "
                f"{value!r}: give another folder, or delete that one to start afresh",
            )
    for cell in tqdm(
        [cell for cell in cells if cell.name not in record["cells"]],
        desc=folder.name,
        unit="training",
    ):
        record["cells"][cell.name], arrays[cell.name] = measured(cell)
        record["arrays"] = record["arrays"] or bool(arrays[cell.name])
        if record["arrays"]:
            packed = io.BytesIO()
            np.savez_compressed(
                packed,
                **{
                    f"{name}/{key}": value
                    for name, own in arrays.items()
                    for key, value in own.items()
                },
            )
            write_atomically(folder / "record.npz", lambda file: file.write(packed.getvalue()))
        records.save(
            record, folder / "record.json"
        )  # last: what it names is in the other file by now
    return load(folder)


def load(folder):
    """(record, arrays) of a saved experiment: ``record["cells"][name]`` and ``arrays[name]`` are dicts.

    Raises ``FileNotFoundError`` if there is none, :class:`lossbook.utils.records.ResultError` if it is damaged.
    """
    folder = Path(folder)
    if not (folder / "record.json").exists():
        raise FileNotFoundError(
            f"no experiment in {folder}: make it with python -m lossbook {folder.name}"
        )
    record = records.read(folder / "record.json")
    arrays = {name: {} for name in record["cells"]}
    if not record["arrays"]:
        return record, arrays
    if not (folder / "record.npz").exists():
        raise ResultError(
            f"{folder} has lost its record.npz, the arrays of {len(arrays)} cells: restore it, "
            f"or delete the folder and make it again with python -m lossbook {folder.name}"
        )
    try:
        with np.load(folder / "record.npz") as packed:
            for key in packed.files:
                name, _, what = key.rpartition("/")
                if name in arrays:
                    arrays[name][what] = packed[key]
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ResultError(
            f"{folder / 'record.npz'} is damaged ({error}): restore it, or delete the folder and "
            f"make it again with python -m lossbook {folder.name}"
        ) from error
    return record, arrays

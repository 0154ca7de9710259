"""Experiments of many trainings: every cell is measured once, and a stopped experiment resumes.

An experiment is a folder: ``record.json`` holds what its cells have in common and the numbers of
each cell; ``record.npz`` holds their arrays.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from lossbook.utils import records
from lossbook.utils.files import write_atomically
from lossbook.utils.progress import progress_bar
from lossbook.utils.records import FORMAT, ResultError, command_for
from lossbook.utils.validation import require

__all__ = ["run", "load"]


def run(cells, measure, folder, settings, made_by=None):
    """Measure every cell that ``folder`` does not hold yet.

    Parameters
    ----------
    cells : list of named tuples
        Each has a ``name`` that no other cell has.
    measure : callable, cell → (dict that JSON can hold, dict of arrays)
    folder : path
        Its two files are rewritten, whole, after every cell. An experiment without arrays has no
        ``record.npz``, and its record has ``"arrays": false``.
    settings : dict that JSON can hold
        What all cells have in common: data, recipe.
    made_by : dict, optional
        Written into a new record, e.g. the command.

    Returns
    -------
    (record, arrays), as :func:`load` returns them.

    Raises
    ------
    ValueError
        If the folder holds an experiment with other settings.
    """
    folder = Path(folder)
    # Tuples become lists, as in the file, so that the two can be compared.
    settings = json.loads(json.dumps({"format": FORMAT, **settings}))
    record, arrays = {**settings, "made_by": made_by or {}, "arrays": False, "cells": {}}, {}
    if (folder / "record.json").exists():
        record, arrays = load(folder)
        _check_same_settings(folder, record, settings)
    waiting = [cell for cell in cells if cell.name not in record["cells"]]
    for cell in progress_bar(waiting, desc=folder.name, unit="training"):
        record["cells"][cell.name], arrays[cell.name] = measure(cell)
        record["arrays"] = record["arrays"] or bool(arrays[cell.name])
        if record["arrays"]:
            _save_arrays(arrays, folder / "record.npz")
        # The record comes last: the arrays of the cells that it names are in the other file by now.
        records.save(record, folder / "record.json")
    return load(folder)


def load(folder):
    """Load a saved experiment.

    Parameters
    ----------
    folder : path

    Returns
    -------
    (record, arrays)
        ``record["cells"][name]`` and ``arrays[name]`` are dicts.

    Raises
    ------
    FileNotFoundError
        If there is no experiment in the folder.
    lossbook.utils.records.ResultError
        If it is damaged.
    """
    folder = Path(folder)
    record = records.read(folder / "record.json")
    arrays = {name: {} for name in record["cells"]}
    if not record["arrays"]:
        return record, arrays
    command = command_for(folder / "record.json")
    if not (folder / "record.npz").exists():
        raise ResultError(
            f"{folder} has lost its record.npz, the arrays of {len(arrays)} cells: restore it, "
            f"or delete the folder and make it again with {command}"
        )
    try:
        with np.load(folder / "record.npz") as file:
            for key in file.files:
                name, _, array_name = key.rpartition("/")
                if name in arrays:
                    arrays[name][array_name] = file[key]
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ResultError(
            f"{folder / 'record.npz'} is damaged ({error}): restore it, or delete the folder and "
            f"make it again with {command}"
        ) from error
    return record, arrays


def _check_same_settings(folder, record, settings):
    for key, value in settings.items():
        require(
            record[key] == value,
            f"{folder} holds an experiment whose {key} is {record[key]!r}, expected {value!r}: "
            "give another folder, or delete that one to start afresh",
        )


def _save_arrays(arrays, path):
    flat = {
        f"{name}/{array_name}": array
        for name, cell_arrays in arrays.items()
        for array_name, array in cell_arrays.items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **flat)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))

"""Experiments of many trainings: every cell is measured once, and a stopped experiment resumes.

An experiment is a folder: ``record.json`` holds what its cells have in common and the numbers of
each cell; ``record.npz`` holds their arrays. Several processes may work on one folder: each takes
cells that no other process is measuring.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from lossbook.data.dataset import checksums
from lossbook.utils import records
from lossbook.utils.files import write_atomically
from lossbook.utils.progress import progress_bar
from lossbook.utils.records import FORMAT, ResultError, command_for
from lossbook.utils.validation import require

__all__ = ["run", "load", "settings_on"]


def settings_on(dataset, recipe, embedding_dim):
    """The settings of an experiment that trains on one data set: its images, recipe, dimension."""
    return {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "asked": recipe,
        "embedding_dim": embedding_dim,
    }


def run(cells, measure, folder, settings, made_by=None, report=None):
    """Measure every cell that ``folder`` does not hold yet.

    A cell that another process is measuring is left to it, and waited for at the end.

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
    report : callable, optional
        Called with each cell that this process has measured, and its dict.

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
    new = {**settings, "made_by": made_by or {}, "arrays": False, "cells": {}}
    record, _ = _load_or_new(folder, new)
    _check_same_settings(folder, record, settings)
    waiting = [cell for cell in cells if cell.name not in record["cells"]]
    taken = []  # by another process, which may still stop before it has measured them
    with progress_bar(total=len(waiting), desc=folder.name, unit="training") as bar:
        for cells_to_try, patience in ((waiting, 0), (taken, -1)):
            for cell in cells_to_try:
                try:
                    with _lock(folder, cell.name).acquire(timeout=patience):
                        _measure_once(cell, measure, folder, new, report)
                except Timeout:
                    taken.append(cell)
                else:
                    bar.update()
    return load(folder)


def _measure_once(cell, measure, folder, new, report):
    """Measure and save a cell, unless another process has done so since."""
    if cell.name in _load_or_new(folder, new)[0]["cells"]:
        return
    numbers, cell_arrays = measure(cell)
    with _lock(folder, "the record"):
        record, arrays = _load_or_new(folder, new)
        record["cells"][cell.name], arrays[cell.name] = numbers, cell_arrays
        record["arrays"] = record["arrays"] or bool(cell_arrays)
        if record["arrays"]:
            _save_arrays(arrays, folder / "record.npz")
        # The record comes last: the arrays of the cells that it names are in the other file by now.
        records.save(record, folder / "record.json")
    if report is not None:
        report(cell, numbers)


def _load_or_new(folder, new):
    """(record, arrays) of the folder, those of an experiment without cells if it holds none."""
    if (folder / "record.json").exists():
        return load(folder)
    return {**new, "cells": {}}, {}


def _lock(folder, name):
    """A lock between processes, which the system releases when a process ends.

    Its file lies outside of the folder, so that nothing but the record is left there.
    """
    key = hashlib.sha256(f"{folder.resolve()}\0{name}".encode()).hexdigest()[:24]
    return FileLock(Path(tempfile.gettempdir()) / f"lossbook-{key}.lock")


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

"""Saved results: where they lie, and how a JSON record is written and read.

A record is a dict with a key ``"format"``. Records lie by kind in one folder: trainings in a folder
for each setting (``mnist-2d/softmax-seed0.json``), ``benchmarks/``, and an experiment of many
trainings in a folder of its own (``strangers/record.json``, ``maps/LOSS-SETTING/record.json``).
"""

import json
from pathlib import Path

from lossbook.utils.files import write_atomically
from lossbook.utils.validation import require

__all__ = [
    "FOLDER",
    "FORMAT",
    "REPOSITORY_FOLDER",
    "ResultError",
    "command_for",
    "load_benchmark",
    "read",
    "save",
]

FORMAT = 1  # written into every record; a record of another format is refused

# Where commands write by default: in the repository, seen from its root, never into an installed
# package.
REPOSITORY_FOLDER = Path("book/results")

# Where the book's own results are read from: beside the installed package, or in the repository.
_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "saved"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / REPOSITORY_FOLDER

# Benchmarks that are not made by "lossbook benchmark" and the first part of their name.
_BENCHMARK_COMMANDS = {
    "book": "make time",
    "heads64": "lossbook benchmark heads --batch 64",
    "heads1024": "lossbook benchmark heads --batch 1024",
    "million": "lossbook benchmark heads --classes 1000000 --without-times --only "
    "'linear + cross-entropy' ArcFace 'ArcFace in chunks' "
    f"--out {REPOSITORY_FOLDER.as_posix()}/benchmarks/million-cpu.json",
}


class ResultError(ValueError):
    """A saved result that is damaged, incomplete or of another format."""


def save(record, path):
    """Write a record to ``path``, whole or not at all; folders that are missing are made.

    Raises ``ValueError`` for a number that is not finite, which JSON cannot hold, and ``OSError``
    if the file cannot be written.
    """
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read(path):
    """The record in ``path``.

    Raises ``FileNotFoundError`` if there is no such file, and :class:`ResultError` if it is damaged
    or of another format; both name the command that makes it.
    """
    path = Path(path)
    require(
        path.exists(),
        f"there is no result {path}: make it with {command_for(path)}",
        FileNotFoundError,
    )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record_format = record["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path} is not a result or is damaged ({error!r}): delete it and make it again with "
            f"{command_for(path)}"
        ) from error
    require(
        record_format == FORMAT,
        f"{path} is a result of format {record_format!r}, but this version of lossbook reads "
        f"format {FORMAT}: make it again with {command_for(path)}",
        ResultError,
    )
    return record


def load_benchmark(name):
    """The book's saved benchmark ``name``, such as ``"heads-cpu"``; errors as in ``read``."""
    return read(FOLDER / "benchmarks" / f"{name}.json")


def command_for(path):
    """The command that makes the record at ``path``, by the names of its file and folder."""
    path = Path(path)
    folder = path.parent.name
    if folder == "benchmarks":
        kind = path.stem.partition("-")[0]
        return _BENCHMARK_COMMANDS.get(kind, f"lossbook benchmark {kind}")
    if path.name == "full-profile.json":
        return "make full"
    if path.parent.parent.name == "maps":
        return f"lossbook map {folder.partition('-')[0]}"
    if path.name == "record.json":
        return f"lossbook {folder}"
    return f"lossbook reproduce {path.stem.partition('-seed')[0]}"

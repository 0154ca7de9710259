"""Saved results: where they lie, and how a JSON record is written and read."""

import json
from pathlib import Path

from lossbook.utils.files import write_atomically
from lossbook.utils.validation import require

__all__ = ["FOLDER", "ResultError", "save", "read", "load_benchmark"]

# The saved runs: installed beside the package, or in the repository's book/.
_INSTALLED = Path(__file__).parents[1] / "saved"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "book" / "results"
FORMAT = 1


class ResultError(ValueError):
    """A result file that cannot be read, or is of another format."""


def save(record, path):
    """Write a record of :func:`measure` to ``path``, whole or not at all. Raises ``OSError``."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read(path):
    """One record. Raises :class:`ResultError` if the file is damaged or of another format."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        found = record["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path} is not a result or is damaged ({error!r}): delete it and make it again "
            "with python -m lossbook reproduce"
        ) from error
    if found != FORMAT:
        raise ResultError(
            f"{path} is a result of format {found!r}, this lossbook reads format {FORMAT}: "
            "make it again with python -m lossbook reproduce"
        )
    return record


def load_benchmark(name):
    """A saved record, by its name: ``"heads-cpu"``. Raises ``FileNotFoundError`` saying how to make it."""
    path = FOLDER / "benchmarks" / f"{name}.json"
    require(
        path.exists(),
        f"no benchmark in {path}: make it with python -m lossbook benchmark {name.partition('-')[0]}",
        FileNotFoundError,
    )
    return json.loads(path.read_text(encoding="utf-8"))


REPOSITORY_FOLDER = Path(
    "book/results"
)  # in the repository; never where an installed package keeps the book's own

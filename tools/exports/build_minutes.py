"""``python -m lossbook benchmark book``: how long the book takes to build, from nothing and once more.

Each round copies the files of the repository, the ignored ones left out, to a folder of its own, and
builds the book there twice. The first build is cold: every page with code is executed. The second is warm: nothing
changed since, so no page is executed, and all of them are written anew.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from lossbook.benchmarks.timing import machine
from lossbook.utils.validation import check_int, require

__all__ = ["BUILDS", "book", "table"]

BUILDS = "cold", "warm"
LAST_LINES = 20  # of a command that failed, in its error


def book(rounds=1, root=".", made_by=None, progress=print):
    """Seconds of ``rounds`` cold and warm builds of the repository in ``root``; returns a record for JSON.

    Of each build: ``whole`` from start to end, and of that ``executing`` pages and ``writing`` HTML, as
    the build notes them in _build/seconds.json. Raises ``ValueError`` if there is no book in ``root``,
    and ``ChildProcessError`` with the end of its output if git or a build fails.
    """
    check_int("rounds", rounds)
    root = Path(root).resolve()
    require(
        (root / "tools/book/build.py").exists(),
        f"no book in {root}: run this in a clone of lossbook's repository",
    )
    record = {
        "format": 1,
        "benchmark": "book",
        "rounds": rounds,
        "machine": machine(),
        "made_by": made_by or {},
        "rows": [],
    }
    record["machine"]["cores"] = os.cpu_count()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            _copy(root, Path(folder))
            for build in BUILDS:
                row = {"build": build, **_build(Path(folder))}
                record["rows"].append(row)
                progress(
                    f"{build}: {row['whole']:.0f} s, of these {row['executing']:.0f} s executing pages"
                )
    return record


def _copy(root, folder):
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)
    for name in filter(None, listed.split("\0")):
        if (
            root / name
        ).is_file():  # one that was deleted is listed until the deletion is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)


def _build(folder):
    start = time.perf_counter()
    _run([sys.executable, "-m", "tools.book.build"], folder)
    took = time.perf_counter() - start
    return {
        "whole": took,
        **json.loads((folder / "_build/seconds.json").read_text(encoding="utf-8")),
    }


def _run(command, folder):
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    require(
        done.returncode == 0,
        f"{' '.join(command)} failed in {folder}:\n"
        + "\n".join(done.stdout.splitlines()[-LAST_LINES:]),
        ChildProcessError,
    )
    return done.stdout


def table(record):
    """A DataFrame, one row a kind of build: the medians of its seconds, ``whole``, ``executing`` and ``writing``."""
    return (
        pd.DataFrame(record["rows"])
        .groupby("build")
        .median()
        .loc[list(BUILDS), ["whole", "executing", "writing"]]
    )

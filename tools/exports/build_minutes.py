"""How long the book takes to build, from nothing and once more: ``make time``.

``python -m tools.exports.build_minutes`` saves the record ``book-cpu`` of the book's benchmarks.
Each round copies the files of the repository, except the ignored ones, to a folder of its own and
builds the book there twice. The first build is cold: every page with code is executed. The second
is warm: nothing has changed, so no page is executed, and all of them are written anew.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from lossbook import figures
from lossbook.benchmarks.timing import machine
from lossbook.utils import records
from lossbook.utils.validation import check_int, require

__all__ = ["BUILDS", "measure_builds", "table", "main"]

BUILDS = "cold", "warm"
LAST_LINES = 20  # of the output of a command that failed, in its error
RECORD = records.REPOSITORY_FOLDER / "benchmarks/book-cpu.json"


def main(arguments=None):
    """Measure, print the table, save the record and draw it beside the record."""
    if arguments is None:
        arguments = sys.argv[1:]
    parser = argparse.ArgumentParser(
        prog="python -m tools.exports.build_minutes",
        description="Measure how long the book takes to build, from nothing and once more.",
    )
    parser.add_argument("--rounds", type=int, default=1, help="of two builds each (default 1)")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=RECORD, help=f"default {RECORD}"
    )
    options = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "tools.exports.build_minutes", *arguments])
    record = measure_builds(options.rounds, made_by={"command": command})
    seconds = table(record)
    print(seconds.round().to_string())
    records.save(record, options.out)
    picture = options.out.with_suffix(".png")
    processor = f"{record['machine']['cores']} CPU cores"
    figures.build_times(seconds, f"Building the book on {processor}").savefig(picture)
    print(f"wrote {options.out} and {picture}")


def measure_builds(rounds=1, root=".", made_by=None, progress=print):
    """Seconds of ``rounds`` cold and warm builds of the repository in ``root``; a record for JSON.

    For each build ``whole`` is its time from start to end; ``executing`` pages and ``writing`` HTML
    are parts of it, read from _build/seconds.json.

    Raises ``ValueError`` if there is no book in ``root``, and ``ChildProcessError`` with the end of
    the output if git or a build fails.
    """
    check_int("rounds", rounds)
    root = Path(root).resolve()
    require(
        (root / "tools/book/build.py").exists(),
        f"no book in {root}: run this in a clone of lossbook's repository",
    )
    rows = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            _copy(root, Path(folder))
            for build in BUILDS:
                row = {"build": build, **_build(Path(folder))}
                rows.append(row)
                progress(
                    f"{build}: {row['whole']:.0f} s, {row['executing']:.0f} s of it executing pages"
                )
    return {
        "format": records.FORMAT,
        "benchmark": "book",
        "rounds": rounds,
        "machine": {**machine(), "cores": os.cpu_count()},
        "made_by": made_by or {},
        "rows": rows,
    }


def _copy(root, folder):
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # a deleted one is listed until the deletion is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)


def _build(folder):
    start = time.perf_counter()
    _run([sys.executable, "-m", "tools.book.build"], folder)
    whole = time.perf_counter() - start
    parts = json.loads((folder / "_build/seconds.json").read_text(encoding="utf-8"))
    return {"whole": whole, **parts}


def _run(command, folder):
    completed = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    require(
        completed.returncode == 0,
        f"{' '.join(command)} failed in {folder}:\n"
        + "\n".join(completed.stdout.splitlines()[-LAST_LINES:]),
        ChildProcessError,
    )
    return completed.stdout


def table(record):
    """A DataFrame with one row per kind of build: medians of its seconds.

    The columns are ``whole``, ``executing`` and ``writing``.
    """
    medians = pd.DataFrame(record["rows"]).groupby("build").median()
    return medians.loc[list(BUILDS), ["whole", "executing", "writing"]]


if __name__ == "__main__":
    main()

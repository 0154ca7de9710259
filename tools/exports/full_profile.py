"""Execute the book's pages on all of MNIST and record what passed: ``make full``.

``python -m tools.exports.full_profile`` executes every chapter and every other page with code, with
the profile fast, and keeps book/full-profile.json: for each page whether it passed, the cells that
failed and why, the seconds, the threads and the versions. A page that passed is not executed again
while its code and what it imports from the library are what they were. What it reads from
book/results is the same in every profile and does not count, and neither does what only draws. A
cell that fails stops neither its page nor the others, so that one run shows every claim that does
not hold. Failures after the first one of a page may follow from it.

MNIST is read from the folder that ``LOSSBOOK_DATA`` names, or downloaded. ``OMP_NUM_THREADS`` sets
the threads of a page; without it the pages share the cores.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from importlib.metadata import version

import pandas as pd
from myst_nb.core.read import myst_nb_reader_plugin
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from lossbook.benchmarks.timing import machine
from lossbook.training.devices import pick_device
from lossbook.utils import records
from tools.book.execute import client, code_cells, last_begun, source, with_code
from tools.toc import ROOT, pages

__all__ = ["RECORD", "PROFILE", "execute_pages", "execute_page", "load", "table", "main"]

PROFILE = "fast"
RECORD = ROOT / "book/full-profile.json"
TIMEOUT = 3600  # seconds for a cell; the longest take some minutes
DRAWING = "figures", "interactive"  # these rooms show results, and no claim depends on them
PACKAGES = "lossbook", "numpy", "pandas", "scipy"  # the machine's part names Python and torch


def main(arguments=None):
    """Execute what has to be executed, print the table; exit with 1 if a page did not pass."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.exports.full_profile",
        description="Execute the book's pages on all of MNIST and record what passed.",
    )
    parser.add_argument("--jobs", type=int, default=1, help="pages at a time (default 1)")
    parser.add_argument(
        "--chapters",
        nargs="+",
        metavar="NAME",
        help="only these, such as 05 11 faq (default: every page with code)",
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: expected at least 1")
    everything = with_code(pages())
    chosen = everything if options.chapters is None else select(options.chapters, everything)
    execute_pages(chosen, RECORD, options.jobs)
    print(table(load(RECORD), everything).to_string(index=False))
    print("next: python -m tools.exports.chapter_minutes, then make notebooks")
    if any(state(load(RECORD), page) != "passed" for page in chosen):
        sys.exit(1)


def select(names, available):
    """The pages with these names: a page's file name or the number that it begins with."""
    chosen = []
    for name in names:
        matching = [
            page for page in available if re.match(rf"{re.escape(name)}(_|$)", page.split("/")[-1])
        ]
        if not matching:
            known = ", ".join(page.split("/")[-1] for page in available)
            sys.exit(f"--chapters {name}: expected the number or the name of one of {known}")
        chosen += matching
    return chosen


def execute_pages(chosen, path, jobs=1):
    """Execute those of the pages that have not passed as they are now, ``jobs`` at a time.

    The record in ``path`` is saved after every page.
    """
    record = load(path)
    waiting = [page for page in chosen if state(record, page) != "passed"]
    print(f"Executing {len(waiting)} of {len(chosen)} pages (the others have passed)", flush=True)
    set_environment(jobs)
    pool = ProcessPoolExecutor(jobs)
    try:
        runs = {pool.submit(execute_page, page): page for page in waiting}
        for done, run in enumerate(as_completed(runs), 1):
            page, row = runs[run], run.result()
            record = load(path)  # another run may have saved other pages by now
            record["pages"][page] = row
            records.save(record, path)
            print(f"[{done}/{len(runs)}] {page}: {row['seconds']} s, ", end="")
            print("\n".join(["passed"] if row["passed"] else lines(row["failures"])), flush=True)
    finally:
        pool.shutdown(cancel_futures=True)  # what waits is not begun after an interrupt


def set_environment(jobs):
    """Set what the kernels inherit: the profile, this library and the threads of each page."""
    os.environ["LOSSBOOK_PROFILE"] = PROFILE
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([path] if path else [])])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    # Otherwise a debugger prints a remark when a kernel starts.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"


def execute_page(page, timeout=TIMEOUT):
    """The row of a page: what the record holds of one execution from its first to its last cell."""
    signature = digests(page)
    notebook = myst_nb_reader_plugin(source(page))
    start, used_before, complaint = time.perf_counter(), processor_seconds(), None
    executor = client(notebook, page, timeout, allow_errors=True)
    try:
        executor.execute()
    except (CellTimeoutError, DeadKernelError) as error:  # no later cell is executed
        complaint = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    seconds = time.perf_counter() - start
    failures = failures_of(executor, complaint)
    return {
        "passed": not failures,
        "failures": failures,
        "seconds": round(seconds),
        "processor_seconds": round(processor_seconds() - used_before, 1),
        "cells": len(code_cells(notebook)),
        "machine": {**machine(pick_device().type), "threads": int(os.environ["OMP_NUM_THREADS"])},
        "versions": {name: version(name) for name in PACKAGES},
        **signature,
    }


def processor_seconds():
    """Seconds that the processor has spent on the kernels of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def failures_of(executor, complaint):
    """A dict for every cell that failed.

    ``complaint`` is why the execution stopped before its end, or None.
    """
    failures = [
        failure(cell, *error_of(cell[-1])) for cell in code_cells(executor.nb) if raised(cell[-1])
    ]
    if complaint is not None:
        stopped = failure(last_begun(executor), complaint, "")
        failures = [*(each for each in failures if each["cell"] < stopped["cell"]), stopped]
    return failures


def failure(numbered_cell, error, raised_by):
    number, line, cell = numbered_cell
    return {
        "cell": number,
        "line": line,
        "begins": cell.source.strip().splitlines()[0],
        "raised_by": raised_by,
        "error": error,
    }


def raised(cell):
    """Whether a cell raised an error that is not part of the page."""
    expected = "raises-exception" in cell.metadata.get("tags", [])
    return not expected and any(output.output_type == "error" for output in cell.outputs)


def error_of(cell):
    """(error in one line, line of the cell that raised it)."""
    output = next(output for output in cell.outputs if output.output_type == "error")
    message = output.evalue.strip().splitlines()
    traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
    raised_by = re.search(r"^-+> \d+ (.*)$", traceback, re.M)
    return ": ".join([output.ename, *message[:1]]), raised_by[1].strip() if raised_by else ""


def digests(page):
    """What a page's result depends on: its code, and the modules of the library that it computes
    with."""
    cells = code_cells(myst_nb_reader_plugin(source(page)))
    library = hashlib.sha256()
    for path in modules_used(cell.source for _, _, cell in cells):
        library.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    code = json.dumps([(cell.source, cell.metadata.get("tags", [])) for _, _, cell in cells])
    return {
        "code": hashlib.sha256(code.encode()).hexdigest()[:12],
        "library": library.hexdigest()[:12],
    }


def modules_used(sources):
    """The files of the library that pieces of code compute with, sorted.

    They import them, directly or through others.
    """
    used, waiting = set(), [path for text in sources for path in imported(text)]
    while waiting:
        path = waiting.pop()
        if path not in used:
            used.add(path)
            waiting += imported(path.read_text(encoding="utf-8"))
    return sorted(used)


@cache
def imported(text):
    """The files of the library that a piece of Python imports by name, those that draw aside.

    ``from lossbook.experiments import omniglot`` is the module omniglot, not all experiments.
    """
    names = []
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return [path for path in map(module_file, names) if path and not draws(path)]


def draws(path):
    return path.relative_to(ROOT / "lossbook").parts[0] in DRAWING


def module_file(name):
    """The file of the longest part of a dotted name that is a module of the library, or None."""
    parts = name.split(".")
    if parts[0] != "lossbook":
        return None
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file


def load(path=RECORD):
    """The record in ``path``; one without pages if there is none.

    Raises ``lossbook.utils.records.ResultError`` for one that is damaged.
    """
    if not path.exists():
        made_by = {"command": records.command_for(RECORD)}
        return {"format": records.FORMAT, "made_by": made_by, "profile": PROFILE, "pages": {}}
    return records.read(path)


def state(record, page):
    """ "passed" or "failed" as the page is now; "outdated" after a change of its code or of the
    library; "not run"."""
    row = record["pages"].get(page)
    if row is None:
        return "not run"
    if any(row[key] != value for key, value in digests(page).items()):
        return "outdated"
    return "passed" if row["passed"] else "failed"


def table(record, names):
    """A DataFrame with one row per page, in the order of ``names``."""
    rows = []
    for page in names:
        row = record["pages"].get(page, {})
        rows.append(
            {
                "page": page,
                "result": state(record, page),
                "cells": row.get("cells", "–"),
                "failed": len(row["failures"]) if row else "–",
                "seconds": row.get("seconds", "–"),
                "processor seconds": row.get("processor_seconds", "–"),
                "threads": row["machine"]["threads"] if row else "–",
            }
        )
    return pd.DataFrame(rows)


def lines(failures):
    """Failures in words, for the terminal."""
    for failure in failures:
        where = f"FAILED in code cell {failure['cell']}, line {failure['line']}"
        yield f"{where}: {failure['raised_by'] or failure['begins']}\n    {failure['error']}"


if __name__ == "__main__":
    main()

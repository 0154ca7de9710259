"""Execute the book's pages and keep their outputs where the book's build looks for them.

The build could do this itself, one page after the other. Here two run at a time, each with half
the cores, which takes little more than half as long; and a failure says in which cell and line.
"""

import os
import re
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import is_myst_markdown_notebook, myst_nb_reader_plugin
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.book import figure_files
from tools.toc import ROOT

WORKERS = 2
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(pages, folder, timeout):
    """Execute the pages whose code is not in the cache in ``folder``; return the names of those
    that failed.

    ``timeout`` is in seconds, for one cell.
    """
    cache = get_cache(folder)
    notebooks = with_code(pages)
    waiting = [page for page in notebooks if not is_cached(cache, page)]
    print(
        f"Executing {len(waiting)} of {len(notebooks)} pages with code (the others are cached)",
        flush=True,
    )
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // WORKERS))
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = (
        "1"  # else a debugger's remark at every kernel's start
    )
    os.environ["LOSSBOOK_NARROW_FIGURES"] = "yes"
    pool, failed = ProcessPoolExecutor(WORKERS), []
    try:
        # The last chapters are the longest: they start first.
        runs = {pool.submit(execute_page, page, timeout): page for page in reversed(waiting)}
        for done, run in enumerate(as_completed(runs), 1):
            page, (notebook, seconds, complaint) = runs[run], run.result()
            print(f"[{done}/{len(runs)}] {page}.md: {complaint or f'{seconds:.0f} s'}", flush=True)
            if complaint:
                failed.append(page)
                continue
            figure_files.keep_narrow(notebook, folder)
            cache.cache_notebook_bundle(
                CacheBundleIn(notebook, source(page), data={"execution_seconds": seconds}),
                check_validity=False,
                overwrite=True,
            )
            assert is_cached(cache, page), f"{page} would be executed again"
    finally:
        pool.shutdown(cancel_futures=True)  # what waits is not begun after an interrupt
    return sorted(failed)


def with_code(pages):
    """Those of the pages that are executed."""
    return [
        page
        for page in pages
        if is_myst_markdown_notebook((ROOT / f"{page}.md").read_text(encoding="utf-8"))
    ]


def source(page):
    return str(ROOT / f"{page}.md")


def is_cached(cache, page):
    try:
        cache.match_cache_notebook(myst_nb_reader_plugin(source(page)))
    except KeyError:
        return False
    return True


def execute_page(page, timeout):
    """(executed notebook, seconds, what went wrong or "")."""
    notebook, start, complaint = myst_nb_reader_plugin(source(page)), time.perf_counter(), ""
    executor = client(notebook, page, timeout)
    try:
        executor.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        number, line, _ = last_begun(executor)
        complaint = f"FAILED in code cell {number}, line {line}\n{plain}"
    remove_widgets(notebook)
    return notebook, time.perf_counter() - start, complaint


def client(notebook, page, timeout, **settings):
    """What executes a page's notebook in the folder of the page."""
    return NotebookClient(
        notebook,
        timeout=timeout,
        resources={"metadata": {"path": os.path.dirname(source(page))}},
        record_timing=False,  # times in the metadata would miss the cache
        extra_arguments=["--log-level=ERROR"],  # the kernel's own remarks, not a cell's
        **settings,
    )


def code_cells(notebook):
    """(number, line in the page, cell) of the cells that a kernel executes."""
    cells = [
        (cell, line)
        for cell, line in zip(notebook.cells, notebook.metadata.source_map)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    return [(number, line + 1, cell) for number, (cell, line) in enumerate(cells, 1)]


def last_begun(executor):
    """The code cell that was sent last, or is to be the first: where an execution stopped.

    A cell whose kernel dies at once may never get its execution count, so counts do not tell.
    """
    cells = code_cells(executor.nb)
    return cells[max(executor.code_cells_executed, 1) - 1]


def remove_widgets(notebook):
    """Leave out progress bars: on a page, without a kernel, a widget is dead, and needs scripts
    from afar."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output for output in cell.outputs if WIDGET not in output.get("data", {})
            ]

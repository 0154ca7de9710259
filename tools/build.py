"""Build the book: ``python -m tools.build`` (or ``make book``).

Every page with code is executed, two at a time; then Sphinx writes the HTML and any warning is
an error. Outputs are cached by what a page's code says, so a change of prose executes nothing.
The cache cannot see the library behind that code: when a file of ``lossbook`` or the lock
changes, it is dropped here, and no figure in the book is older than the code that drew it.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import yaml
from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import is_myst_markdown_notebook, myst_nb_reader_plugin
from sphinx.util.console import color_terminal, nocolor

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
CACHE, DOCTREES, HTML, STATIC = (BUILD / name for name in (".jupyter_cache", ".doctrees", "html", "static"))
WORKERS = 2

# A fork's workflow sets this to publish under its own address without an edit of _config.yml.
REPOSITORY = os.environ.get("LOSSBOOK_REPOSITORY")

MATHJAX_PARTS = ["tex-mml-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2"]


def main():
    os.chdir(ROOT)
    BUILD.mkdir(exist_ok=True)
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    drop_if_changed("code", [CACHE, DOCTREES],
                    [*ROOT.glob("lossbook/**/*.py"), ROOT / "requirements.txt"],
                    os.environ.get("LOSSBOOK_PROFILE", ""))
    drop_if_changed("layout", [DOCTREES],
                    [ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "book/references.bib",
                     *ROOT.glob("book/_static/**/*.*"), *ROOT.glob("tools/*.py")], REPOSITORY)
    notebooks.main()
    pages = [ROOT / f"{name}.md" for name in notebooks.pages()]
    failed = execute([page for page in pages if is_myst_markdown_notebook(page.read_text(encoding="utf-8"))],
                     config["execute"]["timeout"])
    if failed:
        sys.exit(f"The book was not built: {', '.join(failed)} failed. The first lines above say in which cell.")
    copy_mathjax()
    write_html()


def drop_if_changed(name, stale, files, setting):
    """Remove the folders ``stale`` unless ``files`` and ``setting`` are those of the last build."""
    digest = hashlib.sha256(repr(setting).encode())
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    stamp = BUILD / f".{name}"
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        for folder in stale:
            shutil.rmtree(folder, ignore_errors=True)
        stamp.write_text(digest.hexdigest())


def execute(pages, timeout):
    """Execute the pages whose code is not in the cache; return the names of those that failed."""
    cache = get_cache(CACHE)
    waiting = [page for page in pages if not is_cached(cache, page)]
    print(f"Executing {len(waiting)} of {len(pages)} pages with code (the others are cached)", flush=True)
    # Two chapters at a time with half the cores each finish sooner than one at a time with all.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // WORKERS))
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"   # else a debugger's remark at every kernel's start
    failed = []
    with ProcessPoolExecutor(WORKERS) as pool:
        # The last chapters are the longest: they start first.
        runs = {pool.submit(execute_page, page, timeout): page for page in reversed(waiting)}
        for done, run in enumerate(as_completed(runs), 1):
            name, result = str(runs[run].relative_to(ROOT)), run.result()
            if result.err is None:
                remove_widgets(result.nb)
                cache.cache_notebook_bundle(
                    CacheBundleIn(result.nb, str(runs[run]), data={"execution_seconds": result.time}),
                    check_validity=False, overwrite=True)
                print(f"[{done}/{len(runs)}] {name}: {result.time:.0f} s", flush=True)
            else:
                failed.append(name)
                print(f"[{done}/{len(runs)}] {name} FAILED in {failing_cell(result.nb)}\n{result.err}", flush=True)
    return sorted(failed)


def is_cached(cache, page):
    try:
        cache.match_cache_notebook(myst_nb_reader_plugin(str(page)))
    except KeyError:
        return False
    return True


def execute_page(page, timeout):
    quiet = ["--log-level=ERROR"]   # of the kernel's own remarks; what a cell prints is kept
    return single_nb_execution(myst_nb_reader_plugin(str(page)), cwd=str(page.parent),
                               timeout=timeout, allow_errors=False, extra_arguments=quiet)


def remove_widgets(notebook):
    """Leave out progress bars: on a page, without a kernel, a widget is dead, and needs scripts from afar."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs
                            if "application/vnd.jupyter.widget-view+json" not in output.get("data", {})]


def failing_cell(notebook):
    """Number and source line of the first code cell that raised, or that never finished."""
    number = 0
    for cell, line in zip(notebook.cells, notebook.metadata.source_map):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        number += 1
        raised = any(output.output_type == "error" for output in cell.outputs)
        expected = "raises-exception" in cell.metadata.get("tags", [])
        if cell.execution_count is None or (raised and not expected):
            return f"code cell {number}, line {line + 1}"
    return "no cell: the kernel itself"


def copy_mathjax():
    """Put the parts of MathJax that the pages load where Sphinx picks up static files."""
    source = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    for part in MATHJAX_PARTS:
        for file in [source / part] if (source / part).is_file() else (source / part).iterdir():
            target = STATIC / "mathjax" / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def write_html():
    """Run Sphinx strictly, and write all pages anew: navigation and numbers on one depend on the others."""
    shutil.rmtree(HTML, ignore_errors=True)
    if not color_terminal():
        nocolor()
    override = {"html_theme_options": {"repository_url": REPOSITORY}} if REPOSITORY else {}
    result = build_sphinx(
        ROOT, HTML, path_config=ROOT / "_config.yml", noconfig=True, force_all=True,
        warningiserror=True, keep_going=True,
        confoverrides={"external_toc_path": str(ROOT / "_toc.yml"), "latex_individualpages": False, **override})
    if result != 0:
        shutil.rmtree(DOCTREES, ignore_errors=True)   # else the next build would not read, and not judge, these pages
        sys.exit("The book was not built: Sphinx failed or warned, and a warning is an error here. See above where.")
    print(f"The book is in {(HTML / 'index.html').relative_to(ROOT)}")


if __name__ == "__main__":
    main()

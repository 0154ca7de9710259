"""Build the book: ``python -m tools.book.build`` (or ``make book``).

Every page with code is executed; then Sphinx writes the HTML, and any warning is an error.
Outputs are cached by what a page's code cells say, their captions included, so a change of prose
executes nothing. The cache cannot see what is behind that code: when a file of ``lossbook``, a
saved run or the lock changes, it is dropped here, and no figure in the book is older than the code
that drew it.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import time
from pathlib import Path

import yaml
from jupyter_book.sphinx import build_sphinx
from sphinx.util.console import color_terminal, nocolor

from tools.book import prune_icons, text_font
from tools.book.execute import execute
from tools.notebooks import convert
from tools.toc import ROOT, chapters, pages
from tools.web import hero, playground

BUILD = ROOT / "_build"
CACHE, DOCTREES, HTML, STATIC = (
    BUILD / name for name in (".jupyter_cache", ".doctrees", "html", "static")
)

# A fork's workflow sets this to publish under its own address without an edit of _config.yml.
REPOSITORY = os.environ.get("LOSSBOOK_REPOSITORY")

MATHJAX = "tex-mml-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2"


def main():
    BUILD.mkdir(exist_ok=True)
    behind = [
        path
        for folder in ("lossbook", "book/results")
        for path in ROOT.glob(f"{folder}/**/*.*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    drop_if_changed(
        "code",
        [CACHE, DOCTREES],
        [*behind, ROOT / "requirements.txt"],
        os.environ.get("LOSSBOOK_PROFILE"),
    )
    drop_if_changed(
        "layout",
        [DOCTREES],
        [
            ROOT / "_config.yml",
            ROOT / "_toc.yml",
            ROOT / "book/references.bib",
            *ROOT.glob("book/_static/*.*"),
            *ROOT.glob("tools/**/*.py"),
        ],
        REPOSITORY,
    )
    convert.main()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    start = time.perf_counter()
    if failed := execute(pages(), CACHE, config["execute"]["timeout"]):
        sys.exit(f"The book was not built: {', '.join(failed)} failed. See above in which cell.")
    executed = time.perf_counter()
    copy_mathjax(STATIC / "mathjax")  # where Sphinx picks up static files
    text_font.write(STATIC / "fonts")
    write_html()
    prune_icons.keep_used(HTML)
    playground.build(HTML / "book/playground")
    hero.build(HTML / "book/front")
    seconds = {"executing": executed - start, "writing": time.perf_counter() - executed}
    (BUILD / "seconds.json").write_text(
        json.dumps(seconds), encoding="utf-8"
    )  # for tools.exports.build_minutes
    print(f"The book is in {(HTML / 'index.html').relative_to(ROOT)}")


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


def copy_mathjax(folder):
    """Put the parts of MathJax that a page loads into ``folder``."""
    package = (
        Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    )
    for part in MATHJAX:
        for file in [package / part, *(package / part).glob("*")]:
            if file.is_file():
                target = folder / file.relative_to(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def write_html():
    """Run Sphinx strictly, and write all pages anew: navigation and numbers on one depend on the
    others."""
    shutil.rmtree(HTML, ignore_errors=True)
    if not color_terminal():
        nocolor()
    override = {"html_theme_options": {"repository_url": REPOSITORY}} if REPOSITORY else {}
    result = build_sphinx(
        ROOT,
        HTML,
        path_config=ROOT / "_config.yml",
        noconfig=True,
        force_all=True,
        warningiserror=True,
        keep_going=True,
        confoverrides={
            "external_toc_path": str(ROOT / "_toc.yml"),
            "latex_individualpages": False,
            **override,
        },
    )
    if result != 0:
        shutil.rmtree(
            DOCTREES, ignore_errors=True
        )  # else the next build would not read, and not judge, these pages
        sys.exit(
            "The book was not built: Sphinx failed or warned, and a warning is an error here. "
            "See above where."
        )
    for page in (
        chapters()
    ):  # the download button gives what Colab opens, not the theme's notebook full of MyST
        shutil.copyfile(ROOT / f"{page}.ipynb", HTML / "_sources" / f"{page}.ipynb")


if __name__ == "__main__":
    main()

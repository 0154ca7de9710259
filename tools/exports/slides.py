"""Write a deck of slides per chapter: ``python -m tools.exports.slides`` (or ``make slides``), into
_build/slides.

A deck is the chapter once more, read from the back of a room: its headings, how each paragraph
begins, its equations, its short cells that define or train something, and its figures, those that a
reader moves too, and tables as the book's build left them in its cache. What the paragraphs say
beyond that stands in the speaker notes, which the key S opens in a window of their own. The
exercises, the questions and the other code stay in the book.
"""

import base64
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
import yaml
from bs4 import BeautifulSoup
from jupyter_cache import get_cache
from myst_nb.core.read import myst_nb_reader_plugin
from nbconvert import SlidesExporter

from tools.book.build import BUILD, CACHE, copy_mathjax
from tools.book.execute import source
from tools.book.tables import dressed_all
from tools.exports.slide_deck import compose
from tools.exports.slide_sizes import CODE, TABLE, table_lines
from tools.toc import ROOT, chapters, labels, repository

SLIDES = BUILD / "slides"
DECK = ROOT / "tools/exports/deck"
FRAME = DECK / "frame.html"
REVEAL = "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"
SHOWN = re.compile(r"^(?:def|class) |\btraining\.fit\(", re.M)


def main():
    write(SLIDES)
    print(f"The slides are in {SLIDES.relative_to(ROOT)}")


def write(folder):
    """Make all decks anew, with what they load beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    package = Path(importlib.util.find_spec("sphinx_revealjs").origin).parent / "_static/revealjs"
    for part in REVEAL:
        (folder / "reveal" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / part, folder / "reveal" / part)
    (folder / "reveal/dist/theme").mkdir()
    shutil.copyfile(DECK / "deck.css", folder / "reveal/dist/theme/deck.css")
    copy_mathjax(folder / "mathjax")
    for number, page in enumerate(chapters(), 1):
        slides = compose(cells(page), f"Chapter {number} of *{book()}*\n\n{imprint()}")
        path = folder / f"{page.rpartition('/')[2]}.html"
        path.write_text(html(slides, labels()[page][0]), encoding="utf-8")
        print(f"{path.name}: {len(slides)} slides")


def book():
    """The title of the book, without what follows its colon."""
    return citation()["title"].partition(":")[0]


def imprint():
    """The authors, the licence of text and code, and where the book is."""
    authors = " · ".join(author["name"] for author in citation()["authors"])
    return f"{authors}\n\nText and figures CC BY 4.0, code MIT · {repository()['url']}"


def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def cells(page):
    """(Markdown, pictures, code) of each cell before the exercises."""
    try:
        cache = get_cache(CACHE)
        record = cache.match_cache_notebook(myst_nb_reader_plugin(source(page)))
    except KeyError:
        sys.exit(f"{page} was not executed since its code changed: run make book first")
    executed = iter(cache.get_cache_bundle(record.pk).nb.cells)
    text = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
    setup = next(cell for cell in text if cell.cell_type == "code")
    for cell in text:
        if re.search(r"^## Exercises$", cell.source, re.M):
            yield cell.source.partition("## Exercises")[0], [], ""
            return
        if cell.cell_type == "markdown":
            yield cell.source, [], ""
        elif cell is not setup:
            run = next(executed)
            assert run.source == cell.source, f"{page}: the outputs are of other cells"
            yield "", list(pictures(run.outputs, cell)), shown(cell)


def shown(cell):
    """The code of a cell if a slide shows it: it is short, and defines or trains something."""
    code = cell.source
    brief = code.count("\n") < CODE and not cell.metadata.get("tags")
    return code if brief and SHOWN.search(code) else ""


def pictures(outputs, cell):
    """Figures, tables and what a reader moves among a cell's outputs, as HTML."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").replace('"', "&quot;")
    for data in (output.get("data", {}) for output in outputs):
        kind = next((kind for kind in ("image/png", "image/gif") if kind in data), None)
        if kind:
            yield f'<img alt="{alt}" src="data:{kind};base64,{"".join(data[kind].split())}">'
            continue
        html = data.get("text/html", "")
        if "lossbook-widget" in html and "lossbook-quiz" not in html:
            yield frame(html)
        elif "<table" in html and "<script" not in html:
            tables = "\n".join(re.findall("<table.*?</table>", dressed_all(html), re.S))
            yield from parts(re.sub(r"\n\s*\n", "\n", tables))


def frame(widget):
    """A figure that a reader moves, in a page of its own, which reveal.js loads with its slide."""
    page = FRAME.read_text(encoding="utf-8").replace("{{ widget }}", widget)
    data = base64.b64encode(page.encode()).decode()
    return f'<iframe title="A figure to move" data-src="data:text/html;base64,{data}"></iframe>'


def parts(table):
    """A table that fits on a slide, or its halves; nothing of one that is for reading, not for a
    wall."""
    soup = BeautifulSoup(table, "html.parser")
    rows = (soup.tbody or soup).find_all("tr")
    if table_lines(table) <= TABLE:
        yield table
    elif table_lines(table) <= 2 * TABLE:
        middle = (len(rows) + 1) // 2
        for left_out in (slice(middle, None), slice(middle)):
            half = BeautifulSoup(table, "html.parser")
            for row in (half.tbody or half).find_all("tr")[left_out]:
                row.extract()
            yield str(half)


def html(slides, title):
    """The deck: nbconvert's, of a notebook with a Markdown cell for a slide and for its notes."""
    made = [
        nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})
        for slide in slides
        for text, kind in zip(slide, ("slide", "notes"))
        if text
    ]
    exporter = SlidesExporter(
        extra_template_basedirs=[str(ROOT / "tools/exports")],
        template_name="deck",
        reveal_url_prefix="reveal",
        reveal_theme="deck",
        exclude_anchor_links=True,
    )
    return exporter.from_notebook_node(
        nbformat.v4.new_notebook(cells=made, metadata={"title": title})
    )[0]


if __name__ == "__main__":
    main()

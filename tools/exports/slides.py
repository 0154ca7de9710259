"""Write a deck of slides per chapter: ``python -m tools.exports.slides`` (or ``make slides``), into
_build/slides.

A deck is the chapter once more, read from the back of a room: its headings, the first sentence of
each paragraph, its equations, and its figures and tables as the book's build left them in its
cache. The exercises and the code stay in the book.
"""

import importlib.util
import math
import re
import shutil
import sys
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from myst_nb.core.read import myst_nb_reader_plugin
from nbconvert import SlidesExporter

from tools.book.build import BUILD, CACHE, copy_mathjax
from tools.book.execute import source
from tools.toc import ROOT, chapters, labels

SLIDES = BUILD / "slides"
REVEAL = "dist/reveal.css", "dist/reveal.js"
ROOM, EQUATION, WIDTH = 8, 3, 52  # lines on a slide and of an equation, characters in a line

SENTENCE = re.compile(
    r"(?<!e\.g\.)(?<!i\.e\.)(?<!et al\.)(?<!Fig\.)(?<=[.?!])[*_)”]*\s+(?=[A-Z0-9`*$\[“(])"
)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]*\)")
BLOCK = re.compile(r"(?:^\$\$\n.*?^\$\$$|^```.*?^```$|(?:(?!\n\n|^\$\$\n|^```).)+)", re.M | re.S)
ITEM = re.compile(r"^(?:[-*]|\d+\.) +", re.M)


def main():
    shutil.rmtree(SLIDES, ignore_errors=True)
    package = Path(importlib.util.find_spec("sphinx_revealjs").origin).parent / "_static/revealjs"
    for part in REVEAL:
        (SLIDES / "reveal" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / part, SLIDES / "reveal" / part)
    (SLIDES / "reveal/dist/theme").mkdir()
    shutil.copyfile(ROOT / "tools/exports/deck/deck.css", SLIDES / "reveal/dist/theme/deck.css")
    copy_mathjax(SLIDES / "mathjax")
    for page in chapters():
        slides = compose(cells(page))
        path = SLIDES / f"{page.rpartition('/')[2]}.html"
        path.write_text(html(slides, labels()[page][0]), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(slides)} slides")


def cells(page):
    """(Markdown, pictures) of each cell before the exercises; one of the two is empty."""
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
            yield cell.source.partition("## Exercises")[0], []
            return
        if cell.cell_type == "markdown":
            yield cell.source, []
        elif cell is not setup:
            run = next(executed)
            assert run.source == cell.source, f"{page}: the outputs are of other cells"
            yield "", list(pictures(run.outputs, cell))


def pictures(outputs, cell):
    """Figures, animations and tables among a cell's outputs, as HTML."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").replace('"', "&quot;")
    for data in (output.get("data", {}) for output in outputs):
        kind = next((kind for kind in ("image/png", "image/gif") if kind in data), None)
        if kind:
            yield f'<img alt="{alt}" src="data:{kind};base64,{"".join(data[kind].split())}">'
        elif "<table" in (table := data.get("text/html", "")) and "<script" not in table:
            yield re.sub(r"\n\s*\n", "\n", table)


def compose(cells):
    """Slides from (Markdown, pictures): the title, then for each heading what there is to say and
    to see."""
    slides, heading, points, caption = [], "", [], False

    def close():
        for part in packed(points):
            slides.append(f"## {heading}\n\n" + "\n\n".join(part))
        points.clear()

    for text, seen in cells:
        for block in map(str.strip, BLOCK.findall(LINK.sub(r"\1", text))):
            if block.startswith("# "):
                slides.append(block)
                heading = block[2:]
            elif block.startswith("#"):
                close()
                heading, caption = block.lstrip("# "), False
            elif block.startswith("**Objectives"):
                close()
                heading = "Objectives"
            elif not block or block.startswith(
                ("*Reading", "**Prerequisites", "```", ">", "|", "![")
            ):
                continue
            elif caption:
                slides[-1] += f"\n\n{first_sentence(block)}"
                caption = False
            else:
                points += block_points(block)
        for picture in seen:
            close()
            slides.append(f"## {heading}\n\n{picture}")
            caption = True
    close()
    return slides


def block_points(block):
    """What a slide shows of a block: an equation whole, of a paragraph or an item of a list its
    first sentence."""
    if block.startswith("$$"):
        return [re.sub(r"\n\\tag\{.*\}", "", block)]
    if ITEM.match(block):
        return ["- " + first_sentence(item) for item in ITEM.split(block)[1:]]
    return [
        "- " * (not block[0].islower()) + first_sentence(block)
    ]  # else it goes on from the equation above


def first_sentence(text):
    """Up to the first full stop outside formulas and code."""
    text = " ".join(text.split())
    for end in SENTENCE.finditer(text):
        sentence = text[: end.start()]
        if sentence.count("$") % 2 == 0 and sentence.count("`") % 2 == 0:
            return text[: end.end()].rstrip()
    return text


def packed(points):
    """The points in groups that fit on a slide."""
    groups, room = [], 0
    for point in points:
        size = EQUATION if point.startswith("$$") else math.ceil(len(point) / WIDTH)
        if size > room:
            groups.append([])
            room = ROOM
        groups[-1].append(point)
        room -= size
    return groups


def html(slides, title):
    """The deck: nbconvert's, of a notebook with one Markdown cell a slide."""
    made = [
        nbformat.v4.new_markdown_cell(slide, metadata={"slideshow": {"slide_type": "slide"}})
        for slide in slides
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

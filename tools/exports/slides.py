"""Write a deck of slides per chapter: ``python -m tools.exports.slides`` (or ``make slides``), into
_build/slides.

A deck is the chapter once more, read from the back of a room: its headings, how each paragraph
begins, its equations, its short cells that define or train something, and its figures and tables as
the book's build left them in its cache. What the paragraphs say beyond that stands in the speaker
notes, which the key S opens in a window of their own. The exercises and the other code stay in the
book.
"""

import base64
import importlib.util
import math
import re
import shutil
import struct
import sys
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from myst_nb.core.read import myst_nb_reader_plugin
from nbconvert import SlidesExporter

from tools.book.build import BUILD, CACHE, copy_mathjax
from tools.book.execute import source
from tools.book.tables import dressed_all
from tools.toc import ROOT, chapters, labels, repository

SLIDES = BUILD / "slides"
REVEAL = "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"
# What fits: lines of text on a slide and characters in a line, lines that an equation takes, the
# most beside a picture, lines of code, and the height of it all in pixels.
ROOM, WIDTH, EQUATION, BESIDE, CODE, HEIGHT, LINE = 10, 58, 3, 5, 12, 560, 46
ROWS = 13  # of a table that fits
NARROW = 2.1  # a picture of a smaller proportion stands beside its text
ENOUGH = 60  # characters of a paragraph that make sense alone

SENTENCE = re.compile(
    r"(?<!e\.g\.)(?<!i\.e\.)(?<!et al\.)(?<!Fig\.)(?<=[.?!])[*_)”]*\s+(?=[A-Z0-9`*$\[“(])"
)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]*\)")
BLOCK = re.compile(r"(?:^\$\$\n.*?^\$\$$|^```.*?^```$|(?:(?!\n\n|^\$\$\n|^```).)+)", re.M | re.S)
ITEM = re.compile(r"^(?:[-*]|\d+\.) +", re.M)
MINUTES = re.compile(r" \(\d+ minutes?\)")
ASIDE = "```", ">", "|", "!["  # what stands beside the text, as notes and drawings do
SHOWN = re.compile(r"^(?:def|class) |\btraining\.fit\(", re.M)


def main():
    shutil.rmtree(SLIDES, ignore_errors=True)
    package = Path(importlib.util.find_spec("sphinx_revealjs").origin).parent / "_static/revealjs"
    for part in REVEAL:
        (SLIDES / "reveal" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / part, SLIDES / "reveal" / part)
    (SLIDES / "reveal/dist/theme").mkdir()
    shutil.copyfile(ROOT / "tools/exports/deck/deck.css", SLIDES / "reveal/dist/theme/deck.css")
    copy_mathjax(SLIDES / "mathjax")
    for number, page in enumerate(chapters(), 1):
        slides = compose(cells(page), f"Chapter {number} of *{book()}*\n\n{imprint()}")
        path = SLIDES / f"{page.rpartition('/')[2]}.html"
        path.write_text(html(slides, labels()[page][0]), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(slides)} slides")


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
    """Figures, animations and tables among a cell's outputs, as HTML."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").replace('"', "&quot;")
    for data in (output.get("data", {}) for output in outputs):
        kind = next((kind for kind in ("image/png", "image/gif") if kind in data), None)
        if kind:
            yield f'<img alt="{alt}" src="data:{kind};base64,{"".join(data[kind].split())}">'
        elif "<table" in (table := data.get("text/html", "")) and "<script" not in table:
            yield re.sub(r"\n\s*\n", "\n", dressed_all(table))


def compose(cells, imprint=""):
    """(Markdown, speaker notes) of each slide, from (Markdown, pictures, code): the title with the
    imprint, then for each heading what there is to say and to see."""
    deck = Deck(imprint)
    for text, seen, code in cells:
        for block in map(str.strip, BLOCK.findall(LINK.sub(r"\1", text))):
            if block.startswith("# "):
                deck.begin(block[2:])
            elif block.startswith("#"):
                deck.turn_to(block.lstrip("# "))
            elif block.startswith("**Objectives"):
                deck.turn_to("Objectives")
            elif block and not block.startswith(("*Reading", "**Prerequisites", *ASIDE)):
                deck.say(block)
        if code:
            deck.show(f"```python\n{code}\n```", 0.7 * code.count("\n") + 2)
        for picture in seen:
            rows = picture.count("<tr")
            if rows <= ROWS:  # a longer table is for reading, not for a wall
                deck.show(picture, 0.85 * rows)
    deck.close()
    return [(slide.markdown(), deck.notes(slide)) for slide in deck.slides]


class Slide:
    """A heading, and below it points, a picture or code, and what there is to say about that."""

    def __init__(self, heading, points, exhibit="", size=0):
        self.heading, self.points, self.exhibit = heading, points, exhibit
        self.size, self.remarks = size, []

    @property
    def lines(self):
        """Lines that the text takes, with the code but without a picture."""
        return sum(map(lines, self.points + self.remarks)) + self.size

    def takes(self, point):
        """Whether the point fits below the picture or the code."""
        room = ROOM if self.size else BESIDE
        return self.exhibit and self.lines + lines(point) <= room and not point.startswith("$$")

    def markdown(self):
        parts = [*self.points, self.exhibit, *self.remarks]
        if "<img " in self.exhibit and self.lines and proportion(self.exhibit) < NARROW:
            picture = self.exhibit.replace("<img ", '<img class="beside" ')
            parts = [picture, *self.points, *self.remarks]
        elif "<img " in self.exhibit:
            height = HEIGHT - math.ceil(self.lines) * LINE
            parts = [
                part.replace("<img ", f'<img style="max-height: {height}px" ') for part in parts
            ]
        text = "\n\n".join(filter(None, parts))
        # What a colon led to is not in the deck, or comes on the next slide.
        return f"{self.heading}\n\n{text[:-1] + '.' if text.endswith(':') else text}"


def proportion(picture):
    """Width of a PNG or GIF in an <img>, divided by its height."""
    head = base64.b64decode(picture.partition("base64,")[2][:32])
    numbers, place = ("<HH", 6) if head.startswith(b"GIF") else (">II", 16)
    width, height = struct.unpack_from(numbers, head, place)
    return width / height


class Deck:
    """Slides, and the points that wait for the next one."""

    def __init__(self, imprint):
        self.slides, self.points, self.imprint = [], [], imprint
        self.rest = {}  # of a point, the sentences of its paragraph that follow it

    def begin(self, title):
        self.slides.append(Slide(f"# {title}", [self.imprint]))
        self.turn_to(title)

    def turn_to(self, heading):
        self.close()
        self.heading, self.first = f"## {heading}", len(self.slides)

    def say(self, block):
        """Below the last picture if nothing was said since, otherwise as points of a new slide."""
        points = block_points(block)
        if len(points) == 1:
            self.rest[points[0].removeprefix("- ")] = sentences(block)[1:]
        # What ends so leads to the next picture.
        leads = points[0].endswith((":", "?"))
        if len(points) > 1 or leads or self.points or not self.remark(points[0]):
            self.points += points

    def remark(self, point):
        """Put a point below the last picture of this section; False if it does not fit there."""
        last = self.slides[-1] if len(self.slides) > self.first else None
        fits = last is not None and last.takes(point)
        if fits:
            last.remarks.append(point.removeprefix("- "))
        return fits

    def show(self, exhibit, size=0):
        """A picture or a table, or with its size in lines a piece of code; what leads to it comes
        above it."""
        room = ROOM - size - 2 if size else BESIDE - 2
        lead = []
        if sum(map(lines, self.points)) <= room:
            lead, self.points = self.points, []
        elif (
            self.points and not self.points[-1].startswith("$$") and lines(self.points[-1]) <= room
        ):
            lead = [self.points.pop()]
        self.close()
        lead = [lead[0].removeprefix("- ")] if len(lead) == 1 else lead
        self.slides.append(Slide(self.heading, lead, exhibit, size))

    def close(self):
        """Put the points that wait on slides: one alone on the one before, if it fits there, and
        otherwise with more of its paragraph."""
        waiting, self.points = self.points, []
        if len(waiting) == 1 and self.remark(waiting[0]):
            return
        for points in packed(waiting):
            if len(points) == 1:
                points += self.more(points[0])
            self.slides.append(Slide(self.heading, points))

    def more(self, point):
        """The next sentences of the point's paragraph, as points, for half a slide."""
        following = []
        for sentence in self.rest.get(point.removeprefix("- "), []):
            if sum(map(lines, [point, *following, sentence])) > ROOM - 3:
                break
            following.append("- " + sentence)
        return following

    def notes(self, slide):
        """What the paragraphs of a slide say beyond it: a paragraph for each of them."""
        shown = [point.removeprefix("- ") for point in slide.points + slide.remarks]
        beyond = [
            " ".join(sentence for sentence in self.rest.get(point, []) if sentence not in shown)
            for point in shown
        ]
        return "\n\n".join(filter(None, beyond))


def block_points(block):
    """What a slide shows of a block: an equation whole, of a paragraph or an item of a list its
    beginning."""
    if block.startswith("$$"):
        return [block]
    if ITEM.match(block):
        return ["- " + MINUTES.sub("", sentences(item)[0]) for item in ITEM.split(block)[1:]]
    return [
        "- " * (not block[0].islower()) + sentences(block)[0]
    ]  # else it goes on from the equation above


def sentences(text):
    """The sentences of a text, split at full stops outside formulas and code.

    The first one has as many as make sense alone.
    """
    text = " ".join(text.split())
    parts, start = [], 0
    for end in SENTENCE.finditer(text):
        sentence = text[start : end.end()].rstrip()
        closed = sentence.count("$") % 2 == 0 and sentence.count("`") % 2 == 0
        if closed and (parts or len(sentence) >= ENOUGH):
            parts.append(sentence)
            start = end.end()
    return [*parts, text[start:]] if text[start:] else parts


def lines(point):
    """Lines that a point takes: an equation as many as ever, of text as many as it is long."""
    return EQUATION if "$$" in point else math.ceil(len(point) / WIDTH)


def packed(points):
    """The points in groups that fit on a slide; an equation stays with what leads to it, and the
    last point does not stand alone if another can keep it company."""
    groups, room = [], 0
    for unit in units(points):
        size = sum(map(lines, unit))
        if size > room:
            groups.append([])
            room = ROOM
        groups[-1].append(unit)
        room -= size
    if len(groups) > 1 and len(groups[-1]) == 1 and len(groups[-2]) > 2:
        company = groups[-2][-1]
        if sum(map(lines, company + groups[-1][0])) <= ROOM:
            groups[-1].insert(0, groups[-2].pop())
    return [[point for unit in group for point in unit] for group in groups]


def units(points):
    """The points with the equations that they lead to, and what goes on from an equation."""
    made = []
    for point in points:
        goes_on = point.startswith("$$") or not point.startswith("- ")
        if made and goes_on and sum(map(lines, [*made[-1], point])) <= ROOM:
            made[-1].append(point)
        else:
            made.append([point])
    return made


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

"""The front page's cards, one per page of the book, and shorter lists of pages.

A card shows the number, the first picture, the title, what the page is about, how long it takes to
read, and whether something on it can be moved.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.util.docutils import SphinxDirective

from tools.toc import ROOT, contents, description, labels, parts

__all__ = ["Cards", "ListOfPages", "add_pictures", "card"]

SIZE = 480, 300  # pixels of a card's picture, shown at half of it
FOLDER = "_static/cards"
PICTURE = re.compile(r'<img data-page="(?P<page>[^"]+)"[^>]*>')
# Pages that draw with scripts: a picture from a file, and its alt text.
STATIC = {
    "book/playground": (
        ROOT / "book/_static/playground.png",
        "Ten classes of digits on the unit circle, mixed under softmax and apart under ArcFace",
    )
}


class Cards(SphinxDirective):
    """``{cards}``: a card for every page, part by part, but not for those in a folder of book/."""

    def run(self):
        numbers = {page: number for number, page in contents()}
        written = []
        for caption, listed in parts():
            for page in listed:
                self.env.note_dependency(str(ROOT / f"{page}.md"))
            written += [f'<p class="cards-part">{html.escape(caption)}</p>', '<div class="cards">']
            written += [card(page, numbers[page]) for page in listed if page.count("/") == 1]
            written += ["</div>"]
        self.env.note_dependency(str(ROOT / "_toc.yml"))
        return [nodes.raw("", "\n".join(written), format="html")]


class ListOfPages(SphinxDirective):
    """``{list-of-pages} book/api``: the pages in a folder, with what they are about."""

    required_arguments = 1

    def run(self):
        listed = [page for _, page in contents() if page.startswith(self.arguments[0] + "/")]
        written = ['<dl class="list-of-pages">']
        for page in listed:
            self.env.note_dependency(str(ROOT / f"{page}.md"))
            address = page.removeprefix("book/") + ".html"
            written.append(f'<dt><a href="{address}">{html.escape(labels()[page][0])}</a></dt>')
            written.append(f"<dd>{html.escape(description(page))}</dd>")
        return [nodes.raw("", "\n".join([*written, "</dl>"]), format="html")]


def card(page, number):
    """The HTML of a page's card on book/index, its picture still to come."""
    text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    title = html.escape(labels()[page][0])
    facts = []
    if minutes := re.search(r"\*Reading (\d+) min", text):
        facts.append(f"{minutes[1]} min")
    if re.search(r"interactive\.(?!quiz)\w+\(|<canvas", text):
        facts.append("interactive")
    picture = f'<img data-page="{page}">' if number or page in STATIC else ""
    return (
        f'<a class="card-of-page" href="../{page}.html">{picture}'
        f'<span class="card-title">{number + ". " if number else ""}{title}</span>'
        f"<span>{html.escape(description(page))}</span>"
        f'<span class="card-facts">{" · ".join(facts)}</span></a>'
    )


def add_pictures(app, page, template, context, doctree):
    """Give every card on a page its picture, made small; a page without one has none."""
    if "data-page=" in context.get("body", ""):
        context["body"] = PICTURE.sub(lambda match: picture(app, match["page"]), context["body"])


def picture(app, page):
    """The img element of a page's card, or nothing."""
    source, alt = first_picture(app, page)
    if source is None:
        return ""
    small = Path(app.outdir) / FOLDER / f"{page.rpartition('/')[2]}.png"
    small.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        on_card(image.convert("RGB")).quantize(64).save(small, optimize=True)
    return (
        f'<img src="../{FOLDER}/{small.name}" alt="{html.escape(alt)}" loading="lazy" '
        f'width="{SIZE[0] // 2}" height="{SIZE[1] // 2}">'
    )


def on_card(image):
    """The left part of a wide figure, or the whole of one that is not, on white."""
    wide = image.width / image.height > 1.3
    scale = max(SIZE[0] / image.width, SIZE[1] / image.height) if wide else SIZE[1] / image.height
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.LANCZOS)
    ground = Image.new("RGB", SIZE, "white")
    ground.paste(image, (0 if wide else (SIZE[0] - image.width) // 2, 0))
    return ground


def first_picture(app, page):
    """(path, alt text) of the first picture on a page, or (None, "")."""
    if page in STATIC:
        return STATIC[page]
    for image in app.env.get_doctree(page).findall(nodes.image):
        source = Path(app.srcdir) / image["uri"]
        if source.suffix == ".png" and source.is_file():
            return source, image.get("alt", "")
    return None, ""

"""What a symbol means, for the reader who meets it in a chapter.

The table in book/notation.md is the only place for the meanings. Each chapter gets, out of sight,
those of the symbols that its text uses; book/_static/symbols.js shows one beside the symbol.
"""

import html
import re
from functools import cache

from tools.book.math_widths import FORMULA
from tools.toc import ROOT, contents, labels

__all__ = ["add_meanings", "meanings", "name", "table"]

HEAD = "| symbol | meaning | name in code | chapters |\n|---|---|---|---|\n"
MATH = re.compile(r"\$([^$]+)\$")
CHAPTER = re.compile(r"\[(\d+)\]\(([\w-]+)\)")


@cache
def table(root=ROOT):
    """(symbols in TeX, meaning, chapters) of each row; no chapters stands for all of them.

    Raises ``ValueError`` for a row that does not have four cells, and for a chapter whose number
    is not that of its label.
    """
    text = (root / "book/notation.md").read_text(encoding="utf-8")
    rows = []
    for line in re.match(r"(?:\|.*\n)*", text.partition(HEAD)[2])[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 4 or not MATH.search(cells[0]):
            raise ValueError(
                f"book/notation.md: expected a symbol between $ and four cells, got {line}"
            )
        rows.append((MATH.findall(cells[0]), cells[1], chapters_in(cells[3], root)))
    if not rows:
        raise ValueError(f"book/notation.md has no table of symbols under {HEAD.splitlines()[0]}")
    return rows


def chapters_in(cell, root):
    """The pages that a cell such as ``[3](lsoftmax), [4](sphereface)`` names."""
    numbers = {page: number for number, page in contents(root)}
    pages = []
    for number, label in CHAPTER.findall(cell):
        page = labels(root).get(label, ("", label))[1]
        if numbers.get(page) != number:
            raise ValueError(
                f"book/notation.md: [{number}]({label}) is no chapter of that number; "
                f"expected {numbers.get(page) or 'the label of a chapter'}"
            )
        pages.append(page)
    return pages


def name(tex):
    r"""The symbol itself: ``x`` of ``x \in \mathbb{R}^d``."""
    return tex.partition(r"\in ")[0].strip()


def meanings(page, root=ROOT):
    """The meaning of each symbol on a chapter's page, as (TeX, meaning) by the symbol's name.

    Raises ``ValueError`` if a symbol has two.
    """
    by_name = {}
    for symbols, meaning, chapters in table(root):
        for tex in symbols if page in (chapters or [page]) else []:
            if name(tex) in by_name:
                raise ValueError(f"book/notation.md: ${name(tex)}$ has two meanings in {page}")
            by_name[name(tex)] = tex, meaning
    return by_name


def add_meanings(page, body, root=ROOT):
    """A chapter's HTML with the meanings of the symbols that stand alone in its text."""
    used = {name(html.unescape(tex)) for _, tex in FORMULA.findall(body)}
    written = []
    for symbol, (tex, meaning) in meanings(page, root).items():
        if symbol in used:
            number, words = len(written) + 1, as_html(f"${tex}$: {meaning}")
            written.append(
                f'<span class="symbol-meaning" id="symbol-{number}" role="tooltip" '
                f'data-symbol="{html.escape(symbol)}" hidden>{words}</span>'
            )
    return body + "\n".join(written)


def as_html(text):
    """A cell of the table as HTML, without references to numbered equations."""
    text = re.sub(r" \{eq\}`[^`]+`", "", text)
    return MATH.sub(
        r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(text)
    )

"""The book's table of contents, what its labels stand for, and its bibliography."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import yaml
from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parent.parent

TARGET = re.compile(r"^\((?P<label>[\w:.-]+)\)=[ ]*\n+", re.M)
FRONT_MATTER = re.compile(r"\A---\n(?P<yaml>.*?\n)---\n", re.S)
HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.M)
NUMBERED = re.compile(
    r"\$\$ *\((?P<dollar>[\w:.-]+)\)[ ]*$"
    r"|^[ ]*[`:]{3,}\{(?P<kind>math|figure|exercise)\}.*\n(?P<options>(?:[ ]*:[\w-]+:.*\n)*)"
    r"|^mystnb:\n  figure:\n    name: *(?P<drawn>\S+)$",  # the figure that a cell draws
    re.M,
)
SHOWN = {"equation": "({})", "figure": "Fig. {}", "exercise": "Exercise {}"}


def contents(root=ROOT):
    """(number, page) of every page in the order of _toc.yml; the number is "" outside the
    chapters."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    numbered_pages, number = [("", toc["root"])], 0
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            number += bool(part.get("numbered"))
            numbered_pages.append((str(number) if part.get("numbered") else "", chapter["file"]))
    return numbered_pages


def pages(root=ROOT):
    """Every page of the book, as a path without suffix below the root, the front page first."""
    return [page for _, page in contents(root)]


def chapters(root=ROOT):
    """The pages that are notebooks too."""
    return [page for page in pages(root) if page.startswith("notebooks/")]


def parts(root=ROOT):
    """(caption, pages) of every part of _toc.yml."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [
        (part["caption"], [chapter["file"] for chapter in part["chapters"]])
        for part in toc["parts"]
    ]


def description(page, root=ROOT):
    """What a page is about, in a sentence: ``description`` in its front matter, the only place for
    it.

    The front page lists it, and search engines and previews of a link show it. Raises
    ``ValueError`` if there is none, or it is no sentence that fits there.
    """
    front = FRONT_MATTER.match((root / f"{page}.md").read_text(encoding="utf-8"))
    given = yaml.safe_load(front["yaml"]).get("description") if front else None
    if not given or not 50 <= len(given) <= 160 or given[-1] not in ".?!":
        raise ValueError(
            f"{page}.md: description is {given!r}; expected, in the front matter, a sentence of "
            "50 to 160 characters that says what the page is about"
        )
    return given


@cache
def labels(root=ROOT):
    """(what a reader sees, page) for each label: "(6.2)" for an equation, "Fig. 6.1", "Exercise
    6.3", a section's title.

    Sphinx numbers equations, figures and exercises as they come, by chapter; so does this.
    """
    shown, count = {}, Counter()
    for number, page in contents(root):
        path = root / f"{page}.md"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        prefix = f"{number}." if number else ""
        for kind, label in numbered(text):
            count[kind, number] += 1
            value = f"{prefix}{count[kind, number]}"
            if label:
                shown[label] = SHOWN[kind].format(value), page
        for target in TARGET.finditer(text):
            if heading := HEADING.match(text, target.end()):
                shown[target["label"]] = heading["title"], page
        if heading := HEADING.search(text):
            shown[page] = heading["title"], page
    return shown


def numbered(text):
    """(kind, label) of every numbered equation, figure and exercise of a page, in order."""
    for match in NUMBERED.finditer(text):
        if match["dollar"]:
            yield "equation", match["dollar"]
            continue
        if match["drawn"]:
            yield "figure", match["drawn"]
            continue
        kind = "equation" if match["kind"] == "math" else match["kind"]
        label = re.search(
            rf"^ *:{'name' if kind == 'figure' else 'label'}: *(\S+)", match["options"], re.M
        )
        if label or kind != "equation":
            yield kind, label and label[1]


def repository(root=ROOT):
    """The repository's address and branch, from _config.yml, the one place for them."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]


@cache
def bibliography(root=ROOT):
    """The entries of book/references.bib by key."""
    return parse_file(str(root / "book/references.bib")).entries

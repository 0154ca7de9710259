"""Assignments for a class: ``python -m lossbook assign 05 --out DIR``.

The texts are in ``lossbook/assignments``, one a chapter. A text is Markdown with fenced blocks:

``numbers``
    Lines ``name = choice(…)``: drawn by the seed, and put wherever the text says ``{{name}}``. Other
    lines compute from these, with ``math``.
``code``
    A cell that is given, and that nobody edits.
``answer NAME``
    A cell to be completed. What stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` is
    for the lecturer; the student finds a blank there.
``check``
    A cell in which the student asks :mod:`lossbook.teaching.check`.
``test POINTS``
    A hidden test, an assertion whose message names the mistake. It judges with a fresh lossbook.
``figure ALT``
    Drawn when the assignment is made; the student sees the picture and not its code.
``written POINTS``
    A question in free text, then ``---`` and what a good answer says. Graded by hand.
"""

import base64
import functools
import hashlib
import json
import math
import random
import re
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from lossbook import figures, margins
from lossbook.utils.validation import require

__all__ = ["chapters", "numbers", "blocks", "notebook", "release"]

TEXTS = files("lossbook.teaching") / "assignments"
FENCE = re.compile(
    r"^```\{(numbers|code|answer|check|test|figure|written)\} ?(.*)\n([\s\S]*?)^```$", re.M
)
BLANK = "...  # your answer here"

# A hidden test trusts no name that the notebook has bound, nor any part of lossbook that it has changed.
FRESH = """import math
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "lossbook"]:
    del sys.modules[name]
from lossbook import check, heads
"""


class Block(NamedTuple):
    """A piece of an assignment: its kind (``text`` or one of the fences), argument and content."""

    kind: str
    argument: str
    content: str


def chapters():
    """The chapters that have an assignment, as two-digit strings."""
    return sorted(
        text.name.removesuffix(".md") for text in TEXTS.iterdir() if text.name.endswith(".md")
    )


def numbers(chapter, seed=0):
    """What this seed draws for a chapter's assignment: ``{name: value}``. Raises as :func:`blocks`."""
    drawing = "\n".join(
        fence[3] for fence in FENCE.finditer(_text(chapter)) if fence[1] == "numbers"
    )
    return _draw(drawing, random.Random(f"{chapter} {seed}"))


def blocks(chapter, seed=0):
    """The blocks of a chapter's assignment, with the numbers of this seed in them.

    Raises ``ValueError`` if the chapter has none: it says which chapters have.
    """
    text, drawn, found, at = _text(chapter), numbers(chapter, seed), [], 0
    for fence in [*FENCE.finditer(text), None]:
        between = text[at : fence.start() if fence else len(text)].strip()
        if between:
            found.append(Block("text", "", between))
        if fence:
            kind, argument, content = fence.groups()
            at = fence.end()
            if kind != "numbers":
                found.append(Block(kind, argument.strip(), content.rstrip("\n")))
    return [
        Block(kind, _fill(argument, drawn), _fill(content, drawn))
        for kind, argument, content in found
    ]


def _text(chapter):
    require(
        chapter in chapters(),
        f"chapter {chapter!r} has no assignment yet; these have: {', '.join(chapters())}",
    )
    return (TEXTS / f"{chapter}.md").read_text(encoding="utf-8")


def _draw(lines, source):
    """The numbers that the lines ``name = choice(…)`` draw; later ones may name earlier ones."""
    given = {"math": math, "choice": lambda *options: source.choice(options)}
    names = dict(given)
    exec(lines, names)
    drawn = {name: value for name, value in names.items() if name not in {*given, "__builtins__"}}
    return {
        name: _fill(value, drawn) if isinstance(value, str) else value
        for name, value in drawn.items()
    }


def _fill(text, drawn):
    def value(match):
        require(
            match[1] in drawn,
            f"an assignment names {{{{{match[1]}}}}}, which is not among its numbers: {', '.join(drawn)}",
        )
        return str(drawn[match[1]])

    return re.sub(r"\{\{(\w+)\}\}", value, text)


def notebook(chapter, version="source", seed=0, points=None):
    """A chapter's assignment as a notebook, in nbformat's JSON.

    ``version`` is "student" (blanks, no tests), "solution" (answers and tests) or "source" (the
    same with nbgrader's marks). ``points`` is what all tasks together are worth.
    """
    pieces = blocks(chapter, seed)
    stated = sum(float(piece.argument) for piece in pieces if piece.kind in ("test", "written"))
    worth = 1 if points is None else points / stated
    require(worth > 0, f"points = {points!r}: expected a total above 0")
    cells, tests = [], 0
    for number, (kind, argument, content) in enumerate(pieces):
        name = f"{chapter}-{number:02}-{argument if kind == 'answer' else kind}"
        score = round(worth * float(argument), 3) if kind in ("test", "written") else None
        if kind == "text":
            cells.append(_cell("markdown", content, name))
        elif kind == "figure":
            cells.append(_picture(content, argument, name))
        elif kind == "written":
            question, answer = content.split("\n---\n")
            cells.append(_cell("markdown", question, name + "-question"))
            shown = (
                answer
                if version == "solution"
                else f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
            )
            shown = "*Your answer here.*" if version == "student" else shown
            cells.append(_cell("markdown", shown, name, grade=score, solution=True))
        elif kind == "answer":
            cells.append(
                _cell(
                    "code",
                    blanked(content) if version == "student" else content,
                    name,
                    solution=True,
                )
            )
        elif kind != "test":
            cells.append(_cell("code", content, name, locked=True))
        elif version != "student":
            hidden = f"### BEGIN HIDDEN TESTS\n{FRESH}{content}\n### END HIDDEN TESTS"
            cells.append(
                _cell(
                    "code",
                    hidden if version == "source" else FRESH + content,
                    name,
                    grade=score,
                    locked=True,
                )
            )
    if version != "source":
        for cell in cells:
            cell["metadata"].pop("nbgrader", None)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def blanked(code):
    """``code`` with a blank for each solution."""
    return re.sub(
        r"^( *)### BEGIN SOLUTION\n[\s\S]*?### END SOLUTION", rf"\1{BLANK}", code, flags=re.M
    )


def _cell(kind, source, name, grade=None, solution=False, locked=False):
    cell = {
        "cell_type": kind,
        "id": hashlib.sha256(name.encode()).hexdigest()[:12],
        "metadata": {},
        "source": source,
    }
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    if grade is not None or solution or locked:
        cell["metadata"]["nbgrader"] = {
            "schema_version": 3,
            "grade_id": name,
            "grade": grade is not None,
            "solution": solution,
            "locked": locked,
            "task": False,
            **({} if grade is None else {"points": grade}),
        }
    return cell


def _picture(code, alt, name):
    """A Markdown cell with the figure that ``code`` draws, without the code."""
    cell = _cell("markdown", f"![{alt}](attachment:figure.png)", name)
    return {**cell, "attachments": {"figure.png": {"image/png": _drawn(code)}}}


@functools.cache
def _drawn(code):
    """The PNG of a figure, in base64."""
    return base64.b64encode(
        eval(code, {"figures": figures, "margins": margins})._repr_png_()
    ).decode()


def release(chapter, out, seed=0, points=None, solutions=True):
    """Write a chapter's assignment into the folder ``out``; returns the paths written.

    ``chapterNN.ipynb`` is for the students. With ``solutions`` there are ``chapterNN-solution.ipynb``
    and ``course``, a folder for nbgrader, whose README says how to go on. A course that is there
    already, of another chapter, is kept: the chapter is added to it.
    """
    out, name = Path(out), f"chapter{chapter}"
    wanted = {out / f"{name}.ipynb": "student"}
    if solutions:
        wanted |= {
            out / f"{name}-solution.ipynb": "solution",
            out / "course/source" / name / f"{name}.ipynb": "source",
        }
    for path, version in wanted.items():
        text = (
            json.dumps(notebook(chapter, version, seed, points), ensure_ascii=False, indent=1)
            + "\n"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [*wanted, *(_course(out / "course") if solutions else [])]


def _course(folder):
    """The files of an nbgrader course beside its sources."""
    kernel = folder / "kernels/lossbook"
    kernel.mkdir(parents=True, exist_ok=True)
    places = {
        "nbgrader_config.py": folder,
        "README.md": folder,
        "sandbox.sh": kernel,
        "kernel.json": kernel,
    }
    for name, place in places.items():
        with as_file(TEXTS / "course" / name) as path:
            shutil.copyfile(path, place / name)
    path = kernel / "kernel.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace("PYTHON", json.dumps(sys.executable)[1:-1]),
        encoding="utf-8",
    )
    return [place / name for name, place in places.items()]

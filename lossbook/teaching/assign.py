"""Assignments for a class: ``python -m lossbook assign 05 --out DIR``.

Their texts are in ``lossbook/teaching/assignments``, one per chapter. A text is Markdown with
fenced blocks, each with its kind in braces:

``numbers``
    Lines ``name = choice(…)``: drawn by the seed, and put wherever the text has ``{{name}}``. Other
    lines compute from these, with ``math``.
``code``
    A given cell, which nobody edits.
``answer NAME``
    A cell to be completed. The lines from ``### BEGIN SOLUTION`` to ``### END SOLUTION`` are for
    the lecturer; the student finds a blank there, or the line before, if it ends in ``= ...``.
``check``
    A cell in which the student calls :mod:`lossbook.teaching.check`.
``test POINTS``
    A hidden test, an assertion whose message names the mistake. It imports lossbook afresh.
``figure ALT``
    Drawn when the assignment is made; the student sees the picture and not its code.
``written POINTS``
    A question in free text, then ``---`` and what a good answer contains. Graded by hand.

A heading ``## N. Title`` begins a task; its points are written behind it. A link to
``notebooks/NAME.ipynb`` leads to that chapter in the repository. After the first block comes a cell
that installs lossbook where it is missing, as in Colab.
"""

import functools
import hashlib
import json
import math
import random
import re
import shutil
import sys
from importlib.metadata import metadata
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from lossbook import figures, margins
from lossbook._version import __version__
from lossbook.teaching import texts
from lossbook.teaching.points import in_words, share_points
from lossbook.utils.validation import require

__all__ = ["Block", "chapters", "numbers", "blocks", "notebook", "release", "blank_solutions"]

TEXTS = files("lossbook.teaching") / "assignments"
KIND = re.compile(r"\{(numbers|code|answer|check|test|figure|written)\} ?(.*)")
TASK = re.compile(r"^## (.+)$", re.M)
BLANK = "...  # your answer here"
# A solution, with the line before it if that is a blank.
SOLUTION = re.compile(
    r"(?:^(?P<blank> *\w+ = )\.\.\.\n)?"
    r"^(?P<indent> *)### BEGIN SOLUTION\n(?P<solution>[\s\S]*?)\n *### END SOLUTION",
    re.M,
)

# A hidden test trusts no name that the notebook has bound, nor any part of lossbook that it has
# changed.
FRESH = """import math
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "lossbook"]:
    del sys.modules[name]
from lossbook import heads
from lossbook.teaching import check
"""


SETUP = """#@title Set-up: lossbook, where it is missing (as in Colab)
import importlib
import subprocess
import sys

try:
    import lossbook.teaching
except ModuleNotFoundError:
    package = "lossbook @ git+ADDRESS@vVERSION"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", package]
    if subprocess.run(pip).returncode != 0:
        raise RuntimeError(
            "lossbook could not be installed. The reason is in the lines "
            "above: show them to whoever gave you this assignment."
        )
    importlib.invalidate_caches()"""


class Block(NamedTuple):
    """A piece of an assignment: its kind (``text`` or one of the fences), argument and content."""

    kind: str
    argument: str
    content: str


def chapters():
    """The chapters that have an assignment, as two-digit strings."""
    return texts.chapters(TEXTS)


def numbers(chapter, seed=0):
    """The numbers that this seed draws for a chapter's assignment: ``{name: value}``.

    Raises as :func:`blocks`.
    """
    lines = [
        block.content for block in _parse(texts.read(TEXTS, chapter)) if block.kind == "numbers"
    ]
    return _draw("\n".join(lines), random.Random(f"{chapter} {seed}"))


def blocks(chapter, seed=0):
    """The blocks of a chapter's assignment, with the numbers of this seed in them.

    Raises ``ValueError`` naming the chapters that have an assignment, if this one has none.
    """
    drawn = numbers(chapter, seed)
    return [
        Block(block.kind, _fill(block.argument, drawn), _fill(block.content, drawn))
        for block in _parse(texts.read(TEXTS, chapter))
        if block.kind != "numbers"
    ]


def notebook(chapter, version="source", seed=0, points=None):
    """A chapter's assignment as a notebook, in nbformat's JSON.

    ``version`` is "student" (blanks, no tests), "solution" (answers and tests) or "source" (the
    same with nbgrader's marks). ``points`` is the total of all tasks, by default that of the text.
    """
    pieces = _with_points(blocks(chapter, seed), points)
    cells, task = [], ""
    for number, block in enumerate(pieces):
        heading = TASK.search(block.content) if block.kind == "text" else None
        task = heading[1].rpartition(" (")[0] if heading else task
        suffix = block.argument if block.kind == "answer" else block.kind
        cells += _cells_of(block, f"{chapter}-{number:02}-{suffix}", version, task)
    cells.insert(1, _setup_cell(f"{chapter}-setup"))
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


def release(chapter, out, seed=0, points=None, solutions=True):
    """Write a chapter's assignment into the folder ``out``; returns the paths written.

    ``chapterNN.ipynb`` is for the students. With ``solutions`` there are
    ``chapterNN-solution.ipynb`` and ``course``, a folder for nbgrader, whose README tells how to
    continue. A course that exists already, of another chapter, is kept: the chapter is added to it.
    """
    out, name = Path(out), f"chapter{chapter}"
    versions = {out / f"{name}.ipynb": "student"}
    if solutions:
        versions[out / f"{name}-solution.ipynb"] = "solution"
        versions[out / "course/source" / name / f"{name}.ipynb"] = "source"
    for path, version in versions.items():
        content = notebook(chapter, version, seed, points)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [*versions, *(_write_course(out / "course") if solutions else [])]


def blank_solutions(code):
    """``code`` with a blank in place of each solution."""
    return SOLUTION.sub(_blank, code)


def _blank(match):
    return (match["blank"] or match["indent"]) + BLANK


def _parse(text):
    """The blocks of a text, as written: its fences of a known kind, and what is between them."""
    lines, parsed, start = text.splitlines(), [], 0

    def add_text(end):
        between = "\n".join(lines[start:end]).strip()
        if between:
            parsed.append(Block("text", "", between))

    for token in MarkdownIt().parse(text):
        if token.type != "fence" or token.level > 0:
            continue
        kind = KIND.fullmatch(token.info.strip())
        if kind:
            first, end = token.map
            add_text(first)
            parsed.append(Block(kind[1], kind[2].strip(), token.content.rstrip("\n")))
            start = end
    add_text(len(lines))
    return parsed


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
    """``text`` with the drawn values in place of ``{{name}}``."""

    def value(match):
        require(
            match[1] in drawn,
            f"an assignment names {{{{{match[1]}}}}}, which is not among its numbers: "
            f"{', '.join(drawn)}",
        )
        return str(drawn[match[1]])

    return re.sub(r"\{\{(\w+)\}\}", value, text)


def _with_points(pieces, points):
    """The blocks with the points of each test and question, and with their sum in each heading."""
    graded = [i for i, block in enumerate(pieces) if block.kind in ("test", "written")]
    weights = [float(pieces[i].argument) for i in graded]
    shares = dict(zip(graded, share_points(sum(weights) if points is None else points, weights)))
    pieces, of_task = list(pieces), 0
    for i in reversed(range(len(pieces))):
        block = pieces[i]
        if i in shares:
            pieces[i] = block._replace(argument=shares[i])
            of_task += shares[i]
        elif block.kind == "text" and TASK.search(block.content):
            heading = rf"## \1 ({in_words(of_task)})"
            pieces[i] = block._replace(content=TASK.sub(heading, block.content))
            of_task = 0
    return pieces


def _setup_cell(name):
    """The cell that installs lossbook where it is missing: folded, locked, not run in grading."""
    code = SETUP.replace("ADDRESS", _repository()).replace("VERSION", __version__)
    cell = _cell("code", code, name, locked=True)
    cell["metadata"] |= {
        "cellView": "form",
        "jupyter": {"source_hidden": True},
        "tags": ["skip-execution"],
    }
    return cell


def _repository():
    """The repository's address: in a clone from its settings, else as it was installed."""
    settings = Path(__file__).parents[2] / "_config.yml"
    if settings.exists():
        return re.search(r"^  url: *(\S+)", settings.read_text(encoding="utf-8"), re.M)[1]
    return metadata("lossbook")["Project-URL"].partition(", ")[2]


def _cells_of(block, name, version, task):
    """The cells of one block, which belongs to ``task``."""
    kind, argument, content = block
    if kind == "text":
        chapters_at = f"]({_repository()}/blob/v{__version__}/notebooks/"
        return [_cell("markdown", content.replace("](notebooks/", chapters_at), name)]
    if kind == "figure":
        return [_picture_cell(content, argument, name)]
    if kind == "written":
        return _written_cells(content, name, version, argument)
    if kind == "test":
        if version == "student":
            return []
        code = FRESH + content
        if version == "source":
            code = f"### BEGIN HIDDEN TESTS\n{code}\n### END HIDDEN TESTS"
        code = f"# Test of task {task} ({in_words(argument)})\n{code}"
        return [_cell("code", code, name, points=argument, locked=True)]
    if kind == "answer":
        replace = {
            "student": _blank,
            "solution": lambda match: match["solution"],
            # nbgrader deletes the solution and leaves the blank.
            "source": lambda match: f"{_blank(match)}\n{_marked(match)}",
        }[version]
        return [_cell("code", SOLUTION.sub(replace, content), name, solution=True)]
    return [_cell("code", content, name, locked=True)]


def _marked(match):
    """A solution between its two marks, without the blank before it."""
    return match[0][match.start("indent") - match.start() :]


def _written_cells(content, name, version, points):
    """A question and a cell for its answer, which is graded by hand."""
    question, answer = content.split("\n---\n")
    shown = {
        "student": "*Your answer here.*",
        "solution": answer,
        "source": f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION",
    }[version]
    return [
        _cell("markdown", question, name + "-question"),
        _cell("markdown", shown, name, points=points, solution=True),
    ]


def _cell(kind, source, name, points=None, solution=False, locked=False):
    """A cell with nbgrader's marks, if it is graded, completed by the student, or locked."""
    cell = {
        "cell_type": kind,
        "id": hashlib.sha256(name.encode()).hexdigest()[:12],
        "metadata": {},
        "source": source,
    }
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    if points is not None or solution or locked:
        cell["metadata"]["nbgrader"] = {
            "schema_version": 3,
            "grade_id": name,
            "grade": points is not None,
            "solution": solution,
            "locked": locked,
            "task": False,
            **({} if points is None else {"points": points}),
        }
    return cell


def _picture_cell(code, alt, name):
    """A Markdown cell with the figure that ``code`` draws, without the code."""
    cell = _cell("markdown", f"![{alt}](attachment:figure.png)", name)
    return {**cell, "attachments": {"figure.png": {"image/png": _draw_png(code)}}}


@functools.cache
def _draw_png(code):
    """The PNG of the figure that ``code`` draws, in base64."""
    return eval(code, {"figures": figures, "margins": margins}).png_as_text()


def _write_course(folder):
    """Write the files of an nbgrader course beside its sources; returns their paths."""
    kernel = folder / "kernels/lossbook"
    kernel.mkdir(parents=True, exist_ok=True)
    folders = {
        "nbgrader_config.py": folder,
        "README.md": folder,
        "sandbox.sh": kernel,
        "kernel.json": kernel,
    }
    for name, destination in folders.items():
        with as_file(TEXTS / "course" / name) as path:
            shutil.copyfile(path, destination / name)
    path = kernel / "kernel.json"
    text = path.read_text(encoding="utf-8")
    python = json.dumps(sys.executable)[1:-1]
    path.write_text(text.replace("PYTHON", python), encoding="utf-8")
    return [destination / name for name, destination in folders.items()]

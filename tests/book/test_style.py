"""The book's style, as far as a machine can judge it. Every check is shown to catch a bad
sample."""

import ast
import re
import subprocess
import sys
from collections import defaultdict

import jupytext
import pytest

from tests.helpers.reader_code import placeholders
from tools import toc
from tools.notebooks import readme_table

ROOT = toc.ROOT
MODULES = sorted(ROOT.glob("lossbook/**/*.py")) + sorted(ROOT.glob("tools/**/*.py"))
SUFFIXES = {".md", ".py", ".yml", ".toml", ".txt", ".in", ".bib", ".css", ".js", ".html", ".sh", ""}
FOLDERS = [".ci", ".github", "binder", "book", "lossbook", "notebooks", "tests", "tools"]
TEXTS = sorted(
    path
    for start in [ROOT.glob("*"), *(ROOT.glob(f"{folder}/**/*") for folder in FOLDERS)]
    for path in start
    if path.is_file() and path.suffix in SUFFIXES
)

MAX_CELL, MAX_FILE, MAX_FUNCTION, MIN_ALT = 25, 420, 60, 20  # a file: about 400
EXERCISE = re.compile(r"^`{3,}\{exercise\} .+\n:label: (ex-[\w-]+)\n", re.M)
EFFORT = re.compile(r"\n\*\d+ minutes · (?:easy|medium|hard)\*\n")
SOLUTION = re.compile(
    r"^`{3,}\{solution\} (?P<prose>\S+)\n:class: dropdown\n"
    r"|^```\{solution-start\} (?P<gated>\S+)\n:class: dropdown\n```\n(?P<body>(?s:.*?))^```\{solution-end\}\n```$",  # noqa: E501
    re.M,
)
DRAWS = re.compile(
    r"\bfigures\.\w+\(|\bplt\.(?!rc|style)\w+|\bax\w*(?:\[.*\])?\.(?:plot|scatter|imshow|hist|bar)\("
)


def read(page):
    return jupytext.read(ROOT / f"{page}.md", fmt="md:myst")


def code(chapter):
    return [cell for cell in chapter.cells if cell.cell_type == "code"]


def prose(chapter):
    return "\n\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")


def alt(cell):
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


# What one chapter must be


def long_cells(chapter):
    """A cell does one thing; if it is longer it belongs in lossbook."""
    return [
        cell.source
        for cell in code(chapter)
        if sum(bool(line.strip()) for line in cell.source.splitlines()) > MAX_CELL
    ]


def figures_without_words(chapter):
    """A cell that draws says what the figure shows: mystnb: image: alt in its metadata."""
    return [
        cell.source
        for cell in code(chapter)
        if DRAWS.search(cell.source) and len(alt(cell)) < MIN_ALT
    ]


def missing_parts(chapter):
    """The parts of the template, in words a reader can rely on."""
    time, item = r"\d+ (?:s|min)", r"(?:[-*]|\d\.) "
    parts = {
        "one title, first": r"\A(?:\(.*\)=\s+)?# .+(?:\n(?!# ).*)*\Z",
        "*Reading 20 min · CPU 60 s · all of MNIST 9 min*, without what was not measured": rf"^\*Reading \d+ min(?: · CPU {time})?(?: · all of MNIST {time})?\*$",  # noqa: E501
        "prerequisites": r"^(?:#+ |\*\*)Prerequisites",
        "3 to 5 objectives in a list": rf"^(?:#+ |\*\*)Objectives.*\n(?:(?!{item}|#).*\n)*(?:{item}.*\n(?:  .*\n)*){{3,5}}(?!{item})",  # noqa: E501
        "summary": r"^## Summary$",
        "exercises": r"^## Exercises$",
        "references": r"^## References$",
    }
    return [
        name
        for name, pattern in parts.items()
        if not re.search(pattern, prose(chapter) + "\n", re.M)
    ]


def poor_exercises(chapter):
    """4 to 6 exercises, each with minutes and difficulty, each followed by its folded solution,
    whose code asserts."""
    text = "\n\n".join(cell.source for cell in chapter.cells)
    labels = [match[1] for match in EXERCISE.finditer(text)]
    found = [] if 4 <= len(labels) <= 6 else [f"{len(labels)} exercises"]
    pieces = EXERCISE.split(text)
    for label, piece in zip(labels, pieces[2::2]):
        solution = SOLUTION.search(piece)
        if not EFFORT.match(piece):
            found.append(f"{label}: minutes and difficulty first, as *10 minutes · easy*")
        if not solution or label not in (solution["prose"], solution["gated"]):
            found.append(f"{label}: no solution of its own")
        elif solution["gated"] and not re.search(
            r"^ *assert |^ *torch\.testing\.assert_close\(", solution["body"], re.M
        ):
            found.append(f"{label}: the solution asserts nothing")
    return found


def misnumbered(chapter):
    """A chapter named by its number is a link, [chapter 3](lsoftmax), and the number is that of
    _toc.yml."""
    numbers = {page: number for number, page in toc.contents()}
    loose = re.findall(r"(?<!\[)\b[Cc]hapters? \d+", prose(chapter))
    linked = re.findall(r"\[(?:[Cc]hapter )?(\d+)\]\(([\w-]+)\)", prose(chapter))
    return loose + [
        f"{number}: {label}"
        for number, label in linked
        if number != numbers.get(toc.labels().get(label, ("", ""))[1])
    ]


CHAPTER_CHECKS = [long_cells, figures_without_words, missing_parts, poor_exercises, misnumbered]


@pytest.mark.parametrize("check", CHAPTER_CHECKS)
@pytest.mark.parametrize("page", toc.chapters())
def test_chapter(page, check):
    assert check(read(page)) == [], check.__doc__


HEADER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
EXERCISES = (
    "".join(
        f"""
```{{exercise}} How wide is it?
:label: ex-sample-{n}

*{5 * n} minutes · easy*

Try.
```

```{{solution-start}} ex-sample-{n}
:class: dropdown
```

```{{code-cell}}
assert 1
```

```{{solution-end}}
```
"""
        for n in range(1, 4)
    )
    + """
```{exercise} Why?
:label: ex-sample-4

*30 minutes · hard*

Think.
```

```{solution} ex-sample-4
:class: dropdown

Because.
```
"""
)
GOOD = (
    HEADER
    + """(ch:sample)=
# A sample

*Reading 20 min · CPU 60 s · all of MNIST 9 min*

**Prerequisites:** none.

**Objectives.** After this chapter you can

- do one thing,
- do another
  on two lines,
- do a third.

```{code-cell}
---
mystnb:
  image:
    alt: Ten classes as ten rays from the origin
---
figures.embeddings(run)
```

## Summary

## Exercises
"""
    + EXERCISES
    + """
## References
"""
)


@pytest.mark.parametrize("check", CHAPTER_CHECKS)
def test_a_good_chapter_passes(check):
    assert check(jupytext.reads(GOOD, fmt="md:myst")) == []


@pytest.mark.parametrize(
    "check, old, new",
    [
        (long_cells, "figures.embeddings(run)", "a = 1\n\n" * (MAX_CELL + 1)),
        (figures_without_words, "Ten classes as ten rays from the origin", "Embeddings"),
        (figures_without_words, "image:", "picture:"),
        (missing_parts, "# A sample", "A sample"),
        (missing_parts, "## Summary", "# Summary"),
        (missing_parts, "all of MNIST 9 min", "GPU not yet measured"),
        (missing_parts, "*Reading 20 min", "*CPU 60 s"),
        (missing_parts, "**Prerequisites:** none.", ""),
        (missing_parts, "**Objectives.**", ""),
        (missing_parts, "- do a third.", ""),
        (missing_parts, "- do a third.", "- 3\n- 4\n- 5\n- 6"),
        (missing_parts, "## Exercises", ""),
        (poor_exercises, EXERCISES, ""),
        (poor_exercises, ":label: ex-sample-1", ""),
        (poor_exercises, "*10 minutes · easy*", "*easy*"),
        (poor_exercises, "*10 minutes · easy*", "*10 minutes · nice*"),
        (poor_exercises, "{solution-start} ex-sample-2", "{solution-start} ex-sample-3"),
        (poor_exercises, "{solution} ex-sample-4\n:class: dropdown", "{solution} ex-sample-4"),
        (poor_exercises, "{solution} ex-sample-4", "{note} ex-sample-4"),
        (poor_exercises, "assert 1", "1"),
        (poor_exercises, EXERCISES, EXERCISES + EXERCISES.replace("ex-sample", "ex-more")),
        (missing_parts, "## References", ""),
        (misnumbered, "do one thing", "do as in chapter 3"),
        (misnumbered, "do one thing", "do as in [chapter 4](lsoftmax)"),
        (misnumbered, "do one thing", "do as in [Chapter 3](no-such-label)"),
    ],
)
def test_a_bad_chapter_is_caught(check, old, new):
    assert old in GOOD
    assert check(jupytext.reads(GOOD.replace(old, new), fmt="md:myst"))


# What no two chapters may share


def repeated(occurrences):
    """What occurs in more than one place, from (what, place) pairs."""
    places = defaultdict(list)
    for what, place in occurrences:
        places[what].append(place)
    return {what: found for what, found in places.items() if len(found) > 1}


def definitions(chapter):
    """Names of the functions and classes that a chapter defines; a class's own methods do not
    count."""
    tree = ast.parse(
        "\n".join(re.sub(r"^\s*[%!].*", "", cell.source, flags=re.M) for cell in code(chapter))
    )
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def test_no_helper_is_defined_in_two_chapters():
    assert (
        repeated((name, page) for page in toc.chapters() for name in definitions(read(page))) == {}
    )


def test_no_two_figures_share_their_words():
    assert (
        repeated(
            (alt(cell), page) for page in toc.chapters() for cell in code(read(page)) if alt(cell)
        )
        == {}
    )


def test_repeated_and_definitions_see():
    chapter = jupytext.reads(
        GOOD.replace(
            "figures.", "%matplotlib inline\ndef f(): pass\nclass A:\n  def g(): pass\nfigures."
        ),
        fmt="md:myst",
    )
    assert definitions(chapter) == {"f", "A"}
    assert repeated([("f", "01"), ("g", "01"), ("f", "02")]) == {"f": ["01", "02"]}


# What holds for every file


def strange_words(text):
    """Paths of one machine and hosts of package registries."""
    return re.findall(
        r"(?<![\w.])/(?:work|root|home|Users)/|\.\./shared|py[p]i\.org|pythonh[o]sted|n[p]mjs|deb\.debia[n]",
        text,
    )


def repository_addresses(text):
    """The repository's address, except in the README's table, which make notebooks writes and a
    test keeps in step."""
    written = re.sub(f"{readme_table.BEGIN}.*{readme_table.END}", "", text, flags=re.S)
    return re.findall(
        r"github(?:\.com)?/loss[b]ook/|github\.com/loss[b]ook|lossboo[k]\.github\.io", written
    )


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_text(path):
    text = path.read_text(encoding="utf-8")
    if path.name != "test_style.py":
        assert strange_words(text) == []
    if path.name not in ("test_style.py", "_config.yml"):
        assert repository_addresses(text) == [], (
            "repository.url in _config.yml is the only place for it"
        )


def test_bad_texts_are_caught():
    assert (
        strange_words("load('/home/me/data')")
        and strange_words("see ../shared")
        and strange_words("https://py" + "pi.org/x")
    )
    assert repository_addresses("git clone https://github.com/lossbook/lossbook")
    assert strange_words("a/home/b, at home") == repository_addresses("github.com/other/book") == []
    assert repository_addresses(
        "[Colab](https://colab.example.org/github/lossbook/lossbook/blob/main/a.ipynb)"
    )
    assert (
        repository_addresses(
            f"{readme_table.BEGIN}\ngithub.com/lossbook/lossbook\n{readme_table.END}"
        )
        == []
    )


def imported(source):
    """The top-level names of the packages that a module imports from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def long_functions(source):
    """Functions of more than MAX_FUNCTION lines, their docstring not counted."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
            if node.end_lineno - node.lineno + 1 - docstring > MAX_FUNCTION:
                names.append(node.name)
    return names


def test_long_functions_sees():
    long = "def f():\n" + "    x = 1\n" * MAX_FUNCTION
    assert long_functions(long) == ["f"]
    assert long_functions(long.replace("    x = 1\n", '    """Short.\n\n    """\n', 1)) == []
    assert long_functions("def f():\n" + "    x = 1\n" * (MAX_FUNCTION - 1)) == []


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "lossbook", "tools", "tests", "setup.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


def test_ruff_sees(tmp_path):
    path = tmp_path / "wide.py"
    path.write_text("x = 1  # " + 100 * "-" + "\n")
    command = [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "E501" in result.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_FILE, "has it still one reason to change?"
    assert long_functions(source) == []
    assert placeholders(source) == []
    if (
        path.is_relative_to(ROOT / "lossbook") and path.name != "nbgrader_config.py"
    ):  # nbgrader reads that one
        assert not {"notebooks", "tools", "tests", "jupytext", "nbformat"} & set(imported(source))


def test_imported_sees():
    assert list(imported("import notebooks.one\nfrom tools.x import y\nfrom . import z")) == [
        "notebooks",
        "tools",
    ]


def swallowed(source):
    """Paragraphs that the API page would read as entries of the section before them: sections come
    last."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            _, *sections = re.split(
                r"^(?:Parameters|Attributes|Raises)\n-+\n",
                ast.get_docstring(node) or "",
                flags=re.M,
            )
            for section in sections:
                ended = re.split(r"^\w+\n-+\n", section, flags=re.M)[0]
                yield from re.findall(r"\n\n(\S.*)", ended)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_paragraph_of_a_docstring_is_taken_for_a_parameter(path):
    assert list(swallowed(path.read_text(encoding="utf-8"))) == []


def test_swallowed_sees():
    good = 'def f(x):\n    """F.\n\n    Text.\n\n    Parameters\n    ----------\n    x : int\n\n    Returns\n    -------\n    y\n    """\n'  # noqa: E501
    assert list(swallowed(good)) == []
    assert list(
        swallowed(good.replace("    Returns\n    -------\n    y\n", "    Source: a paper.\n"))
    ) == ["Source: a paper."]

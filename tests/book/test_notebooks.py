"""The notebooks are what their sources say, and show no raw MyST."""

import re

import nbformat
import pytest

from tools import toc
from tools.notebooks import convert, readme_table
from tools.notebooks.myst_to_markdown import Lowering

HEADER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
TIMES = "*Reading 1 min · CPU 9 s*\n\n"
BIBLIOGRAPHY = """@article{one, author = {Ada Lovelace}, title = {A}, year = 1843, url = {https://a.org}}
@article{many, author = {Emmy Noether and Ada Lovelace and Mary Shelley}, title = {{B} c},
 year = 1918, doi = {10.1/b}}
"""
TOC = """root: book/index
parts:
  - numbered: 1
    chapters: [{file: notebooks/01_first}, {file: notebooks/02_second}]
  - chapters: [{file: book/notation}]
"""


# The book itself


def test_every_chapter_is_in_the_table_of_contents_and_every_entry_exists():
    root = toc.ROOT
    assert sorted(toc.chapters()) == sorted(
        f"notebooks/{path.stem}" for path in root.glob("notebooks/*.md")
    )
    assert [page for page in toc.pages() if not (root / f"{page}.md").exists()] == []


def test_every_notebook_has_its_source():
    stems = {path.stem for path in toc.ROOT.glob("notebooks/*.ipynb")}
    assert stems == {path.stem for path in toc.ROOT.glob("notebooks/*.md")}


@pytest.mark.parametrize("page", toc.chapters())
def test_notebook_is_in_sync_with_its_source(page):
    stored = (toc.ROOT / f"{page}.ipynb").read_text(encoding="utf-8")
    assert stored == convert.convert(page), f"{page}.md has changed: run make notebooks"


def test_the_table_in_the_readme_is_in_sync():
    assert (toc.ROOT / "README.md").read_text(encoding="utf-8") == readme_table.updated(), (
        "run make notebooks"
    )


@pytest.mark.parametrize("page", toc.chapters())
def test_notebook_holds_no_raw_myst(page):
    notebook = nbformat.read(toc.ROOT / f"{page}.ipynb", as_version=4)
    assert [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "markdown" and raw_myst(cell.source)
    ] == []


def raw_myst(text):
    """Traces of MyST in what should be plain Markdown: directives, colon fences, roles, targets,
    labels."""
    return re.findall(
        r"^\s*(?:[`~]{3,}\{.*|:{3,}.*)$|\{[\w:-]+\}`[^`]*`|^\([\w:.-]+\)=|\$\$ *\([\w:.-]+\)",
        text,
        re.M,
    )


@pytest.mark.parametrize(
    "text",
    ["```{note}\nx\n```", ":::{tip}\nx\n:::", "see {eq}`eq:a`", "(sec:a)=\n# A", "$$a$$ (eq:a)"],
)
def test_raw_myst_sees(text):
    assert raw_myst(text)


FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+)\$", re.S)
FOREIGN = re.compile(
    r"\\(?:label|eqref|ref|require|def|newcommand|renewcommand|DeclareMathOperator|usepackage|bm|begin\{"
    r"(?!(?:aligned|cases|p?matrix|array|split)\})\w*\*?\})|\n\s*\n|<(?=[A-Za-z/!])"
)


def foreign_to_mathjax(text):
    """What Colab's MathJax (version 2, no packages, in a cell of its own) does not set, or its
    Markdown reads first."""
    return [
        found for formula in FORMULA.findall(text) for found in FOREIGN.findall("".join(formula))
    ]


@pytest.mark.parametrize("page", toc.chapters())
def test_formulas_are_what_colab_sets(page):
    text = "\n\n".join(
        cell.source
        for cell in nbformat.read(toc.ROOT / f"{page}.ipynb", as_version=4).cells
        if cell.cell_type == "markdown"
    )
    assert FORMULA.search(text) and foreign_to_mathjax(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "$$\na \\label{x}\n$$",
        "see $\\eqref{x}$",
        "$$\n\\begin{align}a\\end{align}\n$$",
        "$$\na\n\nb\n$$",
        "$a<b$",
        "$\\bm{x}$",
    ],
)
def test_foreign_to_mathjax_sees(text):
    assert foreign_to_mathjax(text)
    assert foreign_to_mathjax("$$\n\\begin{cases}a < b\\end{cases}\n\\tag{1}\n$$ and $x_1$") == []


# The rules, on a small book


@pytest.fixture
def small_book(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "lossbook").mkdir()
    for path, text in {
        "_toc.yml": TOC,
        "_config.yml": "repository: {url: https://a.org/us/book, branch: main}",
        "README.md": f"# Read\n{readme_table.BEGIN}\n{readme_table.END}\nEnd.\n",
        "lossbook/_version.py": '__version__ = "1.2"\n',
        "pyproject.toml": "[project]\ndependencies = ['torch>=2', 'numpy']\n",
        "book/references.bib": BIBLIOGRAPHY,
        "book/index.md": "# Front",
        "book/notation.md": "(sec:n)=\n# Symbols\n\n$$\na\n$$ (eq:n)\n",
        "notebooks/01_first.md": "(ch:1)=\n# First\n\n$$\na\n$$ (eq:a)\n\n$$b$$\n\n$$\nc\n$$ (eq:c)\n{cite}`one,many`",  # noqa: E501
        "notebooks/02_second.md": HEADER + "(ch:2)=\n# Second\n\n```{math}\n:label: eq:d\nd\n```\n"
        "```{figure} a.png\n:name: fig:a\nCaption\n```\n"
        "```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    name: fig:drawn\n"
        '    caption: "Mind {eq}`eq:a`."\n---\ndraw()\n```\n'
        "```{exercise} How *wide*?\n:label: ex-a\nx\n```\n```{exercise}\n:label: ex-b\nx\n```\n",
    }.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "source, plain",
    [
        ("(ch:x)=\n# Title", "# Title"),
        ("% a note to the author\ntext", "text"),
        ("$$\na\n$$ (eq:a)", "$$\na\n\\tag{1.1}\n$$"),
        ("$$ a $$", "$$\na\n$$"),
        ("```{math}\n:label: eq:d\nd\n```", "$$\nd\n\\tag{2.1}\n$$"),
        ("{eq}`eq:a`, {eq}`eq:c`, {eq}`eq:d`, {eq}`eq:n`", "(1.1), (1.2), (2.1), (1)"),
        (
            "{ref}`ch:2`, {ref}`here <ch:2>`, {numref}`fig:a`, {numref}`fig:drawn`",
            "[Second](02_second.ipynb), [here](02_second.ipynb), Fig. 2.1, Fig. 2.2",
        ),
        ("{doc}`02_second` {math}`x^2`", "[Second](02_second.ipynb) $x^2$"),
        ("an {term}`EER`, {term}`its\nscales <scale>`", "an EER, its scales"),
        (
            "[](02_second.md), [two](02_second.md), [](ch:2), [two](#ch:2)",
            "[Second](02_second.ipynb), [two](02_second.ipynb), [Second](02_second.ipynb), [two](02_second.ipynb)",  # noqa: E501
        ),
        ("[](ch:1), {ref}`above <ch:1>`", "First, above"),
        (
            "[](../book/notation.md) [](#sec:n)",
            "[Symbols](../book/notation.md) [Symbols](../book/notation.md)",
        ),
        ("[out](https://c.org/x.md) ![image](a.md)", "[out](https://c.org/x.md) ![image](a.md)"),
        ("{cite}`one`", "([Lovelace, 1843](https://a.org))"),
        ("{cite:t}`many`", "[Noether et al. (1918)](https://doi.org/10.1/b)"),
        (
            "{cite:p}`one,many`",
            "([Lovelace, 1843](https://a.org); [Noether et al., 1918](https://doi.org/10.1/b))",
        ),
        (
            "```{bibliography}\n:filter: docname in docnames\n```",
            "- Lovelace (1843). [A](https://a.org).\n- Noether, Lovelace and Shelley (1918). [B c](https://doi.org/10.1/b).",
        ),
        ("```{note}\nMind {eq}`eq:a`.\n\nWell.\n```", "> **Note**\n>\n> Mind (1.1).\n>\n> Well."),
        (":::{admonition} A *title*\n:class: tip\ntext\n:::", "> **A *title***\n>\n> text"),
        ("::::{tip}\n:::{note}\nin\n:::\n::::", "> **Tip**\n>\n> > **Note**\n> >\n> > in"),
        ("- item\n\n  ```{note}\n  in\n  ```", "- item\n\n  > **Note**\n  >\n  > in"),
        (
            "```{figure} a.png\n:name: fig:a\n:alt: what it shows\nCaption\n```",
            "![what it shows](a.png)\n\n**Fig. 2.1.** Caption",
        ),
        (
            "```{exercise} How *wide*?\n:label: ex-a\n\n*5 minutes · easy*\n\nMind {eq}`eq:a`.\n```",  # noqa: E501
            "**Exercise 2.1** (How *wide*?)\n\n*5 minutes · easy*\n\nMind (1.1).",
        ),
        (
            "````{exercise}\n:label: ex-b\n```python\n1\n```\n````",
            "**Exercise 2.2**\n\n```python\n1\n```",
        ),
        (
            "[that](ex-b), {ref}`ex-b`, {numref}`ex-b`",
            "[that](02_second.ipynb), [Exercise 2.2](02_second.ipynb), Exercise 2.2",
        ),
        (
            "```{solution} ex-b\n:class: dropdown\nSee {eq}`eq:a`.\n```",
            "<details>\n<summary><b>Solution to Exercise 2.2</b></summary>\n\nSee (1.1).\n\n</details>",  # noqa: E501
        ),
        ("```{code-block} python\nx = '{eq}`a`'\n```", "```python\nx = '{eq}`a`'\n```"),
        ("```python\nx = '{eq}`a`'\n```", "```python\nx = '{eq}`a`'\n```"),
    ],
)
def test_lowering(small_book, source, plain):
    lowered = Lowering("notebooks/01_first", small_book)(source)
    assert lowered == plain
    assert "```python" in lowered or not raw_myst(lowered)


@pytest.mark.parametrize(
    "source",
    [
        "{eq}`eq:none`",
        "[](none)",
        "{cite}`none`",
        "{unknown}`x`",
        "```{unknown}\nx\n```",
        "```{note}\nnever closed",
        ":::{note}\nnever closed",
        "- ```{note}\n  beside a bullet\n  ```",
        "```{exercise}\nno label\n```",
        "```{solution} ex-none\nx\n```",
        "\\begin{align}\na\n\\end{align}",
    ],
)
def test_lowering_refuses_what_it_has_no_rule_for(small_book, source):
    with pytest.raises(ValueError, match="notebooks/01_first.md"):
        Lowering("notebooks/01_first", small_book)(source)


ASKED = "```{exercise}\n:label: ex-a\nTry.\n```\n"
START, END = "```{solution-start} ex-a\n:class: dropdown\n```\n", "```{solution-end}\n```\n"
CELL = "```{code-cell}\n---\nmystnb:\n  image:\n    alt: words\n---\n1 + 1\n```\n"


def test_a_solution_is_in_the_notebook_out_of_sight(small_book):
    path = small_book / "notebooks/02_second.md"
    source = f"# Second\n\n{CELL}\n{ASKED}\n{START}\nBecause {{eq}}`eq:a`.\n\n{CELL}\nSo *there*.\n{END}\nOn.\n\n{CELL}"  # noqa: E501
    path.write_text(HEADER + TIMES + source, encoding="utf-8")
    cells = nbformat.reads(convert.convert("notebooks/02_second", small_book), as_version=4).cells
    _, install, before, attempt, why, solution, more, on, after = cells
    assert [attempt.source, on.source, before.source, after.source] == [
        "**Exercise 2.1**\n\nTry.",
        "On.",
        "1 + 1",
        "1 + 1",
    ]
    folded = "<details>\n<summary><b>Solution to Exercise 2.1</b></summary>\n\n{}\n\n</details>"
    assert [why.source, more.source] == [
        folded.format("Because (1.1)."),
        folded.format("So *there*."),
    ]
    assert solution.source == "#@title Solution to Exercise 2.1\n1 + 1"
    assert solution.metadata == {
        **before.metadata,
        "cellView": "form",
        "jupyter": {"source_hidden": True},
    }
    assert "jupyter" not in before.metadata and before.metadata == after.metadata


@pytest.mark.parametrize(
    "source",
    [
        START,
        START + START + END,
        END,
        START.replace("ex-a", "ex-none") + END,
        START.replace(" ex-a", "") + END,
    ],
)
def test_a_solution_that_is_not_well_formed_is_refused(small_book, source):
    (small_book / "notebooks/02_second.md").write_text(
        f"{HEADER}# Second\n\n{ASKED}\n{source}\n{CELL}", encoding="utf-8"
    )
    with pytest.raises(ValueError, match="notebooks/02_second.md"):
        convert.convert("notebooks/02_second", small_book)


def test_the_caption_of_a_figure_stands_below_the_cell_that_draws_it(small_book):
    path = small_book / "notebooks/02_second.md"
    source = path.read_text(encoding="utf-8").removeprefix(HEADER)
    path.write_text(HEADER + TIMES + source, encoding="utf-8")
    text = convert.convert("notebooks/02_second", small_book)
    cells = nbformat.reads(text, as_version=4).cells
    drawing = [cell.source for cell in cells].index("draw()")
    assert cells[drawing + 1].source == "**Fig. 2.2.** Mind (1.1)."
    assert cells[drawing + 1].cell_type == "markdown"


def test_cell_ids_are_unique_stable_and_survive_edits_elsewhere(small_book):
    page, path = "notebooks/02_second", small_book / "notebooks/02_second.md"
    cells = "```{code-cell}\n1 + 1\n```\n\nText.\n\n```{code-cell}\n1 + 1\n```\n"
    path.write_text(HEADER + "# Second\n\n" + TIMES + cells, encoding="utf-8")
    text = convert.convert(page, small_book)
    assert text == convert.convert(page, small_book)
    before = [cell.id for cell in nbformat.reads(text, as_version=4).cells]
    path.write_text(HEADER + "# Second, edited\n\n" + TIMES + cells, encoding="utf-8")
    after = [
        cell.id for cell in nbformat.reads(convert.convert(page, small_book), as_version=4).cells
    ]
    assert len(set(before)) == len(before) == 5  # with the cell that installs lossbook
    assert after[1:] == before[1:] and after[0] != before[0]


def test_the_first_code_cell_installs_lossbook_from_the_address_in_the_configuration(small_book):
    path = small_book / "notebooks/02_second.md"
    path.write_text(
        HEADER + "# Second\n\n" + TIMES + "```{code-cell}\nimport lossbook\n```\n", encoding="utf-8"
    )
    title, setup, rest = nbformat.reads(
        convert.convert("notebooks/02_second", small_book), as_version=4
    ).cells
    assert title.source.startswith("# Second") and rest.source == "import lossbook"
    assert 'release = "git+https://a.org/us/book@v1.2"\n' in setup.source
    assert '%pip install --quiet "lossbook @ {release}" {pins}\n' in setup.source
    assert '"torch numpy "' in setup.source and "about 9 s on two CPU cores" in setup.source
    (small_book / "_config.yml").write_text(
        "repository: {url: https://b.org/me/fork, branch: trunk}", encoding="utf-8"
    )
    assert "git+https://b.org/me/fork@v1.2" in convert.convert("notebooks/02_second", small_book)


def test_a_chapter_without_its_times_is_refused(small_book):
    (small_book / "notebooks/02_second.md").write_text(HEADER + "# Second\n", encoding="utf-8")
    with pytest.raises(ValueError, match="notebooks/02_second.md has no line"):
        convert.convert("notebooks/02_second", small_book)


def test_the_readme_gets_the_chapters_and_their_addresses_in_the_configuration(small_book):
    begin, *rows, end = readme_table.updated(small_book).split("\n")[1:-2]
    assert (begin, end) == (readme_table.BEGIN, readme_table.END) and len(rows) == 4
    assert rows[2].startswith("| 1 | [First](notebooks/01_first.ipynb) | [![Open in Colab](")
    assert rows[3].endswith(
        "(https://colab.research.google.com/github/us/book/blob/main/notebooks/02_second.ipynb) |"
    )
    (small_book / "README.md").write_text("# Read\n", encoding="utf-8")
    with pytest.raises(ValueError, match="README.md has no place"):
        readme_table.updated(small_book)

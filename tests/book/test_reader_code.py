"""Code that readers see fits the page and names what it holds."""

import re

import jupytext
import pytest

from lossbook.teaching import assign
from tests.helpers.reader_code import WIDTH, nan_cells, placeholders, wide_lines
from tools import toc
from tools.book.execute import with_code

FILES = [*with_code(toc.pages()), *(f"assignment {chapter}" for chapter in assign.chapters())]


def cells(name):
    """The code cells of a page or of an assignment."""
    if name.startswith("assignment "):
        kinds = "code", "answer", "check", "test"
        blocks = assign.blocks(name.removeprefix("assignment "))
        return [block.content for block in blocks if block.kind in kinds]
    notebook = jupytext.read(toc.ROOT / f"{name}.md", fmt="md:myst")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def faults_in(sources, find):
    return [fault for source in sources for fault in find(source)]


@pytest.mark.parametrize("name", FILES)
def test_no_line_is_cut_off(name):
    assert faults_in(cells(name), wide_lines) == []


@pytest.mark.parametrize("name", FILES)
def test_no_name_is_a_placeholder(name):
    assert faults_in(cells(name), placeholders) == []


@pytest.mark.parametrize("name", with_code(toc.pages()))
def test_a_check_that_carries_a_claim_is_folded_and_not_hidden(name):
    text = (toc.ROOT / f"{name}.md").read_text(encoding="utf-8")
    assert not re.search(r"remove-(cell|input)", text)


@pytest.mark.parametrize("page", toc.pages())
def test_no_table_in_a_text_holds_nan(page):
    """Those that code draws are read where the book is built, by the tests of its pages."""
    assert nan_cells((toc.ROOT / f"{page}.md").read_text(encoding="utf-8")) == []


# The checks see what they are for


@pytest.mark.parametrize("name", ["notebooks/01_softmax", "book/faq", "assignment 05"])
@pytest.mark.parametrize(
    "find, planted",
    [
        (wide_lines, "x = 1  #" + (WIDTH - 7) * "-"),
        (placeholders, "found = 1"),
        (placeholders, "scores = [wanted for wanted in range(3)]"),
    ],
)
def test_a_planted_fault_is_caught(find, planted, name):
    assert len(faults_in([*cells(name), planted], find)) == 1


def test_wide_lines_are_counted_by_characters():
    assert wide_lines("θ" * WIDTH) == [] and wide_lines("\n" + "θ" * (WIDTH + 1)) != []


def test_placeholders_names_the_line():
    assert placeholders(
        "%pip list\n\nscores = 1\nfound = scores\nfor one in range(3):\n    pass"
    ) == [
        "found, line 4",
        "one, line 5",
    ]
    assert placeholders("def own(about):\n    return about") == ["about, line 1", "own, line 1"]
    assert placeholders("cosines = [found_angle for found_angle in own]") == []


@pytest.mark.parametrize(
    "table",
    [
        "| loss | accuracy |\n|---|---|\n| ArcFace | NaN |",
        "| `nan` | 3 |",
        '<tr><td class="text-right">NaN</td></tr>',
        "<td>\n  <p>nan</p>\n</td>",
    ],
)
def test_nan_in_a_table_is_seen(table):
    assert len(nan_cells(table)) == 1


@pytest.mark.parametrize(
    "text", ["| NaN or blank | – |", "<td>–</td>", "<td>NaN at 0°</td>", "a loss of NaN", "(nan)="]
)
def test_nan_in_words_is_none(text):
    assert nan_cells(text) == []

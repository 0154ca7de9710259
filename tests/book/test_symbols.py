"""The meanings of symbols, read from the page of notation, that a chapter shows."""

import re

import pytest

from tools import toc
from tools.book import symbols

TOC = """root: book/index
parts:
  - numbered: 1
    chapters: [{file: notebooks/01_first}, {file: notebooks/02_second}]
  - chapters: [{file: book/notation}]
"""
ROWS = r"""| $x \in \mathbb{R}^d$ | the embedding | `x` | |
| $W_j$, $W_y$ | a class vector, at an angle to $x$ {eq}`eq:a` | | |
| $t$ | threshold | `t` | [1](first) |
| $t$ | step | | [2](second) |
"""
FORMULA = '<span class="math notranslate nohighlight">\\({}\\)</span>'


@pytest.fixture
def book(tmp_path):
    """``book(rows)`` writes a book of two chapters whose page of notation has these rows."""

    def written(rows=ROWS, head=symbols.HEAD):
        for page, text in {
            "_toc.yml": TOC,
            "book/index.md": "# Front\n",
            "book/notation.md": f"# Notation\n\n{head}{rows}\n## More\n\n| a | b |\n",
            "notebooks/01_first.md": "(first)=\n# First\n",
            "notebooks/02_second.md": "(second)=\n# Second\n",
        }.items():
            (tmp_path / page).parent.mkdir(exist_ok=True)
            (tmp_path / page).write_text(text, encoding="utf-8")
        symbols.table.cache_clear()
        toc.labels.cache_clear()
        return tmp_path

    yield written
    symbols.table.cache_clear()
    toc.labels.cache_clear()


def test_a_row_holds_for_its_chapters_or_for_all(book):
    root = book()
    first = symbols.meanings("notebooks/01_first", root)
    second = symbols.meanings("notebooks/02_second", root)
    assert first["t"] == ("t", "threshold") and second["t"] == ("t", "step")
    assert first["x"] == second["x"] == (r"x \in \mathbb{R}^d", "the embedding")
    assert list(first) == ["x", "W_j", "W_y", "t"] and first["W_j"][1] == first["W_y"][1]


def test_a_page_gets_the_meanings_of_the_symbols_that_stand_alone_on_it(book):
    body = "".join(map(FORMULA.format, ["W_y", "t = 1", r"x \in \mathbb{R}^2", "W_y"]))
    page = symbols.add_meanings("notebooks/01_first", body, book())
    assert page.startswith(body)
    assert re.findall(r'id="(.+?)" .*? data-symbol="(.+?)" hidden', page) == [
        ("symbol-1", "x"),
        ("symbol-2", "W_y"),
    ]
    said = f"{FORMULA.format('W_y')}: a class vector, at an angle to {FORMULA.format('x')}</span>"
    assert page.endswith(said)


@pytest.mark.parametrize(
    "rows, problem",
    [
        ("| $x$ | the embedding | `x` |\n", r"four cells, got \| \$x\$ \| the embedding"),
        ("| x | the embedding | `x` | |\n", "expected a symbol between"),
        ("| $x$ | the embedding | `x` | [2](first) |\n", r"\[2\]\(first\) is no.*expected 1"),
        ("| $x$ | the embedding | `x` | [1](none) |\n", "expected the label of a chapter"),
        ("", "has no table of symbols"),
    ],
)
def test_a_table_that_is_not_well_formed_is_refused(book, rows, problem):
    with pytest.raises(ValueError, match=problem):
        symbols.table(book(rows))


def test_two_meanings_in_one_chapter_are_refused(book):
    root = book(ROWS + "| $t$ | temperature | | [2](second) |\n")
    assert symbols.meanings("notebooks/01_first", root)
    with pytest.raises(ValueError, match=r"\$t\$ has two meanings in notebooks/02_second"):
        symbols.meanings("notebooks/02_second", root)


@pytest.mark.parametrize("page", toc.chapters())
def test_no_symbol_of_the_book_has_two_meanings_in_a_chapter(page):
    assert {"x", "N", "s", r"\theta_j"} <= set(symbols.meanings(page))


def test_letters_with_several_meanings_have_the_chapter_s_own():
    def meaning(page, symbol):
        return symbols.meanings(f"notebooks/{page}").get(symbol, (None, None))[1]

    assert "plain logit" in meaning("03_lsoftmax", r"\lambda")
    assert "center loss" in meaning("10_euclidean", r"\lambda")
    assert "MagFace" in meaning("16_adaptive_margins", r"\lambda")
    assert "threshold" in meaning("12_verification", "t") and meaning("03_lsoftmax", "t") is None
    assert meaning("10_euclidean", "a") is None  # the anchor there, a length in MagFace
    assert meaning("14_in_use", "P") is None  # so many identities there, else the posterior


def test_every_chapter_of_a_row_uses_one_of_its_symbols():
    for tex, _, chapters in symbols.table():
        for page in chapters:
            text = (toc.ROOT / f"{page}.md").read_text(encoding="utf-8")
            assert any(symbols.name(symbol) in text for symbol in tex), (page, tex)

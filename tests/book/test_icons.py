"""Of the theme's icons those that a page shows stay, and its script goes."""

import shutil
from pathlib import Path

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont

from tools.book import prune_icons

STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
SCRIPT = '<!-- So that users can add custom icons -->\n  <script defer src="../_static/scripts/fontawesome.js?digest=1"></script>'  # noqa: E501
PAGE = f"<head>{SCRIPT}<script src='bootstrap.js'></script></head><i class='fa-solid fa-bars'></i>"


@pytest.fixture
def book(tmp_path):
    for part in ("styles", "vendor"):
        shutil.copytree(STATIC / part, tmp_path / "_static" / part)
    (tmp_path / "_static/scripts").mkdir()
    (tmp_path / "_static/scripts/fontawesome.js").write_text("'fa-moon'")
    (tmp_path / "_static/scripts/theme.js").write_text("'<i class=\"fa-xmark\">'")
    (tmp_path / "_static/styles/other.css").write_text('.more:after { content: "\\f107" }')
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/page.html").write_text(PAGE)
    return tmp_path


def test_the_used_ones_are_kept(book):
    prune_icons.keep_used(book)
    assert (book / "notebooks/page.html").read_text() == PAGE.replace(SCRIPT, "")
    css = (book / "_static/styles/pydata-sphinx-theme.css").read_text()
    assert ".fa-bars:before" in css and ".fa-xmark:before" in css and ".fa-moon:before" not in css
    assert css.count("@font-face") == 3 and "woff2" not in css
    assert ".fa-solid" in css and len(css) > 250_000, "the rest of the style sheet stays"
    fonts = book / "_static/vendor/fontawesome/webfonts"
    assert {path.suffix for path in fonts.iterdir()} == {".woff"}
    assert set(TTFont(fonts / "fa-solid-900.woff").getBestCmap()) >= {
        0xF0C9,
        0xF00D,
        0xF0F3,
        0xF107,
    }  # bars, xmark, the bell of a note, a literal
    assert sum(path.stat().st_size for path in fonts.iterdir()) < 10_000
    assert not (book / "_static/scripts/fontawesome.js").exists()


def test_another_theme_keeps_its_icons_with_a_warning(book):
    page = book / "notebooks/page.html"
    page.write_text(PAGE.replace("fontawesome", "icons"))
    before = {path: path.read_bytes() for path in book.rglob("*.*")}
    with pytest.warns(UserWarning, match="has changed, see tools/book/prune_icons.py"):
        prune_icons.keep_used(book)
    assert {path: path.read_bytes() for path in book.rglob("*.*")} == before

"""Renamed pages: an old address leads to a page of the book."""

import re

import pytest

from tools import toc
from tools.book import redirects

BASE = "https://us.github.io/book/"
PAGES = [old for old in redirects.MOVED if "#" not in old]


def test_what_has_moved_leads_to_a_page_and_was_not_given_to_another():
    targets = {new.partition("#")[0] for new in redirects.MOVED.values()}
    assert targets <= set(toc.pages())
    assert {old.partition("#")[0] for old in redirects.MOVED} == set(PAGES)
    assert set(PAGES).isdisjoint(toc.pages())


def test_a_section_that_went_elsewhere_is_on_its_new_page():
    for new in redirects.MOVED.values():
        page, _, fragment = new.partition("#")
        text = (toc.ROOT / f"{page}.md").read_text(encoding="utf-8")
        titles = [title.lower().replace(" ", "-") for title in toc.HEADING.findall(text)]
        labels = [f"equation-{label}" for _, label in toc.numbered(text)]
        assert not fragment or fragment in titles + labels


@pytest.mark.parametrize("old", PAGES)
def test_a_redirect_names_its_new_page(old):
    new = redirects.MOVED[old]
    page = redirects.redirect(old, BASE)
    assert f'<link rel="canonical" href="{BASE}{new}.html">' in page
    up = "../" * old.count("/")
    assert f'content="0; url={up}{new}.html"' in page
    assert re.search(r"<title>(.+)</title>", page)[1] == toc.labels()[new][0]
    assert f'?? "{up}{new}.html" + location.hash' in page


def test_a_moved_section_leads_to_its_own_page(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/new.md").write_text("# Old & new\n")
    (tmp_path / "_toc.yml").write_text("root: b/new\nparts: []\n")
    moved = {"a/old": "b/new", "a/old#x": "b/other#y", "a/older#z": "b/new"}
    page = redirects.redirect("a/old", BASE, moved, tmp_path)
    assert 'new Map([["#x", "../b/other.html#y"]])' in page
    assert "<title>Old &amp; new</title>" in page


def test_every_old_page_is_written(tmp_path):
    redirects.write(tmp_path, BASE)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("**/*.html")}
    assert written == {f"{old}.html" for old in PAGES}

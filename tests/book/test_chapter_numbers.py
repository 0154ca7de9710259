"""A chapter's number stands in its file's name, in the order of _toc.yml and in links that a test
reads; what else names a chapter names its file or its title, and the file exists."""

import re

import pytest

from tools import toc

FOLDERS = {
    "book": {".md", ".js", ".html", ".json"},
    "lossbook": {".md", ".py", ".js", ".html"},
    "tools": {".py"},
}
FILES = [
    *(toc.ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", ".ci/run")),
    *(
        path
        for folder, suffixes in FOLDERS.items()
        for path in sorted((toc.ROOT / folder).rglob("*"))
        if path.suffix in suffixes and "book/results" not in path.as_posix()
    ),
    *toc.ROOT.glob("notebooks/*.md"),
]
OLD_ADDRESSES = toc.ROOT / "tools/book/redirects.py"


def stale_files(text):
    """Names of chapters' files, such as 05_cosface, of which there is no chapter."""
    existing = {page.removeprefix("notebooks/") for page in toc.chapters()}
    return sorted(set(re.findall(r"\b\d\d_[a-z]\w+", text)) - existing)


def numbers(text):
    """Chapters named by number where no test would see that the number is stale."""
    return re.findall(r"\b[Cc]hapters? \d+", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(toc.ROOT)))
def test_chapters_are_named_as_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert path == OLD_ADDRESSES or stale_files(text) == []
    if path.parent.name != "notebooks":  # test_style.py reads the numbers of links there
        assert numbers(text) == []


def test_stale_names_and_numbers_are_seen():
    assert stale_files("notebooks/05_cosface.md, [a](06_arc_face.ipynb)") == ["06_arc_face"]
    assert numbers("as in chapter 9, and Chapters 3 to 5") == ["chapter 9", "Chapters 3"]


@pytest.mark.parametrize("page", toc.chapters())
def test_the_number_and_the_label_of_a_chapter_are_those_of_its_file(page):
    number, _, slug = page.removeprefix("notebooks/").partition("_")
    assert int(number) == toc.chapters().index(page) + 1
    assert (str(int(number)), page) in toc.contents()
    assert toc.labels()[slug.replace("_", "-")][1] == page

"""The files beside the built pages, and the front page's list of those that are there."""

import json
import re
import zipfile

import pytest

from tools import toc
from tools.book import downloads
from tools.exports import downloads as of_exports

FRONT = '<h2>Downloads</h2><ul class="downloads"></ul><ul><li>other</li></ul>'
BOOK = "downloads/lossbook.pdf"
ARCHIVES = ["downloads/lossbook-handouts.zip", "downloads/lossbook-slides.zip"]
ADDRESS = "https://book.org/"


@pytest.fixture
def html(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/index.html").write_text(FRONT, encoding="utf-8")
    return tmp_path


def links(html):
    return re.findall(r'<a href="\.\./(.*?)">', (html / "book/index.html").read_text())


def test_the_archive_of_notebooks_holds_all_chapters_a_readme_and_the_licences(html):
    path = downloads.add(html, "notebooks", downloads.notebooks(ADDRESS))
    with zipfile.ZipFile(path) as archive:
        files = {name.removeprefix("lossbook-notebooks/") for name in archive.namelist()}
        readme = archive.read("lossbook-notebooks/README.md").decode()
        stored = archive.read("lossbook-notebooks/LICENSE")
        modes = {entry.external_attr >> 16 for entry in archive.infolist()}
    chapters = {page.removeprefix("notebooks/") + ".ipynb" for page in toc.chapters()}
    assert files == chapters | {"README.md", "LICENSE", "LICENSE-TEXT.md"}
    assert ADDRESS in readme and "CC BY 4.0" in readme and "MIT" in readme
    assert stored == (toc.ROOT / "LICENSE").read_bytes() and modes == {0o644}
    assert path.stat().st_size < 1_000_000


def test_a_link_of_a_packed_notebook_leads_to_a_notebook_beside_it_or_to_the_book():
    files = downloads.notebooks(ADDRESS)
    notebook = json.loads(files["07_combined.ipynb"])
    text = "".join("".join(cell["source"]) for cell in notebook["cells"])
    targets = re.findall(r"\]\(([\w./:-]+?\.(?:ipynb|md|html))\)", text)
    outside = [target for target in targets if target not in files]
    assert "05_cosface.ipynb" in targets
    assert f"{ADDRESS}book/explorer.html" in outside
    assert all(target.startswith("https://") for target in outside)


def test_the_list_names_the_files_that_are_there_and_no_other(html):
    downloads.add(html, "slides", {"a/b.html": b"deck"})
    assert links(html) == ["downloads/lossbook-slides.zip"]
    downloads.add(html, "notebooks", {"a.ipynb": b"{}"})
    assert links(html) == ["downloads/lossbook-notebooks.zip", "downloads/lossbook-slides.zip"]
    (html / "printed.pdf").write_bytes(b"pages")
    downloads.add_book(html, html / "printed.pdf")
    assert links(html)[0] == BOOK and (html / BOOK).read_bytes() == b"pages"
    assert all((html / link).is_file() for link in links(html))
    assert "<li>other</li>" in (html / "book/index.html").read_text()


def test_the_same_files_make_the_same_archive(html):
    files = {"b.txt": b"two", "a.txt": b"one"}
    first = downloads.add(html, "notebooks", files).read_bytes()
    assert downloads.add(html, "notebooks", dict(sorted(files.items()))).read_bytes() == first


def test_a_front_page_without_the_list_is_refused(html):
    (html / "book/index.html").write_text("<h1>Front</h1>", encoding="utf-8")
    with pytest.raises(ValueError, match="book/index.html has 0 lists"):
        downloads.add(html, "notebooks", {})


def test_book_handouts_and_slides_are_listed_when_all_are_there(html, monkeypatch, capsys):
    monkeypatch.setattr(of_exports, "ROOT", html)
    monkeypatch.setattr(of_exports, "HTML", html)
    for kind, suffix in (("handouts", "pdf"), ("slides", "html")):
        folder = html / kind
        folder.mkdir()
        monkeypatch.setattr(of_exports, kind.upper(), folder)
        for page in toc.chapters():
            (folder / f"{page.rpartition('/')[2]}.{suffix}").write_text(page)
    (html / "slides/reveal").mkdir()
    (html / "slides/reveal/reveal.js").write_text("script")
    (html / "handouts/05_cosface-without-solutions.pdf").write_text("another")
    (html / "handouts/lossbook.pdf").write_text("the whole book")
    of_exports.main()
    assert links(html) == [BOOK, *ARCHIVES]
    packed = [zipfile.ZipFile(html / link).namelist() for link in ARCHIVES]
    assert [len(names) for names in packed] == [len(toc.chapters()), len(toc.chapters()) + 1]
    assert "lossbook-slides/reveal/reveal.js" in packed[1]
    (html / "handouts/05_cosface.pdf").unlink()
    with pytest.raises(SystemExit, match="handouts/05_cosface.pdf not there: run make downloads"):
        of_exports.main()

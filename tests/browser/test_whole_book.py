"""The book as one PDF: title page, contents, one outline, links that stay inside. Two chapters and
two pages of reference stand for all."""

import re

import pytest
from pypdf import PdfReader

from tests.browser.helpers import links_of
from tools import toc
from tools.exports import handouts, whole_book

PAGES = ["notebooks/05_cosface", "notebooks/06_arcface", "book/glossary", "book/references"]
TITLES = [
    "5. CosFace: a margin in the cosine",
    "6. ArcFace: a margin in the angle itself",
    "Glossary",
    "References",
]


@pytest.fixture(scope="module")
def book(chromium, site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    return PdfReader(whole_book.print_book(chromium, site, PAGES, folder=folder))


def text_of(page):
    return " ".join(page.extract_text().split())


def outline(book):
    """(level, title, page number) of every entry of the outline."""

    def walk(entries, level):
        for entry in entries:
            if isinstance(entry, list):
                yield from walk(entry, level + 1)
            else:
                yield level, entry.title, book.get_destination_page_number(entry) + 1

    return list(walk(book.outline, 1))


def test_all_chapters_are_printed_and_reference_that_is_no_program():
    pages = whole_book.printed_pages()
    assert pages[: len(toc.chapters())] == toc.chapters()
    rest = pages[len(toc.chapters()) :]
    assert rest == [f"book/{name}" for name in whole_book.REFERENCE]


def test_the_title_page_says_whose_book_it_is_and_where(book, published):
    text = text_of(book.pages[0])
    for words in ("From softmax to ArcFace", "The lossbook authors", "CC BY 4.0", "Version"):
        assert words in text
    assert published in text
    assert book.metadata.title == "From softmax to ArcFace"


def test_outline_and_contents_lead_to_where_a_page_begins(book):
    entries = outline(book)
    assert [title for level, title, _ in entries if level == 1] == [
        "Contents",
        "From softmax to ArcFace",
        "Reference",
    ]
    begins = {title: number for level, title, number in entries if level == 2}
    assert list(begins) == TITLES
    assert len([title for level, title, _ in entries if level == 3]) > 20
    contents = text_of(book.pages[1])
    for title, number in begins.items():
        assert re.search(rf"{re.escape(title)} *{number}\b", contents)
        assert title in text_of(book.pages[number - 1])


def test_a_foot_names_the_chapter_the_licence_and_the_page(book):
    begins = [number for level, _, number in outline(book) if level == 2]
    ends = [number - 1 for number in begins[1:]] + [len(book.pages)]
    assert begins[0] == 3
    for title, first, last in zip(TITLES, begins, ends):
        for number in range(first, last + 1):
            foot = f"{title} · {handouts.credit()} · {number} / {len(book.pages)}"
            assert foot in text_of(book.pages[number - 1])


def test_a_link_stays_inside_or_leads_to_where_the_book_is_published(book, published):
    addresses, targets = links_of(book)
    assert targets <= set(book.named_destinations)
    assert {"/notebooks-05_cosface-cosface", "/notebooks-06_arcface-arcface"} <= targets
    assert f"{published}notebooks/02_norm_softmax.html#norm-softmax" in addresses
    inside = [address for address in addresses for page in PAGES if f"{page}.html" in address]
    assert inside == []
    assert not [address for address in addresses if not re.match(r"https?://(?!127\.)", address)]


def test_it_is_tagged_and_says_its_language(book):
    root = book.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en"


def test_no_page_is_empty(book):
    begins = [number for level, _, number in outline(book) if level == 2]
    ends = {number - 1 for number in begins} | {len(book.pages)}
    words = {i: len(text_of(page).split()) for i, page in enumerate(book.pages, 1)}
    assert min(count for i, count in words.items() if i not in ends | {1, 2}) > 40

"""The glossary: short entries, each with the chapter that explains it."""

import re

from tools import toc

TEXT = (toc.ROOT / "book/glossary.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^((?:\S.*\n)+)((?:  .*\n)+)", re.M)
ENTRIES = [
    (terms.splitlines(), " ".join(text.split()))
    for terms, text in ENTRY.findall(TEXT.partition(":sorted:\n\n")[2])
]
TERMS = [term for terms, _ in ENTRIES for term in terms]


def test_no_entry_is_lost_and_no_word_stands_twice():
    assert 35 <= len(ENTRIES) <= 60
    assert len(set(map(str.lower, TERMS))) == len(TERMS)
    assert {"FAR", "embedding", "class vector", "scale", "template", "AAM-softmax"} <= set(TERMS)


def test_an_entry_is_short_and_ends_with_a_chapter():
    labels = toc.labels()
    for terms, text in ENTRIES:
        said, _, chapters = text.partition(" See ")
        linked = re.findall(r"\[\]\(([\w-]+)\)", chapters)
        assert linked and all(labels[label][1] in toc.chapters() for label in linked), terms
        assert 4 <= len(said.split()) <= 50 and said.endswith("."), terms
        assert len(re.findall(r"\.(?= [A-Z]|$)", said)) <= 3, terms


def test_a_word_in_an_entry_that_is_linked_is_in_the_glossary():
    linked = re.findall(r"\{term\}`([^`]+)`", TEXT)
    assert linked and set(linked) <= set(TERMS)


def test_no_word_is_taken_for_the_label_of_a_section():
    """In the strict build a link such as [](softmax) must not be able to mean both."""
    assert set(TERMS).isdisjoint(toc.labels())

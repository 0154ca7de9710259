"""A chapter on paper: with and without its solutions, with outline, tags, author and licence."""

import pytest
from pypdf import PdfReader

from tests.browser.helpers import links_of
from tools import toc
from tools.exports import handouts

PAGE = "notebooks/05_cosface"


@pytest.fixture(scope="module")
def printed(chromium, site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("handouts")
    return {
        with_solutions: PdfReader(
            handouts.print_chapter(chromium, site, PAGE, with_solutions, folder)
        )
        for with_solutions in (True, False)
    }


def text_of(reader):
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_solutions_are_there_or_not(printed):
    with_solutions, without = text_of(printed[True]), text_of(printed[False])
    for text in (with_solutions, without):
        assert "a margin in the cosine" in text
        assert "Exercise 5.1" in text
    count = toc.ROOT.joinpath(f"{PAGE}.md").read_text().count("{solution")  # solution-end too
    assert with_solutions.count("Solution") >= count // 2 >= 4
    assert "Solution" not in without
    assert len(printed[False].pages) < len(printed[True].pages)


def test_answers_of_questions_go_with_the_solutions(printed):
    question = "Check yourself"
    assert question in text_of(printed[True]) and question in text_of(printed[False])
    assert text_of(printed[True]).count("Answer") > text_of(printed[False]).count("Answer")


def test_a_handout_has_an_outline_tags_author_and_licence(printed):
    for reader in printed.values():
        titles = [entry.title for entry in reader.outline if not isinstance(entry, list)]
        assert titles and "CosFace" in titles[0]
        assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
        assert reader.trailer["/Root"]["/Lang"] == "en"
        assert "CC BY 4.0" in reader.pages[1].extract_text()


def test_no_page_is_empty(printed):
    for reader in printed.values():
        words = [len(page.extract_text().split()) for page in reader.pages[:-1]]
        assert min(words) > 40


def test_a_link_to_another_page_leads_to_where_the_book_is_published(printed, published):
    for reader in printed.values():
        addresses, targets = links_of(reader)
        assert f"{published}notebooks/02_norm_softmax.html#norm-softmax" in addresses
        assert not [address for address in addresses if "127.0.0.1" in address or ".png" in address]
        assert targets and targets <= set(reader.named_destinations)


def test_a_wide_table_becomes_as_narrow_as_the_paper(chromium, site):
    view = handouts.paper(chromium)
    view.goto(f"{site}/{PAGE}.html")
    view.evaluate("""document.querySelector(".cell_output table td").style.minWidth = "900px" """)
    handouts.prepare(view, True)
    widths = view.evaluate(
        """[...document.querySelectorAll(".cell_output table")].map(
            table => table.getBoundingClientRect().width)"""
    )
    view.close()
    assert widths[0] == max(widths) == pytest.approx(handouts.TEXT_WIDTH, abs=2)


def test_an_unknown_chapter_is_refused(capsys):
    with pytest.raises(SystemExit):
        handouts.main(["--chapters", "05", "99"])
    assert "--chapters 99: expected some of 01 02" in capsys.readouterr().err

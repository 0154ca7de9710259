"""Tables of results as a reader meets them: one row of heads, numbers under each other."""

import pandas as pd
from bs4 import BeautifulSoup

from tools.book.tables import dressed, dressed_all, with_signs


def cells(html):
    rows = BeautifulSoup(html, "html.parser").find_all("tr")
    return [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in rows]


def numbers(html):
    return [
        cell.get_text(strip=True) for cell in BeautifulSoup(html, "html.parser").select(".number")
    ]


def test_the_name_of_an_index_is_a_head_like_the_others():
    frame = pd.DataFrame({"loss": [1.5, 2.25]}, pd.Index([4, 16], name="scale s"))
    assert cells(dressed(frame.to_html())) == [["scale s", "loss"], ["4", "1.50"], ["16", "2.25"]]


def test_a_head_is_not_broken_within_a_number():
    frame = pd.DataFrame({"TAR at 1e-4": [0.5], "rank-1": [0.25]})
    head = dressed(frame.to_html(index=False)).partition("</thead>")[0]
    assert 'TAR at <span class="unbroken">1e-4</span></th>' in head
    assert head.count("unbroken") == 1 and ">rank-1</th>" in head


def test_so_are_the_names_of_two_levels():
    index = pd.MultiIndex.from_tuples([("clean", 1), ("blur", 2)], names=["images", "width"])
    frame = pd.DataFrame({"error": [1, 2]}, index)
    frame.columns.name = "measure"
    assert cells(dressed(frame.to_html()))[0] == ["images", "width", "error"]


def test_heads_in_groups_stay_two_rows():
    columns = pd.MultiIndex.from_product([["known", "unseen"], ["a", "b"]])
    frame = pd.DataFrame([[1, 2, 3, 4]], ["softmax"], columns)
    assert len(cells(dressed(frame.to_html()))) == 3


def test_columns_of_numbers_are_marked_and_words_are_not():
    frame = pd.DataFrame({"size": [1, 20], "fix": ["none", "clamp"]}, ["a", "b"])
    assert numbers(dressed(frame.to_html())) == ["size", "1", "20"]


def test_a_column_with_a_word_in_it_is_not_one_of_numbers():
    frame = pd.DataFrame({"posterior": ["0.5", "no limit"]})
    assert numbers(dressed(frame.to_html())) == []


def test_signs():
    assert with_signs("-0.61") == "−0.61"
    assert with_signs("-2.8 ± 0.5") == "−2.8 ± 0.5"
    assert with_signs("1.2e-07") == "1.2e-07"
    assert with_signs("1234567") == "1,234,567"
    assert with_signs("1000") == "1000"
    assert with_signs("0.12345678") == "0.12345678"
    assert with_signs("A-softmax") == "A-softmax"
    assert with_signs("13 to 16") == "13 to 16"


def test_a_page_keeps_what_is_not_a_table_of_results_and_loses_a_styler_s_colours():
    frame = pd.DataFrame({"error": [-1.5]}, ["a"])
    other = '<p>-1.5</p><table class="table"><tr><td>-1.5</td></tr></table>'
    page = dressed_all(other + frame.style.to_html())
    assert page.startswith(other) and "<style" not in page and "−1.5" in page


def test_a_page_without_tables_is_left_alone():
    page = '<div class="x" data-y=1>&lt;table&gt; & more<br></div>'
    assert dressed_all(page) == page

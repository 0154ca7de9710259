"""A quiz in a browser: replies, numbers, the keyboard, and what is kept."""

import pytest

from lossbook import interactive
from lossbook.teaching.quiz import parse
from tests.browser.helpers import PAGE
from tools.exports.browser import served

QUESTIONS = parse(
    "## Which?\n\n- [x] this\n  > Indeed.\n- [ ] that\n  > That is the other.\n\n"
    "## How many?\n\n= 0.25\n  > A quarter.\n! 4\n  > Turn it over.\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("quiz")
    form = interactive.quiz(QUESTIONS, "test").html
    (made / "quiz.html").write_text(PAGE.format(form), encoding="utf-8")
    with served(made) as address:
        yield address


def replies(page):
    return page.locator(".lb-reply").all_inner_texts()


def score(page):
    return page.locator("[data-part=score]").inner_text()


def enter(page, text):
    page.get_by_label("Your number").fill(text)
    page.get_by_role("button", name="Check").click()


def test_each_answer_has_its_reply(open_page):
    page = open_page("quiz")
    assert replies(page) == ["", ""] and score(page) == ""
    page.get_by_label("that").check()
    assert replies(page)[0] == "✖ Not quite. That is the other."
    assert score(page).startswith("0 of 2 right")
    page.get_by_label("this").check()
    assert replies(page)[0] == "✓ Right. Indeed." and score(page).startswith("1 of 2 right")


@pytest.mark.parametrize(
    "typed, says",
    [
        ("0.2501", "✓ Right. A quarter."),
        ("4", "✖ Not quite. Turn it over."),
        ("0,25", "✖ Not quite. Write 0.25, with a point."),
        ("0.3", "✖ Not quite. Not this number. Try again."),
        ("a quarter", "✖ Not quite. Enter a number, such as 0.25."),
        ("", "✖ Not quite. Enter a number, such as 0.25."),
        ("−4", "✖ Not quite. Not this number. Try again."),
    ],
)
def test_a_number_is_judged(open_page, typed, says):
    page = open_page("quiz")
    enter(page, typed)
    assert replies(page)[1] == says


def test_the_keyboard_is_enough(open_page):
    page = open_page("quiz")
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    assert replies(page)[0] != ""
    first = replies(page)[0]
    page.keyboard.press("ArrowDown")
    assert replies(page)[0] not in ("", first)
    page.get_by_label("Your number").focus()
    page.keyboard.type("0.25")
    page.keyboard.press("Enter")
    assert replies(page)[1] == "✓ Right. A quarter."


def test_answers_are_there_again_and_can_be_cleared(open_page):
    page = open_page("quiz")
    page.get_by_label("this").check()
    enter(page, "4")
    before = replies(page)
    page.reload()
    assert replies(page) == before and page.get_by_label("this").is_checked()
    assert page.get_by_label("Your number").input_value() == "4"
    assert score(page).startswith("1 of 2 right")
    page.get_by_role("button", name="Start again").click()
    assert replies(page) == ["", ""] and score(page) == ""
    page.reload()
    assert replies(page) == ["", ""]

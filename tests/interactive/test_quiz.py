"""The form of a quiz, as HTML; how it behaves is tested in a browser."""

import json
import re

from lossbook import interactive
from lossbook.teaching.quiz import parse

QUESTIONS = parse(
    "## Is *s* < 1?\n\n- [x] no & never\n  > Right.\n- [ ] yes\n  > It is 16.\n\n"
    "## One half?\n\n= 1 / 2\n  > Yes.\n"
)


def data_of(form):
    return json.loads(re.search(r"const data = (.*);\nfor", form.html)[1])


def test_the_script_gets_every_answer_as_html():
    form = interactive.quiz(QUESTIONS, "05")
    assert repr(form) == "a quiz of 2 questions"
    data = data_of(form)
    assert data["name"] == "05"
    choice, number = data["questions"]
    assert choice["text"] == "<p>Is <em>s</em> &lt; 1?</p>" and not choice["isNumber"]
    assert sorted((a["value"], a["right"], a["reply"]) for a in choice["answers"]) == [
        ("no &amp; never", True, "Right."),
        ("yes", False, "It is 16."),
    ]
    assert number["answers"] == [{"value": 0.5, "right": True, "reply": "Yes."}]
    assert number["tolerance"] == 0.01


def test_paper_has_the_questions_with_folded_answers():
    still = re.search(r'<ol class="lb-still">.*?</ol>', interactive.quiz(QUESTIONS, "05").html)[0]
    assert still.count("<li>") == 4 and still.count("<details>") == 2
    assert "<summary>Answer</summary>no &amp; never" in still
    assert "<summary>Answer</summary>0.5" in still


def test_a_picture_comes_with_its_alt_text():
    drawn = parse(
        "## Q\n\n= 1\n  > Yes.\n\n"
        '!figure figures.rival_curves({"plain": lambda cos: cos}, 0.5)\nA "diagonal".\n'
    )
    (question,) = data_of(interactive.quiz(drawn, "x"))["questions"]
    assert 'alt="A &quot;diagonal&quot;."' in question["figure"]


def test_the_same_questions_give_the_same_html():
    assert interactive.quiz(QUESTIONS, "05").html == interactive.quiz(QUESTIONS, "05").html

"""The chapters' questions: their format, their numbers, and Moodle's."""

import math
import re

import jupytext
import pytest

from lossbook.cli.main import main
from lossbook.figures.style import NotebookFigure
from lossbook.teaching import quiz
from tools import toc

TEXT = """# A chapter: check yourself

## Which loss has {no} margin?

- [x] Norm-softmax: s = 16
  > Yes.
- [ ] ArcFace
  > It has one.

## How many?

Of ten.

= math.log(10)
  > ln 10.
! 10
  > That is the number itself.

!figure figures.target_curves({"plain": lambda cos: 1 * cos})
A line that falls.
"""


def test_questions_are_read_with_answers_replies_and_pictures():
    choice, number = quiz.parse(TEXT)
    assert choice.text == "Which loss has {no} margin?" and not choice.is_number
    assert choice.answers == (
        ("Norm-softmax: s = 16", True, "Yes."),
        ("ArcFace", False, "It has one."),
    )
    assert choice.figure is None
    assert number.text == "How many?\n\nOf ten." and number.is_number
    assert number.answers == (
        (math.log(10), True, "ln 10."),
        (10.0, False, "That is the number itself."),
    )
    assert isinstance(number.figure, NotebookFigure) and number.alt == "A line that falls."


@pytest.mark.parametrize(
    "text, says",
    [
        ("## Q", "'Q' has no answers"),
        ("## Q\n\n- [ ] a\n  > no", "no right answer"),
        ("## Q\n\n- [x] a", "'- \\[x\\] a' is no answer with a reply"),
        ("## Q\n\n- [x] a\n  > yes\n= 1\n  > yes", "not both"),
    ],
)
def test_a_question_that_cannot_be_asked_is_named(text, says):
    with pytest.raises(ValueError, match=says):
        quiz.parse(text)


def test_moodle_gets_every_answer_with_its_special_characters_escaped():
    gift = quiz.to_gift("A chapter", quiz.parse(TEXT))
    choice, number = gift.split("\n\n::")
    assert choice.splitlines() == [
        "::A chapter 1::[markdown]Which loss has \\{no\\} margin? {",
        "=Norm-softmax\\: s \\= 16#Yes.",
        "~ArcFace#It has one.",
        "}",
    ]
    assert "{#\n=2.30259:0.023#ln 10.\n=%0%10:0.1#That is" in number


@pytest.mark.parametrize("chapter", quiz.chapters())
def test_a_chapter_asks_four_to_six_questions_and_answers_each_reply(chapter):
    listed = quiz.questions(chapter)
    assert 4 <= len(listed) <= 6
    for question in listed:
        replies = [answer.reply for answer in question.answers]
        assert len(set(replies)) == len(replies)
        rights = [answer for answer in question.answers if answer.right]
        wrongs = [answer for answer in question.answers if not answer.right]
        assert len(rights) == 1
        if question.is_number:
            for answer in wrongs:
                distance = abs(answer.value - rights[0].value)
                assert distance > 2.5 * question.tolerance * (abs(rights[0].value) or 1)
        else:
            assert 2 <= len(wrongs) <= 4


@pytest.mark.parametrize("chapter", quiz.chapters())
def test_a_chapter_shows_its_questions_before_its_exercises(chapter):
    (page,) = [name for name in toc.chapters() if name.startswith(f"notebooks/{chapter}_")]
    notebook = jupytext.read(toc.ROOT / f"{page}.md", fmt="md:myst")
    sources = [cell.source for cell in notebook.cells]
    (place,) = [i for i, source in enumerate(sources) if "interactive.quiz(" in source]
    assert f'interactive.quiz(quiz.questions("{chapter}"), "{chapter}")' in sources[place]
    assert "hide-input" in notebook.cells[place].metadata["tags"]
    headings = re.findall(r"^## (.+)$", "\n".join(sources[: place + 1]), re.M)
    assert headings[-1] == "Check yourself" and "Exercises" not in headings


def test_an_unknown_chapter_names_those_that_there_are():
    with pytest.raises(ValueError, match="'99' has no questions yet; these have: .*16"):
        quiz.questions("99")


def test_assign_writes_the_questions_if_asked(tmp_path, capsys):
    arguments = ["assign", "16", "--no-solutions", "--out", str(tmp_path)]
    assert main(arguments) == 0 and not list(tmp_path.glob("*.gift"))
    assert main([*arguments, "--quiz"]) == 0
    assert f"{tmp_path}/chapter16.gift" in capsys.readouterr().out
    assert "::Margins that adapt 1::" in (tmp_path / "chapter16.gift").read_text()

"""The chapters' questions: their format, their numbers, and Moodle's."""

import math
import re

import jupytext
import pytest
import torch

from lossbook import heads
from lossbook.cli.main import main
from lossbook.figures.style import NotebookFigure
from lossbook.metrics.verification import rates_at
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


@pytest.mark.parametrize("chapter", [*quiz.chapters(), *quiz.COURSE])
def test_a_chapter_asks_four_to_six_questions_and_answers_each_reply(chapter):
    listed = quiz.questions(chapter)
    assert 4 <= len(listed) <= 6 or (chapter in quiz.COURSE and len(listed) == 15)
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


def test_assign_writes_both_tests_of_the_course_and_no_notebook(tmp_path, capsys):
    arguments = ["assign", *quiz.COURSE, "--out", str(tmp_path)]
    assert main(arguments) == 2 and not list(tmp_path.iterdir())
    refusal = "course-before course-after: these are questions, so add --quiz"
    assert refusal in capsys.readouterr().err
    assert main([*arguments, "--quiz"]) == 0
    before, after = (tmp_path / f"{name}.gift" for name in quiz.COURSE)
    assert capsys.readouterr().out == f"{before}\n{after}\n"
    assert set(tmp_path.iterdir()) == {before, after}
    assert before.read_text().startswith(
        "// Measures: What softmax makes of logits: only their differences count (Softmax)\n"
        "::Course test A 1::[markdown]A softmax gets the logits 12, 10 and 10."
    )


def test_the_courses_tests_are_parallel():
    before, after = (quiz.questions(name) for name in quiz.COURSE)
    assert [question.measures for question in before] == [question.measures for question in after]
    assert len({question.measures for question in before}) == len(before)
    for first, second in zip(before, after):
        assert first.text != second.text and first.is_number == second.is_number
        assert len(first.answers) == len(second.answers) and first.measures
        if first.is_number:
            assert not math.isclose(right(first), right(second), rel_tol=0.01)
    # Neither form can be passed by always choosing the same place.
    for form in (before, after):
        places = [
            [answer.right for answer in question.answers].index(True)
            for question in form
            if not question.is_number
        ]
        assert len(set(places)) >= 3 and max(map(places.count, places)) < len(places) / 2 + 1


def right(question):
    return next(answer.value for answer in question.answers if answer.right)


def posterior(logits):
    return torch.softmax(torch.tensor(logits), 0)[0]


def logit_of_lengths(embedding, class_vector, degrees):
    head = heads.Softmax(2, 2, bias=False)
    angle = math.radians(degrees)
    head.weight.data[0] = class_vector * torch.tensor([math.cos(angle), math.sin(angle)])
    return head(torch.tensor([[embedding, 0.0]]))[0, 0]


def posterior_at_class_vector(scale, num_classes):
    head = heads.NormSoftmax(2, num_classes, scale=scale)  # evenly spaced, as it starts
    return torch.softmax(head(head.weight), 1)[0, 0]


def logit_in_training(head, cos):
    head.weight.data[0] = torch.tensor([1.0, 0.0])
    x = torch.tensor([[cos, math.sqrt(1 - cos**2)]])
    return head(x, torch.tensor([0]))[0, 0]


def lead_at_class_vector(num_classes):
    weight = heads.NormSoftmax(2, num_classes).weight
    cos = torch.sort(weight @ weight.T, descending=True).values[0]
    return cos[0] - cos[1]


def false_accepts(genuine, accepted, impostors, falsely):
    same = torch.arange(genuine + impostors) < genuine
    scores = torch.zeros(len(same))
    scores[:accepted] = 1
    scores[genuine : genuine + falsely] = 1
    return 100 * rates_at(scores.numpy(), same.numpy(), 0.5).far


def megabytes_of_logits(batch, num_classes):
    thousandth = heads.CosFace(2, num_classes // 1000)(torch.ones(batch, 2))
    return 1000 * thousandth.nbytes / 1e6


def cosface(scale, margin):
    return heads.CosFace(2, 3, scale=scale, margin=margin)


def arcface(scale, margin):
    return heads.ArcFace(2, 3, scale=scale, margin=margin)


COMPUTED = {
    1: lambda: (posterior([12.0, 10, 10]), posterior([-3.0, -4, -4, -4])),
    2: lambda: (logit_of_lengths(3.0, 4, 60), logit_of_lengths(5.0, 2, 120)),
    4: lambda: (posterior_at_class_vector(3, 4), posterior_at_class_vector(1.5, 3)),
    7: lambda: (logit_in_training(cosface(20, 0.3), 0.8), logit_in_training(cosface(30, 0.2), 0.6)),
    8: lambda: (
        logit_in_training(arcface(10, 0.5), math.cos(math.radians(40))),
        logit_in_training(arcface(20, 0.3), math.cos(math.radians(60))),
    ),
    10: lambda: (lead_at_class_vector(5), lead_at_class_vector(9)),
    12: lambda: (false_accepts(400, 380, 2000, 30), false_accepts(500, 450, 4000, 20)),
    15: lambda: (megabytes_of_logits(200, 50_000), megabytes_of_logits(100, 1_000_000)),
}


@torch.no_grad()
def test_the_library_computes_every_number_of_the_courses_tests():
    forms = [quiz.questions(name) for name in quiz.COURSE]
    asked = [number for number, question in enumerate(forms[0], 1) if question.is_number]
    assert asked == list(COMPUTED)
    for number, compute in COMPUTED.items():
        for form, value in zip(forms, compute(), strict=True):
            assert right(form[number - 1]) == pytest.approx(float(value), rel=1e-5)


def by_arccos(cos):
    return torch.cos(torch.arccos(cos) + 0.3)


def by_root(cos):
    return cos * math.cos(0.3) - torch.sqrt(1 - cos**2) * math.sin(0.3)


@pytest.mark.parametrize("target", [by_arccos, by_root])
def test_on_the_class_vector_the_loss_is_finite_and_its_gradient_nan(target):
    """As question 11 of either test has it."""
    x = torch.tensor([2.0, 0.0], requires_grad=True)
    loss = -target(torch.nn.functional.normalize(x, dim=0) @ torch.tensor([1.0, 0.0]))
    loss.backward()
    assert loss.isfinite() and x.grad.isnan().any()

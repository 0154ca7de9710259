"""Questions that a reader answers in the page, without a kernel."""

import hashlib
import html
import re

from lossbook.interactive.widget import Widget, picture

__all__ = ["quiz"]

EMPHASIS = re.compile(r"\*([^*]+)\*")


def quiz(questions, name):
    """A form with questions to choose an answer or to enter a number, and a reply to each answer.

    The reader's answers stay in the browser, under ``name``, and are there again on the next
    visit. On paper and without scripts the questions stand as text, their answers folded.

    Parameters
    ----------
    questions : sequence of lossbook.teaching.quiz.Question
    name : str
        Of the chapter; no two quizzes of a book share one.

    Returns
    -------
    Widget

    Examples
    --------
    >>> from lossbook.teaching.quiz import parse
    >>> quiz(parse("## 1 + 1?\\n\\n= 2\\n  > Yes."), "sums")
    a quiz of 1 question
    """
    questions = tuple(questions)
    data = {"name": name, "questions": [_encode(question) for question in questions]}
    still = "".join(_as_text(question) for question in questions)
    count = f"{len(questions)} question{'' if len(questions) == 1 else 's'}"
    return Widget("quiz", data, f'<ol class="lb-still">{still}</ol>', f"a quiz of {count}")


def _encode(question):
    """A question as the script takes it: texts as HTML, answers in an order of their own."""
    shuffled = sorted(question.answers, key=lambda answer: _digest(f"{question.text}{answer}"))
    return {
        "text": _paragraphs(question.text),
        "isNumber": question.is_number,
        "tolerance": question.tolerance,
        "answers": [
            {
                "value": answer.value if question.is_number else _marked_up(answer.value),
                "right": answer.right,
                "reply": _marked_up(answer.reply),
            }
            for answer in shuffled
        ],
        "figure": "" if question.figure is None else picture(question.figure, question.alt),
    }


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _as_text(question):
    """A question as an item of a list, for paper and for readers without scripts."""
    choices = "".join(f"<li>{_marked_up(str(answer.value))}</li>" for answer in question.answers)
    choices = "" if question.is_number else f"<ul>{choices}</ul>"
    right = "; ".join(
        f"{answer.value:.4g}" if question.is_number else _marked_up(answer.value)
        for answer in question.answers
        if answer.right
    )
    return (
        f"<li>{_paragraphs(question.text)}{choices}"
        f"<details><summary>Answer</summary>{right}</details></li>"
    )


def _paragraphs(text):
    return "".join(f"<p>{_marked_up(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _marked_up(text):
    """Plain text as HTML, with ``*s*`` in italics."""
    return EMPHASIS.sub(r"<em>\1</em>", html.escape(text, quote=False))

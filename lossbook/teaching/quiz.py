"""Questions to check oneself: read from the chapters' lists, and written for Moodle.

A chapter's questions stand in ``questions/NN.md``. A heading of the second level is a question,
and what follows it is the answers, each with the sentence that its reader gets::

    ## What does softmax see of an image?

    - [x] Its logits.
      > And of them only the differences.
    - [ ] Its pixels.
      > The backbone has turned them into an embedding.

    ## What is the loss of an image that is known to be one of ten classes, and no more?

    = math.log(10)
      > Ten equal posteriors: −ln 0.1.
    ! 10
      > That is the number of classes.

A number is a Python expression, in which ``math``, ``bounds`` and ``margins`` are known. It is
right within one percent. A last paragraph that begins with ``!figure`` holds an expression that
draws a picture with ``figures``, and its alt text; the reader sees it after the answer.

``course-before`` and ``course-after`` are two tests for the whole course. Question by question they
are of the same kind with other numbers, and ``!measures`` says of what. Nothing else has that line,
the last one of a question.
"""

import math
import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from lossbook import bounds, figures, margins
from lossbook.teaching import texts
from lossbook.utils.validation import require

__all__ = [
    "Answer",
    "Question",
    "COURSE",
    "chapters",
    "questions",
    "parse",
    "to_gift",
    "release",
]

TEXTS = files("lossbook.teaching") / "questions"
ANSWER = re.compile(r"(?:- \[(?P<mark>[x ])\]|(?P<sign>[=!])) (?P<text>.+)\n\s*> (?P<reply>.+)")
COURSE = ("course-before", "course-after")
MEASURES = re.compile(r"!measures (.+)")
FIGURE = re.compile(r"!figure (?P<code>.+)\n(?P<alt>.+)")
KNOWN = {"math": math, "bounds": bounds, "margins": margins, "figures": figures}
GIFT_SPECIAL = re.compile(r"([~=#{}:\\])")


class Answer(NamedTuple):
    """One answer: text to choose, or a number, whether it is right, and what its reader gets."""

    value: str | float
    right: bool
    reply: str


class Question(NamedTuple):
    """A question and its answers, at least one of them right.

    ``figure`` is a picture to see after the answer, with its ``alt`` text, or None. A number is
    right within the ``tolerance``, a fraction of it (of 1, if it is 0). ``measures`` is what a
    question of the course's tests is there to find out; "" for those of a chapter.
    """

    text: str
    answers: tuple
    figure: object = None
    alt: str = ""
    tolerance: float = 0.01
    measures: str = ""

    @property
    def is_number(self):
        """Whether a number is to be entered; otherwise one of the answers is to be chosen."""
        return not isinstance(self.answers[0].value, str)


def chapters():
    """The chapters that have questions, as two-digit strings."""
    return [name for name in texts.chapters(TEXTS) if name not in COURSE]


def questions(chapter):
    """The questions of a chapter, such as ``"05"``, or of a test in ``COURSE``, as a tuple.

    Raises ``ValueError`` naming the chapters and tests that there are, if this is none of them.
    """
    return parse(texts.read(TEXTS, chapter))


def parse(text):
    """The questions of a text in the format above: a tuple of :class:`Question`.

    Raises ``ValueError`` for a question without a right answer, or with a part that is none of
    those above.
    """
    return tuple(_parse_question(part) for part in re.split(r"^## ", text, flags=re.M)[1:])


def to_gift(title, listed):
    """Questions in Moodle's GIFT format, without their figures.

    ``title`` names them in the question bank: ``title 1``, ``title 2`` and so on. What a question
    measures stands in a comment above it.
    """
    parts = []
    for number, question in enumerate(listed, start=1):
        lines = [_gift_answer(answer, question) for answer in question.answers]
        kind = "#" if question.is_number else ""
        body = "\n".join(lines)
        name = f"{_escaped(title)} {number}"
        comment = f"// Measures: {question.measures}\n" if question.measures else ""
        parts.append(
            f"{comment}::{name}::[markdown]{_escaped(question.text)} {{{kind}\n{body}\n}}\n"
        )
    return "\n".join(parts)


def release(chapter, out):
    """Write a chapter's questions to ``chapterNN.gift`` in the folder ``out``; returns the path.

    A test in ``COURSE`` goes to a file of its own name. Raises as :func:`questions`.
    """
    text = texts.read(TEXTS, chapter)
    title = text.partition("\n")[0].removeprefix("# ").removesuffix(": check yourself")
    path = Path(out) / f"{chapter if chapter in COURSE else 'chapter' + chapter}.gift"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_gift(title, parse(text)), encoding="utf-8")
    return path


def _parse_question(part):
    heading, _, rest = part.strip().partition("\n")
    paragraphs = [paragraph.strip() for paragraph in rest.split("\n\n") if paragraph.strip()]
    figure, alt, measures = None, "", ""
    if paragraphs and (match := MEASURES.fullmatch(paragraphs[-1])):
        measures = match[1]
        paragraphs.pop()
    if paragraphs and (match := FIGURE.fullmatch(paragraphs[-1])):
        figure, alt = eval(match["code"], dict(KNOWN)), match["alt"]
        paragraphs.pop()
    require(paragraphs, f"{heading!r} has no answers")
    *texts, answers = paragraphs
    left = ANSWER.sub("", answers).strip()
    require(not left, f"{heading!r}: {left!r} is no answer with a reply below it, after '> '")
    parsed = tuple(_parse_answer(match) for match in ANSWER.finditer(answers))
    require(any(answer.right for answer in parsed), f"{heading!r} has no right answer")
    kinds = {isinstance(answer.value, str) for answer in parsed}
    require(len(kinds) == 1, f"{heading!r}: answers are either to choose or numbers, not both")
    text = "\n\n".join([heading, *texts])
    return Question(text, parsed, figure, alt, measures=measures)


def _parse_answer(match):
    if match["sign"]:
        value = float(eval(match["text"], dict(KNOWN)))
        return Answer(value, match["sign"] == "=", match["reply"])
    return Answer(match["text"], match["mark"] == "x", match["reply"])


def _gift_answer(answer, question):
    if question.is_number:
        share = "=" if answer.right else "=%0%"
        value = f"{answer.value:.6g}:{question.tolerance * (abs(answer.value) or 1):.3g}"
    else:
        share = "=" if answer.right else "~"
        value = _escaped(answer.value)
    return f"{share}{value}#{_escaped(answer.reply)}"


def _escaped(text):
    return GIFT_SPECIAL.sub(r"\\\1", text)

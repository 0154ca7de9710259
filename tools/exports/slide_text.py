"""What a slide takes of a chapter's text: how a paragraph begins, sentence by sentence."""

import functools
import re
from pathlib import Path

from tools.toc import chapters, labels

__all__ = ["ENOUGH", "block_points", "captioned", "is_aside", "opening", "sentences", "unlinked"]

ENOUGH = 60  # characters of a paragraph that make sense alone
SENTENCE = re.compile(
    r"(?<!e\.g\.)(?<!i\.e\.)(?<!et al\.)(?<!Fig\.)(?<=[.?!])[*_)”]*\s+(?=[A-Z0-9`*$\[“(])"
)
ITEM = re.compile(r"^(?:[-*]|\d+\.) +", re.M)
MINUTES = re.compile(r" \(\d+ minutes?\)")
FORMULA = re.compile(r"\$[^$]*\$")


def block_points(block):
    """What a slide shows of a block: an equation whole, of a paragraph or an item of a list its
    beginning."""
    if block.startswith("$$"):
        return [block]
    if ITEM.match(block):
        return ["- " + MINUTES.sub("", opening(item)[0]) for item in ITEM.split(block)[1:]]
    return ["- " + opening(block)[0]]


def opening(text):
    """How a text begins, as much as makes sense alone without what it says in brackets, and the
    sentences beyond it."""
    parts = sentences(text)
    first = next((sentence for sentence in parts if not is_aside(sentence)), parts[0])
    rest = [sentence for sentence in parts if sentence is not first]
    following = [sentence for sentence in rest if not is_aside(sentence)]
    if len(first) < ENOUGH and following:
        first = f"{first} {following[0]}"
        rest.remove(following[0])
    return first, rest


def sentences(text):
    """The sentences of a text, split at full stops outside formulas and code.

    The first one has as many as make sense alone.
    """
    text = " ".join(text.split())
    parts, start = [], 0
    for end in SENTENCE.finditer(text):
        sentence = text[start : end.end()].rstrip()
        words = FORMULA.sub("", sentence)
        closed = "$" not in words and words.count("`") % 2 == 0
        closed = closed and words.count("(") == words.count(")")
        aside = text.startswith("(", end.end())
        if closed and (parts or aside or len(sentence) >= ENOUGH):
            parts.append(sentence)
            start = end.end()
    return [*parts, text[start:]] if text[start:] else parts


def is_aside(sentence):
    """Whether a whole sentence stands in brackets."""
    return sentence.startswith("(") and sentence.endswith(")")


def captioned(text):
    """A caption, which stands below its picture in small print."""
    return f'<div class="caption">\n\n{text}\n\n</div>'


def unlinked(link):
    """The text of a link; in the place of a chapter's title its number, which a room can follow."""
    text, target = link.groups()
    number, title = chapter_titles().get(Path(target).stem, (0, ""))
    if text != title:
        return text
    starts = re.search(r"(?:^|\n|[.?!] )$", link.string[: link.start()])
    return f"{'C' if starts else 'c'}hapter {number}"


@functools.cache
def chapter_titles():
    """(number, title) of each chapter by the name of its file."""
    return {
        Path(page).name: (number, labels()[page][0]) for number, page in enumerate(chapters(), 1)
    }

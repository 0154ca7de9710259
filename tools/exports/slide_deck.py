"""Lay out a deck: which points, pictures and code of a chapter stand on a slide together, and what
stands in the notes."""

import math
import re

from tools.exports.slide_sizes import (
    FULL,
    HEIGHT,
    LINE,
    NARROW,
    ROOM,
    lines,
    packed,
    plain,
    proportion,
    room,
    table_lines,
    units,
)
from tools.exports.slide_text import (
    ENOUGH,
    block_points,
    captioned,
    is_aside,
    opening,
    sentences,
    unlinked,
)

__all__ = ["compose", "exhibits"]

CONTEXT = 4  # lines of a point with the sentence before it that it refers to
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)]*)\)")
BLOCK = re.compile(r"(?:^\$\$\n.*?^\$\$$|^```.*?^```$|(?:(?!\n\n|^\$\$\n|^```).)+)", re.M | re.S)
CAPTION = re.compile(r"\*\*Fig\. [\d.]+\*\* ")
OPENED = re.compile(r"\(\$(?!\$)")
PUNCTUATED = re.compile(r"(?<!\$)\$([^$\n]+)\$([.,;:?)]+)")
REFERS = re.compile(r"(?:And|Both|But|It|Not|So|That|These|They|This|Those|Why not|Yet)\b")
ASIDE = "```", ">", "|", "!["  # what stands beside the text, as notes and drawings do


def compose(cells, imprint=""):
    """(Markdown, speaker notes) of each slide, from (Markdown, pictures, code): the title with the
    imprint, then for each heading what there is to say and to see."""
    deck = Deck(imprint)
    for text, seen, code in cells:
        for block in map(str.strip, BLOCK.findall(LINK.sub(unlinked, text))):
            if block.startswith("# "):
                deck.begin(block[2:])
            elif block.startswith("#"):
                deck.turn_to(block.lstrip("# "))
            elif block.startswith("**Objectives"):
                deck.turn_to("Objectives")
            elif CAPTION.match(block):
                deck.caption(block)
            elif block and not block.startswith(("*Reading", "**Prerequisites", *ASIDE)):
                deck.say(block)
        for exhibit, size in exhibits(seen, code):
            deck.show(exhibit, size)
        if not (text or code or seen):
            deck.miss()
    deck.close()
    deck.join()
    return [(slide.markdown(), deck.notes(slide)) for slide in deck.slides]


def exhibits(pictures, code):
    """(what there is to see in a cell, lines that it takes), where code and a short table below it
    are one; a picture has no size, it takes what is left."""
    pieces = [(f"```python\n{code}\n```", 0.7 * code.count("\n") + 1.7)] if code else []
    for picture in pictures:
        size = table_lines(picture) if "<table" in picture else 0
        if pieces and size and pieces[-1][1] and pieces[-1][1] + size <= FULL - 2:
            above, taken = pieces.pop()
            picture, size = f"{above}\n\n{picture}", taken + size
        pieces.append((picture, size))
    return pieces


class Slide:
    """A heading, and below it points, a picture or code, and what there is to say about that."""

    def __init__(self, heading, points, exhibit="", size=0):
        self.heading, self.points, self.exhibit = heading, points, exhibit
        self.size, self.remarks, self.unsaid = size, [], []

    @property
    def lines(self):
        """Lines that the text takes, with the code but without a picture."""
        return sum(map(lines, self.points + self.remarks)) + self.size

    @property
    def room(self):
        """Lines that fit, with the code or the table but without a picture."""
        return room(self.exhibit, self.size)

    def gains(self, size):
        """Whether a table or code that takes so many lines fits below the one that is there."""
        return self.size and not self.remarks and self.lines + size <= FULL - 2

    @property
    def shows_picture(self):
        return "<img " in self.exhibit or "<iframe " in self.exhibit

    def takes(self, point):
        """Whether the point fits below the picture or the code."""
        fits = self.lines + lines(point) <= self.room
        return self.exhibit and fits and not point.startswith("$$")

    def markdown(self):
        parts = [*self.points, self.exhibit, *self.remarks]
        if "<img " in self.exhibit and self.lines and proportion(self.exhibit) < NARROW:
            picture = self.exhibit.replace("<img ", '<img class="beside" ')
            parts = [picture, *self.points, *self.remarks]
        elif "<img " in self.exhibit:
            height = HEIGHT - math.ceil(self.lines) * LINE
            parts = [
                part.replace("<img ", f'<img style="max-height: {height}px" ') for part in parts
            ]
        text = "\n\n".join(filter(None, parts))
        # What a colon led to is not in the deck, or comes on the next slide.
        text = text[:-1] + "." if text.endswith(":") else text
        # No line begins with the full stop that follows a formula, or ends with the bracket before.
        text = OPENED.sub(r"$\\text{(}", PUNCTUATED.sub(r"$\1\\text{\2}$", text))
        return f"{self.heading}\n\n{text}"


class Deck:
    """Slides, and the points that wait for the next one."""

    def __init__(self, imprint):
        self.slides, self.points, self.imprint = [], [], imprint
        self.rest = {}  # of a point, the sentences of its paragraph that follow it
        self.paragraph = []  # the sentences of the last one that no slide shows yet
        self.unsaid = []  # what stays out of the slides, for the notes of the next

    def begin(self, title):
        self.slides.append(Slide(f"# {title}", [self.imprint]))
        self.turn_to(title)

    def turn_to(self, heading):
        self.close()
        self.paragraph = []
        self.heading, self.first = f"## {heading}", len(self.slides)

    def say(self, block):
        """Below the last picture if nothing was said since, otherwise as points of a new slide."""
        if is_aside(" ".join(block.split())):
            self.unsaid.append(block)
            return
        goes_on = self.points and self.points[-1].startswith("$$") and block[0].islower()
        points = block_points(block)
        paragraph, self.paragraph = self.paragraph, []
        if points[0].startswith("$$"):
            if not self.points and paragraph:  # an equation has something that leads to it
                self.points.append("- " + paragraph.pop())
        elif len(points) == 1:
            first, self.paragraph = opening(block)
            last = paragraph[-1] if paragraph else ""
            is_needed = REFERS.match(first) and not (is_aside(last) or last.endswith(":"))
            if last and is_needed and lines(f"{last} {first}") <= CONTEXT:
                first = f"{paragraph.pop()} {first}"
            points = [first if goes_on else f"- {first}"]
            self.rest[first] = self.paragraph
        # What ends so leads to the next picture.
        leads = points[0].endswith((":", "?"))
        if len(points) > 1 or leads or self.points or not self.remark(points[0]):
            self.points += points

    def caption(self, block):
        """Put what a picture shows below the picture; it stays out where the picture does."""
        last = self.slides[-1] if len(self.slides) > self.first else None
        first, *rest = sentences(block)
        if last is None or self.points or not last.shows_picture or last.remarks:
            self.unsaid.append(" ".join([first, *rest]))
        else:
            self.rest[captioned(first)] = rest
            last.remarks.append(captioned(first))

    def remark(self, point):
        """Put a point below the last picture of this section; False if it does not fit there."""
        last = self.slides[-1] if len(self.slides) > self.first else None
        fits = last is not None and last.takes(point)
        if fits:
            last.remarks.append(point.removeprefix("- "))
        return fits

    def miss(self):
        """A cell of which nothing is to be seen: what only leads to it is not shown, and what says
        more ends with a full stop."""
        if self.points and self.points[-1].endswith(":"):
            point = self.points.pop()
            text = point.removeprefix("- ")
            if len(plain(text)) < ENOUGH:
                self.unsaid.append(text)
            else:
                self.points.append(point[:-1] + ".")
                self.rest[text[:-1] + "."] = self.rest.get(text, [])

    def show(self, exhibit, size=0):
        """A picture, or with its size in lines a table or a piece of code; what leads to it comes
        above it, and what nothing leads to stands below the one before if both are short."""
        last = self.slides[-1] if len(self.slides) > self.first else None
        if size and not self.points and last is not None and last.gains(size):
            last.exhibit, last.size = f"{last.exhibit}\n\n{exhibit}", last.size + size
            return
        left = room(exhibit, size) - (size or 2)
        lead = []
        if sum(map(lines, self.points)) <= left:
            lead, self.points = self.points, []
        elif self.points:
            *_, last = units(self.points)
            if len(last) == 1 and not last[0].startswith("$$") and lines(last[0]) <= left:
                lead = [self.points.pop()]
        self.close()
        lead = [lead[0].removeprefix("- ")] if len(lead) == 1 else lead
        self.add(Slide(self.heading, lead, exhibit, size))
        if not (self.paragraph and self.paragraph[-1].endswith("?")):
            self.paragraph = []  # only a question is answered below the picture

    def add(self, slide):
        slide.unsaid, self.unsaid = self.unsaid, []
        self.slides.append(slide)

    def close(self):
        """Put the points that wait on slides: one alone on the one before, if it fits there, and
        otherwise with more of its paragraph."""
        waiting, self.points = self.points, []
        if len(waiting) == 1 and self.remark(waiting[0]):
            return
        for points in packed(waiting):
            if len(points) == 1:
                points += self.more(points[0])
            self.add(Slide(self.heading, points))

    def join(self):
        """Put a point that is still alone on the slide after or before it, a little closer than
        usual, and if it fits on neither, into the notes."""
        for slide in [slide for slide in self.slides if is_lonely(slide)]:
            place = self.slides.index(slide)
            section = [
                self.slides[other]
                for other in (place + 1, place - 1)
                if 0 <= other < len(self.slides) and self.slides[other].heading == slide.heading
            ]
            fitting = [other for other in section if other.lines + slide.lines <= other.room + 2]
            if not section:
                continue
            other, (point,) = (fitting or section)[0], slide.points
            if not fitting:
                text = point.removeprefix("- ")
                slide.unsaid.append(" ".join([text, *self.rest.get(text, [])]))
            elif other is self.slides[place - 1]:
                told = other.remarks if other.exhibit else other.points
                told.append(point.removeprefix("- ") if other.exhibit else point)
            else:
                alone = other.exhibit and not other.points
                other.points.insert(0, point.removeprefix("- ") if alone else point)
                if not alone and other.exhibit:
                    other.points[1] = "- " + other.points[1].removeprefix("- ")
            if other is self.slides[place - 1]:
                other.unsaid += slide.unsaid
            else:
                other.unsaid = slide.unsaid + other.unsaid
            self.slides.remove(slide)

    def more(self, point):
        """The next sentences of the point's paragraph, as points, for half a slide."""
        following = []
        for sentence in self.rest.get(point.removeprefix("- "), []):
            if sum(map(lines, [point, *following, sentence])) > ROOM - 2 * bool(following):
                break
            if is_aside(sentence) or sentence.endswith(":"):
                continue  # ":" leads to something else
            following.append("- " + sentence)
        for sentence in following:
            self.rest[point.removeprefix("- ")].remove(sentence.removeprefix("- "))
        return following

    def notes(self, slide):
        """What the paragraphs of a slide say beyond it: a paragraph for each of them."""
        shown = [point.removeprefix("- ") for point in slide.points + slide.remarks]
        beyond = [
            " ".join(sentence for sentence in self.rest.get(point, []) if sentence not in shown)
            for point in shown
        ]
        return "\n\n".join(filter(None, [*slide.unsaid, *beyond]))


def is_lonely(slide):
    """Whether there is one point on a slide and nothing else."""
    only = not slide.exhibit and len(slide.points) == 1 and slide.heading.startswith("## ")
    return only and not slide.points[0].startswith("$$")

"""What fits on a slide: lines of text, of code, of a table, and pictures."""

import base64
import math
import re
import struct

from bs4 import BeautifulSoup

__all__ = ["lines", "packed", "plain", "proportion", "room", "table_lines", "units"]

# What fits: lines of text on a slide and characters in a line, lines that an equation takes, lines
# of text with a wide picture and with a narrow one, lines of text with code or a table and of
# these, lines of code, and the height of it all in pixels.
ROOM, WIDTH, EQUATION, BELOW, BESIDE, FULL, CODE, HEIGHT, LINE = 10, 58, 3, 5, 8, 12, 12, 560, 46
MOVED = 4  # lines of text with a figure to move
TABLE = 11.5  # lines that a table takes at most; a longer one takes two slides
COLUMNS = 90  # characters of a table side by side
NARROW = 2.1  # a picture of a smaller proportion stands beside its text
COMMAND, MARKUP = re.compile(r"\\[a-zA-Z]+"), re.compile(r"[{}$^_*`\\]|<[^>]*>")


def lines(point):
    """Lines that a point takes: an equation as many as ever, of text as many as it is long, and of
    a caption fewer."""
    if "$$" in point:
        return EQUATION
    small = 0.7 if point.startswith("<div") else 1
    return small * math.ceil(small * len(plain(point)) / WIDTH)


def plain(text):
    """About what a reader sees of a text with formulas and marks."""
    return MARKUP.sub("", COMMAND.sub("x", text)).strip()


def table_lines(table):
    """Lines that a table takes: a row as many as the cell with the most text, in columns of one
    width if they do not fit side by side."""
    heights = []
    for row in BeautifulSoup(table, "html.parser").find_all("tr"):
        texts = [len(cell.get_text(strip=True)) for cell in row.find_all(["th", "td"])]
        width = COLUMNS // max(1, len(texts))
        wraps = sum(texts) > COLUMNS
        heights.append(max((math.ceil(text / width) for text in texts), default=1) if wraps else 1)
    return sum(0.2 + 0.65 * max(1, height) for height in heights)


def room(exhibit, size):
    """Lines that fit on a slide with a picture, with a table or code that takes so many, or with
    neither."""
    if size:
        return FULL
    if "<iframe " in exhibit:
        return MOVED
    if exhibit:
        return BESIDE if proportion(exhibit) < NARROW else BELOW
    return ROOM


def proportion(picture):
    """Width of a PNG or GIF in an <img>, divided by its height."""
    head = base64.b64decode(picture.partition("base64,")[2][:32])
    numbers, place = ("<HH", 6) if head.startswith(b"GIF") else (">II", 16)
    width, height = struct.unpack_from(numbers, head, place)
    return width / height


def packed(points):
    """The points in groups that fit on a slide; an equation stays with what leads to it, and the
    last point does not stand alone if another can keep it company."""
    groups, room = [], 0
    for unit in units(points):
        size = sum(map(lines, unit))
        if size > room:
            groups.append([])
            room = ROOM
        groups[-1].append(unit)
        room -= size
    if len(groups) > 1 and len(groups[-1]) == 1 and len(groups[-2]) > 2:
        company = groups[-2][-1]
        if sum(map(lines, company + groups[-1][0])) <= ROOM:
            groups[-1].insert(0, groups[-2].pop())
    return [[point for unit in group for point in unit] for group in groups]


def units(points):
    """The points with the equations that they lead to, and what goes on from an equation."""
    made = []
    for point in points:
        goes_on = point.startswith("$$") or not point.startswith("- ")
        most = ROOM if point.startswith("$$") else ROOM + 2  # an equation is explained beside it
        if made and goes_on and sum(map(lines, [*made[-1], point])) <= most:
            made[-1].append(point)
        else:
            made.append([point])
    return made

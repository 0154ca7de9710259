r"""How wide a formula in the text will be, so that a page keeps its lines when MathJax sets it.

Until then a page holds TeX, which is longer than what it stands for: ``\lVert x\rVert`` for ‖x‖.
A comma behind a formula stays on its line.
"""

import html
import re

__all__ = ["reserve_all", "width"]

FORMULA = re.compile(r'<span class="math notranslate nohighlight">(\\\((.*?)\\\))</span>', re.S)
WITH_SIGN = re.compile(FORMULA.pattern + r"([.,;:!?)]*)", re.S)
TOKEN = re.compile(r"\\([a-zA-Z]+|.)|(\S)")

# Widths in em of the text around a formula; measured in Chromium on the book's own formulas.
RELATIONS = set("=<>") | set("le ge ne leq geq neq approx in to propto sim ll gg subset".split())
SIGNS = set("+-") | {"pm", "times", "cdot"}
FUNCTIONS = set("cos sin arccos arcsin ln exp max min log".split())
NOTHING = set("{}^_~&") | set(
    "mathrm text operatorname bigl bigr Bigl Bigr left right frac tfrac dfrac sqrt hat bar mathbb "
    "mathcal limits".split()
)
SPACES = {",": 0.2, ";": 0.34, "!": -0.2, "quad": 1.2, "qquad": 2.4, " ": 0.3}
SMALL = 0.7  # of what is raised or lowered


def width(tex):
    """The width of a formula in em, to about a tenth of it."""
    total, scale, depth, lowered = 0.0, 1.0, 0, []
    for command, character in TOKEN.findall(tex):
        name = command or character
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        total += scale * _one(name, bool(command))
        if lowered and lowered[-1] == depth and character not in ("^", "_"):
            lowered.pop()
        if character in ("^", "_"):
            lowered.append(depth)
        scale = SMALL if lowered else 1.0
    return max(total, 0.4)


def _one(name, is_command):
    if is_command and name in SPACES:
        return SPACES[name]
    if name in NOTHING:
        return 0.0
    if name in RELATIONS:
        return 1.65
    if name in SIGNS:
        return 1.35
    if name in FUNCTIONS:
        return 0.56 * len(name) + 0.2
    if is_command:
        return {"sum": 1.5, "prod": 1.4, "dots": 1.6, "infty": 1.2, "Delta": 1.0}.get(name, 0.64)
    if name in "()[]|":
        return 0.46
    if name in ",.;:!'":
        return 0.42
    if name.isdigit() or name == "/":
        return 0.6
    return {"m": 1.08, "w": 0.88, "i": 0.42, "j": 0.5, "l": 0.37, "M": 1.3, "W": 1.25}.get(
        name, 0.95 if name.isupper() else 0.66
    )


def reserve_all(page):
    """A page's HTML with the width of each formula in its text written beside it."""
    return WITH_SIGN.sub(_reserved, page)


def _reserved(match):
    formula = (
        '<span class="math notranslate nohighlight" style="--width: '
        f'{width(html.unescape(match[2])):.1f}em">{match[1]}</span>'
    )
    return f'<span class="unbroken">{formula}{match[3]}</span>' if match[3] else formula

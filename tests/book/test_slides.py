"""Slides are made of a chapter's own words and pictures, fit on a slide, and load nothing from
afar."""

import re

import pytest

from tools.exports import slides

FIGURE = '<img alt="what it shows" src="data:image/png;base64,AAAA">'


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("One. Two.", "One."),
        ("Is it so? Yes.", "Is it so?"),
        ("As Deng et al. Say so, e.g. In 2-D. Then.", "As Deng et al. Say so, e.g. In 2-D."),
        ("Take $a. B$ and `c. D` here. Then.", "Take $a. B$ and `c. D` here."),
        ("On\ntwo lines.\nNext.", "On two lines."),
        ("It is *so.* Next", "It is *so.*"),
        ("No end", "No end"),
    ],
)
def test_first_sentence(text, sentence):
    assert slides.first_sentence(text) == sentence


def test_a_chapter_becomes_slides():
    made = slides.compose(
        [
            (
                "# Title\n\n*Reading 1 min · CPU 9 s*\n\n**Prerequisites:** none.\n\nA [link](x.ipynb). More.",  # noqa: E501
                [],
            ),
            ("**Objectives.** After it you can\n\n1. do one;\n2. do two.", []),
            (
                "## Part\n\nThe loss is this. It is old.\n\n$$\na\n\\tag{1.1}\n$$\n\nwhere a is b. So.\n\n> **Note**\n>\n> aside",  # noqa: E501
                [],
            ),
            ("", [FIGURE]),
            ("It shows a line. A long one.\n\nAnd more.", []),
        ]
    )
    assert made == [
        "# Title",
        "## Title\n\n- A link.",
        "## Objectives\n\n- do one;\n\n- do two.",
        "## Part\n\n- The loss is this.\n\n$$\na\n$$\n\nwhere a is b.",
        f"## Part\n\n{FIGURE}\n\nIt shows a line.",
        "## Part\n\n- And more.",
    ]


def test_no_slide_holds_more_than_its_room_unless_one_point_does():
    points = ["- " + "x" * size for size in (10, 200, 200, 500, 10, 100)] + ["$$\na\n$$"] * 4
    groups = slides.packed(points)
    assert sum(groups, []) == points
    sizes = [
        [slides.EQUATION if "$$" in point else -(len(point) // -slides.WIDTH) for point in group]
        for group in groups
    ]
    assert all(len(size) == 1 or sum(size) <= slides.ROOM for size in sizes)


def test_pictures_are_figures_and_tables_and_nothing_that_needs_a_script():
    outputs = [
        {"data": {"image/png": "AA\nAA\n", "text/plain": ""}},
        {"data": {"text/html": "<table>\n\n</table>"}},
        {"data": {"text/html": "<table></table><script></script>"}},
        {"text": "printed"},
    ]
    cell = slides.nbformat.v4.new_code_cell(
        metadata={"mystnb": {"image": {"alt": "what it shows"}}}
    )
    assert list(slides.pictures(outputs, cell)) == [FIGURE, "<table>\n</table>"]


def test_a_deck_shows_every_slide_and_loads_nothing_from_afar():
    html = slides.html(["# Title", f"## One\n\n- $a_1 + b_1$\n\n$$\nx\n$$\n\n{FIGURE}"], "Title")
    assert html.count("<section") == 2 * 2  # reveal's stacks of one slide
    assert (
        "$a_1 + b_1$" in html
        and FIGURE.removesuffix(">") in html
        and "<title>Title slides</title>" in html
    )
    assert re.findall(r"""(?:src|href)=["'](?!data:)([^"']+)""", html) == [
        "reveal/dist/reveal.css",
        "reveal/dist/theme/deck.css",
        "reveal/dist/reveal.js",
        "mathjax/tex-mml-chtml.js",
    ]
    assert "http" not in re.sub(r"http-equiv", "", html)

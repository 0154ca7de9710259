"""Slides are made of a chapter's own words and pictures, fit on a slide, and load nothing from
afar."""

import base64
import re
import struct

import pytest

from tools.exports import slides


def picture(width, height):
    """A figure as a cell has it: the head of a PNG is all that is read of it."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)
    return (
        f'<img alt="what it shows" src="data:image/png;base64,{base64.b64encode(head).decode()}">'
    )


FIGURE = picture(900, 300)
LONG = "A sentence of more than sixty characters, so that it makes sense alone."


@pytest.mark.parametrize(
    "text, first",
    [
        (f"{LONG} Two.", LONG),
        (f"No. {LONG} Three.", f"No. {LONG}"),
        (f"{LONG[:-1]}, e.g. In 2-D. Then.", f"{LONG[:-1]}, e.g. In 2-D."),
        (f"{LONG[:-1]}: $a. B$ and `c. D` here. Then.", f"{LONG[:-1]}: $a. B$ and `c. D` here."),
        ("No end", "No end"),
        ("On\ntwo lines.\nNext.", "On two lines. Next."),
    ],
)
def test_a_point_is_as_many_sentences_as_make_sense_alone(text, first):
    assert slides.sentences(text)[0] == first
    assert " ".join(slides.sentences(text)) == " ".join(text.split())


def test_a_chapter_becomes_slides():
    made, notes = zip(
        *slides.compose(
            [
                (
                    "# Title\n\n*Reading 1 min*\n\n**Prerequisites:** none.\n\nA [link](x.ipynb).",
                    [],
                    "",
                ),
                ("**Objectives.** After it you can\n\n1. do one (3 minutes);\n2. do two.", [], ""),
                (
                    f"## Part\n\n{LONG}\n\n$$\na\n\\tag{{1.1}}\n$$\n\nwhere a is b.\n\n"
                    "> **Note**\n>\n> aside\n\nWhat does it look like?",
                    [],
                    "",
                ),
                ("", [FIGURE], ""),
                (f"No. {LONG} Unsaid.\n\nThis trains it:", [], ""),
                ("", [], "run = training.fit(backbone, head)"),
                (
                    "## Next\n\nA lonely paragraph. Its second sentence. Its third, a longer one.",
                    [],
                    "",
                ),
            ],
            "Authors",
        )
    )
    assert list(made) == [
        "# Title\n\nAuthors",
        "## Title\n\n- A link.",
        "## Objectives\n\n- do one;\n\n- do two.",
        f"## Part\n\n- {LONG}\n\n$$\na\n\\tag{{1.1}}\n$$\n\nwhere a is b.",
        "## Part\n\nWhat does it look like?\n\n"
        + FIGURE.replace("<img ", '<img style="max-height: 422px" ')
        + f"\n\nNo. {LONG}",
        "## Part\n\nThis trains it:\n\n```python\nrun = training.fit(backbone, head)\n```",
        "## Next\n\n- A lonely paragraph. Its second sentence. Its third, a longer one.",
    ]
    assert notes == ("", "", "", "", "Unsaid.", "", "")


def test_what_stands_alone_on_a_slide_says_more():
    _, (slide, _) = slides.compose([(f"# T\n\n{LONG} Second. Third.", [], "")])
    assert slide == f"## T\n\n- {LONG}\n\n- Second.\n\n- Third."


def test_a_picture_that_is_not_wide_stands_beside_its_text():
    text, square = (f"# T\n\n## Part\n\n{LONG}", [], ""), picture(500, 500)
    _, (slide, _) = slides.compose([text, ("", [square], "")])
    beside = square.replace("<img ", '<img class="beside" ')
    assert slide == f"## Part\n\n{beside}\n\n{LONG}"


@pytest.mark.parametrize("rows, is_shown", [(13, True), (14, False)])
def test_a_table_is_shown_if_it_fits_and_no_colon_leads_to_nothing(rows, is_shown):
    table = "<table>" + "<tr></tr>" * rows + "</table>"
    deck = slides.compose([("# T\n\n## Part\n\nHere it is:", [], ""), ("", [table], "")])
    made = [slide for slide, _ in deck]
    assert (made[-1].endswith("</table>"), any(table in slide for slide in made)) == (is_shown,) * 2
    assert is_shown or made[-1] == "## Part\n\n- Here it is."


def test_no_slide_holds_more_than_its_room_unless_one_point_does():
    points = ["- " + "x" * size for size in (10, 200, 200, 700, 10, 100)] + ["$$\na\n$$"] * 4
    groups = slides.packed(points)
    assert sum(groups, []) == points
    sizes = [sum(map(slides.lines, group)) for group in groups]
    assert all(size <= slides.ROOM for size, group in zip(sizes, groups) if len(group) > 1)


def test_an_equation_stays_with_what_leads_to_it_and_no_point_alone():
    text, equation = "- " + "x" * 100, "$$\na\n$$"
    assert slides.packed([text, text, text, text, equation, "where"]) == [
        [text, text],
        [text, text, equation, "where"],
    ]
    assert slides.packed([text] * 6) == [[text] * 4, [text] * 2]


@pytest.mark.parametrize(
    "code, tags, is_shown",
    [
        ("def loss(x):\n    return x", [], True),
        ("class Head(Softmax):\n    margin = 0.1", [], True),
        ("run = training.fit(backbone, head)", [], True),
        ("def loss(x):\n    return x", ["hide-input"], False),
        ("figures.circle(run)", [], False),
        ("def loss(x):" + "\n    x = x + 1" * 12, [], False),
    ],
)
def test_code_is_shown_that_is_short_and_defines_or_trains(code, tags, is_shown):
    cell = slides.nbformat.v4.new_code_cell(code, metadata={"tags": tags})
    assert slides.shown(cell) == (code if is_shown else "")


def test_the_title_slide_names_authors_licences_and_the_place():
    text = slides.imprint()
    assert "The lossbook authors" in text and "CC BY 4.0" in text and "code MIT" in text
    assert slides.repository()["url"] in text and slides.book() == "From softmax to ArcFace"


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
    made = '<img alt="what it shows" src="data:image/png;base64,AAAA">'
    assert list(slides.pictures(outputs, cell)) == [made, "<table>\n</table>"]


def test_a_deck_shows_every_slide_and_loads_nothing_from_afar():
    one = f"## One\n\n- $a_1 + b_1$\n\n$$\nx\n$$\n\n{FIGURE}"
    html = slides.html([("# Title", ""), (one, "What is *said*.")], "Title")
    assert html.count("<section") == 2 * 2  # reveal's stacks of one slide
    assert (
        "What is <em>said</em>." in re.search('<aside class="notes">(.*?)</aside>', html, re.S)[1]
    )
    assert (
        "$a_1 + b_1$" in html
        and FIGURE.removesuffix(">") in html
        and "<title>Title slides</title>" in html
    )
    assert re.findall(r"""(?:src|href)=["'](?!data:)([^"']+)""", html) == [
        "reveal/dist/reveal.css",
        "reveal/dist/theme/deck.css",
        "reveal/dist/reveal.js",
        "reveal/plugin/notes/notes.js",
        "mathjax/tex-mml-chtml.js",
    ]
    assert "http" not in re.sub(r"http-equiv", "", html)

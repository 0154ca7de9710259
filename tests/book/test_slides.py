"""Slides are made of a chapter's own words and pictures, fit on a slide, and load nothing from
afar."""

import base64
import re
import struct

import pytest

from tools.exports import slide_deck, slide_sizes, slide_text, slides


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
    assert slide_text.sentences(text)[0] == first
    assert " ".join(slide_text.sentences(text)) == " ".join(text.split())


def test_a_chapter_becomes_slides():
    made, notes = zip(
        *slide_deck.compose(
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
        "## Part\n\nUnsaid. This trains it:\n\n```python\nrun = training.fit(backbone, head)\n```",
        "## Next\n\n- A lonely paragraph. Its second sentence. Its third, a longer one.",
    ]
    assert notes == ("",) * 7


def test_what_stands_alone_on_a_slide_says_more():
    _, (slide, _) = slide_deck.compose([(f"# T\n\n{LONG} Second. Third.", [], "")])
    assert slide == f"## T\n\n- {LONG}\n\n- Second.\n\n- Third."


def test_a_picture_that_is_not_wide_stands_beside_its_text():
    text, square = (f"# T\n\n## Part\n\n{LONG}", [], ""), picture(500, 500)
    _, (slide, _) = slide_deck.compose([text, ("", [square], "")])
    beside = square.replace("<img ", '<img class="beside" ')
    assert slide == f"## Part\n\n{beside}\n\n{LONG}"


def test_a_caption_stays_with_its_picture_and_out_where_the_picture_is_out():
    caption = f"**Fig. 1.1.** {LONG} It says more."
    lead = " ".join([LONG] * 4)
    deck = slide_deck.compose(
        [(f"# T\n\n## Part\n\n{lead}", [], ""), ("", [picture(500, 500)], ""), (caption, [], "")]
    )
    assert deck[-1][0].endswith(f'<div class="caption">\n\n**Fig. 1.1.** {LONG}\n\n</div>')
    assert "It says more." in deck[-1][1]
    deck = slide_deck.compose(
        [("# T\n\n## Part", [], ""), ("", [], ""), (f"{caption}\n\n{LONG} Second.", [], "")]
    )
    assert deck[-1][0].startswith(f"## Part\n\n- {LONG}") and "Fig. 1.1" in deck[-1][1]


@pytest.mark.parametrize(
    "lead, shown",
    [
        ("And for any other $m$, it looks like this:", None),
        (f"{LONG[:-1]}:", LONG),
    ],
)
def test_a_colon_leads_to_something_that_is_seen(lead, shown):
    """What only leads to a cell that no slide shows goes into the notes."""
    deck = slide_deck.compose([(f"# T\n\n## Part\n\n{lead}", [], ""), ("", [], ""), (LONG, [], "")])
    slide, notes = deck[-1]
    assert (slide, notes) == (
        (f"## Part\n\n- {shown}\n\n- {LONG}", "") if shown else (f"## Part\n\n- {LONG}", lead)
    )


def test_no_line_begins_with_what_follows_a_formula():
    (_, (slide, _)) = slide_deck.compose(
        [(f"# T\n\n{LONG[:-1]} ($a$), $b$.\n\n$$\na\n$$\n\n$c$", [], "")]
    )
    assert r"$\text{(}a\text{),}$ $b\text{.}$" in slide and slide.endswith("$$\na\n$$\n\n- $c$")


def test_an_aside_is_for_the_notes_and_no_sentence_ends_within_brackets():
    assert slide_text.sentences(f"{LONG} (One. Two.) Three.") == [LONG, "(One. Two.)", "Three."]
    assert slide_text.opening("Short. (One. Two.) Three.") == ("Short. Three.", ["(One. Two.)"])
    deck = slide_deck.compose([(f"# T\n\n## Part\n\n(One. Two.)\n\n{LONG} Three.", [], "")])
    assert deck[-1] == (f"## Part\n\n- {LONG}\n\n- Three.", "(One. Two.)")


def test_what_a_point_refers_to_stands_before_it():
    text = f"# T\n\n## Part\n\n{LONG} Ask for an arc.\n\nThat is ArcFace. {LONG}"
    assert slide_deck.compose([(text, [], "")])[-1][0] == (
        f"## Part\n\n- {LONG}\n\n- Ask for an arc. That is ArcFace. {LONG}"
    )


def test_an_equation_has_something_that_leads_to_it():
    text = f"{LONG} To be one, take\n\n$$\na\n$$"
    deck = slide_deck.compose([("# T\n\n## Part", [], ""), ("", [FIGURE], ""), (text, [], "")])
    assert deck[-1][0] == "## Part\n\n- To be one, take\n\n$$\na\n$$"


def test_a_lonely_point_joins_the_slide_before():
    code = "def loss(x):" + "\n    x = x + 1" * 9
    text = f"# T\n\n## Part\n\n{LONG} " + "x" * 58 * 3
    deck = slide_deck.compose(
        [(text, [], code), (LONG + " " + "y" * 58 * 2, [], ""), ("## N", [], "")]
    )
    assert not any(slide.count("\n\n") == 1 for slide, _ in deck[2:])


def test_the_title_of_a_chapter_is_its_number():
    title = slide_text.chapter_titles()["08_nan"][1]
    text = f"[{title}](08_nan.ipynb) and [{title}](08_nan.ipynb), [the guard](08_nan.ipynb)."
    assert slide_deck.LINK.sub(slide_text.unlinked, text) == "Chapter 8 and chapter 8, the guard."


@pytest.mark.parametrize("rows, shown", [(13, [13]), (14, [7, 7]), (25, [13, 12]), (60, [])])
def test_a_long_table_takes_two_slides_and_a_longer_one_is_for_reading(rows, shown):
    table = "<table>" + "<tr><td>1</td></tr>" * rows + "</table>"
    assert [part.count("<tr>") for part in slides.parts(table)] == shown


def test_code_and_a_short_table_stand_together():
    table = "<table><tr></tr></table>"
    ((both, size),) = slide_deck.exhibits([table], "def loss(x):\n    return x")
    assert both.endswith(f"```\n\n{table}") and 3 < size < 4
    assert [size for _, size in slide_deck.exhibits([FIGURE], "def loss(x): return x")][-1] == 0


def test_no_slide_holds_more_than_its_room_unless_one_point_does():
    points = ["- " + "x" * size for size in (10, 200, 200, 700, 10, 100)] + ["$$\na\n$$"] * 4
    groups = slide_sizes.packed(points)
    assert sum(groups, []) == points
    sizes = [sum(map(slide_sizes.lines, group)) for group in groups]
    assert all(size <= slide_sizes.ROOM for size, group in zip(sizes, groups) if len(group) > 1)


def test_an_equation_stays_with_what_leads_to_it_and_no_point_alone():
    text, equation = "- " + "x" * 100, "$$\na\n$$"
    assert slide_sizes.packed([text, text, text, text, equation, "where"]) == [
        [text, text],
        [text, text, equation, "where"],
    ]
    assert slide_sizes.packed([text] * 6) == [[text] * 4, [text] * 2]


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


def test_pictures_are_figures_tables_and_what_a_reader_moves_but_no_quiz():
    outputs = [
        {"data": {"image/png": "AA\nAA\n", "text/plain": ""}},
        {"data": {"text/html": "<table>\n\n</table>"}},
        {"data": {"text/html": "<table></table><script></script>"}},
        {"data": {"text/html": '<div class="lossbook-widget lossbook-quiz">'}},
        {"data": {"text/html": '<div class="lossbook-widget">'}},
        {"text": "printed"},
    ]
    cell = slides.nbformat.v4.new_code_cell(
        metadata={"mystnb": {"image": {"alt": "what it shows"}}}
    )
    made = '<img alt="what it shows" src="data:image/png;base64,AAAA">'
    *still, moved = slides.pictures(outputs, cell)
    assert still == [made, "<table>\n</table>"]
    page = base64.b64decode(re.search(r'data-src="data:text/html;base64,(.*?)"', moved)[1]).decode()
    assert '<div class="lossbook-widget">' in page and "http" not in page


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

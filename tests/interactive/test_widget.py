"""Every interactive figure: safe, small, self-contained, and a still picture stands in for it."""

import base64
import io
import re

import pytest
from PIL import Image

from lossbook import interactive
from lossbook.interactive.widget import WEB
from tests.helpers.runs import make_3d_run, make_run
from tests.helpers.widgets import read_data


@pytest.fixture(scope="module")
def widgets():
    return [
        interactive.scrub(make_run()),
        interactive.margin_explorer(),
        interactive.sphere(make_3d_run()),
        interactive.sector_ring(),
        interactive.decision_plane(),
    ]


def test_html_needs_nothing_from_elsewhere(widgets):
    for widget in widgets:
        html = widget.html
        assert (
            re.findall(
                r"https?:|\brequire\b|\bimport\b|\bfetch\b|<script[^>]+src|<link|url\((?!\$)", html
            )
            == []
        )
        assert set(re.findall(r'\bid="', html)) == set(), (
            "an id could meet another of its name on the page"
        )
        assert html.count("<script") == html.count("</script>") == 1


def test_a_described_picture_stands_in_for_the_widget(widgets):
    for widget in widgets:
        alt, width, height, png = re.search(
            r'<img class="lb-still" alt="([^"]{40,})" width="(\d+)" height="(\d+)" '
            r'src="data:image/png;base64,([^"]+)">',
            widget.html,
        ).groups()
        assert alt == widget.alt == repr(widget)
        picture = Image.open(io.BytesIO(base64.b64decode(png)))
        assert picture.width > 600 and int(width) / int(height) == pytest.approx(
            picture.width / picture.height, rel=0.01
        )
        assert widget._repr_html_() == widget.html


def test_the_same_input_gives_the_same_html_and_another_its_own_key(widgets):
    assert interactive.scrub(make_run()).html == widgets[0].html
    assert interactive.margin_explorer().html == widgets[1].html
    assert interactive.sphere(make_3d_run()).html == widgets[2].html
    assert interactive.sector_ring().html == widgets[3].html
    assert interactive.decision_plane().html == widgets[4].html
    keys = [
        re.findall(r'data-lossbook="([\w-]+)"', widget.html)
        for widget in [*widgets, interactive.scrub(make_run(seed=1))]
    ]
    assert {len(set(key)) for key in keys} == {1} and len({key[0] for key in keys}) == 6


@pytest.mark.parametrize(
    "number, kind",
    [
        (0, "epoch_slider"),
        (1, "explorer"),
        (2, "rotating_sphere"),
        (3, "sector_ring"),
        (4, "decision_plane"),
    ],
)
def test_the_element_has_the_class_of_its_kind(widgets, number, kind):
    assert f'<div class="lossbook-widget lossbook-{kind}" ' in widgets[number].html


def test_the_style_is_that_of_every_module_of_the_script(widgets):
    for widget, sheets in ((widgets[1], "explorer"), (widgets[4], "decision_plane")):
        for sheet in ("common", "margin_charts", "margin_sliders", sheets):
            assert widget.html.count((WEB / f"{sheet}.css").read_text(encoding="utf-8")) == 1


def test_names_are_never_read_as_html():
    evil = '</script><img src=x onerror="alert(1)">&"'
    run = make_run(classes=(evil, "b", "c"), name=f"ArcFace{evil}")
    html = interactive.scrub(run).html
    assert evil not in html and html.count("</script>") == 1 and "<img src=x" not in html
    assert read_data(interactive.scrub(run))["classes"][0] == evil

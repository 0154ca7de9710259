"""What a reader drags in the margin explorer, and the address that holds its setting."""

import math

import pytest
import torch

from lossbook import heads, interactive, margins
from tests.browser.helpers import DESKTOP, PAGE, PHONE
from tools.exports.browser import served

GAP = math.radians(36)  # between neighbours, of ten classes on the circle
BOOK = PAGE.replace("<html", '<html data-content_root="../"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("explorer")
    html = interactive.margin_explorer().html
    (where / "notebook.html").write_text(PAGE.format(html), encoding="utf-8")
    (where / "book.html").write_text(BOOK.format(html), encoding="utf-8")
    with served(where) as address:
        yield address


def handle(page, kind):
    return page.locator(f".lb-handle-{kind}")


def value(page, setting):
    return float(page.locator(f'[data-setting="{setting}"]').input_value())


def angle(page, kind):
    return float(handle(page, kind).get_attribute("aria-valuenow"))


def middle(page, kind):
    handle(page, kind).scroll_into_view_if_needed()
    box = handle(page, kind).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def turned(page, kind, degrees):
    """Where the handle is, and where it would be at this angle from class vector 1."""
    x, y = middle(page, kind)
    box = page.locator('[data-part="circle"]').bounding_box()
    half, up = box["width"] / 2, math.radians(degrees) - gap_of(page) / 2
    centre = box["x"] + half, box["y"] + half - 6
    radius = math.hypot(x - centre[0], y - centre[1])
    return (x, y), (centre[0] + radius * math.sin(up), centre[1] - radius * math.cos(up))


def gap_of(page):
    return math.radians(float(handle(page, "edge").get_attribute("aria-valuemax")))


def drag(page, kind, degrees):
    start, end = turned(page, kind, degrees)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


@pytest.mark.parametrize(
    "preset, setting, kept",
    [("ArcFace_v3_s16", "m2", 5), ("CosFace_v2_s16", "m3", 12), ("L-softmax_v1", "m1", 9)],
)
def test_the_boundary_sets_the_margin_that_the_loss_has(open_page, preset, setting, kept):
    page = open_page("notebook", **DESKTOP)
    page.get_by_role("button", name=preset, exact=True).click()
    names = ("m1", "m2", "m3")
    before = {name: value(page, name) for name in names}
    drag(page, "edge", kept)
    after = {name: value(page, name) for name in names}
    assert {name for name in names if before[name] != after[name]} == {setting}
    step = float(page.locator(f'[data-setting="{setting}"]').get_attribute("step"))
    alpha = math.radians(kept)
    exact = {
        "m1": (GAP - alpha) / alpha,
        "m2": GAP - 2 * alpha,
        "m3": math.cos(alpha) - math.cos(GAP - alpha),
    }[setting]
    assert after[setting] == pytest.approx(exact, abs=step)
    assert angle(page, "edge") == pytest.approx(kept, abs=0.6)
    words = f"a class keeps {angle(page, 'edge'):.1f}°"
    assert words in page.locator('[data-part="verdict"]').inner_text()
    assert words in handle(page, "edge").get_attribute("aria-valuetext")


def test_the_point_has_the_logit_of_its_angle(open_page):
    page = open_page("notebook", **DESKTOP)
    curve = page.locator('[data-part="curve"]')
    before = curve.inner_html()
    drag(page, "point", 25)
    theta = value(page, "theta")
    assert theta == angle(page, "point") == pytest.approx(25, abs=0.5)
    target = margins.arcface(torch.tensor([math.cos(math.radians(theta))]), 0.3).item()
    text = page.locator('[data-part="point"]').inner_text()
    assert f"{target:.3f} for class 1" in text and f"{36 - theta:.1f}° from 2" in text
    assert "class 2 is nearer" in text and curve.inner_html() != before
    page.locator('[data-setting="theta"]').fill("18")
    assert "neither is nearer" in page.locator('[data-part="point"]').inner_text()
    drag(page, "point", 200)  # past its end
    assert value(page, "theta") == 180


def test_keys_move_the_handles_and_a_slider_moves_them_too(open_page):
    page = open_page("notebook", **DESKTOP)
    kept = angle(page, "edge")
    handle(page, "edge").press("ArrowLeft")
    assert value(page, "m2") == pytest.approx(0.31) and angle(page, "edge") < kept
    handle(page, "edge").press("PageUp")
    assert value(page, "m2") == pytest.approx(0.21)
    handle(page, "edge").press("End")
    assert value(page, "m2") == 0 and angle(page, "edge") == 18
    handle(page, "point").press("ArrowUp")
    assert value(page, "theta") == angle(page, "point") == 14.5
    handle(page, "point").press("Home")
    assert "class 1 wins" in handle(page, "point").get_attribute("aria-valuetext")
    page.locator('[data-setting="m2"]').press("End")
    assert (value(page, "m2"), angle(page, "edge")) == (1.5, 0)
    assert "no class can win" in handle(page, "edge").get_attribute("aria-valuetext")


def swipe(page, start, end):
    session = page.context.new_cdp_session(page)
    for k in range(10):
        kind = "touchStart" if k == 0 else "touchEnd" if k == 9 else "touchMove"
        at = [a + (b - a) * k / 8 for a, b in zip(start, end)]
        points = [] if kind == "touchEnd" else [{"x": at[0], "y": at[1]}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(100)


def test_a_finger_drags_a_handle_and_scrolls_beside_it(open_page):
    page = open_page("notebook", **PHONE)
    start, end = turned(page, "point", 90)
    scrolled = page.evaluate("scrollY")
    swipe(page, start, end)
    assert value(page, "theta") == pytest.approx(90, abs=1)
    assert page.evaluate("scrollY") == scrolled
    x, y = middle(page, "edge")
    swipe(page, (x - 40, y), (x - 40, y - 120))
    assert page.evaluate("scrollY") > scrolled + 50
    assert (value(page, "theta"), value(page, "m2")) == (pytest.approx(90, abs=1), 0.3)


def test_the_boundary_of_adaface_moves_the_length_and_the_margins_follow(open_page):
    page = open_page("book", **DESKTOP)
    page.get_by_role("button", name="AdaFace").click()
    assert [value(page, name) for name in ("m3", "v", "d")] == [0.4, 0, 30]
    drag(page, "edge", 35)
    v = value(page, "v")
    assert v < 0 and value(page, "m2") == pytest.approx(-0.4 * v, abs=0.006)
    assert value(page, "m3") == pytest.approx(0.4 + 0.4 * v, abs=0.006)
    assert angle(page, "edge") == pytest.approx(35, abs=0.8)
    assert f"v={v:g}" in page.url and "m2" not in page.url
    assert page.locator('[data-setting="m2"]').is_disabled()
    page.reload()
    assert value(page, "v") == v and value(page, "d") == 30
    assert page.locator('[aria-pressed="true"]').all_inner_texts() == ["AdaFace"]
    page.locator('[data-setting="v"]').press("End")
    assert page.get_by_text("−0.40 rad").is_visible() and value(page, "m3") == 0.8
    page.get_by_role("button", name="MagFace").click()
    page.locator('[data-setting="a"]').press("End")
    head = heads.from_preset("MagFace", 2, 10)
    assert value(page, "m2") == head.high_margin and not page.locator(".lb-fails").count()
    page.get_by_role("button", name="CosFace_v1", exact=True).click()
    assert page.locator('[data-setting="m2"]').is_enabled() and value(page, "m3") == 0.1
    assert not page.locator('[data-setting="a"]').is_visible()


def test_the_link_that_is_copied_shows_the_same(open_page):
    allowed = ["clipboard-read", "clipboard-write"]
    page = open_page("book", permissions=allowed, **DESKTOP)
    drag(page, "edge", 5)
    handle(page, "point").press("ArrowRight")
    setting = value(page, "m2"), value(page, "theta")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("Link copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto(link.partition("?")[0])
    assert (value(page, "m2"), value(page, "theta")) != setting
    page.goto(link)
    assert (value(page, "m2"), value(page, "theta")) == setting
    assert page.locator('[data-part="status"]').inner_text() == ""


def test_an_address_that_asks_for_too_much_is_told_so(open_page):
    page = open_page("book", **DESKTOP)
    page.goto(f"{page.url}?m2=9&scale=32&C=two")
    status = page.locator('[data-part="status"]').inner_text()
    assert "m2 = 9" in status and "from 0 to 1.5" in status and "It is 1.5 here" in status
    assert "C = two" in status and "It is 10 here" in status and "scale" not in status
    page = open_page("notebook", **DESKTOP)
    assert not page.get_by_role("button", name="Copy link").is_visible()

"""Interactive figures as a reader meets them: on a bare page, without kernel or network."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook import bounds, data, heads, interactive, margins
from lossbook.data.dataset import stratified_positions
from lossbook.interactive.widget import WEB, bundle
from lossbook.metrics import winning_regions
from tests.browser.helpers import DESKTOP, PAGE, PHONE, Visit, settle
from tests.helpers.runs import make_run
from tests.helpers.widgets import read_data
from tools.exports.browser import served

N = 300
MOVE_SLIDER = """(slider, value) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input")); }"""


@pytest.fixture(scope="module")
def run():
    digits = data.load("mnist5k")
    made = make_run(epochs=3, n=N, m=N)
    made.train_labels = digits.train.labels[stratified_positions(digits.train.labels, N)].numpy()
    made.test_labels = digits.test.labels[stratified_positions(digits.test.labels, N)].numpy()
    return made


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    scrub, explorer = (
        interactive.scrub(run, data.load("mnist5k")).html,
        interactive.margin_explorer().html,
    )
    where = tmp_path_factory.mktemp("pages")
    ring = interactive.scrub(run, view="circle").html
    sectors = interactive.sector_ring("ArcFace", 0.3).html
    plane = interactive.decision_plane().html
    for name, body in {
        "scrub": scrub,
        "ring": ring,
        "explorer": explorer,
        "sectors": sectors,
        "plane": plane,
        "both": scrub + explorer + scrub,
    }.items():
        (where / f"{name}.html").write_text(PAGE.format(body), encoding="utf-8")
    with served(where) as address:
        yield address


def picture(page, split="test", widget=0):
    canvas = (
        page.locator(".lossbook-epoch_slider").nth(widget).locator(f'[data-split="{split}"] canvas')
    )
    return canvas.evaluate("canvas => canvas.toDataURL()")


def about(page, widget=0):
    return (
        page.locator(".lossbook-epoch_slider")
        .nth(widget)
        .locator('[data-part="about"]')
        .inner_text()
    )


def set_slider(page, value, widget=0):
    page.locator(".lossbook-epoch_slider").nth(widget).locator('[data-part="slider"]').evaluate(
        MOVE_SLIDER,
        value,
    )
    settle(page)


def lonely(run, wrong=None):
    """(index, place in units of the plane's radius) of the test point farthest from all others.

    ``wrong``, True or False: only among the mistakes, or only among the others.
    """
    last = run.snapshots[-1]
    radius = max(np.linalg.norm(x, axis=1).max() for s in run.snapshots for x in (s.train, s.test))
    distance = np.linalg.norm(last.test[:, None] - last.test[None], axis=2) + 1e9 * np.eye(N)
    free = distance.min(axis=1)
    if wrong is not None:
        free = np.where((last.test_pred != run.test_labels) == wrong, free, -1)
    return int(free.argmax()), last.test[free.argmax()] / radius


def place_of(page, point):
    box = page.locator('[data-split="test"] canvas').bounding_box()
    half = box["width"] / 2
    return box["x"] + half + float(point[0]) * half / 1.27, box["y"] + half - float(
        point[1]
    ) * half / 1.27


def expected(run, i):
    last, y = run.snapshots[-1], run.test_labels[i]
    cos = (
        last.test[i]
        @ last.weight[y]
        / np.linalg.norm(last.test[i])
        / np.linalg.norm(last.weight[y])
    )
    return y, last.test_pred[i], f"{math.degrees(math.acos(cos)):.1f}° from its class vector"


# scrub


def test_the_slider_moves_the_points(open_page):
    page = open_page("scrub", **DESKTOP)
    last = {split: picture(page, split) for split in ("train", "test")}
    set_slider(page, 0)
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 1"
    assert all(picture(page, split) != last[split] for split in last)
    set_slider(page, 2)
    assert {split: picture(page, split) for split in last} == last


def test_the_scores_are_those_of_the_samples(open_page, run):
    page = open_page("scrub", **DESKTOP)
    for epoch in (1, 3):
        set_slider(page, epoch - 1)
        for split in ("train", "test"):
            wrong = (
                getattr(run.snapshots[epoch - 1], f"{split}_pred")
                != getattr(run, f"{split}_labels")
            ).sum()
            score = page.locator(f'[data-split="{split}"] [data-part="score"]').inner_text()
            assert score == f"{100 * (1 - wrong / N):.1f} % right, ✖ {wrong} of {N}"


def test_arrow_keys_move_the_slider_and_the_choice(open_page):
    page = open_page("scrub", **DESKTOP)
    page.locator('[data-part="slider"]').focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 2"
    page.keyboard.press("Home")
    settle(page)
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 1"
    page.locator('[data-split="train"] canvas').focus()
    descriptions = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        settle(page)
        descriptions.add(about(page))
    assert (
        len(descriptions) == 3
        and all("train image of" in text for text in descriptions)
        and "mistake" in about(page)
    )
    page.keyboard.press("Escape")
    settle(page)
    assert "Point at a point" in about(page)


@pytest.mark.parametrize("wrong", [False, True])
def test_hovering_tells_label_prediction_and_angle(open_page, run, wrong):
    page = open_page("scrub", **DESKTOP)
    i, point = lonely(run, wrong)
    page.mouse.move(*place_of(page, point))
    settle(page)
    y, predicted, angle = expected(run, i)
    verdict = f"taken for {predicted} ✖ mistake" if wrong else f"predicted {predicted} ✓"
    assert (
        about(page).split() == f"A test image of {y} , {verdict} {angle}".replace(" ,", ",").split()
    )
    assert page.locator('[data-part="picture"]').is_visible()


def test_a_clicked_point_is_held_while_the_mouse_moves_on(open_page, run):
    page = open_page("scrub", **DESKTOP)
    page.mouse.move(*place_of(page, lonely(run, wrong=False)[1]))
    settle(page)
    passed = about(page)
    page.mouse.click(*place_of(page, lonely(run, wrong=True)[1]))
    settle(page)
    held = about(page)
    page.mouse.move(*place_of(page, lonely(run, wrong=False)[1]))
    settle(page)
    assert about(page) == held != passed
    set_slider(page, 0)
    assert about(page) != held  # the same image, as it was then
    page.mouse.click(*place_of(page, (1.2, 1.2)))
    settle(page)
    assert "Point at a point" in about(page)


def test_tapping_chooses_a_point(open_page, run):
    page = open_page("scrub", **PHONE)
    i, point = lonely(run)
    page.touchscreen.tap(*place_of(page, point))
    settle(page)
    y, _, angle = expected(run, i)
    assert f"test image of {y}" in about(page) and angle in about(page)


def test_the_switch_leads_to_the_circle_and_back(open_page):
    page = open_page("scrub", **DESKTOP)
    plane = picture(page)
    page.get_by_role("button", name="circle").click()
    settle(page)
    assert picture(page) != plane
    assert page.get_by_role("button", name="circle").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="plane").click()
    settle(page)
    assert picture(page) == plane


def test_it_can_start_on_the_circle(open_page):
    page = open_page("ring", **DESKTOP)
    assert page.get_by_role("button", name="circle").get_attribute("aria-pressed") == "true"
    ring = picture(page)
    page.get_by_role("button", name="plane").click()
    settle(page)
    assert picture(page) != ring
    assert "on the unit circle" in page.locator(".lb-still").get_attribute("alt")


def test_play_goes_through_all_epochs_and_stops(open_page):
    page = open_page("scrub", **DESKTOP)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function(
        "() => document.querySelector('[data-part=epoch]').textContent.includes('→')"
    )
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 3"


def test_a_filter_shows_one_class_or_the_mistakes_of_the_epoch(open_page, run):
    page, snapshot, labels = open_page("scrub", **DESKTOP), run.snapshots[0], run.test_labels
    set_slider(page, 0)
    wrong, everything = snapshot.test_pred != labels, picture(page)
    score = page.locator('[data-split="test"] [data-part="score"]')

    def filtered(choice, steps):
        """The score, and what is told of the test points that arrow keys lead to."""
        page.get_by_label("show").select_option(choice)
        settle(page)
        assert picture(page) != everything
        told = []
        for _ in range(steps):
            page.locator('[data-split="test"] canvas').press("ArrowRight")
            page.evaluate("() => new Promise(requestAnimationFrame)")
            told.append(" ".join(about(page).split()))
        return score.inner_text(), told

    text, told = filtered("mistakes", 4)
    assert text.endswith(f"✖ {wrong.sum()} of {N}")
    assert all("mistake" in each for each in told) and len(set(told)) > 1
    of_4 = labels == 4
    text, told = filtered("only 4", of_4.sum() + 1)
    assert text.endswith(f"✖ {wrong[of_4].sum()} of {of_4.sum()}")
    assert all("test image of 4" in each for each in told)
    assert sum("mistake" in each for each in told[1:]) == wrong[of_4].sum()
    assert told[0] == told[-1]  # round all of them
    page.get_by_label("show").select_option("all")
    settle(page)
    assert picture(page) == everything and "Point at a point" in about(page)


def test_a_point_that_the_filter_hides_is_not_chosen(open_page, run):
    page = open_page("scrub", **DESKTOP)
    _, point = lonely(run, wrong=False)
    page.get_by_label("show").select_option("mistakes")
    page.mouse.click(*place_of(page, point))
    settle(page)
    assert "Point at a point" in about(page)


def test_on_a_phone_the_panels_stand_one_above_the_other(open_page):
    page = open_page("scrub", **PHONE)
    train, test = (page.locator(f'[data-split="{name}"] canvas') for name in ("train", "test"))
    above, below = train.bounding_box(), test.bounding_box()
    assert above["x"] == below["x"] and above["y"] + above["height"] <= below["y"]
    assert above["width"] > 300
    box = page.locator('[data-part="slider"]').bounding_box()
    assert box["y"] + box["height"] <= 844, "the slider stays in sight"
    sizes = page.locator(".lb-live *").evaluate_all(
        "all => all.map(element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert min(sizes) >= 11


def test_two_widgets_on_a_page_leave_each_other_alone(open_page):
    page = open_page("both", **DESKTOP)
    assert page.locator(".lb-on").count() == 3
    first, second = picture(page, widget=0), picture(page, widget=1)
    assert first == second
    set_slider(page, 0, widget=1)
    assert picture(page, widget=0) == first and picture(page, widget=1) != second
    page.locator('[data-setting="m1"]').focus()
    page.keyboard.press("ArrowRight")
    assert picture(page, widget=0) == first


# Both widgets

LOOK = """() => ({
    card: getComputedStyle(document.querySelector(".lossbook-widget")).backgroundColor,
    drawn: [...document.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()).concat(
        [...document.querySelectorAll("svg .lb-line, svg .lb-ray, svg .lb-open")]
            .map(path => getComputedStyle(path).stroke))})"""


@pytest.mark.parametrize("name", ["scrub", "explorer", "sectors", "plane"])
def test_colours_follow_the_reader_and_the_theme(open_page, name):
    page, looks = open_page(name, color_scheme="light", **DESKTOP), {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        settle(page)
        looks[scheme] = page.evaluate(LOOK)
    assert (
        looks["light"]["card"] == "rgb(255, 255, 255)"
        and looks["dark"]["card"] == "rgb(21, 25, 30)"
    )
    assert all(
        light != dark
        for light, dark in zip(looks["light"]["drawn"], looks["dark"]["drawn"], strict=True)
    )
    for theme, scheme in (
        ("light", "dark"),
        ("dark", "light"),
    ):  # a page that has a theme overrules the system
        page.emulate_media(color_scheme=scheme)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        settle(page)
        assert page.evaluate(LOOK) == looks[theme]


@pytest.mark.parametrize("name", ["scrub", "explorer", "sectors", "plane"])
def test_nothing_sticks_out_on_a_phone(open_page, name):
    page = open_page(name, **PHONE)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert (
        page.evaluate("""() => {
        const right = document.querySelector(".lossbook-widget").getBoundingClientRect().right;
        return [...document.querySelectorAll(".lb-live *")]
            .filter(e => e.getBoundingClientRect().right > right)
            .map(e => e.outerHTML.slice(0, 80)); }""")
        == []
    )
    assert page.evaluate("""() => [...document.querySelectorAll("button, input, [role=slider]")]
        .filter(e => e.checkVisibility())
        .every(e => e.getBoundingClientRect().height >= 32)"""), "a finger needs room"


@pytest.mark.parametrize("name", ["scrub", "explorer", "sectors", "plane"])
def test_paper_and_readers_without_scripts_get_the_picture(open_page, chromium, name, folder):
    page = open_page(name, **DESKTOP)
    still, live = page.locator(".lb-still"), page.locator(".lb-live")
    assert live.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()
    with Visit(chromium, folder, f"{name}.html", java_script_enabled=False, **DESKTOP) as seen:
        assert (
            seen.page.locator(".lb-still").is_visible()
            and not seen.page.locator(".lb-live").is_visible()
        )
        assert len(seen.page.locator(".lb-still").get_attribute("alt")) > 40


# margin_explorer


def value_of(page, setting):
    return float(page.locator(f'[data-setting="{setting}"]').input_value())


@pytest.mark.parametrize("name", heads.PRESETS)
def test_a_preset_sets_the_sliders(open_page, name):
    page, row = open_page("explorer", **DESKTOP), heads.PRESETS[name]
    page.get_by_role("button", name=name, exact=True).click()
    assert [value_of(page, key) for key in ("scale", "m1", "m2", "m3")] == [
        row.scale,
        row.m1,
        row.m2,
        row.m3,
    ]
    assert page.locator('[aria-pressed="true"]').all_inner_texts() == [name]
    assert ("free" in page.locator('[data-part="verdict"]').inner_text()) == (
        not (row.unit_weight and row.unit_embedding)
    )


@pytest.mark.parametrize("name", heads.PRESETS)
def test_a_scale_that_is_free_is_not_judged(open_page, name):
    page, row = open_page("explorer", **DESKTOP), heads.PRESETS[name]
    page.get_by_role("button", name=name, exact=True).click()
    verdict = page.locator('[data-part="verdict"]')
    free = not (row.unit_weight and row.unit_embedding)
    assert ("✖ The scale is too small" in verdict.inner_text()) == (not free)
    assert "lb-fits" not in verdict.get_attribute("class")


def test_it_starts_on_a_setting_that_can_work(open_page):
    verdict = open_page("explorer", **DESKTOP).locator('[data-part="verdict"]')
    assert "lb-fits" in verdict.get_attribute("class") and "✖" not in verdict.inner_text()


def test_a_key_on_a_slider_changes_every_drawing(open_page):
    page = open_page("explorer", **DESKTOP)
    before = page.locator("svg").evaluate_all("all => all.map(svg => svg.innerHTML)")
    page.locator('[data-setting="m2"]').focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert value_of(page, "m2") == pytest.approx(0.35)
    after = page.locator("svg").evaluate_all("all => all.map(svg => svg.innerHTML)")
    assert len(after) == 4 and all(new != old for new, old in zip(after, before))
    assert page.locator('[aria-pressed="true"]').count() == 0  # no preset has 0.35


@pytest.mark.parametrize(
    "setting, words",
    [
        ({"m2": 0.6, "scale": 16}, ["✓ The margin fits", "✓ The scale is enough", "at most 0.191"]),
        ({"m2": 0.7, "scale": 16}, ["✖ The margin is too large", "✓ The scale is enough"]),
        (
            {"m2": 0, "m3": 0.19, "scale": 4},
            ["✓ The margin fits", "✖ The scale is too small", "48.3 % without", "s ≥ 15.1"],
        ),
        ({"m2": 0, "m3": 0.2}, ["✖ The margin is too large"]),
        ({"m3": 0.2, "d": 9}, ["✓ The margin fits", "simplex", "at most 1.111"]),
        (
            {"d": 3},
            [
                "no formula",
                "the room is less than 1",
                "? The margin may fit",
                "? The scale may be enough",
            ],
        ),
        (
            {"d": 5},
            [
                "neighbours 90.0° apart",
                "at most 1.000",
                "✓ The margin fits",
                "? The scale may be enough",
            ],
        ),
        ({"m1": 0.5, "m2": 0}, ["both classes claim"]),
    ],
)
def test_the_verdict_knows_the_bounds(open_page, setting, words):
    page = open_page("explorer", **DESKTOP)
    for name, value in setting.items():
        page.locator(f'[data-setting="{name}"]').evaluate(
            MOVE_SLIDER,
            value,
        )
    verdict = page.locator('[data-part="verdict"]').inner_text()
    assert [text for text in words if text not in verdict] == [], verdict


# sector_ring


@pytest.mark.parametrize("m", [0, 0.2, 0.55, 0.7])
def test_the_ring_is_won_as_python_says(open_page, m):
    page = open_page("sectors", **DESKTOP)
    page.locator('[data-part="slider"]').evaluate(MOVE_SLIDER, m)
    _, winner = winning_regions.on_circle(lambda cos: margins.arcface(cos, m), 10)
    text, share = page.locator('[data-part="about"]').inner_text(), (winner >= 0).mean()
    assert page.locator(".lb-won").count() == len(set(winner) - {-1})
    if share == 0:
        assert text == "✖ No class wins any direction: m is larger than 2π/C = 0.628 rad."
    else:
        assert text.startswith(f"{share:.0%}".replace("%", " % of the circle is won."))
        assert f"Each class wins {18 * share:.1f}° to either side" in text
        assert (f"no class wins the {math.degrees(m):.1f}° between" in text) == (m > 0)
    widths = page.locator(".lb-won").evaluate_all("all => all.map(arc => arc.getTotalLength())")
    assert widths == pytest.approx([2 * math.pi * 107 / 10 * share] * len(widths), abs=0.4)


def test_keys_move_the_margin(open_page):
    page = open_page("sectors", **DESKTOP)
    page.get_by_label("Margin m").focus()
    before = page.locator("svg").inner_html()
    page.keyboard.press("ArrowRight")
    assert page.locator('[data-part="value"]').inner_text() == "0.31 rad"
    assert page.locator("svg").inner_html() != before


# decision_plane


def width_on_a_grid(m1, m2, m3, apart, points=36001):
    """Degrees of the way between two class vectors that neither wins, less those that both win."""
    way = torch.linspace(0, math.radians(apart), points, dtype=torch.float64)
    other = torch.cos(math.radians(apart) - way)
    won = (margins.combined(torch.cos(way), m1, m2, m3) > other).double().mean().item()
    return apart * (1 - 2 * won)


def shown_width(page):
    return float(page.locator('[data-part="width"]').inner_text().replace("−", "-").rstrip("°"))


@pytest.mark.parametrize("name", ["no margin", "SphereFace", "ArcFace", "CosFace", "combined"])
@pytest.mark.parametrize("apart", [36, 90, 170])
def test_the_width_in_degrees_is_that_of_the_loss(open_page, name, apart):
    page = open_page("plane", **DESKTOP)
    page.get_by_role("button", name=name, exact=True).click()
    page.locator('[data-setting="apart"]').evaluate(MOVE_SLIDER, apart)
    setting = read_data(interactive.decision_plane())["settings"][name]
    width = width_on_a_grid(**setting, apart=apart)
    assert shown_width(page) == pytest.approx(width, abs=0.06)
    text = page.locator('[data-part="about"]').inner_text()
    assert f"class vectors {apart}° apart" in text
    assert ("no class wins anything" in text) == (width > apart - 0.01)
    label = page.get_by_role("img").get_attribute("aria-label")
    assert page.locator('[data-part="width"]').inner_text() in label and text in label


@given(st.floats(0.5, 4), st.floats(0, 1.5), st.floats(0, 1), st.integers(10, 180))
@settings(max_examples=60, deadline=None)
def test_widths_are_those_of_python_at_any_margin(javascript, m1, m2, m3, apart):
    margin, gap = {"m1": m1, "m2": m2, "m3": m3}, math.radians(apart)
    width = javascript("marginWidth(argument.margin, argument.gap)", {"margin": margin, "gap": gap})
    assert math.degrees(width) == pytest.approx(width_on_a_grid(m1, m2, m3, apart), abs=0.02)


def test_a_button_shows_the_sliders_of_its_margin_and_keys_move_them(open_page):
    page = open_page("plane", **DESKTOP)
    sliders = page.locator('[data-part="sliders"] input')
    for name, shown in {
        "no margin": ["apart"],
        "SphereFace": ["m1", "apart"],
        "CosFace": ["m3", "apart"],
        "combined": ["m1", "m2", "m3", "apart"],
        "ArcFace": ["m2", "apart"],
    }.items():
        page.get_by_role("button", name=name, exact=True).click()
        visible = sliders.evaluate_all(
            "all => all.filter(e => e.checkVisibility()).map(e => e.dataset.setting)"
        )
        assert visible == shown
        assert page.locator('[aria-pressed="true"]').all_inner_texts() == [name]
    before = page.locator("svg").inner_html()
    page.get_by_label("m₂ + angle").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("m₂ + angle").get_attribute("aria-valuetext") == "0.51 rad"
    assert shown_width(page) == pytest.approx(math.degrees(0.51), abs=0.06)
    assert page.locator("svg").inner_html() != before
    assert page.locator('[aria-pressed="true"]').count() == 0
    page.get_by_label("Δ, the angle between the class vectors").focus()
    page.keyboard.press("End")
    assert "180° apart" in page.locator('[data-part="about"]').inner_text()


def points_of(page, selector):
    """The corners of a drawn path as angles in degrees, read off the grid's lines."""
    return np.array(
        page.evaluate(
            """selector => {
        const corners = path => path.getAttribute("d").slice(1).replace("Z", "").split("L")
            .map(pair => pair.split(" ").map(Number));
        const grid = [...document.querySelectorAll(".lb-grid")].map(corners);
        const [left, right] = [grid[0][0][0], grid[3][0][0]];
        const [low, high] = [grid[4][0][1], grid[7][0][1]];
        return corners(document.querySelector(selector)).map(([x, y]) =>
            [180 * (x - left) / (right - left), 180 * (y - low) / (high - low)]); }""",
            selector,
        )
    )


def test_the_boundary_the_frame_and_the_margin_are_drawn_where_they_are(open_page):
    page = open_page("plane", **DESKTOP)
    page.get_by_role("button", name="ArcFace", exact=True).click()
    page.locator('[data-setting="apart"]').evaluate(MOVE_SLIDER, 60)
    first, second = points_of(page, ".lb-one .lb-edge").T
    np.testing.assert_allclose(second - first, math.degrees(0.5), atol=0.15)
    frame = [[0, 60], [60, 0], [180, 120], [120, 180], [0, 60]]
    np.testing.assert_allclose(points_of(page, "path.lb-path"), frame, atol=0.1)
    start, end = points_of(page, "path.lb-open")
    np.testing.assert_allclose([start.sum(), end.sum()], 60, atol=0.2)
    np.testing.assert_allclose(end - start, shown_width(page) * np.array([1, -1]), atol=0.2)


# The same formulas in two languages


@pytest.fixture(scope="module")
def javascript(chromium):
    """``javascript(expression, argument)``: its value, with the functions of web/bounds.js."""
    source = bundle(WEB / "bounds.js")
    page = chromium.new_page()
    yield lambda expression, argument=None: page.evaluate(
        f"argument => {{ {source}\nreturn {expression}; }}", argument
    )
    page.close()


SETTINGS = [
    (1, 0, 0),
    (1, 0.5, 0),
    (1, 1.5, 0),
    (1, 0, 0.35),
    (4, 0, 0),
    (1.35, 0.2, 0.1),
    (0.9, 0.4, 0.15),
    (3.7, 1.2, 0.6),
]


@pytest.mark.parametrize("m1, m2, m3", SETTINGS)
def test_the_curve_and_its_slope_are_those_of_python(javascript, m1, m2, m3):
    theta = torch.linspace(0.001, math.pi - 0.001, 199, dtype=torch.float64, requires_grad=True)
    target = margins.combined(torch.cos(theta), m1, m2, m3)
    (slope,) = torch.autograd.grad(target.sum(), theta)
    argument = {"theta": theta.tolist(), "setting": {"m1": m1, "m2": m2, "m3": m3}}
    np.testing.assert_allclose(
        javascript("argument.theta.map(t => targetAtAngle(t, argument.setting))", argument),
        target.detach(),
        atol=1e-9,
    )
    np.testing.assert_allclose(
        javascript("argument.theta.map(t => slopeInAngle(t, argument.setting))", argument),
        slope,
        atol=1e-6,
    )


def in_two_classes(head, theta, length):
    """The margined targets over s, and their slopes per radian, of embeddings of one length."""
    theta = theta.clone().requires_grad_()
    head.weight.data = torch.eye(2, dtype=torch.float64)
    x = length * torch.stack([torch.cos(theta), torch.sin(theta)], dim=1)
    target = head.eval()(x, torch.zeros(len(x), dtype=torch.long))[:, 0] / head.scale
    (slope,) = torch.autograd.grad(target.sum(), theta)
    return target.detach(), slope


@pytest.mark.parametrize(
    "name, value",
    [("AdaFace", -1), ("AdaFace", -0.35), ("AdaFace", 0), ("AdaFace", 0.6), ("AdaFace", 1)]
    + [("MagFace", 10), ("MagFace", 47), ("MagFace", 110)],
)
def test_a_margin_that_follows_the_length_is_that_of_its_head(javascript, name, value):
    head, length = heads.from_preset(name, 2, 2), value
    if name == "AdaFace":
        head.spread, length = 1, 60 + 15 * value
        head.mean_length.fill_(60)
        head.deviation.fill_(15 - 1e-3)  # the head adds as much
    theta = torch.linspace(0.001, math.pi - 0.001, 199, dtype=torch.float64)
    target, slope = in_two_classes(head, theta, length)
    data = read_data(interactive.margin_explorer())["adaptive"][name]
    made = """(({adaptive, value, theta}) => {
        const setting = MARGINS_OF_LENGTH[adaptive.slider](adaptive, value);
        return theta.map(t => [targetAtAngle(t, setting), slopeInAngle(t, setting)]);
    })(argument)"""
    argument = {"adaptive": data, "value": value, "theta": theta.tolist()}
    drawn = np.array(javascript(made, argument))
    np.testing.assert_allclose(drawn[:, 0], target, atol=1e-6)
    np.testing.assert_allclose(drawn[:, 1], slope, atol=1e-5)


@pytest.mark.parametrize("C", [2, 3, 4, 8, 10, 30])
def test_the_bounds_are_those_of_python(javascript, C):
    for d in {2, max(2, C // 2), C - 1, C, 30}:
        assert javascript(f"greatestCosineMargin({C}, {d})") == pytest.approx(
            bounds.greatest_cosine_margin(C, d)
        )
    for s in (1, 4, 16, 64):
        assert javascript(f"centrePosterior({s}, {C}, 2)") == pytest.approx(
            bounds.centre_posterior(s, C)
        )
    for P in (0.9, 0.99):
        assert javascript(f"leastScale({P}, {C}, 2)") == pytest.approx(bounds.least_scale(P, C))
        assert javascript(f"leastScale({P}, {C}, 40)") == pytest.approx(
            bounds.least_scale_simplex(P, C)
        )
        assert javascript(f"centrePosterior(leastScale({P}, {C}, 40), {C}, 40)") == pytest.approx(P)
    most, gap = bounds.greatest_angular_margin(C), 2 * math.pi / C
    kept = "keptAngle({m1: 1, m2: share * argument.most, m3: 0}, argument.gap) >= 0"
    assert javascript(f"[0.999, 1.001].map(share => {kept})", {"most": most, "gap": gap}) == [
        True,
        False,
    ]


def test_beyond_twice_the_dimensions_no_bound_is_known(javascript):
    assert javascript("greatestCosineMargin(10, 3)") != javascript(
        "greatestCosineMargin(10, 3)"
    )  # NaN
    with pytest.raises(ValueError, match="no closed form"):
        bounds.greatest_cosine_margin(10, 3)


@pytest.mark.parametrize("m1, m2, m3", SETTINGS)
def test_the_kept_arc_is_that_of_the_figure(javascript, m1, m2, m3):
    directions, winner = winning_regions.on_circle(lambda cos: margins.combined(cos, m1, m2, m3), 8)
    kept = javascript(f"keptAngle({{m1: {m1}, m2: {m2}, m3: {m3}}}, 2 * Math.PI / 8)")
    own = np.abs(directions[winner == 0])
    if kept < 0:
        assert len(own) == 0
    else:
        assert min(kept, math.pi / 8) == pytest.approx(own.max(), abs=2 * math.pi / 3600)

"""The playground as a reader meets it: it trains, fails where it should, and takes settings."""

import re
import time

import pytest
from sklearn.datasets import load_digits

from lossbook.figures.views import Circle
from tests.browser.helpers import DESKTOP, HTML, PHONE, SCREENSHOTS

PAGE = "book/playground.html"
STILL = {"reduced_motion": "reduce"}


class Lab:
    """The page, with what the tests look up in it."""

    def __init__(self, seen):
        self.seen, self.page = seen, seen.page
        self.app = self.page.locator("#playground-app")

    def part(self, name):
        return self.app.locator(f'[data-part="{name}"]')

    def number(self, name):
        return float(re.sub(r"[^\d.]", "", self.part(name).inner_text()))

    def setting(self, name):
        return self.app.locator(f'[name="{name}"]')

    def state(self):
        return self.app.get_attribute("data-state")

    def wait(self, condition, timeout=120):
        """Until ``condition()`` holds, or the test fails."""
        until = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < until, (
                f"waited {timeout} s; {self.part('status').inner_text()}"
            )
            self.page.wait_for_timeout(50)


@pytest.fixture
def open_lab(visit):
    """``open_lab(query, **context)``: the page at this setting; afterwards, no error is unseen."""
    opened = []

    def open_at(query="", **context):
        seen = visit(f"{PAGE}{query}", **{**DESKTOP, **context})
        opened.append(seen.__enter__())
        return Lab(seen)

    yield open_at
    for seen in opened:
        trouble = seen.console, seen.failures, seen.outside
        seen.__exit__(None, None, None)
        assert trouble == ([], [], [])


def test_arcface_learns_and_the_picture_moves(open_lab):
    lab = open_lab("?s=16&m2=0.3&pace=16")
    assert lab.state() == "playing"
    before, start = int(lab.app.get_attribute("data-pictures")), time.monotonic()
    lab.wait(lambda: lab.number("step-count") >= 200)
    rate = (int(lab.app.get_attribute("data-pictures")) - before) / (time.monotonic() - start)
    print(f"\n{rate:.0f} pictures a second, at 16 steps a picture or 25 ms of training")
    assert rate > 0  # how fast is the machine's affair: a laptop shows 20 and more
    lab.wait(lambda: lab.number("step-count") >= 1500)
    assert lab.number("held") > 90
    lab.part("play").click()
    assert re.match(r"Paused at step \d+: loss .* right\.", lab.part("status").inner_text())


def test_at_s_4_the_digits_get_sorted_but_the_loss_stays_high(open_lab):
    lab = open_lab("?s=4&m2=0.3&pace=16")
    lab.wait(lambda: lab.number("step-count") >= 1000)
    assert lab.number("held") > 90
    assert lab.number("loss-now") > 0.7, "at s = 4 no norm-softmax gets below 0.728 on the circle"


def test_everything_to_try_is_a_setting_the_page_takes(open_lab):
    lab = open_lab(**STILL)
    queries = lab.page.locator('article a[href^="?"]').evaluate_all(
        "links => links.map(a => a.getAttribute('href'))"
    )
    assert len(queries) > 5
    for query in queries:
        lab.page.goto(lab.page.url.partition("?")[0] + query)
        assert lab.part("complaints").inner_text() == "" and lab.state() == "paused"


def test_the_rate_at_four_steps_a_picture(open_lab):
    lab = open_lab()
    lab.wait(lambda: lab.number("step-count") > 0)
    before, start = int(lab.app.get_attribute("data-pictures")), time.monotonic()
    lab.page.wait_for_timeout(3000)
    rate = (int(lab.app.get_attribute("data-pictures")) - before) / (time.monotonic() - start)
    print(f"\n{rate:.0f} pictures a second, at 4 steps a picture")
    assert rate > 0


def test_the_naive_version_says_nan_and_the_sound_one_goes_on_from_there(open_lab):
    lab = open_lab("?s=16&m2=0.3&compute=arccos&pace=16")
    lab.wait(lambda: lab.state() == "failed")
    assert (
        "NaN at step" in lab.part("status").inner_text()
        and "arccos" in lab.part("status").inner_text()
    )
    assert lab.part("gradient").inner_text() == "NaN" and lab.number("loss-now") > 0
    failed_at = lab.number("step-count")
    lab.setting("compute").select_option("sound")
    assert lab.state() == "paused"
    assert lab.part("status").inner_text().startswith("The setting has changed.")
    lab.part("step").click()
    assert (
        lab.number("step-count") == failed_at + 1 and lab.part("gradient").inner_text() == "finite"
    )


def test_exp_typed_in_overflows_at_a_large_scale(open_lab):
    lab = open_lab("?s=128&compute=exp")
    lab.wait(lambda: lab.state() == "failed")
    assert "exp of a logit above 88" in lab.part("status").inner_text()


def test_the_address_keeps_the_setting(open_lab):
    lab = open_lab(**STILL)
    lab.setting("s").fill("4")
    lab.setting("s").press("Tab")
    lab.setting("unit_embedding").uncheck()
    lab.setting("compute").select_option("exp")
    slider = lab.app.locator('[data-for="m2"]')
    slider.focus()
    slider.press("End")
    address = lab.page.url
    assert all(part in address for part in ("s=4", "unit_embedding=no", "compute=exp", "m2=3.14"))
    lab.page.reload()
    assert lab.setting("s").input_value() == "4" and lab.setting("m2").input_value() == "3.14"
    assert (
        not lab.setting("unit_embedding").is_checked() and lab.setting("unit_weight").is_checked()
    )
    assert lab.setting("compute").input_value() == "exp" and slider.input_value() == "3.14"
    assert lab.part("complaints").inner_text() == "" and lab.page.url == address


def test_an_address_with_the_old_names_of_settings_still_works(open_lab):
    lab = open_lab("?w_norm=no&x_norm=no", **STILL)
    assert lab.part("complaints").inner_text() == ""
    assert not lab.setting("unit_weight").is_checked()
    assert not lab.setting("unit_embedding").is_checked()


def test_a_preset_is_one_name_in_the_address_or_one_choice_in_the_menu(open_lab):
    lab = open_lab("?preset=ArcFace_v3", **STILL)
    assert lab.setting("s").input_value() == "4" and lab.setting("m2").input_value() == "0.3"
    assert lab.part("preset").input_value() == "ArcFace_v3"
    lab.part("preset").select_option("A-softmax_v2")
    assert lab.setting("m1").input_value() == "3" and lab.setting("anneal").is_checked()
    assert "m1=3" in lab.page.url and "unit_embedding=no" in lab.page.url
    lab.setting("m1").fill("3.5")
    assert lab.part("preset").input_value() == ""


@pytest.mark.parametrize(
    "query, given, expected",
    [
        ("s=1e9", "s = 1e9", "a number from 0.5 to 256. It stays at 16"),
        ("m2=much", "m2 = much", "a number from 0 to 3.14"),
        ("m1=", "m1 = nothing", "a number from 0.1 to 8"),
        ("seed=1.5", "seed = 1.5", "a whole number"),
        ("unit_weight=maybe", "unit_weight = maybe", "yes or no"),
        ("compute=fast", "compute = fast", "sound or arccos or exp"),
        ("preset=ArcFace", "preset = ArcFace", "ArcFace_v1, ArcFace_v2"),
        ("preset=constructor", "preset = constructor", "ArcFace_v1"),
        ("margin=3", "margin = 3", "one of preset, unit_weight, unit_embedding"),
        ("compare=nothing", "compare = nothing", "none or softmax or norm-softmax"),
        ("compare=ArcFace&compare_m2=9", "compare_m2 = 9", "from 0 to 3.14. It stays at 0.3"),
        ("compare=ArcFace&compare_m3=1", "compare_m3 = 1", "no effect with compare = ArcFace"),
        ("compare_s=8", "compare_s = 8", "no effect with compare = none"),
        ("x=<img src=x onerror=alert(1)>", "x = <img src=x onerror=alert(1)>", "one of"),
    ],
)
def test_a_nonsense_address_is_told_so(open_lab, query, given, expected):
    lab = open_lab("?" + query, **STILL)
    message = lab.part("complaints")
    assert (
        message.is_visible() and given in message.inner_text() and expected in message.inner_text()
    )
    assert message.get_attribute("role") == "alert"


def test_a_nonsense_number_in_the_form_is_told_so_and_changes_nothing(open_lab):
    lab = open_lab(**STILL)
    lab.setting("s").fill("1000")
    assert "s = 1000: expected a number from 0.5 to 256" in lab.part("complaints").inner_text()
    lab.setting("s").press("Tab")
    assert "s=1000" not in lab.page.url
    lab.part("step").click()
    lab.setting("s").fill("8")
    assert lab.part("complaints").inner_text() == "" and lab.number("step-count") == 1


def test_the_keyboard_plays_pauses_steps_resets_and_chooses(open_lab):
    lab = open_lab(**STILL)
    assert lab.state() == "paused" and lab.number("step-count") == 0, "reduced motion is respected"
    lab.part("circle").focus()
    lab.page.keyboard.press("ArrowRight")
    assert re.match(r"At a \d\.", lab.part("status").inner_text())
    lab.page.keyboard.press("Enter")
    assert lab.part("chosen").locator("li").count() == 1
    lab.page.keyboard.press("Tab")
    assert lab.page.evaluate("document.activeElement.dataset.part") == "play"
    assert lab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", (
        "the focus shows"
    )
    lab.page.keyboard.press("Enter")
    lab.wait(lambda: lab.number("step-count") > 3)
    assert lab.state() == "playing" and lab.part("play").inner_text() == "Pause"
    lab.page.keyboard.press("Space")
    assert lab.state() == "paused"
    stopped = lab.number("step-count")
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    assert lab.number("step-count") == stopped + 1
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    assert lab.number("step-count") == 0 and "Ready" in lab.part("status").inner_text()


def test_a_finger_plays_pauses_steps_resets_and_chooses_without_scrolling_sideways(open_lab):
    lab = open_lab("?unit_weight=maybe&" + "long" * 30 + "=1", **PHONE, **STILL)
    lab.part("play").tap()
    lab.wait(lambda: lab.number("step-count") > 3)
    lab.part("play").tap()
    stopped = lab.number("step-count")
    lab.part("step").tap()
    assert lab.number("step-count") == stopped + 1
    lab.part("each").tap()
    assert lab.part("chosen").locator("li").count() == 10
    assert (
        lab.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        <= 0
    )
    lab.part("clear").tap()
    assert lab.part("chosen").locator("li").count() == 0
    lab.part("reset").tap()
    assert lab.number("step-count") == 0


def test_a_click_chooses_the_point_under_it(open_lab):
    lab = open_lab(**STILL)
    box = lab.part("circle").bounding_box()
    radius = 0.92 * box["width"] / (2 * Circle.edge)  # the middle of the ring of points
    centre = {"x": box["width"] / 2, "y": box["height"] / 2}
    lab.part("circle").click(position=centre)
    assert lab.part("chosen").locator("li").count() == 0
    turns = [(1, 0), (0, 1), (-1, 0), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7)]
    for x, y in turns:
        lab.part("circle").click(
            position={"x": centre["x"] + x * radius, "y": centre["y"] + y * radius}
        )
    chosen = lab.part("chosen").locator("li")
    assert chosen.count() > 0
    assert re.fullmatch(r"\d: θ \d+°, gradient [\d.]+(e-\d+)?", chosen.first.inner_text())


def test_the_menu_says_how_many_digits_there_are(open_lab):
    lab = open_lab(**STILL)
    counts = [
        int(re.match(r"\d+", text)[0])
        for text in lab.setting("show").locator("option").all_inner_texts()
    ]
    labels = load_digits().target
    assert counts == [len(labels[4::5]), len(labels[2::5])]


def test_the_same_address_gives_the_same_training(open_lab):
    losses = []
    for _ in range(2):
        lab = open_lab("?seed=7", **STILL)
        for _ in range(5):
            lab.part("step").click()
        losses.append(lab.part("loss-now").inner_text())
    other = open_lab("?seed=8", **STILL)
    for _ in range(5):
        other.part("step").click()
    assert losses[0] == losses[1] != other.part("loss-now").inner_text()


COMPARISON = "?s=16&m2=0.3&compare=norm-softmax&compare_s=8"


def test_a_comparison_trains_each_loss_as_it_trains_alone(open_lab):
    def fare(query):
        lab = open_lab(query, **STILL)
        for _ in range(5):
            lab.part("step").click()
        return lab

    both = fare(COMPARISON)
    arcface = fare("?s=16&m2=0.3")
    softmax = fare("?preset=norm-softmax&s=8")
    for words, alone in [("words", arcface), ("words-b", softmax)]:
        loss, train, held, angle = (
            alone.part(name).inner_text() for name in ("loss-now", "train", "held", "angle")
        )
        assert both.part(words).inner_text() == (
            f"Loss {loss}, {train} of the training and {held} of the held-out digits right. "
            f"The mean angle of a held-out digit to its class vector is {angle}."
        )
    assert both.part("title").inner_text() == "A: ArcFace, s = 16, m₂ = 0.3"
    assert both.part("title-b").inner_text() == "B: norm-softmax, s = 8"
    assert re.match(r"At step 5: A: loss .* right; B: loss .* right\.", status_of(both))


def status_of(lab):
    return lab.part("status").inner_text()


def test_the_side_that_fails_is_named_and_both_go_on_together(open_lab):
    lab = open_lab("?s=16&m2=0&compute=exp&compare=norm-softmax&compare_s=256", **STILL)
    lab.part("step").click()
    assert lab.state() == "failed" and status_of(lab).startswith("B: ")
    lab.setting("compute").select_option("sound")
    lab.part("step").click()
    assert status_of(lab).startswith("At step 2: A: loss")


@pytest.mark.parametrize("context", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_comparison_stands_side_by_side_or_stacked(open_lab, context):
    lab = open_lab(COMPARISON, **context, **STILL)
    for picture in ("circle", "plane"):
        a, b = (lab.part(name).bounding_box() for name in (picture, f"{picture}-b"))
        assert a["width"] == b["width"] > 250
        if context is DESKTOP:
            assert a["y"] == b["y"] and a["x"] + a["width"] <= b["x"]
        else:
            assert a["x"] == b["x"] and a["y"] + a["height"] <= b["y"]
    lab.setting("compare").select_option("none")
    assert not lab.part("circle-b").is_visible() and not lab.part("words").is_visible()
    assert lab.part("loss-now").is_visible()


def test_the_copied_link_restores_the_comparison(open_lab):
    lab = open_lab(**STILL, permissions=["clipboard-read", "clipboard-write"])
    lab.setting("compare").select_option("ArcFace")
    assert lab.setting("compare_s").is_visible() and not lab.setting("compare_m1").is_visible()
    lab.setting("compare_m2").fill("0.5")
    lab.part("copy").click()
    lab.wait(lambda: lab.part("copied").inner_text() == "Link copied.")
    link = lab.page.evaluate("navigator.clipboard.readText()")
    assert link.endswith("compare=ArcFace&compare_s=16&compare_m2=0.5") and link == lab.page.url
    lab.page.goto(link)
    assert lab.part("complaints").inner_text() == ""
    assert lab.part("title-b").inner_text() == "B: ArcFace, s = 16, m₂ = 0.5"
    assert "adds 0.5 rad" in lab.part("about-b").inner_text()


def test_a_cell_of_the_map_sets_s_and_m(open_lab):
    lab = open_lab("?preset=A-softmax_v2", **STILL)
    lab.page.get_by_text("Choose s and m on a map").click()
    cell = lab.page.get_by_role("button", name="CosFace, s = 8, m = 0.35: ")
    cell.press("Enter")
    expected = {"s": "8", "m1": "1", "m2": "0", "m3": "0.35"}
    assert {name: lab.setting(name).input_value() for name in expected} == expected
    assert lab.setting("unit_embedding").is_checked() and not lab.setting("anneal").is_checked()
    assert "s=8" in lab.page.url and "m3=0.35" in lab.page.url
    assert 85 < float(cell.inner_text()) < 95


def test_every_control_has_a_name(open_lab):
    lab = open_lab(**STILL)
    nameless = lab.app.locator(
        "input, select, button, canvas[tabindex], canvas[role]"
    ).evaluate_all(
        """all => all
            .filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert lab.part("status").get_attribute("role") == "status"


def test_the_pictures_follow_the_theme(open_lab):
    lab = open_lab(**STILL, color_scheme="light")
    middle = """canvas => { const { width } = canvas;
        return [...canvas.getContext("2d").getImageData(width / 2, width / 2, 1, 1).data]; }"""
    light = lab.part("circle").evaluate(middle)
    lab.page.emulate_media(color_scheme="dark")
    lab.page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    lab.page.wait_for_timeout(100)
    assert sum(light[:3]) < 200 and sum(lab.part("circle").evaluate(middle)[:3]) > 500


@pytest.mark.parametrize("window, context", [("desktop", DESKTOP), ("phone", PHONE)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_photographs_of_it_at_work(open_lab, window, context, scheme):
    lab = open_lab("?pace=16", **context, color_scheme=scheme)
    lab.part("each").click()
    lab.wait(lambda: lab.number("step-count") >= 300)
    lab.page.evaluate("scrollTo(0, 0)")
    path = SCREENSHOTS / f"playground-at-work-{window}-{scheme}.png"
    lab.page.screenshot(path=path)
    assert path.stat().st_size > 20_000


def test_paper_and_pages_without_scripts_have_a_still_picture(open_lab, chromium, site):
    lab = open_lab(**STILL)
    still = lab.page.locator("figure.playground-still img")
    assert lab.app.is_visible() and not still.is_visible()
    lab.page.emulate_media(media="print")
    assert still.is_visible() and not lab.app.is_visible()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{PAGE}")
    assert (
        page.locator("figure.playground-still img").is_visible()
        and not page.locator("#playground-app").is_visible()
    )
    assert len(page.locator("figure.playground-still img").get_attribute("alt")) > 80
    context.close()


def test_it_runs_from_the_folder_too(chromium):
    page = chromium.new_page()
    page.goto((HTML / PAGE).as_uri())
    page.wait_for_function(
        "() => Number(document.querySelector('[data-part=step-count]').innerText) > 3"
    )
    page.close()

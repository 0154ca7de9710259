"""The front page's moving picture: it moves, it stops, and it has a still one for paper."""

import base64
import json

import numpy as np
import pytest

from tests.browser.helpers import HTML, ROOT

PAGE = "book/index.html"
MOVING, STILL = {"reduced_motion": "no-preference"}, {"reduced_motion": "reduce"}


@pytest.fixture
def front(visit):
    """``front(**context)`` opens the front page; all are closed after the test."""
    opened = []

    def open_front(**context):
        opened.append(visit(PAGE, viewport={"width": 1280, "height": 1000}, **context).__enter__())
        return opened[-1].page

    yield open_front
    for seen in opened:
        seen.__exit__()


def epoch(page):
    return page.locator("#hero [data-part=epoch]").inner_text()


def pixels(page):
    return page.locator("#hero canvas").evaluate_all("all => all.map(canvas => canvas.toDataURL())")


def changed(page, before):
    page.wait_for_function(
        """before => [...document.querySelectorAll("#hero canvas")]
        .every((canvas, i) => canvas.toDataURL() !== before[i])""",
        arg=before,
    )


def test_it_moves_by_itself(front):
    page = front(**MOVING)
    assert page.locator("#hero").is_visible() and not page.locator("figure.hero img").is_visible()
    changed(page, pixels(page))


def test_after_the_end_it_starts_again(front):
    page = front(**MOVING)
    page.locator("#hero [data-part=slider]").fill("13")
    page.get_by_text("epoch 14 of 15", exact=True).wait_for()  # with the next frame
    page.locator("#hero [data-part=play]").click()
    for number in (15, 1):
        page.get_by_text(f"epoch {number} of 15", exact=True).wait_for()


def test_it_stops_and_goes_on_when_asked(front):
    page = front(**MOVING)
    button = page.locator("#hero [data-part=play]")
    button.click()
    assert button.get_attribute("aria-label") == "Play"
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    before = pixels(page)
    page.wait_for_timeout(500)
    assert pixels(page) == before
    button.press("Enter")
    assert button.get_attribute("aria-label") == "Pause"
    changed(page, before)


def test_it_keeps_still_for_who_wants_no_motion_and_a_slider_turns_back_the_time(front):
    page = front(**STILL)
    assert epoch(page) == "epoch 15 of 15"
    before = pixels(page)
    page.wait_for_timeout(500)
    assert pixels(page) == before
    page.locator("#hero [data-part=slider]").fill("0")
    changed(page, before)
    assert epoch(page) == "epoch 1 of 15"


def test_the_line_of_code_and_the_scores_are_those_of_the_runs(front):
    page = front(**STILL)
    runs = json.loads((ROOT / "book/front/runs.json").read_text(encoding="utf-8"))
    boxes = page.locator("#hero [data-panel]")
    assert boxes.count() == len(runs) == 2
    for i, run in enumerate(runs):
        labels, predicted = (
            np.frombuffer(base64.b64decode(run["test"][key]), np.uint8)
            for key in ("labels", "predicted")
        )
        wrong = int((predicted[-len(labels) :] != labels).sum())
        assert boxes.nth(i).locator("code").inner_text() == f"head = {run['code']}"
        assert (
            boxes.nth(i)
            .locator("[data-part=score]")
            .inner_text()
            .endswith(f"✖ {wrong} of {len(labels)}")
        )


def test_paper_and_readers_without_scripts_have_the_still_picture(front):
    page = front(**STILL)
    page.emulate_media(media="print")
    assert page.locator("figure.hero img").is_visible() and not page.locator("#hero").is_visible()
    plain = front(java_script_enabled=False)
    assert plain.locator("figure.hero img").is_visible() and not plain.locator("#hero").is_visible()


def test_it_is_small():
    assert sum(path.stat().st_size for path in (HTML / "book/front").iterdir()) <= 300_000

"""The front page's moving picture: it moves, it stops, and it has a still one for paper."""

import json
import re

import numpy as np
import pytest

from tests.browser.helpers import HTML, ROOT
from tests.helpers.widgets import decode

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


@pytest.fixture(scope="module")
def runs():
    return json.loads((ROOT / "book/front/runs.json").read_text(encoding="utf-8"))


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


def test_a_reader_chooses_the_loss_of_either_half(front, runs):
    page = front(**STILL)
    boxes, losses = page.locator("#hero [data-panel]"), page.locator("#hero select")
    titles = [run["title"] for run in runs]
    assert boxes.count() == losses.count() == 2
    assert losses.nth(0).locator("option").all_inner_texts() == titles
    height = page.locator("#hero").bounding_box()["height"]
    for left, right in ((0, 1), (len(runs) - 1, 0), (1, 1)):
        for side, k in enumerate((left, right)):
            if (left, right) != (0, 1):
                losses.nth(side).select_option(titles[k])
            box, (wrong, count) = boxes.nth(side), mistakes(runs[k])
            box.get_by_text(f"✖ {wrong} of {count}").wait_for()  # with the next frame
            assert box.locator("code").inner_text() == f"head = {runs[k]['code']}"
        assert (left == right) == (len(set(pixels(page))) == 1)
        assert page.locator("#hero").bounding_box()["height"] == height


def test_a_point_tells_its_digit_and_its_angle_under_both_losses(front, runs):
    page = front(**STILL)
    about = page.locator("#hero [data-part=about]")
    assert about.get_attribute("aria-live") == "polite"
    height = page.locator("#hero").bounding_box()["height"]
    points = positions(runs[0])
    apart = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(len(points))
    i = int(apart.min(axis=1).argmax())
    box = page.locator("#hero canvas").first.bounding_box()
    half = box["width"] / 2
    middle = np.array([box["x"] + half, box["y"] + half])
    page.mouse.move(*(middle + points[i] * [1, -1] * half / 1.27))
    page.get_by_text("and its angle to its class vector").wait_for()
    lines = [" ".join(line.split()) for line in about.inner_text().splitlines()]
    assert lines == described(runs[:2], i)
    page.locator("#hero canvas").first.press("Escape")
    page.locator("#hero canvas").first.press("ArrowDown")  # the first mistake around the origin
    about.get_by_text("mistake").first.wait_for()
    labels, predicted = labels_of(runs[0])
    missed = np.flatnonzero(labels != predicted)
    first = missed[np.arctan2(*points[missed].T[::-1]).argmin()]
    lines = [" ".join(line.split()) for line in about.inner_text().splitlines()]
    assert lines == described(runs[:2], first)
    assert page.locator("#hero").bounding_box()["height"] == height


def labels_of(run):
    """Labels and last predictions of the digits that a run shows."""
    labels = decode(run["test"]["labels"], np.uint8)
    return labels, decode(run["test"]["predicted"], np.uint8)[-len(labels) :]


def mistakes(run):
    labels, predicted = labels_of(run)
    return (labels != predicted).sum(), len(labels)


def positions(run):
    """Where the digits of a run are after the last epoch, (N, 2), in units of the radius."""
    count = len(labels_of(run)[0])
    angle = decode(run["test"]["directions"], "<u2")[-count:] * 2 * np.pi / 65536
    length = decode(run["test"]["lengths"], "<u2")[-count:] / 65535
    return length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def described(shown, i):
    """What the page tells of digit i under some runs."""
    lines = [f"A {labels_of(shown[0])[0][i]} and its angle to its class vector"]
    for run in shown:
        labels, predicted = labels_of(run)
        vectors = decode(run["vectors"], "<u2").reshape(len(run["epochs"]), -1)[-1]
        turned = int(decode(run["test"]["directions"], "<u2")[-len(labels) :][i])
        turned = (turned - int(vectors[labels[i]]) + 32768) % 65536 - 32768
        verdict = " ✓" if predicted[i] == labels[i] else f", taken for {predicted[i]} ✖ mistake"
        lines.append(f"{run['title']}: {abs(turned) * 360 / 65536:.1f}°{verdict}")
    return lines


def test_all_runs_show_the_same_digits_and_were_trained_alike(runs):
    assert len({run["test"]["labels"] for run in runs}) == 1
    assert {tuple(run["epochs"]) for run in runs} == {tuple(range(1, 16))}
    losses = {run["title"].partition(",")[0] for run in runs}
    assert losses == {"softmax", "SphereFace", "norm-softmax", "CosFace", "ArcFace"}


def test_paper_and_readers_without_scripts_have_the_still_picture(front):
    page = front(**STILL)
    page.emulate_media(media="print")
    assert page.locator("figure.hero img").is_visible() and not page.locator("#hero").is_visible()
    plain = front(java_script_enabled=False)
    assert plain.locator("figure.hero img").is_visible() and not plain.locator("#hero").is_visible()


def test_it_is_small():
    assert sum(path.stat().st_size for path in (HTML / "book/front").iterdir()) <= 300_000


def test_the_list_of_downloads_leads_to_files():
    html = (HTML / PAGE).read_text(encoding="utf-8")
    links = re.findall(r'href="\.\./(downloads/[\w.-]+)"', html)
    assert "downloads/lossbook-notebooks.zip" in links
    assert all((HTML / link).is_file() for link in links)

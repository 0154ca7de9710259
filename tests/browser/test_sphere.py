"""Spheres as a reader turns them, by mouse, finger and keys, checked against numpy."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lossbook import interactive
from lossbook.figures import sphere_plots
from lossbook.metrics import winning_regions
from tests.browser.helpers import DESKTOP, PAGE, PHONE, Visit, settle
from tests.helpers.runs import make_3d_run, make_run
from tools.exports.browser import served

N = 200
STILL = {"reduced_motion": "reduce", **DESKTOP}
TOUCH = {"reduced_motion": "reduce", **PHONE}
SPHERES = "document.querySelector('.lossbook-rotating_sphere').spheres"
RUNS = {
    title: make_3d_run(seed=seed, epochs=3, n=N, m=N)
    for seed, title in enumerate(("one", "two", "three"))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("spheres")
    bodies = {
        "three": interactive.sphere(RUNS).html,
        "single": interactive.sphere(RUNS["one"]).html,
        "bare": interactive.sphere(make_run(dim=3), caps=False).html,
        "long": interactive.sphere(RUNS).html + '<p style="height: 3000px">and so on</p>',
    }
    for name, body in bodies.items():
        (where / f"{name}.html").write_text(PAGE.format(body), encoding="utf-8")
    with served(where) as address:
        yield address


def spheres(page, what):
    """An expression of the widget's state ``s``: its camera, its globes."""
    return page.evaluate(f"() => {{ const s = {SPHERES}; return {what}; }}")


def camera(page):
    return np.degrees(spheres(page, "[s.camera.east, s.camera.down]"))


def seen(page, k=0, part="test.points"):
    """Screen coordinates of one sphere's samples (n, 3): right, up, towards the reader."""
    return np.array(spheres(page, f"['x', 'y', 'z'].map(a => [...s.globes[{k}].{part}.seen[a]])")).T


def expected(k, view, epoch=-1, split="test", vectors=None):
    run = list(sphere_plots.align_runs(RUNS).values())[k][0]
    x = getattr(run.snapshots[epoch], split) if vectors is None else vectors
    turned = Rotation.from_euler("yx", view, degrees=True)
    return turned.apply(x / np.linalg.norm(x, axis=1, keepdims=True))


def canvas(page, k=0):
    return page.locator(".lossbook-rotating_sphere canvas").nth(k)


def radius(page):
    return canvas(page).bounding_box()["width"] / 2 / sphere_plots.EDGE


def middle(page, k=0):
    box = canvas(page, k).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pixels(page):
    return page.locator("canvas").evaluate_all("all => all.map(canvas => canvas.toDataURL())")


def drag(page, right, down, k=0):
    x, y = middle(page, k)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()
    settle(page)


def test_every_sphere_shows_its_run_from_the_same_side(open_page):
    page = open_page("three", **STILL)
    np.testing.assert_allclose(camera(page), sphere_plots.HOME)
    for k, (title, (run, head)) in enumerate(sphere_plots.align_runs(RUNS).items()):
        np.testing.assert_allclose(seen(page, k), expected(k, sphere_plots.HOME), atol=2e-4)
        pins = expected(k, sphere_plots.HOME, vectors=run.snapshots[-1].weight)
        np.testing.assert_allclose(seen(page, k, "vectors"), pins, atol=2e-4)
        wrong = (run.snapshots[-1].test_pred != run.test_labels).sum()
        text = page.locator(".lb-views > div").nth(k).inner_text().split("\n")
        share = winning_regions.on_sphere(head(3), run.snapshots[-1].weight).share.sum()
        assert text[:3] == [
            title,
            f"{100 * (1 - wrong / N):.1f} % right, ✖ {wrong} of {N}",
            f"{100 * share:.0f} % of the sphere won",
        ]


def test_a_drag_turns_all_of_them_by_its_angle(open_page):
    page = open_page("three", **STILL)
    before = pixels(page)
    drag(page, 60, 30, k=1)
    view = np.array(sphere_plots.HOME) + np.degrees(np.array([60, 30]) / radius(page))
    np.testing.assert_allclose(camera(page), view, atol=0.1)
    for k in range(3):
        np.testing.assert_allclose(seen(page, k), expected(k, camera(page)), atol=2e-4)
    assert all(new != old for new, old in zip(pixels(page), before, strict=True))
    front = expected(0, sphere_plots.HOME)[:, 2] > 0.6
    assert (
        front.any() and (seen(page)[front, 0] > expected(0, sphere_plots.HOME)[front, 0]).all()
    )  # to the right, as the mouse


def test_the_poles_are_the_end_of_tilting(open_page):
    page = open_page("single", **STILL)
    for _ in range(4):
        drag(page, 0, 150)
    assert camera(page)[1] == pytest.approx(90)
    np.testing.assert_allclose(seen(page), expected(0, (sphere_plots.HOME[0], 90)), atol=1e-3)


def test_arrow_keys_turn_and_home_turns_back(open_page):
    page = open_page("three", **STILL)
    canvas(page, 2).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    settle(page)
    np.testing.assert_allclose(camera(page), np.array(sphere_plots.HOME) + [20, -10], atol=1e-6)
    np.testing.assert_allclose(
        seen(page, 1), expected(1, np.array(sphere_plots.HOME) + [20, -10]), atol=1e-3
    )
    for key in ("ArrowLeft", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    settle(page)
    np.testing.assert_allclose(camera(page), np.array(sphere_plots.HOME) + [10, 10], atol=1e-6)
    page.keyboard.press("Home")
    settle(page)
    np.testing.assert_allclose(camera(page), sphere_plots.HOME, atol=1e-6)


def test_reset_finds_the_view_again(open_page):
    page = open_page("three", **STILL)
    first = pixels(page)
    drag(page, 130, -40)
    assert pixels(page) != first
    page.get_by_role("button", name="Reset view").click()
    settle(page)
    np.testing.assert_allclose(camera(page), sphere_plots.HOME, atol=1e-6)


def test_it_turns_slowly_until_told_to_stop_or_touched(open_page):
    page = open_page("single", still=False, **DESKTOP)
    page.wait_for_function(f"() => {SPHERES}.camera.east > 0.6")
    page.get_by_role("button", name="Stop turning").click()
    settle(page)
    stopped = camera(page)
    assert stopped[0] > 33 and stopped[1] == pytest.approx(sphere_plots.HOME[1])
    np.testing.assert_allclose(seen(page), expected(0, stopped), atol=1e-3)
    page.get_by_role("button", name="Turn slowly").click()
    page.wait_for_function(f"() => {SPHERES}.camera.east > {math.radians(stopped[0]) + 0.05}")
    drag(page, 50, 0)
    assert page.get_by_role("button", name="Turn slowly").is_visible()


def test_readers_who_want_no_motion_see_none_unless_they_ask(open_page):
    page = open_page("single", **STILL)
    np.testing.assert_allclose(camera(page), sphere_plots.HOME)
    page.get_by_role("button", name="Turn slowly").click()
    page.wait_for_function(f"() => {SPHERES}.camera.east > 0.6")


def test_caps_are_the_regions_won_and_can_be_taken_away(open_page):
    page = open_page("three", **STILL)
    run, head = sphere_plots.align_runs(RUNS)["one"]
    regions = winning_regions.on_sphere(head(3), run.snapshots[-1].weight)
    rims = seen(page, 0, "rims").reshape(10, -1, 3)
    for j in np.flatnonzero(regions.share):
        curve = expected(0, sphere_plots.HOME, vectors=regions.rims[j])
        assert np.linalg.norm(rims[j][:, None] - curve[None], axis=2).min(axis=0).max() < 0.15
    with_caps = pixels(page)
    button = page.get_by_role("button", name="caps")
    button.click()
    settle(page)
    assert (
        button.get_attribute("aria-pressed") == "false"
        and "sphere won" not in page.locator(".lb-views").inner_text()
    )
    assert all(new != old for new, old in zip(pixels(page), with_caps, strict=True))
    button.click()
    settle(page)
    assert pixels(page) == with_caps


def test_without_margins_there_is_no_button_for_caps(open_page):
    page = open_page("bare", **STILL)
    assert (
        not page.locator('[data-part="caps"]').is_visible()
        and "won" not in page.locator(".lb-views").inner_text()
    )


def test_slider_and_switch_lead_to_other_epochs_and_to_the_training_images(open_page):
    page = open_page("three", **STILL)
    page.locator('[data-part="slider"]').focus()
    page.keyboard.press("Home")
    settle(page)
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 1"
    np.testing.assert_allclose(seen(page, 1), expected(1, sphere_plots.HOME, epoch=0), atol=2e-4)
    page.get_by_role("button", name="train").click()
    settle(page)
    np.testing.assert_allclose(
        seen(page, 1, "train.points"),
        expected(1, sphere_plots.HOME, epoch=0, split="train"),
        atol=2e-4,
    )
    wrong = (RUNS["two"].snapshots[0].train_pred != RUNS["two"].train_labels).sum()
    assert f"✖ {wrong} of {N}" in page.locator(".lb-views > div").nth(1).inner_text()


def lonely(k=0):
    """The sample in front that is farthest from its neighbours on the screen."""
    points = expected(k, sphere_plots.HOME)
    apart = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=2)
    apart[:, points[:, 2] < 0] = 9
    free = (apart + 9 * np.eye(N)).min(axis=1)
    free[points[:, 2] < 0.2] = 0
    return int(free.argmax()), points[free.argmax()]


@pytest.mark.parametrize("context", [STILL, TOUCH], ids=["mouse", "finger"])
def test_an_image_pointed_at_is_found_on_every_sphere(open_page, context):
    page = open_page("three", **context)
    i, point = lonely()
    x, y = middle(page)
    at = x + point[0] * radius(page), y - point[1] * radius(page)
    if context is TOUCH:
        page.touchscreen.tap(*at)
    else:
        page.mouse.move(*at)
    settle(page)
    lines = page.locator('[data-part="about"]').inner_text().split("\n")
    assert (
        f"test image of {RUNS['one'].test_labels[i]}" in lines[0].replace("  ", " ")
        and len(lines) == 4
    )
    for title, line in zip(RUNS, lines[1:]):
        last, y = RUNS[title].snapshots[-1], RUNS[title].test_labels[i]
        cos = (
            last.test[i]
            @ last.weight[y]
            / np.linalg.norm(last.test[i])
            / np.linalg.norm(last.weight[y])
        )
        assert line.startswith(f"{title}: {math.degrees(math.acos(cos)):.1f}°")
        assert ("mistake" in line) == (last.test_pred[i] != y)
    page.keyboard.press("Escape") if context is TOUCH else page.mouse.move(2, 2)


def swipe(page, right, down):
    x, y = middle(page)
    session = page.context.new_cdp_session(page)
    for step, kind in [
        (0, "touchStart"),
        *((k / 8, "touchMove") for k in range(1, 9)),
        (1, "touchEnd"),
    ]:
        points = [] if kind == "touchEnd" else [{"x": x + step * right, "y": y + step * down}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    settle(page)


def test_a_finger_turns_sideways_and_scrolls_up_and_down(open_page):
    page = open_page("long", **TOUCH)
    swipe(page, 60, 4)
    turned = camera(page)
    assert turned[0] > sphere_plots.HOME[0] + 20 and page.evaluate("() => scrollY") == 0
    swipe(page, 3, -160)
    assert page.evaluate("() => scrollY") > 60
    np.testing.assert_allclose(camera(page), turned, atol=1e-6)


@pytest.mark.parametrize("name", ["three", "single"])
def test_it_fits_a_phone(open_page, name):
    page = open_page(name, **TOUCH)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert page.evaluate("""() => [...document.querySelectorAll("button, input")].every(
        e => e.hidden || e.getBoundingClientRect().height >= 32)"""), "a finger needs room"
    assert canvas(page).bounding_box()["width"] > 100


def test_colours_follow_the_theme(open_page):
    page = open_page("three", color_scheme="light", **STILL)
    light = pixels(page)
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    settle(page)
    assert all(new != old for new, old in zip(pixels(page), light, strict=True))


def test_paper_and_readers_without_scripts_get_the_picture(open_page, chromium, folder):
    page = open_page("three", **STILL)
    page.emulate_media(media="print")
    assert page.locator(".lb-still").is_visible() and not page.locator(".lb-live").is_visible()
    with Visit(chromium, folder, "three.html", java_script_enabled=False, **DESKTOP) as visited:
        still = visited.page.locator(".lb-still")
        assert (
            still.is_visible()
            and "one and two and three on the unit sphere" in still.get_attribute("alt")
        )


def test_play_goes_through_the_epochs_and_stops(open_page):
    page = open_page("single", **STILL)
    last = seen(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_text("epoch 1", exact=True).wait_for()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator('[data-part="epoch"]').inner_text() == "epoch 3"
    np.testing.assert_array_equal(seen(page), last)

"""Interactive figures as Colab shows an output: in a frame that may run scripts and nothing else.

The frame stands in for Colab's: markup put in by a script, no origin of its own, as high as the
content reports, and light or dark by the ``theme`` of its ``<html>``.
"""

import json

import pytest

from lossbook import interactive
from tests.browser.helpers import Visit
from tests.helpers.runs import make_3d_run, make_run
from tools.exports.browser import served

WIDGETS = {
    "scrub": lambda: interactive.scrub(make_run(epochs=3)),
    "explorer": interactive.margin_explorer,
    "sphere": lambda: interactive.sphere({"one": make_3d_run(seed=0), "two": make_3d_run(seed=1)}),
    "sectors": interactive.sector_ring,
    "plane": interactive.decision_plane,
}
PHONE, DESKTOP = 320, 760

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>Notebook</title><link rel="icon" href="data:,">
<body style="margin: 0"><script>
const inside = %s;
for (const html of inside.outputs) {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.style = `display: block; border: 0; height: 0; width: ${inside.width}px`;
  frame.srcdoc = inside.page.replace("THEME", inside.theme);
  frame.onload = () => frame.contentWindow.postMessage(html, "*");
  addEventListener("message", ({source, data}) => {
    if (source !== frame.contentWindow) return;
    frame.style.height = `${data}px`;
    frame.dataset.reports = 1 + Number(frame.dataset.reports ?? 0);
  });
  document.body.append(frame);
}
</script>"""

FRAME = """<!doctype html><html theme="THEME"><body style="margin: 8px"><div id="output"></div>
<script>
addEventListener("message", ({data}) => {
  const output = document.getElementById("output");
  output.append(document.createRange().createContextualFragment(data));
  const report = () => parent.postMessage(document.documentElement.offsetHeight, "*");
  new ResizeObserver(report).observe(document.body);
});
</script>"""


@pytest.fixture(scope="module")
def outputs():
    return {name: make().html for name, make in WIDGETS.items()}


@pytest.fixture
def frames(chromium, outputs, tmp_path):
    """``frames(width, theme)``: each widget's frame by name.

    When the test is over, nothing may have gone wrong on a page.
    """
    visits = []

    def opened(width=DESKTOP, theme="light"):
        settings = {
            "outputs": list(outputs.values()),
            "width": width,
            "theme": theme,
            "page": FRAME,
        }
        (tmp_path / f"{width}-{theme}.html").write_text(
            PAGE % json.dumps(settings).replace("</", "<\\/"), encoding="utf-8"
        )
        seen = Visit(
            chromium,
            address,
            f"{width}-{theme}.html",
            viewport={"width": 800, "height": 900},
            reduced_motion="reduce",
        ).__enter__()
        visits.append(seen)
        by_name = dict(zip(outputs, seen.page.frames[1:], strict=True))
        for frame in by_name.values():
            frame.wait_for_selector(".lb-on")
            # Out of sight, a frame is given no time to draw.
            frame.frame_element().scroll_into_view_if_needed()
            seen.page.wait_for_timeout(200)
        return by_name

    with served(tmp_path) as address:
        yield opened
    for seen in visits:
        assert (seen.status, seen.console, seen.outside, seen.failures) == (200, [], [], [])
        seen.__exit__()


def pixels(frame):
    return frame.locator("canvas").evaluate_all("all => all.map(canvas => canvas.toDataURL())")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_frame_comes_to_rest_at_the_height_of_its_content(frames, width):
    for name, frame in frames(width).items():
        holder = frame.frame_element()
        reports = holder.get_attribute("data-reports")
        inner = frame.evaluate("""() => ({
            high: document.documentElement.scrollHeight, wide: document.documentElement.scrollWidth,
            bottom: document.querySelector(".lossbook-widget").getBoundingClientRect().bottom})""")
        box = holder.bounding_box()
        assert (
            inner["wide"] <= width
            and inner["high"] == box["height"]
            and inner["bottom"] <= box["height"]
        ), name
        assert box["height"] > 300, name
        frame.page.wait_for_timeout(300)
        assert holder.get_attribute("data-reports") == reports, (
            f"{name} changes its own height without end"
        )


def test_sliders_and_keys_work_there(frames):
    by_name = frames()
    scrub, explorer = by_name["scrub"], by_name["explorer"]
    before = pixels(scrub)
    scrub.locator('[data-part="slider"]').focus()
    scrub.page.keyboard.press("Home")
    scrub.get_by_text("epoch 1", exact=True).wait_for()
    assert all(new != old for new, old in zip(pixels(scrub), before, strict=True))
    curve = explorer.locator('[data-part="curve"]').inner_html()
    explorer.locator('[data-setting="m2"]').focus()
    explorer.page.keyboard.press("End")
    assert "✖ The margin is too large" in explorer.locator('[data-part="verdict"]').inner_text()
    assert explorer.locator('[data-part="curve"]').inner_html() != curve
    sectors = by_name["sectors"]
    sectors.get_by_label("Margin m").focus()
    sectors.page.keyboard.press("End")
    assert "✖ No class wins any direction" in sectors.locator('[data-part="about"]').inner_text()
    plane = by_name["plane"]
    plane.locator('[data-setting="m1"]').focus()
    plane.page.keyboard.press("Home")
    assert "both claim the middle" in plane.locator('[data-part="about"]').inner_text()


def test_spheres_turn_there(frames):
    frame = frames()["sphere"]
    camera, before = (
        "() => document.querySelector('.lossbook-rotating_sphere').spheres.camera.east",
        pixels(frame),
    )
    east = frame.evaluate(camera)
    frame.frame_element().scroll_into_view_if_needed()
    box = frame.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    frame.page.mouse.move(x, y)
    frame.page.mouse.down()
    frame.page.mouse.move(x + 60, y, steps=4)
    frame.page.mouse.up()
    frame.page.wait_for_timeout(200)
    assert frame.evaluate(camera) > east + 0.2
    assert all(new != old for new, old in zip(pixels(frame), before, strict=True))


def test_they_are_as_light_or_dark_as_colab(frames):
    for theme, color in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 25, 30)")):
        for frame in frames(theme=theme).values():
            assert (
                frame.locator(".lossbook-widget").evaluate(
                    "widget => getComputedStyle(widget).backgroundColor"
                )
                == color
            )

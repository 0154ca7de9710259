"""Interactive figures and the training panel in a real JupyterLab.

JupyterLab has an environment of its own, made once in ``_build/jupyterlab``; the kernel is that of
the tests and runs this working tree.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version

import nbformat
import pytest

from tests.browser.helpers import ROOT, Visit

LAB = ROOT / "_build/jupyterlab"
PACKAGES = {"jupyterlab": "4.6.6", "jupyterlab_widgets": version("jupyterlab_widgets")}
CELLS = {
    "train": """
import json
from lossbook import backbones, data, heads, interactive, training
digits = data.load("mnist5k")
few = data.Dataset("few digits", *(data.Split(part.images[::10], part.labels[::10], part.classes)
                                   for part in (digits.train, digits.test)))
recipe = {"epochs": 2, "batch_size": 50, "learning_rate": 5e-3, "progress": False}
head = heads.ArcFace(2, 10, scale=16, margin=0.1)
plane = training.fit(backbones.LeNetPP.small(2), head, few, **recipe)
space_heads = {"softmax": heads.Softmax(3, 10), "ArcFace": heads.ArcFace(3, 10)}
space = {name: training.fit(backbones.LeNetPP.small(3), head, few, **recipe)
         for name, head in space_heads.items()}
print(json.dumps([int((snapshot.test_pred != plane.test_labels).sum())
                  for snapshot in plane.snapshots]))""",
    "scrub": "interactive.scrub(plane, few)",
    "explorer": "interactive.margin_explorer()",
    "sphere": "interactive.sphere(space)",
    "panel": "panel = interactive.train_panel(few)\npanel",
}

READY = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    const kernel = context?.isReady && context.session?.kernel;
    return kernel?.connectionStatus === "connected" && kernel.status === "idle"; }"""


# A JupyterLab to look at


@pytest.fixture(scope="module")
def program():
    """The path of a real jupyter-lab, in an environment of its own."""
    found = LAB / "bin/jupyter-lab"
    if not all(
        list(LAB.glob(f"lib/*/site-packages/{name}-{wanted}.dist-info"))
        for name, wanted in PACKAGES.items()
    ):
        wanted = [f"{name}=={number}" for name, number in PACKAGES.items()]
        made = [
            subprocess.run(
                [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True
            )
            for arguments in (
                ["venv", "--without-pip", LAB],
                ["pip", "--python", LAB / "bin/python", "install", "--quiet", *wanted],
            )
        ]
        said = "\n".join(one.stderr[-2000:] for one in made if one.returncode)
        assert not said and found.exists(), (
            f"{wanted} could not be installed into {LAB}, so this is untested:\n{said}"
        )
    return found


@pytest.fixture(scope="module")
def address(program, tmp_path_factory):
    """A JupyterLab with one notebook, from an empty home: no settings, extensions or kernels."""
    home = tmp_path_factory.mktemp("lab")
    write(
        home / "jupyter_data/kernels/book/kernel.json",
        {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "book",
            "language": "python",
            "env": {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LOSSBOOK_PROFILE": "quick"},
        },
    )
    write(
        home
        / "jupyterlab_settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings",
        {"fetchNews": "false"},
    )
    write(
        home / "work/book.ipynb",
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()],
            metadata={"kernelspec": {"name": "book", "display_name": "book", "language": "python"}},
        ),
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "PYTHON"))
    }
    places = (
        "JUPYTER_DATA",
        "JUPYTER_CONFIG",
        "JUPYTER_RUNTIME",
        "JUPYTERLAB_SETTINGS",
        "JUPYTERLAB_WORKSPACES",
    )
    environment |= {
        "HOME": str(home),
        **{f"{name}_DIR": str(home / name.lower()) for name in places},
    }
    with open(home / "log", "w") as log:
        server = subprocess.Popen(
            [
                program,
                "--allow-root",
                "--no-browser",
                "--ip=127.0.0.1",
                f"--port={port}",
                "--ServerApp.port_retries=0",
                "--IdentityProvider.token=",
                f"--ServerApp.root_dir={home / 'work'}",
                "--expose-app-in-browser",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}/api"):
            assert server.poll() is None and time.monotonic() < until, (home / "log").read_text()[
                -3000:
            ]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def answers(url):
    try:
        return urllib.request.urlopen(url).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def page(chromium, address):
    """The notebook in JupyterLab after all of its cells have run, without an error in the end."""
    with Visit(
        chromium,
        address,
        "lab/tree/book.ipynb",
        viewport={"width": 1280, "height": 1400},
        reduced_motion="reduce",
    ) as seen:
        seen.page.set_default_timeout(60_000)
        seen.page.wait_for_function(READY)
        command(seen.page, "notebook:run-all-cells")
        seen.page.locator(".jp-InputPrompt", has_text=f"[{len(CELLS)}]:").wait_for()
        yield seen.page
        assert (seen.console, seen.outside, seen.failures) == ([], [], [])


def command(page, name, **arguments):
    page.evaluate(
        "([name, given]) => { window.jupyterapp.commands.execute(name, given); }", [name, arguments]
    )


def pixels(found):
    return found.locator("canvas").evaluate_all("all => all.map(one => one.toDataURL())")


def cell(page, name):
    """A cell of the notebook, on the screen."""
    found = page.locator(".jp-Notebook .jp-Cell").nth(list(CELLS).index(name))
    found.scroll_into_view_if_needed()
    return found


# What a reader does there


def test_every_cell_has_shown_what_it_should(page):
    assert (
        page.locator(
            '.jp-OutputArea-output:is([data-mime-type*="error"], [data-mime-type*="stderr"])'
        ).count()
        == 0
    )
    kinds = {"scrub": "epoch_slider", "explorer": "explorer", "sphere": "rotating_sphere"}
    for name, kind in kinds.items():
        widget = cell(page, name).locator(f".lossbook-{kind}.lb-on")
        assert (
            widget.locator(".lb-live").is_visible() and not widget.locator(".lb-still").is_visible()
        )
        box, room = widget.bounding_box(), page.locator(".jp-Notebook").bounding_box()
        assert box["x"] + box["width"] <= room["x"] + room["width"], "it sticks out"
    assert cell(page, "panel").get_by_role("button", name="Train").is_enabled()
    assert not cell(page, "panel").get_by_text("This panel trains in a running kernel").is_visible()


def test_the_slider_moves_the_points_to_what_the_kernel_says(page):
    wrong = json.loads(cell(page, "train").locator(".jp-OutputArea-output").inner_text())
    widget, drawn = cell(page, "scrub"), []
    for k, mistakes in enumerate(wrong):
        widget.locator('[data-part="slider"]').focus()
        page.keyboard.press("Home" if k == 0 else "ArrowRight")
        widget.get_by_text(f"epoch {k + 1}", exact=True).wait_for()
        assert (
            widget.locator('[data-split="test"] [data-part="score"]')
            .inner_text()
            .endswith(f"✖ {mistakes} of 100")
        )
        drawn.append(pixels(widget))
    assert all(first != last for first, last in zip(*drawn, strict=True))


def test_arrow_keys_are_the_widgets_own(page):
    scrub, said = cell(page, "scrub"), set()
    scrub.locator("canvas").first.focus()
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        scrub.get_by_text("image of").wait_for()
        said.add(scrub.locator('[data-part="about"]').inner_text())
    assert all("train image of" in text for text in said)
    assert scrub.locator("canvas").first.evaluate("one => one === document.activeElement")


def test_spheres_turn_together(page):
    sphere = cell(page, "sphere")
    camera = "root => root.querySelector('.lossbook-rotating_sphere').spheres.camera.east"
    east, before = sphere.evaluate(camera), pixels(sphere)
    box = sphere.locator("canvas").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert sphere.evaluate(camera) > east + 0.2
    assert all(new != old for new, old in zip(pixels(sphere), before, strict=True))


def test_the_explorer_judges_what_its_slider_says(page):
    explorer = cell(page, "explorer")
    explorer.get_by_role("button", name="ArcFace_v3", exact=True).click()
    slider, verdict = (
        explorer.locator('[data-setting="m2"]'),
        explorer.locator('[data-part="verdict"]'),
    )
    assert "✓ The margin fits" in verdict.inner_text()
    slider.focus()
    page.keyboard.press("End")
    assert float(slider.input_value()) > 1 and "✖ The margin is too large" in verdict.inner_text()


def test_they_turn_dark_with_jupyterlab(page):
    for theme, color in (("Dark", "rgb(21, 25, 30)"), ("Light", "rgb(255, 255, 255)")):
        before = {name: pixels(cell(page, name)) for name in ("scrub", "sphere")}
        command(page, "apputils:change-theme", theme=f"JupyterLab {theme}")
        page.wait_for_function(
            """color => [...document.querySelectorAll(".lossbook-widget")].every(
            one => getComputedStyle(one).backgroundColor === color)""",
            arg=color,
        )
        for name, old in before.items():
            cell(page, name)
            page.wait_for_function(
                """([name, old]) => [...document.querySelectorAll(`.lossbook-${name} canvas`)]
                .every((one, k) => one.toDataURL() !== old[k])""",
                arg=[name, old],
            )


def test_the_panel_trains_and_stops(page):
    panel = cell(page, "panel")
    panel.get_by_label("loss").select_option("CosFace")
    panel.locator(".widget-slider", has_text="epochs").get_by_role("slider").press("End")
    train, stop = (panel.get_by_role("button", name=name) for name in ("Train", "Stop"))
    assert stop.is_disabled()
    train.click()
    panel.get_by_text(re.compile(r"CosFace.*epoch 2 of 40")).wait_for(timeout=60_000)
    assert train.is_disabled()
    panel.locator("img").evaluate("one => one.decode()")
    assert panel.locator("img").evaluate("one => one.naturalWidth") > 400
    stop.click()
    page.wait_for_function("() => !document.querySelector('.jupyter-button.mod-primary').disabled")
    reached = panel.get_by_text(re.compile(r"epoch \d+ of 40")).inner_text()
    page.wait_for_timeout(1500)
    assert (
        stop.is_disabled()
        and panel.get_by_text(re.compile(r"epoch \d+ of 40")).inner_text() == reached
    )
    assert int(re.search(r"epoch (\d+) of", reached)[1]) < 40

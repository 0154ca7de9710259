"""Figures get their size on a page, and narrow screens one of their own."""

import base64
import hashlib
import io

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from lossbook.figures.style import NARROW
from tools.book.figure_files import in_page, keep_narrow


def png(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


WIDE, SMALL, PHONE = png(108, 60), png(40, 50), png(57, 90)
NAMES = [f"{hashlib.sha256(picture).hexdigest()}.png" for picture in (WIDE, SMALL)]


@pytest.fixture
def page(tmp_path):
    """(HTML with a wide and a small figure, the paths of both by name)."""
    images = {}
    for name, picture in zip(NAMES, (WIDE, SMALL)):
        images[name] = tmp_path / name
        images[name].write_bytes(picture)
    html = "".join(
        f'<a href="../_images/{name}"><img alt="a > b />" src="../_images/{name}"'
        ' style="width: 72px;" /></a>'
        for name in NAMES
    )
    return html, images


def text(picture):
    return base64.b64encode(picture).decode()


def test_a_narrow_figure_goes_from_the_output_to_the_page(page, tmp_path):
    html, images = page
    bundles = [{"image/png": text(WIDE), NARROW: text(PHONE)}, {"image/png": text(SMALL)}]
    outputs = [new_output("display_data", bundle) for bundle in bundles]
    stream = new_output("stream", text="printed")
    notebook = new_notebook(
        cells=[new_markdown_cell("prose"), new_code_cell("draw()", outputs=[stream, *outputs])]
    )
    keep_narrow(notebook, tmp_path / "cache")
    assert [output.data for output in outputs] == [
        {"image/png": text(WIDE)},
        {"image/png": text(SMALL)},
    ]
    written = in_page(html, images, tmp_path / "cache", tmp_path / "out")
    narrow = f"narrow-{NAMES[0]}"
    assert (tmp_path / "out/_images" / narrow).read_bytes() == PHONE
    assert written == (
        f'<a href="../_images/{NAMES[0]}"><picture><source media="(max-width: 480px)"'
        f' srcset="../_images/{narrow}" width="57" height="90" />'
        f'<img alt="a > b />" src="../_images/{NAMES[0]}" width="108" height="60" loading="lazy"'
        ' style="width: 72px;" /></picture></a>'
        f'<a href="../_images/{NAMES[1]}"><img alt="a > b />" src="../_images/{NAMES[1]}"'
        ' width="40" height="50" loading="lazy" style="width: 72px;" /></a>'
    )


def test_other_pictures_stay_as_they_are(tmp_path):
    html = '<img alt="The logo" src="../_static/logo.svg"><img src="data:image/png;base64,AA">'
    assert in_page(html, {}, tmp_path, tmp_path) == html

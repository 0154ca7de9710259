"""The figures that cells draw: the space that each takes on its page, and one for narrow screens.

A cell's output may hold its figure a second time, for narrow screens, under a type of its own
(:data:`lossbook.figures.style.NARROW`). Sphinx knows nothing of it. So the narrow figures are kept
beside the cached outputs, under the name that the wide one gets on its page, and are put into the
page when it is written.
"""

import base64
import hashlib
import re
import shutil
from pathlib import Path

from PIL import Image

from lossbook.figures.style import NARROW

__all__ = ["MEDIA", "keep_narrow", "in_page"]

MEDIA = "(max-width: 480px)"
FOLDER = "narrow-figures"
IMAGE = re.compile(
    r'(?P<image><img alt="[^"]*" src="(?P<address>[^"]*_images/(?P<name>[\da-f]{64}\.png))")'
    r"(?P<rest>[^>]*>)"
)


def keep_narrow(notebook, cache):
    """Take the narrow figures out of a notebook's outputs and keep them in the folder ``cache``."""
    folder = Path(cache) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            narrow = output.get("data", {}).pop(NARROW, None)
            if narrow is not None:
                wide = base64.b64decode(output["data"]["image/png"])
                name = f"{hashlib.sha256(wide).hexdigest()}.png"
                (folder / name).write_bytes(base64.b64decode(narrow))


def in_page(html, images, cache, out):
    """``html`` with the size of each figure, so that nothing moves when it arrives, and with the
    narrow figures, which are written below the folder ``out``.

    ``images`` has the path of each picture by the name that it has on the page.
    """

    def with_narrow(match):
        size = attributes(images[match["name"]])
        image = f'{match["image"]} {size} loading="lazy"{match["rest"]}'
        narrow = Path(cache) / FOLDER / match["name"]
        if not narrow.exists():
            return image
        name = f"narrow-{match['name']}"
        target = Path(out) / "_images" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(narrow, target)
        address = match["address"].replace(match["name"], name)
        source = f'<source media="{MEDIA}" srcset="{address}" {attributes(narrow)} />'
        return f"<picture>{source}{image}</picture>"

    return IMAGE.sub(with_narrow, html)


def attributes(path):
    """The size of a picture, as HTML says it."""
    width, height = Image.open(path).size
    return f'width="{width}" height="{height}"'

"""Pictures that a page holds in base64, such as the stills of widgets, become files.

A page is lighter without them, and where scripts run, a still is never shown and never loaded.
"""

import base64
import hashlib
import re
from pathlib import Path

__all__ = ["to_files"]

FOLDER = "_static/stills"
IMAGE = re.compile(r'<img(?P<before>[^>]*?) src="data:image/png;base64,(?P<data>[^"]+)"')


def to_files(html, out, path_to):
    """``html`` with its pictures in files below the folder ``out``.

    ``path_to(name)`` is the address of such a file as seen from the page.
    """

    def to_file(match):
        png = base64.b64decode(match["data"])
        name = f"{FOLDER}/{hashlib.sha256(png).hexdigest()[:16]}.png"
        path = Path(out) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        return f'<img{match["before"]} loading="lazy" src="{path_to(name)}"'

    return IMAGE.sub(to_file, html)

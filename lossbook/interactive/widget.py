"""Widget: a picture that a reader can move, as one piece of HTML that needs no kernel and no network.

A widget of a kind is made of the files ``web/kind.html``, ``.css`` and ``.js`` beside this
module, and of ``common.css`` and ``common.js``, which all kinds share. Its script defines
``start(root, data)``. Until that has run, and on paper, a still picture stands in its place.
"""

import base64
import hashlib
import html
import json
from importlib.resources import files

from lossbook.utils.validation import require

__all__ = ["Widget"]

FILES = files("lossbook.interactive") / "web"
HEAVIEST = 500_000  # bytes of HTML a figure may add to a page
TEMPLATE = """<div class="lossbook-widget lossbook-{kind}" data-lossbook="{key}">
<style>
{style}</style>
<div class="lb-live">
{controls}</div>
<img class="lb-still" alt="{alt}" width="{width}" height="{height}" src="data:image/png;base64,{still}">
<script>
(() => {{
"use strict";
{script}
const data = {data};
for (const root of document.querySelectorAll('[data-lossbook="{key}"]:not(.lb-on)')) {{
  start(root, data);
  keepKeys(root);
  root.classList.add("lb-on");
}}
}})();
</script>
</div>
"""


class Widget:
    """Shows itself in a notebook and on the book's pages.

    Attributes: ``html``, the same for the same input, and ``alt``.

    Parameters
    ----------
    kind : str
        Which files under ``web/`` it is made of.
    data : dict
        What its script is given, as JSON.
    still : lossbook.figures.style.Card
        The picture for readers without scripts, and for paper.
    alt : str
        What that picture shows, in words.
    scripts : tuple of str
        Further files under ``web/`` that the kind's script builds on.

    Raises
    ------
    ValueError
        If the HTML is heavier than 500 kB.
    """

    def __init__(self, kind, data, still, alt, scripts=()):
        self.alt = alt
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
        self.html = TEMPLATE.format(
            kind=kind,
            key=f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
            style=_read("common.css") + _read(f"{kind}.css"),
            controls=_read(f"{kind}.html"),
            script="".join(map(_read, ["common.js", *scripts, f"{kind}.js"])),
            data=text,
            alt=html.escape(alt),
            width=round(100 * still.get_figwidth()),
            height=round(100 * still.get_figheight()),
            still=base64.b64encode(still._repr_png_()).decode(),
        )
        size = len(self.html.encode())
        require(
            size <= HEAVIEST,
            f"this figure would weigh {size:,} bytes, more than the {HEAVIEST:,} a page should "
            "be asked to load: show fewer points or smaller pictures",
        )

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return self.alt


def _read(name):
    return (FILES / name).read_text(encoding="utf-8")

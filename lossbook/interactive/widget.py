"""A picture that a reader moves, as one piece of HTML that needs no kernel and no network.

A widget of a kind is made of the files ``web/<kind>.html`` and ``.js`` beside this module, of
``common.js``, of the modules that these import, and of the style of each: the ``.css`` of its name.
The script exports ``start(root, data)``. Until that has run, and on paper, a still picture stands
in its place.
"""

import hashlib
import html
import json
import re
from pathlib import Path

from lossbook.utils.validation import require

__all__ = ["Widget", "picture", "bundle", "WEB"]

WEB = Path(__file__).parent / "web"
IMPORT = re.compile(r'^import [^;]*? from "([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)
MAX_BYTES = 500_000  # of HTML that a figure may add to a page
TEMPLATE = """<div class="lossbook-widget lossbook-{kind}" data-lossbook="{key}">
<style>
{style}</style>
<div class="lb-live">
{controls}</div>
{still}
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


def picture(figure, alt, attributes=""):
    """A :class:`~lossbook.figures.style.NotebookFigure` as an ``<img>`` that holds its pixels."""
    width, height = round(100 * figure.get_figwidth()), round(100 * figure.get_figheight())
    return (
        f'<img {attributes} alt="{html.escape(alt)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{figure.png_as_text()}">'
    )


def bundle(*modules):
    """One classic script made of JavaScript modules and of all that they import.

    HTML inside a notebook, and a page opened from a folder, can run a classic script but cannot
    load modules. Each module comes once, after those that it imports, without its ``import`` and
    ``export``. All share one scope, so no two may define the same name; an import cannot rename.

    Parameters
    ----------
    *modules : pathlib.Path
        The files of the modules; they import others by relative paths.

    Returns
    -------
    str
    """
    return "\n".join(_collect_all(modules).values())


def _collect_all(modules):
    """Path → text of modules and of all that they import, each after those that it imports."""
    texts = {}
    for path in modules:
        _collect(path.resolve(), texts)
    return texts


def _collect(path, texts, importers=()):
    """Put the text of a module into ``texts`` (path → text), after those that it imports."""
    require(path not in importers, f"{path.name} imports itself, through other modules")
    if path in texts:
        return
    text = path.read_text(encoding="utf-8")
    for name in IMPORT.findall(text):
        _collect((path.parent / name).resolve(), texts, (*importers, path))
    texts[path] = EXPORT.sub("", IMPORT.sub("", text))


class Widget:
    """An interactive figure: a notebook, and a page of the book, shows its HTML.

    Attributes: ``html``, the same for the same input, and ``alt``.

    Parameters
    ----------
    kind : str
        The files under ``web/`` that it is made of: ``"epoch_slider"``, ``"rotating_sphere"``,
        ``"explorer"``, ``"sector_ring"``, ``"decision_plane"`` or ``"quiz"``; its element has the
        CSS class ``lossbook-<kind>``.
    data : dict
        Passed to its script, as JSON.
    still : lossbook.figures.style.NotebookFigure or str
        For readers without scripts, and for paper: a picture, or HTML of the class ``lb-still``.
    alt : str
        A description of it.

    Raises
    ------
    ValueError
        If the HTML is larger than 500 kB.
    """

    def __init__(self, kind, data, still, alt):
        self.alt = alt
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
        modules = _collect_all([WEB / "common.js", WEB / f"{kind}.js"])
        self.html = TEMPLATE.format(
            kind=kind,
            key=f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
            style="".join(_style_of(module) for module in modules),
            controls=(WEB / f"{kind}.html").read_text(encoding="utf-8"),
            script="\n".join(modules.values()),
            data=text,
            still=still if isinstance(still, str) else picture(still, alt, 'class="lb-still"'),
        )
        size = len(self.html.encode())
        require(
            size <= MAX_BYTES,
            f"this figure would take {size:,} bytes, more than the {MAX_BYTES:,} that a page "
            "should load: show fewer points or smaller pictures",
        )

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return self.alt


def _style_of(module):
    sheet = module.with_suffix(".css")
    return sheet.read_text(encoding="utf-8") if sheet.exists() else ""

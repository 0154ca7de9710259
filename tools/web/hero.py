"""Build what the front page loads: the script and the style of its moving picture.

The script shows book/front/runs.json, which :mod:`tools.web.train_hero` has written.
"""

from lossbook.interactive.widget import WEB, bundle
from tools.toc import ROOT

SOURCE = ROOT / "book/front"
STYLES = (WEB / "common.css", WEB / "epoch_slider.css", SOURCE / "hero.css")


def build(folder):
    """Write hero.js and hero.css into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = (SOURCE / "runs.json").read_text(encoding="utf-8")
    script = f'"use strict";\n{{\nconst runs = {runs};\n{bundle(SOURCE / "hero.js")}}}\n'
    (folder / "hero.js").write_text(script, encoding="utf-8")
    style = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    (folder / "hero.css").write_text(style, encoding="utf-8")

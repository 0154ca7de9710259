"""Build what the playground's page loads: its script, its style and its data, in one folder.

The script is the modules of book/playground, one after the other, with the data before them: one
classic script runs from a folder as well as from a server, where modules would only run from a
server. The data are scikit-learn's digits, the presets and annealing of the library's heads and
the colours of its figures, each taken from its one place.
"""

import json
import re
import shutil

from sklearn.datasets import load_digits

from lossbook import heads
from lossbook.figures import style
from tools.toc import ROOT

SOURCE = ROOT / "book/playground"
MODULES = (
    "margins",
    "head",
    "network",
    "training",
    "setting",
    "pictures",
    "curves",
    "chosen",
    "page",
)

FIELDS = (
    "w_norm",
    "x_norm",
    "s",
    "m1",
    "m2",
    "m3",
)  # what the page calls the fields of a heads.Preset


def build(folder):
    """Write playground.js and playground.css into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "playground.js").write_text(script(), encoding="utf-8")
    shutil.copyfile(SOURCE / "playground.css", folder / "playground.css")


def script():
    """All modules as one script in a scope of its own; their imports and exports are no longer needed."""
    parts = [f"const data = {json.dumps(data(), ensure_ascii=False)};\n"]
    for name in MODULES:
        text = (SOURCE / f"{name}.js").read_text(encoding="utf-8")
        text = re.sub(r"^import .* from .*;\n", "", text, flags=re.M)
        parts.append(re.sub(r"^export ", "", text, flags=re.M))
    return '"use strict";\n{\n' + "\n".join(parts) + "}\n"


def data():
    """What the page needs to know of Python's side, ready for JSON."""
    digits = load_digits()
    gentle = {
        "free": heads.from_preset("L-softmax_v1", 2, 10),
        "unit": heads.from_preset("A-softmax_v1", 2, 10),
    }
    return {
        "pixels": "".join(
            "0123456789abcdefg"[int(value)] for value in digits.data.ravel()
        ),  # 0 to 16: base 17
        "labels": "".join(map(str, digits.target)),
        "presets": {
            name: dict(zip(FIELDS, row)) | {"anneal": row.m1 > 1}
            for name, row in heads.PRESETS.items()
        },
        "annealing": {
            name: {"start": head.lambda_start, "until": head.anneal_until}
            for name, head in gentle.items()
        },
        "colors": style.CLASS_COLORS,
        "onColors": [style.on(color) for color in style.CLASS_COLORS],
    }

"""Build what the playground's page loads: its script, with its data, and its style.

The modules of book/playground become one classic script, which runs from a folder as well as from
a server. The data are scikit-learn's digits, the presets and annealing of the library's heads, and
the colours and measures of its figures, each taken from where it is defined.
"""

import json
import shutil

from sklearn.datasets import load_digits

from lossbook import heads
from lossbook.experiments import scale_margin_grid
from lossbook.figures import style
from lossbook.interactive.epoch_slider import CIRCLE
from lossbook.interactive.widget import bundle
from tools.toc import ROOT

SOURCE = ROOT / "book/playground"

# Names of the form's settings, in the order of the fields of heads.Preset.
FIELDS = ("unit_weight", "unit_embedding", "s", "m1", "m2", "m3")

# The losses to compare with: a preset of each, and the settings of it that the reader chooses.
LOSSES = {
    "softmax": ("softmax", ()),
    "norm-softmax": ("norm-softmax", ("s",)),
    "L-softmax": ("L-softmax_v1", ("m1",)),
    "SphereFace": ("A-softmax_v1", ("m1",)),
    "CosFace": ("CosFace_v1", ("s", "m3")),
    "ArcFace": ("ArcFace_v1", ("s", "m2")),
}


def build(folder):
    """Write playground.js and playground.css into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "playground.js").write_text(script(), encoding="utf-8")
    shutil.copyfile(SOURCE / "playground.css", folder / "playground.css")


def script():
    """The data, and page.js with all modules that it imports, in a scope of their own."""
    text = json.dumps(data(), ensure_ascii=False)
    return f'"use strict";\n{{\nconst data = {text};\n{bundle(SOURCE / "page.js")}}}\n'


def data():
    """What the page takes from Python, a dict for JSON."""
    digits = load_digits()
    annealed = {
        "free": heads.from_preset("L-softmax_v1", 2, 10),
        "unit": heads.from_preset("A-softmax_v1", 2, 10),
    }
    presets = {
        name: dict(zip(FIELDS, row)) | {"anneal": row.m1 > 1} for name, row in heads.PRESETS.items()
    }
    return {
        # A pixel is 0 to 16: one digit of base 17.
        "pixels": "".join("0123456789abcdefg"[int(value)] for value in digits.data.ravel()),
        "labels": "".join(map(str, digits.target)),
        "presets": presets,
        "losses": {
            name: presets[preset] | {"chosen": chosen} for name, (preset, chosen) in LOSSES.items()
        },
        "maps": {loss: accuracies(loss) for loss in ("ArcFace", "CosFace")},
        "annealing": {
            name: {"start": head.lambda_start, "until": head.anneal_until}
            for name, head in annealed.items()
        },
        "circle": CIRCLE,
        "badges": [str(digit) for digit in range(10)],
        "colors": style.CLASS_COLORS,
        "inks": [style.contrasting_ink(color) for color in style.CLASS_COLORS],
    }


def accuracies(loss):
    """The saved grid of a loss: its margins (rows) and scales, and the accuracies, a dict."""
    record = scale_margin_grid.load(loss)
    table = scale_margin_grid.mean_over_seeds(record)["accuracy"].unstack("scale")
    return {
        "field": LOSSES[loss][1][1],
        "margins": table.index.tolist(),
        "scales": table.columns.tolist(),
        "accuracies": table.round(3).to_numpy().tolist(),
    }

"""The front page's picture, once moving and once still, from the same two trainings.

``python -m tools.web.hero`` trains them and writes book/front/runs.json, which the moving picture shows,
and book/_static/hero.png, which is for paper, for readers without scripts and for GitHub. Both are
committed, since the training is too long for every build: some minutes, on 12,000 of MNIST's digits,
few enough that an epoch is a step one can watch.
"""

import json
import shutil
from itertools import starmap

from lossbook import backbones, data, figures, heads, training
from lossbook.interactive.epoch_slider import encode, subsample
from tools.toc import ROOT

SOURCE, WIDGETS = ROOT / "book/front", ROOT / "lossbook/interactive/web"

# What the picture is about: the one line of code that differs. It is shown as it stands here, and run.
LINES = {"softmax": "heads.Softmax(2, 10)", "SphereFace, m = 4": "heads.SphereFace(2, 10)"}
TRAINED_ON, SHOWN = 12_000, 500
RECIPE = {"epochs": 15, "batch_size": 64, "learning_rate": 5e-3}


def main():
    mnist = data.load("mnist")
    few = data.Split(
        mnist.train.images[:TRAINED_ON], mnist.train.labels[:TRAINED_ON], mnist.train.classes
    )
    digits = data.Dataset(f"mnist, first {TRAINED_ON}", few, mnist.test)
    runs = {
        title: subsample(train(line, digits), SHOWN, RECIPE["epochs"])[0]
        for title, line in LINES.items()
    }
    (ROOT / "book/_static/hero.png").write_bytes(
        figures.comparison(runs, view="plane")._repr_png_()
    )
    (SOURCE / "runs.json").write_text(
        json.dumps(list(starmap(moving, zip(LINES.values(), runs.values())))) + "\n"
    )


def train(line, digits):
    head = eval(line, {"heads": heads})
    return training.fit(backbones.LeNetPP.small(2), head, digits, snapshot_size=SHOWN, **RECIPE)


def moving(line, run):
    """What the moving picture needs to know of a run: its test half."""
    return {"code": line, **{key: value for key, value in encode(run).items() if key != "train"}}


def build(folder):
    """Write hero.js and hero.css, which the front page loads, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        *(WIDGETS / name for name in ("common.js", "canvas.js", "embedding_view.js")),
        SOURCE / "hero.js",
    ]
    runs = (SOURCE / "runs.json").read_text(encoding="utf-8")
    script = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    (folder / "hero.js").write_text(
        f'"use strict";\n{{\nconst runs = {runs};\n{script}}}\n', encoding="utf-8"
    )
    with open(folder / "hero.css", "wb") as style:
        for part in (WIDGETS / "common.css", WIDGETS / "epoch_slider.css", SOURCE / "hero.css"):
            shutil.copyfileobj(open(part, "rb"), style)


if __name__ == "__main__":
    main()

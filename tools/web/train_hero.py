"""Train the runs of the front page's picture: ``python -m tools.web.train_hero``.

It writes book/front/runs.json, among whose runs a reader of the moving picture chooses, and
book/_static/hero.png, the still one for paper, for readers without scripts and for GitHub, with the
first two of them. Both are committed, since the training takes minutes, too long for every build.
It uses 12,000 of MNIST's digits, few enough that each epoch makes a step that one can see.
"""

import json

from lossbook import backbones, data, figures, heads, training
from lossbook.interactive.epoch_slider import encode, subsample
from tools.toc import ROOT
from tools.web.hero import SOURCE

# What the picture compares: one line of code. It is shown as it is written here, and run.
LINES = {
    "softmax": "heads.Softmax(2, 10)",
    "SphereFace, m = 4": "heads.SphereFace(2, 10)",
    "norm-softmax": "heads.NormSoftmax(2, 10, scale=16)",
    "CosFace, m = 0.15": "heads.CosFace(2, 10, scale=16, margin=0.15)",
    "ArcFace, m = 0.3": "heads.ArcFace(2, 10, scale=16, margin=0.3)",
}
STILL = list(LINES)[:2]
TRAINED_ON, SHOWN = 12_000, 500
RECIPE = {"epochs": 15, "batch_size": 64, "learning_rate": 5e-3}


def main():
    digits = first_digits(TRAINED_ON)
    runs = {
        title: subsample(train(line, digits), SHOWN, RECIPE["epochs"])[0]
        for title, line in LINES.items()
    }
    picture = figures.comparison({title: runs[title] for title in STILL}, view="plane")
    (ROOT / "book/_static/hero.png").write_bytes(picture._repr_png_())
    encoded = [encode_test_half(title, run) for title, run in runs.items()]
    (SOURCE / "runs.json").write_text(json.dumps(encoded) + "\n")


def first_digits(count):
    """MNIST with only the first ``count`` training images."""
    mnist = data.load("mnist")
    train = data.Split(mnist.train.images[:count], mnist.train.labels[:count], mnist.train.classes)
    return data.Dataset(f"mnist, first {count}", train, mnist.test)


def train(line, digits):
    """The run of the head that a line of code makes."""
    head = eval(line, {"heads": heads})
    return training.fit(backbones.LeNetPP.small(2), head, digits, snapshot_size=SHOWN, **RECIPE)


def encode_test_half(title, run):
    """A run's title, its line of code and its test half, a dict for JSON."""
    half = {key: value for key, value in encode(run).items() if key != "train"}
    return {"title": title, "code": LINES[title], **half}


if __name__ == "__main__":
    main()

"""Draw the playground's still picture: ``python -m tools.web.train_playground_still``.

It writes book/_static/playground.png, which the page shows on paper: the same digits, network and
losses as on the page, trained by the library. The picture is committed; drawing it takes seconds.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from lossbook import data, figures, heads, training
from tools.toc import ROOT

HEADS = {
    "softmax": heads.Softmax(2, 10, bias=False),
    "ArcFace, s = 16, m = 0.3": heads.ArcFace(2, 10, scale=16, margin=0.3),
}
RECIPE = {
    "epochs": 40,
    "batch_size": 64,
    "learning_rate": 5e-3,
    "weight_decay": 0.0,
    "max_shift": 0,
}


def main():
    held_out = torch.arange(len(load_digits().target)) % 5 == 4
    digits = data.Dataset("digits", split(~held_out), split(held_out))
    runs = {
        title: training.fit(network(), head, digits, progress=False, **RECIPE)
        for title, head in HEADS.items()
    }
    (ROOT / "book/_static/playground.png").write_bytes(figures.comparison(runs)._repr_png_())


def split(rows):
    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None] / 16
    return data.Split(images[rows], torch.from_numpy(digits.target).long()[rows], data.DIGITS)


def network():
    """The layers of book/playground/training.js."""
    leaky = nn.LeakyReLU(0.1)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), leaky, nn.Linear(64, 32), leaky, nn.Linear(32, 2)
    )


if __name__ == "__main__":
    main()

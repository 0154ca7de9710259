"""A toy data set, a tiny backbone and a short training of both, for tests that train."""

import numpy as np
import pandas as pd
import torch

from lossbook import backbones, data, heads, training
from lossbook.data.typefaces import Typefaces

__all__ = ["RECIPE", "toy_dataset", "toy_typefaces", "tiny_backbone", "train", "assert_same_run"]

RECIPE = {"epochs": 3, "batch_size": 32, "learning_rate": 3e-3, "progress": False}


def toy_dataset(n=160, classes=4, seed=0):
    """Small images whose class is where the bright square is: learnable in a few steps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    images = 0.2 * torch.rand(n, 1, 28, 28, generator=generator)
    for i, y in enumerate(labels.tolist()):
        top, left = 4 + 12 * (y // 2), 4 + 12 * (y % 2)
        images[i, 0, top : top + 8, left : left + 8] += 0.8
    names = tuple("abcd"[:classes])
    cut = n * 3 // 4
    return data.Dataset(
        "toy",
        data.Split(images[:cut], labels[:cut], names),
        data.Split(images[cut:], labels[cut:], names),
    )


# How many of them are held out, for lossbook.experiments.typefaces.
TYPEFACES_SIZES = {
    "strangers": 6,
    "unseen_faces": 3,
    "tuning_classes": 4,
    "tuning_strangers": 5,
    "tuning_unseen_faces": 2,
}
# A training on them that takes no time.
TYPEFACES_OPTIONS = {
    "backbone": lambda d: tiny_backbone(),
    "sizes": TYPEFACES_SIZES,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "precision": "float32",
}


def toy_typefaces(characters=24, faces=9):
    """Every character in every typeface: a bar in noise, whose place tells the character."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (characters * faces, 1, 28, 28), generator=generator)
    images = images.to(torch.uint8)
    character = np.tile(np.arange(characters), faces)
    face = np.repeat(np.arange(faces), characters)
    for image, j, k in zip(images, character, face):
        image[0, 2 + j : 4 + j, 4 : 12 + k] = 255
    names = tuple(chr(0x4E00 + j) for j in range(characters))
    return Typefaces(
        images, character, face, names, tuple("abcdefghi"[:faces]), np.arange(faces), {"fonts": {}}
    )


def tiny_backbone():
    return backbones.LeNetPP(2, widths=(4, 4, 8), kernel_size=3, batch_norm=True)


def train(head=None, backbone=None, dataset=None, **options):
    """A Run: three epochs of ArcFace on the toy data set, unless told otherwise."""
    return training.fit(
        backbone or tiny_backbone(),
        head or heads.ArcFace(2, 4, scale=8, margin=0.2),
        dataset or toy_dataset(),
        **{**RECIPE, **options},
    )


def assert_same_run(first, second):
    """Equal bit for bit, but for the seconds that each took."""
    columns = ["epoch", "train_loss", "train_acc", "test_acc"]
    pd.testing.assert_frame_equal(first.history[columns], second.history[columns], check_exact=True)
    assert len(first.snapshots) == len(second.snapshots)
    for a, b in zip(first.snapshots, second.snapshots):
        for key, value in vars(a).items():
            assert np.array_equal(value, vars(b)[key]), key

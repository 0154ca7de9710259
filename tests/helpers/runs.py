"""Recorded runs made up from a formula, for tests that need one and should not train."""

import math

import numpy as np
import pandas as pd
import torch

from lossbook import heads
from lossbook.training.run import Run, Snapshot

__all__ = ["FASHION", "make_run", "make_3d_run", "mistakes", "nearest_spoke"]

FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def make_run(
    epochs=4,
    n=120,
    m=80,
    dim=2,
    classes=tuple("0123456789"),
    seed=0,
    name="ArcFace(scale=16, margin=0.3)",
):
    """Noisy spokes that grow over the epochs, and predictions by the nearest angle."""
    random = np.random.default_rng(seed)
    C = len(classes)
    vectors = random.normal(size=(C, dim))
    if dim == 2:
        vectors = np.stack(
            [np.cos(2 * np.pi * np.arange(C) / C), np.sin(2 * np.pi * np.arange(C) / C)], axis=1
        )
    labels = {"train": np.arange(n) % C, "test": np.arange(m) % C}
    noise = {split: random.normal(size=(len(y), dim)) for split, y in labels.items()}
    snapshots = []
    for epoch in range(1, epochs + 1):
        x = {s: (epoch * vectors[y] + 0.5 * noise[s]).astype(np.float32) for s, y in labels.items()}
        weight = (vectors + random.normal(size=vectors.shape) / (5 * epoch)).astype(np.float32)
        unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
        snapshots.append(
            Snapshot(
                epoch,
                x["train"],
                x["test"],
                weight,
                (x["train"] @ unit.T).argmax(1),
                (x["test"] @ unit.T).argmax(1),
            )
        )
    history = pd.DataFrame(
        {
            "epoch": range(1, epochs + 1),
            "train_loss": 2.0 / np.arange(1, epochs + 1),
            "train_acc": np.linspace(0.5, 0.9, epochs),
            "test_acc": np.linspace(0.4, 0.8, epochs),
            "seconds": 1.0,
        }
    )
    return Run(name, classes, labels["train"], labels["test"], {}, history, snapshots)


def make_3d_run(head=None, epochs=4, **options):
    """As :func:`make_run`, in 3-D, with the settings of ``head``, so that its margin is known."""
    head = heads.ArcFace(3, 10, scale=16, margin=0.1) if head is None else head
    run = make_run(epochs=epochs, dim=3, name=head.name, **options)
    run.config = {"head": {**vars(head), "training": True}, "recipe": {"epochs": epochs}}
    return run


def nearest_spoke(x):
    """Logits for the classes of :func:`make_run`: the cosine to each spoke, times the length."""
    angles = 2 * math.pi * torch.arange(10) / 10
    return x @ torch.stack([angles.cos(), angles.sin()])


def mistakes(run, split, epoch):
    """(N,) bool: which samples of a split were predicted wrongly after an epoch, from 1."""
    return getattr(run.snapshots[epoch - 1], f"{split}_pred") != getattr(run, f"{split}_labels")

"""What tests of pictures share: things to draw, and ways to read what was drawn."""

import numpy as np
import pandas as pd

from lossbook import margins
from lossbook.data.pairs import make_pairs
from lossbook.metrics import verification

__all__ = [
    "BUILD_SECONDS",
    "ERROR_RATIOS",
    "GAINS",
    "FAR",
    "HEAD_COSTS",
    "IDENTITIES",
    "NOISY_TRAININGS",
    "ROW_ACCURACIES",
    "SCALE_TRAININGS",
    "SCORE_BINS",
    "TARGETS",
    "TRAINING_RATES",
    "cosine",
    "count_scores",
    "make_faces",
    "part",
    "sort_points",
]

TARGETS = {
    "norm-softmax": lambda cos: cos,
    "CosFace": lambda cos: margins.cosface(cos, 0.35),
    "ArcFace": lambda cos: margins.arcface(cos, 0.5),
    "SphereFace": lambda cos: margins.sphereface(cos, 3),
}

IDENTITIES = np.repeat(np.arange(3), 4)
FAR = np.geomspace(1e-4, 1, 9)
SCORE_BINS = np.linspace(-1, 1, 21)
GAINS = pd.DataFrame(
    [
        ("ArcFace", 400, 0.8, 0.7, 0.9),
        ("ArcFace", 100, 0.9, 0.85, 1.1),
        ("CosFace", 100, 1.1, 1.0, 1.2),
        ("CosFace", 400, 0.7, 0.6, 0.8),
    ],
    columns=["loss", "classes", "ratio", "low", "high"],
)
ERROR_RATIOS = pd.DataFrame(
    {
        "setting": list("aabb"),
        "measure": ["m", "n"] * 2,
        "ratio": [0.8, 0.9, 1, 1.1],
        "low": [0.7, 0.8, 0.9, 1],
        "high": [0.9, 1, 1.1, 1.2],
    }
)
NOISY_TRAININGS = pd.DataFrame(
    [
        {"loss": loss, "share": share, "value": 97 - 20 * share * k + seed}
        for k, loss in enumerate(("softmax", "ArcFace", "sub-centres"))
        for share in (0.4, 0, 0.2)
        for seed in range(3)
    ]
)
SCALE_TRAININGS = pd.DataFrame(
    [
        {"loss": loss, "name": loss, "scale": scale, "fixed": True, "accuracy": 90 + seed}
        for loss in "ab"
        for scale in (2, 8, 32)
        for seed in range(3)
    ]
)
ROW_ACCURACIES = pd.DataFrame(
    {
        "test": [0.98, 0.97, 0.99, 0.96],
        "test_interval": [0.01, 0.02, 0.003, np.nan],
        "source_test": [0.95, np.nan, np.nan, 0.94],
    },
    index=["softmax", "ArcFace_v1", "ArcFace_v1_s16", "L-softmax_v1"],
)
HEAD_COSTS = pd.DataFrame(
    [
        {"name": name, "classes": classes, "time_ratio": time, "memory_ratio": memory}
        for classes in (10, 100)
        for name, time, memory in (
            ("linear + cross-entropy", 1.0, 1.0),
            ("ArcFace", 1.5, 1.1),
            ("pytorch-metric-learning ArcFace", 4.0, 3.0),
        )
    ]
)
TRAINING_RATES = pd.DataFrame(
    [
        {"backbone": backbone, "way": way, "rate": 25 * speed * ratio, "to_loop": ratio}
        for speed, backbone in ((1, "LeNetPP"), (4, "LeNetPP.small"))
        for way, ratio in (("straightforward loop", 1.0), ("tensors", 2.0), ("fit", 4.0))
    ]
)
BUILD_SECONDS = pd.DataFrame(
    {"whole": [481, 61], "executing": [430, 10], "writing": [45, 45]}, index=["cold", "warm"]
)


def make_faces(seed=0):
    """Images (12, 1, 8, 8), embeddings (12, 3) and all pairs of the three identities."""
    random = np.random.default_rng(seed)
    x = np.eye(3)[IDENTITIES] + 0.6 * random.normal(size=(12, 3))
    return random.random((12, 1, 8, 8)), x, make_pairs(IDENTITIES)


def count_scores(x, pairs):
    """(2, 20) counts of genuine and impostor cosines in SCORE_BINS."""
    scores = verification.similarity(x, pairs)
    return np.stack(
        [np.histogram(scores[pairs.same == kind], SCORE_BINS)[0] for kind in (True, False)]
    )


def part(ax, name):
    """What a view drew: its collections, in the order in which it adds them."""
    return ax.collections[("points", "rays", "mistakes", "bars").index(name)]


def sort_points(points):
    return np.array(sorted(map(tuple, np.asarray(points, dtype=float))))


def cosine(degrees):
    return np.cos(np.radians(degrees))

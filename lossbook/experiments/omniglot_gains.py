"""What a margin gains: tables of the saved experiment on strangers, and ratios of error rates with their intervals."""

import numpy as np
import pandas as pd

from lossbook.experiments.omniglot import Cell
from lossbook.metrics.bootstrap import interval_of

__all__ = ["table", "error_ratio", "error_ratios", "MEASURES"]

MEASURES = ("closed-set errors", "EER, known classes", "EER, strangers", "FRR, strangers, FAR 1e-2")
SEEDS = 3


def table(record, rows, embedding_dim=64, classes=136):
    """A DataFrame, one line a loss, of means over seeds, in percent; ``spread`` is the largest minus the least EER."""
    lines = {}
    for row in rows:
        own = [
            record["cells"][Cell(row, embedding_dim, classes, seed).name] for seed in range(SEEDS)
        ]
        eers = [100 * cell["strangers"]["eer"][0] for cell in own]
        lines[row] = {
            "closed accuracy": 100 * np.mean([cell["accuracy"] for cell in own]),
            "EER known": 100 * np.mean([cell["known"]["eer"][0] for cell in own]),
            "EER strangers": np.mean(eers),
            "spread": max(eers) - min(eers),
            **{
                f"TAR at {far}": 100 * np.mean([cell["strangers"][f"tar@{key}"][0] for cell in own])
                for far, key in (
                    ("1e-1", "0.1"),
                    ("1e-2", "0.01"),
                    ("1e-3", "0.001"),
                    ("1e-4", "0.0001"),
                )
            },
            "rank 1": 100 * np.mean([cell["strangers"].get("rank_1", np.nan) for cell in own]),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def error_ratio(arrays, without, with_margin, measure, seed=0):
    """(ratio, low, high): an error rate with a margin over the same rate without; below 1 the margin helps.

    ``without`` and ``with_margin`` are a :class:`~lossbook.experiments.omniglot.Cell` each, of any seed; ``measure`` is one of
    ``MEASURES``. The interval (95 %) draws identities anew, the same for both, and training seeds anew, for
    each on its own.
    """
    random = np.random.default_rng(seed)
    means, resampled = [], []
    for cell in (without, with_margin):
        own = [_error(arrays[cell._replace(seed=number).name], measure) for number in range(SEEDS)]
        estimate, drawn = np.array([one for one, _ in own]), np.stack([one for _, one in own])
        means.append(estimate.mean())
        seeds = random.integers(0, SEEDS, (SEEDS, drawn.shape[1]))
        resampled.append(np.take_along_axis(drawn, seeds, axis=0).mean(axis=0))
    low, high = interval_of(resampled[1] / resampled[0])
    return float(means[1] / means[0]), float(low), float(high)


def error_ratios(arrays, pairs, measures=MEASURES):
    """A DataFrame of :func:`gain` for several pairs of cells, a dict: title → (without, with margin)."""
    return pd.DataFrame(
        [
            dict(
                zip(
                    ("setting", "measure", "ratio", "low", "high"),
                    (title, measure, *error_ratio(arrays, *pair, measure)),
                )
            )
            for title, pair in pairs.items()
            for measure in measures
        ]
    )


def _error(arrays, measure):
    """(rate, resampled rates (B,)) of one cell."""
    if measure == "closed-set errors":
        wrong = 1 - arrays["right"].astype(float)
        draws = np.random.default_rng(0).multinomial(
            len(wrong), np.full(len(wrong), 1 / len(wrong)), size=len(arrays["resampled"])
        )
        return wrong.mean(), draws @ wrong / len(wrong)
    if measure == "EER, known classes":
        return arrays["known_estimate"][0], arrays["known_resampled"][:, 0]
    if measure == "EER, strangers":
        return arrays["estimate"][0], arrays["resampled"][:, 0]
    if measure == "FRR, strangers, FAR 1e-2":
        return 1 - arrays["estimate"][2], 1 - arrays["resampled"][:, 2]
    raise ValueError(f"measure = {measure!r}: expected one of {', '.join(map(repr, MEASURES))}")

"""What a margin gains on Omniglot: tables of the saved experiment, and ratios of error rates."""

import numpy as np
import pandas as pd

from lossbook.experiments.omniglot import Cell
from lossbook.metrics import verification
from lossbook.metrics.bootstrap import percentile_interval

__all__ = ["MEASURES", "table", "error_ratio", "error_ratios"]

MEASURES = ("closed-set errors", "EER, known classes", "EER, strangers", "FRR, strangers, FAR 1e-2")
SEEDS = 3
# Where the rates stand in the saved arrays, see omniglot.VerificationRecord.
EER, TAR_AT_1E_2 = 0, 1 + verification.FARS.index(1e-2)


def table(record, rows, embedding_dim=64, classes=136):
    """A DataFrame with one line per loss: means over seeds, in percent.

    ``EER range`` is the largest minus the smallest EER of strangers.
    """
    lines = {}
    for row in rows:
        cells = [
            record["cells"][Cell(row, embedding_dim, classes, seed).name] for seed in range(SEEDS)
        ]
        strangers = [cell["strangers"] for cell in cells]
        eers = [100 * measured["eer"][0] for measured in strangers]
        tars = {
            f"TAR at {far}": 100 * np.mean([measured[key][0] for measured in strangers])
            for far, key in (
                ("1e-1", "tar@0.1"),
                ("1e-2", "tar@0.01"),
                ("1e-3", "tar@0.001"),
                ("1e-4", "tar@0.0001"),
            )
        }
        lines[row] = {
            "closed accuracy": 100 * np.mean([cell["accuracy"] for cell in cells]),
            "EER known": 100 * np.mean([cell["known"]["eer"][0] for cell in cells]),
            "EER strangers": np.mean(eers),
            "EER range": max(eers) - min(eers),
            **tars,
            "rank 1": 100 * np.mean([measured.get("rank_1", np.nan) for measured in strangers]),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def error_ratio(arrays, without, with_margin, measure, seed=0):
    """(ratio, low, high): an error rate with a margin over the same rate without.

    Below 1 the margin helps. ``without`` and ``with_margin`` are a
    :class:`~lossbook.experiments.omniglot.Cell` each, of any seed; ``measure`` is one of
    ``MEASURES``. The interval (95 %) resamples identities, the same ones for both, and training
    seeds, for each on its own.
    """
    random = np.random.default_rng(seed)
    mean_rates, resampled_rates = [], []
    for cell in (without, with_margin):
        names = [cell._replace(seed=number).name for number in range(SEEDS)]
        rates, resampled = zip(*(_error_rates(arrays[name], measure) for name in names))
        mean_rates.append(np.mean(rates))
        resampled = np.stack(resampled)
        seeds = random.integers(0, SEEDS, resampled.shape)
        resampled_rates.append(np.take_along_axis(resampled, seeds, axis=0).mean(axis=0))
    low, high = percentile_interval(resampled_rates[1] / resampled_rates[0])
    return float(mean_rates[1] / mean_rates[0]), float(low), float(high)


def error_ratios(arrays, pairs, measures=MEASURES):
    """A DataFrame of :func:`error_ratio`, with one line per pair of cells and measure.

    ``pairs`` is a dict, title → (without, with margin).
    """
    lines = []
    for title, pair in pairs.items():
        for measure in measures:
            lines.append((title, measure, *error_ratio(arrays, *pair, measure)))
    return pd.DataFrame(lines, columns=["setting", "measure", "ratio", "low", "high"])


def _error_rates(arrays, measure):
    """(rate, resampled rates (B,)) of one cell."""
    if measure == "closed-set errors":
        wrong = 1 - arrays["right"].astype(float)
        classes = len(wrong)
        # As metrics.bootstrap.bootstrap_by_identity draws identities.
        weights = np.random.default_rng(0).multinomial(
            classes, np.full(classes, 1 / classes), size=len(arrays["resampled"])
        )
        return wrong.mean(), weights @ wrong / classes
    if measure == "EER, known classes":
        return arrays["known_estimate"][EER], arrays["known_resampled"][:, EER]
    if measure == "EER, strangers":
        return arrays["estimate"][EER], arrays["resampled"][:, EER]
    if measure == "FRR, strangers, FAR 1e-2":
        return 1 - arrays["estimate"][TAR_AT_1E_2], 1 - arrays["resampled"][:, TAR_AT_1E_2]
    raise ValueError(f"measure = {measure!r}: expected one of {', '.join(map(repr, MEASURES))}")

"""Ratios of error rates: paired by identity, and tables that are means over seeds."""

import numpy as np
import pytest

from lossbook.data.pairs import make_pairs
from lossbook.experiments import omniglot_gains
from lossbook.experiments.omniglot import Cell
from lossbook.metrics.bootstrap import bootstrap_by_identity

WITHOUT, WITH = Cell("norm-softmax_s16"), Cell("ArcFace_s16_m0.3")


def made(factor=0.5, classes=40, resamples=200):
    """Two losses: the second has ``factor`` times the errors of the first, for each identity."""
    random = np.random.default_rng(1)
    hard = random.random(classes)
    arrays = {}
    for cell, scale in ((WITHOUT, 1), (WITH, factor)):
        for seed in range(3):
            drawn = (
                np.random.default_rng(2).normal(0.2, 0.04, (resamples, 5))
                * scale
                * (1 + 0.01 * seed)
            )
            arrays[cell._replace(seed=seed).name] = {
                "right": 1 - scale * hard,
                "estimate": np.full(5, 0.2 * scale),
                "resampled": drawn,
                "known_estimate": np.full(5, 0.1 * scale),
                "known_resampled": drawn / 2,
            }
    return arrays


@pytest.mark.parametrize("measure", omniglot_gains.MEASURES[:3])
def test_errors_that_move_together_give_a_narrow_ratio(measure):
    """Both losses vary by a fifth between draws, but together: the ratio hardly varies."""
    ratio, low, high = omniglot_gains.error_ratio(made(), WITHOUT, WITH, measure)
    assert ratio == pytest.approx(0.5) and 0.48 < low <= 0.5 <= high < 0.52


def test_closed_errors_draw_the_identities_that_verification_draws():
    """With errors in one class alone, a resampled rate is that class's share of the draw."""
    labels = np.repeat(np.arange(5), 2)
    pairs = make_pairs(labels)
    seen = bootstrap_by_identity(
        lambda s, same, w: w[same][np.argsort(s[same])],
        np.arange(len(pairs.first)) / 100.0,
        pairs,
        labels,
        resamples=200,
    ).resampled
    own = {"right": np.array([0, 1, 1, 1, 1.0]), "resampled": np.zeros((200, 5))}
    _, drawn = omniglot_gains._error_rates(own, "closed-set errors")
    first = int(np.flatnonzero(labels[pairs.first[pairs.same]] == 0)[0])
    assert drawn == pytest.approx(seen[:, first] / 5)


def test_the_table_is_the_mean_over_seeds():
    record = {
        "cells": {
            WITH._replace(seed=seed).name: {
                "accuracy": 0.8 + 0.05 * seed,
                "known": {"eer": [0.01 * seed, 0, 1]},
                "strangers": {
                    "eer": [0.1 * seed, 0, 1],
                    "rank_1": 0.5,
                    **{f"tar@{far}": [0.4, 0, 1] for far in ("0.1", "0.01", "0.001", "0.0001")},
                },
            }
            for seed in range(3)
        }
    }
    line = omniglot_gains.table(record, [WITH.row]).loc[WITH.row]
    assert line["closed accuracy"] == pytest.approx(85) and line["EER strangers"] == pytest.approx(
        10
    )
    assert (
        line["EER range"] == pytest.approx(20)
        and line["TAR at 1e-3"] == pytest.approx(40)
        and line["EER known"] == pytest.approx(1)
    )


def test_error_ratios_list_every_setting_and_measure():
    frame = omniglot_gains.error_ratios(made(), {"one": (WITHOUT, WITH), "other": (WITH, WITHOUT)})
    assert (
        len(frame) == 8
        and frame.ratio.tolist()[0] == pytest.approx(0.5)
        and frame.ratio.tolist()[4] == pytest.approx(2)
    )
    with pytest.raises(ValueError, match="measure = 'EER'"):
        omniglot_gains.error_ratio(made(), WITHOUT, WITH, "EER")

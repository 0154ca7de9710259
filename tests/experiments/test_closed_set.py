"""The experiment in the plane: what a cell measures, and the saved one."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lossbook import backbones, heads, training
from lossbook.experiments import closed_set
from lossbook.metrics.scores import score
from lossbook.profiles import PROFILES
from lossbook.utils.records import FOLDER, command_for
from tests.helpers.toys import tiny_backbone, toy_dataset

RECIPE = {"epochs": 3, "batch_size": 20, "learning_rate": 3e-3, "max_shift": 0}


def test_a_cell_holds_the_scores_of_a_training_with_its_seed(tmp_path):
    cells = [closed_set.Cell("ArcFace_s16_m0.3", 1), closed_set.Cell("center", 0)]
    record, _ = closed_set.run(
        cells, tmp_path, dataset=toy_dataset(), backbone=lambda d: tiny_backbone(), **RECIPE
    )
    model, head = tiny_backbone(), heads.ArcFace(2, 4, scale=16, margin=0.3)
    training.fit(model, head, toy_dataset(), seed=1, progress=False, **RECIPE)
    cell = record["cells"]["ArcFace_s16_m0.3-seed1"]
    assert cell["test"] == score(model, head, toy_dataset().test)
    assert record["cells"]["center-seed0"]["loss"].startswith("Center(")
    scores = closed_set.scores_by_training(record)
    assert scores.row.tolist() == ["ArcFace_s16_m0.3", "center"]
    assert scores.accuracy[0] == cell["test"]["accuracy"]


def test_the_saved_experiment_is_the_plan_and_every_loss_was_trained_alike():
    record, _ = closed_set.load()
    assert set(record["cells"]) == {cell.name for cell in closed_set.PLAN}
    assert record["asked"] == PROFILES["quick"].recipe
    assert record["made_by"]["command"] == "lossbook closed-set"
    assert all(math.isfinite(cell["test"]["within"]) for cell in record["cells"].values())


def test_the_saved_experiment_in_three_dimensions_is_its_plan_with_the_chapters_settings():
    record, _ = closed_set.load(FOLDER / "closed-set-3d")
    assert set(record["cells"]) == {cell.name for cell in closed_set.SPHERE_PLAN}
    assert record["asked"] == {**PROFILES["quick"].recipe, **closed_set.SPHERE_RECIPE}
    assert record["embedding_dim"] == 3
    assert record["made_by"]["command"] == command_for(FOLDER / "closed-set-3d/record.json")
    margins = {cell["loss"] for cell in record["cells"].values()}
    assert "CosFace(scale=11, margin=0.3)" in margins and len(margins) == 5


def test_the_saved_experiment_bears_out_the_front_page():
    """What book/index.md says about five trainings of each loss; the page itself runs no code."""
    scores = closed_set.scores_by_training(closed_set.load()[0])
    sphereface, arcface = "A-softmax_v1", "ArcFace_s16_m0.3"

    def low_and_high(first, second, measure, unit):
        mean, half_width = closed_set.paired_difference(scores, first, second, measure)
        return unit(mean - half_width), unit(mean), unit(mean + half_width)

    _, mean, high = low_and_high(sphereface, "softmax", "within", math.degrees)
    assert -0.6 < mean < -0.4 and high < 0
    low, _, high = low_and_high(arcface, "softmax", "within", math.degrees)
    assert low < 0 < high
    for loss in (sphereface, arcface):
        low, _, high = low_and_high(loss, "softmax", "accuracy", float)
        assert low < 0 < high
    _, mean, high = low_and_high(arcface, "norm-softmax_s16", "within", math.degrees)
    assert -1 < mean < -0.8 and high < 0
    low, mean, _ = low_and_high(arcface, "norm-softmax_s16", "accuracy", lambda share: 100 * share)
    assert low > 0 and 0.8 < mean < 1.5


def test_a_cell_in_three_dimensions(tmp_path):
    cells = [closed_set.Cell("CosFace_s11_m0.3", 0)]
    record, _ = closed_set.run(
        cells,
        tmp_path,
        embedding_dim=3,
        dataset=toy_dataset(),
        backbone=lambda d: backbones.Dense(d),
        **RECIPE,
    )
    assert record["embedding_dim"] == 3
    assert "gap_median" not in record["cells"]["CosFace_s11_m0.3-seed0"]["test"]


def scores_of(**by_loss):
    """Scores of losses whose ``within`` of each seed is given."""
    return pd.DataFrame(
        [
            {"row": loss, "seed": seed, "within": value}
            for loss, values in by_loss.items()
            for seed, value in values.items()
        ]
    )


def test_a_difference_is_paired_by_seed():
    a, b = {0: 0.3, 1: 0.5, 2: 0.4}, {2: 0.1, 0: 0.2, 1: 0.3, 3: 9.0}
    difference = closed_set.paired_difference(scores_of(a=a, b=b), "a", "b", "within")
    values = [a[seed] - b[seed] for seed in (0, 1, 2)]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert difference == pytest.approx((0.2, (high - low) / 2))


def test_a_difference_that_cannot_be_taken_is_a_message():
    scores = scores_of(a={0: 0.3, 1: 0.5}, b={1: 0.1, 2: 0.4})
    with pytest.raises(ValueError, match="a and b have 1 seeds in common"):
        closed_set.paired_difference(scores, "a", "b", "within")
    with pytest.raises(ValueError, match="no loss 'c' among the scores: expected one of a, b"):
        closed_set.paired_difference(scores, "a", "c", "within")
    with pytest.raises(ValueError, match="no measure 'width' .* row, seed, within"):
        closed_set.paired_difference(scores, "a", "b", "width")


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook closed-set"):
        closed_set.load(tmp_path / "closed-set")

"""The experiment in the plane: what a cell measures, and the saved one."""

import math

import pytest

from lossbook import heads, training
from lossbook.experiments import closed_set
from lossbook.metrics.scores import score
from lossbook.profiles import PROFILES
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


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook closed-set"):
        closed_set.load(tmp_path / "closed-set")

"""The experiment on wrong labels: what a cell measures, and the saved one."""

import pytest

from lossbook import training
from lossbook.data import corruption
from lossbook.experiments import label_noise
from lossbook.heads import subcenter
from tests.helpers.toys import tiny_backbone, toy_dataset

RECIPE = {"epochs": 3, "batch_size": 20, "learning_rate": 3e-3}


def test_a_cell_is_judged_on_true_and_wrong_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(label_noise, "EMBEDDING_DIM", 2)
    cells = [label_noise.Cell("ArcFace_s16_m0.3", 0.4, 1), label_noise.Cell("softmax", 0, 0)]
    record, _ = label_noise.run(
        cells, tmp_path, dataset=toy_dataset(), backbone=lambda d: tiny_backbone(), **RECIPE
    )
    noisy, flipped = corruption.flip_labels(toy_dataset(), 0.4, 1)
    model, head = tiny_backbone(), label_noise.build_head("ArcFace_s16_m0.3", 2, 4)
    again = training.fit(model, head, noisy, seed=1, progress=False, **RECIPE)
    said = head(training.embed(model, noisy.train.images)).argmax(dim=1)[flipped]
    cell, clean = (
        record["cells"]["ArcFace_s16_m0.3-40percent-seed1"],
        record["cells"]["softmax-0percent-seed0"],
    )
    assert cell["test"] == again.history.test_acc.iloc[-1]
    assert (
        cell["flipped_as_labelled"] == (said == noisy.train.labels[flipped]).double().mean().item()
    )
    assert (
        cell["flipped_as_true"]
        == (said == toy_dataset().train.labels[flipped]).double().mean().item()
    )
    assert clean["flipped_as_true"] is None and clean["test"] > 0.5


def test_sub_centres_are_a_row_of_their_own():
    head = label_noise.build_head(label_noise.SUB_CENTRES, 16, 10)
    assert isinstance(head, subcenter.SubCenterArcFace) and (
        head.scale,
        head.margin,
        head.centers,
    ) == (16, 0.3, 3)


def test_the_saved_experiment_is_the_plan():
    record, _ = label_noise.load()
    assert set(record["cells"]) == {cell.name for cell in label_noise.PLAN}
    assert (
        record["made_by"]["command"] == "python -m lossbook noise"
        and record["asked"] == label_noise.RECIPE
    )


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook noise"):
        label_noise.load(tmp_path / "noise")

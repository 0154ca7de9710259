"""The experiment on typefaces: its cells, its choice of margins, and ratios of its rates."""

import numpy as np
import pytest
import torch

from lossbook import bounds
from lossbook.data.dataset import Split
from lossbook.experiments import typefaces, typefaces_gains, typefaces_rows
from tests.helpers.toys import TYPEFACES_SIZES as SIZES
from tests.helpers.toys import tiny_backbone, toy_typefaces

RECIPE = {"batch_size": 16, "learning_rate": 3e-3}


def run(cells, folder):
    return typefaces.run(
        cells, toy_typefaces(), folder, backbone=lambda d: tiny_backbone(), sizes=SIZES, **RECIPE
    )


@pytest.fixture(autouse=True)
def in_two_dimensions(monkeypatch):
    monkeypatch.setattr(typefaces, "EMBEDDING_DIM", 2)


def test_a_stopped_experiment_resumes_and_ratios_compare_its_rows(tmp_path):
    rows = ["norm-softmax", "ArcFace_m0.3"]
    cells = typefaces.plan(rows, classes=(8,), steps=(6,), seeds=(0, 1))
    run(cells[:2], tmp_path)
    record, arrays = run(cells, tmp_path)
    assert set(record["cells"]) == set(arrays) == {cell.name for cell in cells}
    assert [cell["epochs"] for cell in record["cells"].values()] == [2, 2, 2, 2]
    again, _ = run(cells[:1], tmp_path / "again")
    saved, made_again = record["cells"][cells[0].name], again["cells"][cells[0].name]
    assert saved["strangers"] == made_again["strangers"]
    assert saved["strangers"]["identities"] == 6 and saved["strangers"]["images"] == 18

    table = typefaces_gains.ratios(record, arrays, "norm-softmax")
    line = table[table.measure == "EER"].iloc[0]
    rates = {
        row: np.mean(
            [c["strangers"]["eer"][0] for c in record["cells"].values() if c["row"] == row]
        )
        for row in rows
    }
    assert line.row == "ArcFace_m0.3"
    assert line.ratio == pytest.approx(rates["ArcFace_m0.3"] / rates["norm-softmax"], rel=1e-4)
    assert line.low <= line.ratio <= line.high
    same = typefaces_gains.ratio(arrays, cells[:1], cells[:1])
    assert same == (1, 1, 1)  # the same identities are drawn for both
    perfect = {cells[0].name: {"estimate": np.zeros(6), "resampled": np.zeros((20, 6))}}
    assert np.isnan(typefaces_gains.ratio(perfect, cells[:1], cells[:1])).all()
    assert len(typefaces_gains.table(record)) == 4
    scored = "strangers in seen typefaces"
    in_seen = typefaces_gains.ratios(record, arrays, "norm-softmax", scored)
    rates = {
        row: np.mean([arrays[c.name]["in_seen_faces_estimate"][0] for c in cells if c.row == row])
        for row in rows
    }
    expected = rates["ArcFace_m0.3"] / rates["norm-softmax"]
    assert in_seen[in_seen.measure == "EER"].iloc[0].ratio == pytest.approx(expected, rel=1e-4)
    mean = typefaces_gains.table(record, scored).groupby("row").eer.mean()
    assert mean["ArcFace_m0.3"] == pytest.approx(rates["ArcFace_m0.3"], abs=1e-6)
    del record["cells"][cells[0].name]["in_seen_faces"]  # as of a training before it was measured
    assert len(typefaces_gains.table(record, scored)) == 3
    one_seed = typefaces_gains.ratios(record, arrays, "norm-softmax", scored)
    assert one_seed.iloc[0].ratio != in_seen.iloc[0].ratio


def test_tuning_and_scoring_share_no_character_and_no_unseen_typeface():
    data = toy_typefaces()
    tuning = typefaces._parts(typefaces.Cell("softmax", 4, tuning=True), data, SIZES)
    parts = typefaces._parts(typefaces.Cell("softmax", 9), data, SIZES)
    scored = {*parts.characters, *parts.strangers}
    assert scored.isdisjoint(tuning.characters) and scored.isdisjoint(tuning.strangers)
    assert set(tuning.characters).isdisjoint(tuning.strangers)
    assert set(tuning.faces).isdisjoint(tuning.unseen_faces)
    assert {*tuning.faces, *tuning.unseen_faces} == set(parts.faces)
    fewer = typefaces._parts(typefaces.Cell("softmax", 3), data, SIZES)
    assert fewer.characters.tolist() == parts.characters[:3].tolist()
    assert fewer.strangers.tolist() == parts.strangers.tolist()


def test_the_row_with_the_lowest_tuning_error_is_chosen(tmp_path):
    cells = typefaces.tuning_plan(["ArcFace", "softmax"], steps=3)
    assert [cell.row for cell in cells] == list(typefaces_rows.GRID["ArcFace"])
    rates = (0.2, 0.3, 0.1, 0.15, 0.4, 0.5)  # the third is ArcFace_m0.3
    saved = {
        cell.name: {**cell._asdict(), "strangers": {"eer": [rate, 0, 1]}}
        for cell, rate in zip(cells, rates)
    }
    chosen = typefaces_rows.rows_of(["softmax", "ArcFace", "CosFace_s8_m0.1"], {"cells": saved})
    assert chosen == ["softmax", "ArcFace_m0.3", "CosFace_s8_m0.1"]
    del saved[cells[4].name]
    with pytest.raises(ValueError, match="ArcFace_m0.5 are not measured"):
        typefaces_rows.rows_of(["ArcFace"], {"cells": saved})
    with pytest.raises(ValueError, match="margin and scale of CosFace are not chosen"):
        typefaces_rows.rows_of(["CosFace"])


@pytest.mark.parametrize("images, steps", [(50, 6), (50, 7), (3, 12), (500, 6)])
def test_every_training_has_its_number_of_steps(images, steps):
    pixels = torch.arange(images, dtype=torch.uint8)[:, None, None, None]
    split = Split(pixels, torch.arange(images) % 3, ("a", "b", "c"))
    filled, epochs = typefaces._with_steps(split, steps, 16, seed=0)
    assert epochs * -(-len(filled) // 16) == steps and len(filled) % 16 == 0
    counts = torch.bincount(filled.images.flatten().int(), minlength=images)[:images]
    assert counts.max() - counts.min() <= 1 or images > 255
    assert torch.equal(filled.labels, filled.images.flatten().long() % 3) or images > 255


def test_heads_have_the_scale_of_the_rule_and_the_margins_of_their_names():
    head, kind = typefaces_rows.build_head("ArcFace_m0.3", 64, 100)
    assert kind == "cosine" and head.margin == 0.3
    assert head.scale == pytest.approx(bounds.working_scale(100, m2=0.3))
    assert typefaces_rows.build_head("ArcFace_s20_m0.3", 64, 100)[0].scale == 20
    doubled, _ = typefaces_rows.build_head("ArcFace_m0.3_x2", 64, 100)
    assert doubled.margin == 0.3 and doubled.scale == pytest.approx(2 * head.scale)
    head, _ = typefaces_rows.build_head("combined_m0.2_m0.1", 64, 100)
    assert (head.m1, head.m2, head.m3) == (1, 0.2, 0.1)
    head, kind = typefaces_rows.build_head("triplet-batch-all_m0.5", 64, 100)
    assert kind == "distance" and (head.margin, head.mining) == (0.5, "batch-all")
    assert set(typefaces_rows.GRID) & {
        row for rows in typefaces_rows.GRID.values() for row in rows
    } == {
        "softmax"  # elsewhere a loss's name stands for the row that was chosen
    }
    for loss in typefaces_rows.LOSSES:
        for row in typefaces_rows.GRID[loss]:
            typefaces_rows.build_head(row, 64, 6400)


@pytest.mark.parametrize("row", typefaces_rows.ADAPTIVE)
def test_a_margin_that_adapts_has_the_scale_of_arcface_with_its_margin(row):
    head, similarity = typefaces_rows.build_head(row, 8, 400)
    margin = float(row.partition("_m")[2])
    assert type(head).__name__ == row.partition("_m")[0] and similarity == "cosine"
    assert head.scale == pytest.approx(bounds.working_scale(400, m2=margin))
    assert head.low_margin == margin if "Mag" in row else head.margin == margin


def test_strangers_are_scored_in_typefaces_that_were_trained_on_too(tmp_path, monkeypatch):
    scored = []

    def select(self, characters, faces, faces_per_character=None, seed=0):
        scored.append((tuple(characters), set(faces)))
        return whole(self, characters, faces, faces_per_character, seed)

    whole = type(toy_typefaces()).select
    monkeypatch.setattr(type(toy_typefaces()), "select", select)
    cells = typefaces.plan(["softmax"], classes=(8,), steps=(6,), seeds=(0,))
    record, _ = run(cells, tmp_path)
    (trained, all_faces), (strangers, unseen), (known, _), (again, seen) = scored
    assert strangers == again and not set(strangers) & set(trained) and set(known) <= set(trained)
    assert seen <= all_faces and len(seen) == len(unseen) and not unseen & all_faces
    assert record["cells"][cells[0].name]["in_seen_faces"]["identities"] == len(strangers)


def test_quality_is_what_is_left_of_the_errors_when_short_embeddings_are_left_out(tmp_path):
    cells = typefaces.plan(["ArcFace_m0.3"], classes=(8,), steps=(6,), seeds=(0,))
    record, _ = run(cells, tmp_path)
    cell = record["cells"][cells[0].name]
    quality, (rank_1, *_) = cell["quality"], cell["strangers"]["rank_1"]
    assert quality["by_length"][0] == quality["by_score"][0] == pytest.approx(1 - rank_1)
    assert len(quality["by_length"]) == len(quality["discarded"]) == len(typefaces.DISCARDED)


def test_the_network_has_six_convolutions():
    widths = [
        layer.out_channels
        for layer in typefaces.small_network(64)
        if isinstance(layer, torch.nn.Conv2d)
    ]
    assert widths == [16, 16, 32, 32, 64, 64]
    assert typefaces.small_network(64)(torch.zeros(2, 1, 28, 28)).shape == (2, 64)


@pytest.mark.parametrize(
    "row", ["triplet-semi-hard_m0.5", "contrastive_m1", "A-softmax_m2", "softmax"]
)
def test_losses_on_pairs_get_batches_with_several_images_of_a_class(tmp_path, monkeypatch, row):
    batches, fit = [], typefaces.fit

    def fit_and_look(model, head, dataset, **options):
        loss = head.loss

        def look(x, labels):
            batches.append(torch.bincount(labels))
            return loss(x, labels)

        head.loss = look
        return fit(model, head, dataset, **options)

    monkeypatch.setattr(typefaces, "fit", fit_and_look)
    record, _ = run([typefaces.Cell(row, 8, steps=4)], tmp_path)
    (cell,) = record["cells"].values()
    on_pairs = row[0] in "tc"
    assert cell["similarity"] == ("distance" if on_pairs else "cosine")
    assert len(batches) == 4
    if on_pairs:
        assert {count for batch in batches for count in batch.tolist()} <= {0, 4}


def test_the_mean_rates_are_those_of_the_saved_trainings():
    record, _ = typefaces.load()
    rows = typefaces_gains.chosen_rows(record)
    assert set(rows.values()) == set(typefaces.MAIN)
    assert all(row in typefaces_rows.GRID[loss] for row, loss in rows.items())
    margin = typefaces_rows.best_row("ArcFace", record).partition("_m")[2]
    assert {"AdaFace_m" + margin, "CurricularFace_m" + margin} < set(typefaces_rows.ADAPTIVE)
    rates = typefaces_gains.mean_rates(record)
    for (classes, loss), line in rates.iterrows():
        cells = [
            cell
            for cell in record["cells"].values()
            if rows.get(cell["row"]) == loss
            and (cell["classes"], cell["steps"]) == (classes, typefaces.STEPS)
            and not cell["tuning"]
            and cell["typefaces"] is None
        ]
        assert len(cells) == line.seeds > 0
        for column, name in (("EER", "eer"), ("TAR at 1e-4", "tar@0.0001"), ("rank 1", "rank_1")):
            given = [cell["strangers"][name] for cell in cells]
            values = [value[0] if isinstance(value, list) else value for value in given]
            assert line[column] == pytest.approx(100 * sum(values) / len(values))

"""Grids over scale × margin: every cell trained once, resumed, drawn with its bounds."""

import math

import numpy as np
import pytest
import torch

from lossbook import bounds, figures
from lossbook.cli import main as cli
from lossbook.experiments import reproduce, scale_margin_grid
from tests.helpers.records import RECIPE
from tests.helpers.toys import tiny_backbone, toy_dataset

GRID = {"scales": (4, 16), "margins": (0, 0.2)}
QUICK = {**RECIPE, "epochs": 1}


def train_grid(folder, **options):
    return scale_margin_grid.run(
        "CosFace", toy_dataset(), lambda d: tiny_backbone(), folder, **{**GRID, **QUICK, **options}
    )


def test_a_cell_is_the_training_of_that_row(tmp_path):
    record = train_grid(tmp_path / "grid")
    assert list(record["cells"]) == [
        "s4-m0-seed0",
        "s4-m0.2-seed0",
        "s16-m0-seed0",
        "s16-m0.2-seed0",
    ]
    (alone,) = reproduce.reproduce(
        ["CosFace_s16_m0.2"], toy_dataset(), lambda d: tiny_backbone(), folder=tmp_path, **QUICK
    )
    cell = record["cells"]["s16-m0.2-seed0"]
    assert cell["accuracy"] == alone["test"]["accuracy"]
    assert cell["gap_median"] == pytest.approx(alone["test"]["gap_median"])
    assert cell["recipe"] == alone["recipe"]


def test_it_resumes(tmp_path, monkeypatch):
    train_grid(tmp_path, margins=(0,))
    trained, train_row = [], scale_margin_grid.train_row
    monkeypatch.setattr(
        scale_margin_grid,
        "train_row",
        lambda *args, **kw: trained.append(args[0]) or train_row(*args, **kw),
    )
    record = train_grid(tmp_path)
    assert trained == ["CosFace_s4_m0.2", "CosFace_s16_m0.2"]
    assert len(record["cells"]) == 4
    assert scale_margin_grid.load("CosFace", tmp_path) == record


def test_several_seeds_share_a_folder_and_are_averaged(tmp_path):
    train_grid(tmp_path, margins=(0.2,))
    record = train_grid(tmp_path, margins=(0.2,), seed=1)
    assert [cell["seed"] for cell in record["cells"].values()] == [0, 0, 1, 1]
    table = scale_margin_grid.mean_over_seeds(record)
    accuracies = [record["cells"][f"s16-m0.2-seed{seed}"]["accuracy"] for seed in (0, 1)]
    assert table.accuracy[0.2, 16] == pytest.approx(sum(accuracies) / 2)
    assert table.seeds.tolist() == [2, 2]
    labels = [text.get_text() for text in figures.scale_margin_map(record).axes[0].texts]
    deviations = scale_margin_grid.deviation_over_seeds(record).accuracy
    assert deviations[0.2, 16] == pytest.approx(abs(np.subtract(*accuracies)) / math.sqrt(2))
    assert labels == [
        f"{100 * mean:.0f}\n±{100 * deviation:.0f}"
        for mean, deviation in zip(table.accuracy, deviations)
    ]


def test_the_device_is_no_part_of_the_recipe(tmp_path):
    record = train_grid(tmp_path, margins=(0,), device=torch.device("cpu"))
    assert train_grid(tmp_path, margins=(0,)) == record


def test_another_loss_is_refused(tmp_path):
    with pytest.raises(ValueError, match="loss = 'Softmax': expected one of CosFace, ArcFace"):
        scale_margin_grid.run("Softmax", toy_dataset(), lambda d: tiny_backbone(), tmp_path)


def test_another_recipe_is_refused(tmp_path):
    train_grid(tmp_path, margins=(0,))
    with pytest.raises(ValueError, match="whose asked is"):
        train_grid(tmp_path, learning_rate=1e-4)


def test_the_map_shows_every_number_and_both_bounds(tmp_path):
    record = train_grid(tmp_path)
    cells = record["cells"]
    figure = figures.scale_margin_map(record)
    scales, margins = (sorted({c[of] for c in cells.values()}) for of in ("scale", "margin"))
    limits = bounds.limits(record["classes"])
    for ax, quantity in zip(
        figure.axes, (lambda c: 100 * c["accuracy"], lambda c: np.degrees(c["gap_median"]))
    ):
        shown = sorted(int(text.get_text().replace("−", "-")) for text in ax.texts)
        assert shown == sorted(round(quantity(cell)) for cell in cells.values())
        (frame,) = ax.patches
        left, low, right, high = frame.get_bbox().extents
        framed = {(s, m) for s in scales[int(left) : int(right)] for m in margins[: int(high)]}
        assert low == 0 and right == len(scales)
        assert framed == {
            (cell["scale"], cell["margin"])
            for cell in cells.values()
            if cell["scale"] >= limits.least_scale
            and cell["margin"] <= limits.greatest_cosine_margin
        }
    first_three = dict(list(cells.items())[:3])
    with pytest.raises(ValueError, match="1 of 4 cells are missing"):
        figures.scale_margin_map({**record, "cells": first_three})


@pytest.mark.parametrize("loss", scale_margin_grid.MARGINS)
def test_the_saved_grid_is_complete(loss):
    record = scale_margin_grid.load(loss)
    names = {
        scale_margin_grid.Cell(scale, margin).name
        for scale in scale_margin_grid.SCALES
        for margin in scale_margin_grid.MARGINS[loss]
    }
    assert names <= set(record["cells"])
    assert record["made_by"]["command"] == f"python -m lossbook map {loss}"


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook map ArcFace"):
        scale_margin_grid.load("ArcFace", tmp_path / "maps" / "ArcFace-toy-2d")


def test_the_command_draws_the_map(on_toys, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(scale_margin_grid.MARGINS, "ArcFace", (0, 0.3))
    assert cli.main(["map", "ArcFace", "--epochs", "1", "--seed", "2", *on_toys]) == 0
    assert "ArcFace-toy-2d.png" in capsys.readouterr().out
    assert (tmp_path / "maps" / "ArcFace-toy-2d.png").stat().st_size > 10_000
    record = scale_margin_grid.load("ArcFace", tmp_path / "maps" / "ArcFace-toy-2d")
    assert "s16-m0.3-seed2" in record["cells"]

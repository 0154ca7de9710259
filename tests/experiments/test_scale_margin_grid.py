"""Sweeps over scale × margin: every cell trained once, resumed, drawn with its bounds."""

import numpy as np
import pytest
import torch

from lossbook import figures
from lossbook.cli import main as cli
from lossbook.experiments import reproduce, scale_margin_grid
from lossbook.utils import records
from tests.experiments.test_reproduce import RECIPE, on_toys  # noqa: F401  (a fixture)
from tests.training.test_loop import tiny, toy

GRID = {"scales": (4, 16), "margins": (0, 0.2)}


def swept(path, **options):
    return scale_margin_grid.sweep(
        "CosFace", toy(), lambda d: tiny(), path, **{**GRID, **RECIPE, "epochs": 1, **options}
    )


def test_a_cell_is_the_training_of_that_row(tmp_path):
    record = swept(tmp_path / "map.json")
    assert [(cell["scale"], cell["margin"]) for cell in record["cells"]] == [
        (4, 0),
        (4, 0.2),
        (16, 0),
        (16, 0.2),
    ]
    (alone,) = reproduce.reproduce(
        ["CosFace_s16_m0.2"], toy(), lambda d: tiny(), folder=tmp_path, **{**RECIPE, "epochs": 1}
    )
    assert record["cells"][3]["accuracy"] == alone["test"]["accuracy"]
    assert record["cells"][3]["gap_median"] == pytest.approx(alone["test"]["gap_median"])


def test_it_goes_on_where_it_was(tmp_path, monkeypatch):
    path = tmp_path / "map.json"
    swept(path, margins=(0,))
    trained, train_row = [], scale_margin_grid.train_row
    monkeypatch.setattr(
        scale_margin_grid,
        "train_row",
        lambda *args, **kw: trained.append(args[0]) or train_row(*args, **kw),
    )
    record = swept(path)
    assert trained == ["CosFace_s4_m0.2", "CosFace_s16_m0.2"]
    assert len(record["cells"]) == 4 and records.read(path) == record


def test_the_device_is_no_part_of_what_was_asked(tmp_path):
    record = swept(tmp_path / "map.json", margins=(0,), device=torch.device("cpu"))
    assert swept(tmp_path / "map.json", margins=(0,)) == record


def test_another_loss_is_refused(tmp_path):
    with pytest.raises(ValueError, match="loss = 'Softmax': expected one of CosFace, ArcFace"):
        scale_margin_grid.sweep("Softmax", toy(), lambda d: tiny(), tmp_path / "map.json")


def test_another_recipe_is_refused(tmp_path):
    swept(tmp_path / "map.json", margins=(0,))
    with pytest.raises(ValueError, match="whose asked is"):
        swept(tmp_path / "map.json", learning_rate=1e-4)


def test_the_map_shows_every_number_and_both_bounds(tmp_path):
    record = swept(tmp_path / "map.json")
    figure = figures.scale_margin_map(record)
    for ax, quantity in zip(
        figure.axes, (lambda c: 100 * c["accuracy"], lambda c: np.degrees(c["gap_median"]))
    ):
        shown = sorted(int(text.get_text().replace("−", "-")) for text in ax.texts)
        assert shown == sorted(round(quantity(cell)) for cell in record["cells"])
        assert len(ax.lines) == 4  # two bounds, each with its white border
    with pytest.raises(ValueError, match="1 of 4 cells are missing"):
        figures.scale_margin_map({**record, "cells": record["cells"][:3]})


def test_the_command_draws_the_map(on_toys, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(scale_margin_grid, "SCALES", (4, 16))
    monkeypatch.setitem(scale_margin_grid.MARGINS, "ArcFace", (0, 0.3))
    assert cli.main(["map", "ArcFace", "--epochs", "1", *on_toys]) == 0
    assert "ArcFace-toy-2d.png" in capsys.readouterr().out
    assert (tmp_path / "maps" / "ArcFace-toy-2d.png").stat().st_size > 10_000

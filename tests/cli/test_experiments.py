"""The commands of experiments: one training each, on a toy data set."""

import functools

import pytest
import torch

from lossbook import backbones, data
from lossbook.cli.main import main
from lossbook.data import omniglot as omniglot_data
from lossbook.data import typefaces as typefaces_data
from lossbook.experiments import (
    closed_set,
    degraded_digits,
    embeddings,
    label_noise,
    omniglot,
    one_softmax,
    stray_images,
    typefaces,
    typefaces_rows,
)
from tests.helpers.toys import TYPEFACES_SIZES, tiny_backbone, toy_dataset, toy_typefaces


def noise_alphabets():
    """Images of noise in the place of Omniglot: two characters in each alphabet."""
    alphabets = omniglot.KNOWN + omniglot.HELD_OUT
    names = tuple(sorted(f"{alphabet}/{j}" for alphabet in alphabets for j in range(2)))
    labels = torch.arange(4 * len(names)) % len(names)
    images = torch.rand(len(labels), 1, 28, 28, generator=torch.Generator().manual_seed(0))
    split = data.Split(images, labels, names)
    return data.Dataset("toy", split, split)


def test_strangers(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(omniglot_data, "omniglot", lambda folder: noise_alphabets())
    monkeypatch.setattr(omniglot, "PLAN", [omniglot.Cell("softmax", 2, 10)])
    monkeypatch.setattr(omniglot, "RECIPE", {"epochs": 1, "batch_size": 20})
    monkeypatch.setattr(backbones.LeNetPP, "small", lambda embedding_dim: tiny_backbone())
    assert main(["strangers", "--out", str(tmp_path)]) == 0
    assert "EER of strangers" in capsys.readouterr().out
    assert omniglot.load(tmp_path)[0]["made_by"] == {"command": "lossbook strangers"}


def test_one_softmax(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(omniglot_data, "omniglot", lambda folder: noise_alphabets())
    monkeypatch.setattr(one_softmax, "PLAN", [omniglot.Cell("SupCon_s16", 2, 10)])
    monkeypatch.setattr(omniglot, "RECIPE", {"epochs": 1, "batch_size": 20})
    monkeypatch.setattr(backbones.LeNetPP, "small", lambda embedding_dim: tiny_backbone())
    assert main(["one-softmax", "--out", str(tmp_path)]) == 0
    assert "SupCon_s16-2d-10c-seed0" in capsys.readouterr().out
    record, _ = one_softmax.load(tmp_path)
    assert record["made_by"] == {"command": "lossbook one-softmax"}
    assert record["asked"]["per_class"] == 4


def test_noise(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(label_noise, "PLAN", [label_noise.Cell("softmax", 0.2, 0)])
    monkeypatch.setattr(label_noise, "RECIPE", {"epochs": 1, "batch_size": 200})
    monkeypatch.setattr(data, "load", lambda name: toy_dataset())
    assert main(["noise", "--out", str(tmp_path)]) == 0
    assert "softmax-20percent-seed0" in capsys.readouterr().out


def test_closed_set_3d(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(closed_set, "SPHERE_PLAN", [closed_set.Cell("CosFace_s11_m0.3", 0)])
    monkeypatch.setattr(closed_set, "SPHERE_RECIPE", {"epochs": 1, "batch_size": 20})
    monkeypatch.setattr(data, "load", lambda name: toy_dataset())
    assert main(["closed-set-3d", "--out", str(tmp_path)]) == 0
    assert "CosFace_s11_m0.3-seed0" in capsys.readouterr().out
    record, _ = closed_set.load(tmp_path)
    assert record["embedding_dim"] == 3
    assert record["made_by"] == {"command": "lossbook closed-set-3d"}


def test_degraded_digits(monkeypatch, tmp_path, capsys):
    cells = [degraded_digits.Cell("MagFace_s16", 0)]
    monkeypatch.setattr(degraded_digits, "PLAN", cells)
    monkeypatch.setattr(degraded_digits, "RECIPE", {"epochs": 1, "batch_size": 200})
    monkeypatch.setattr(data, "load", lambda name: toy_dataset())
    assert main(["degraded-digits", "--out", str(tmp_path)]) == 0
    assert "MagFace_s16-seed0" in capsys.readouterr().out
    record, _ = degraded_digits.load(tmp_path)
    assert record["made_by"] == {"command": "lossbook degraded-digits"}


@pytest.fixture
def typefaces_cells(monkeypatch):
    """Every cell that is trained, in order; an ArcFace with a margin of 0.1 is the best."""
    trained = []

    def measure(cell, *rest):
        trained.append(cell)
        rate = 0.01 if cell.row == "ArcFace_m0.1" else 0.02
        strangers = {"eer": [rate, 0.0, 0.1]}
        times = {"seconds": 7, "total_seconds": cell.steps * 0.2}
        return {**cell._asdict(), "strangers": strangers, **times}, {}

    class NoData:
        sources = {}

    monkeypatch.setattr(typefaces, "train", lambda cell, data, **options: None)
    monkeypatch.setattr(typefaces, "_measure", measure)
    monkeypatch.setattr(typefaces_data, "typefaces", lambda *sizes, allow_missing: NoData())
    return trained


def test_typefaces(typefaces_cells, tmp_path, capsys):
    command = ["typefaces", "--out", str(tmp_path), "--losses", "ArcFace"]
    assert main(command) == 2
    assert "--tune" in capsys.readouterr().err
    assert main([*command, "--tune", "--steps", "5"]) == 2
    assert "give --losses alone" in capsys.readouterr().err
    assert main([*command, "--tune"]) == 0
    assert [cell.row for cell in typefaces_cells] == list(typefaces_rows.GRID["ArcFace"])
    del typefaces_cells[:]
    assert main([*command, "--classes", "9", "--steps", "5", "--seeds", "0", "1"]) == 0
    expected = [typefaces.Cell("ArcFace_m0.1", 9, None, 5, seed) for seed in (0, 1)]
    assert typefaces_cells == expected
    assert "EER of strangers 1.00%" in capsys.readouterr().out


def test_the_whole_experiment_on_typefaces_is_planned_and_run_in_one_order(
    typefaces_cells, tmp_path, monkeypatch, capsys
):
    command = ["typefaces", "--out", str(tmp_path)]
    main([*command, "--plan"])
    plan = capsys.readouterr().out.splitlines()
    assert not typefaces_cells and "not measured on this computer yet" in plan[-1]
    names = [line.split()[0] for line in plan if line.startswith("  ")]
    assert len(names) == len(set(names)) and plan[-1].startswith(f"{len(names)} trainings")

    monkeypatch.setattr(typefaces, "STAGES", typefaces.STAGES[:2])
    main(command)
    corners = typefaces_cells[-24:]  # four losses, the fewest and the most classes, three seeds
    assert all(cell.tuning for cell in typefaces_cells[:-24])
    assert [cell.classes for cell in corners] == 3 * (4 * [100] + 4 * [6400])
    assert [cell.row for cell in corners[:4]] == [
        "softmax",
        "norm-softmax_x1",
        "CosFace_m0.1",
        "ArcFace_m0.1",
    ]
    planned = [name.replace("ArcFace-", "ArcFace_m0.1-") for name in names]
    planned = [name.replace("norm-softmax-", "norm-softmax_x1-") for name in planned]
    planned = [name.replace("CosFace-", "CosFace_m0.1-") for name in planned]
    assert [cell.name for cell in typefaces_cells] == planned[: len(typefaces_cells)]

    main(command)
    assert len(typefaces_cells) == len({cell.name for cell in typefaces_cells})  # nothing twice
    capsys.readouterr()
    main([*command, "--losses", "ArcFace", "--steps", "600", "--seeds", "5", "--plan"])
    plan = capsys.readouterr().out.splitlines()
    assert plan[1].split() == ["ArcFace_m0.1-100c-allt-600steps-seed5", "2.0", "min"]
    assert plan[-1].startswith("4 trainings, 0.1 h (as long as those before)")


def test_embeddings(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(typefaces_data, "typefaces", lambda *sizes: toy_typefaces())
    options = {"backbone": lambda d: tiny_backbone(), "sizes": TYPEFACES_SIZES, "batch_size": 16}
    toy_run = functools.partial(
        embeddings.run, cell=typefaces.Cell("ArcFace_m0.3", 8, steps=6), identities=5, **options
    )
    monkeypatch.setattr(embeddings, "run", toy_run)
    monkeypatch.setattr(embeddings, "EXAMPLES", (3, 4))
    monkeypatch.setattr(typefaces, "EMBEDDING_DIM", 2)
    assert main(["embeddings", "--out", str(tmp_path)]) == 0
    assert "15 images of 5 characters in 3 typefaces" in capsys.readouterr().out


def test_stray_images(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(typefaces_data, "typefaces", lambda *sizes: toy_typefaces())
    options = {"backbone": lambda d: tiny_backbone(), "sizes": TYPEFACES_SIZES, "batch_size": 16}
    toy_run = functools.partial(stray_images.run, names=4, steps=4, **options)
    monkeypatch.setattr(stray_images, "run", toy_run)
    monkeypatch.setattr(stray_images, "PLAN", [stray_images.Cell(3, 0.25, 0)])
    monkeypatch.setattr(typefaces, "EMBEDDING_DIM", 2)
    assert main(["stray-images", "--out", str(tmp_path)]) == 0
    assert "3centers-25percent-seed0 " in capsys.readouterr().out

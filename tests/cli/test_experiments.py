"""The commands strangers, noise and closed-set-3d: one training each, on a toy data set."""

import torch

from lossbook import backbones, data
from lossbook.cli.main import main
from lossbook.data import omniglot as omniglot_data
from lossbook.data import typefaces as typefaces_data
from lossbook.experiments import closed_set, label_noise, omniglot, typefaces
from tests.helpers.toys import tiny_backbone, toy_dataset


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


def test_typefaces(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(typefaces, "_train_cell", lambda cell, *rest: (measured(cell, *rest), {}))
    seen = []

    def measured(cell, data, sizes, backbone, device, recipe):
        seen.append(cell)
        rate = 0.01 if cell.row == "ArcFace_m0.1" else 0.02
        return {**cell._asdict(), "strangers": {"eer": [rate, 0.0, 0.1]}, "seconds": 7}

    class NoData:
        sources = {}

    monkeypatch.setattr(typefaces_data, "typefaces", lambda *sizes, allow_missing: NoData())
    out = ["--out", str(tmp_path), "--losses", "ArcFace"]
    assert main(["typefaces", *out]) == 2
    assert "--tune" in capsys.readouterr().err
    assert main(["typefaces", *out, "--tune"]) == 0
    assert [cell.row for cell in seen] == list(typefaces.GRID["ArcFace"])
    del seen[:]
    assert main(["typefaces", *out, "--classes", "9", "--steps", "5", "--seeds", "0", "1"]) == 0
    assert seen == [typefaces.Cell("ArcFace_m0.1", 9, None, 5, seed) for seed in (0, 1)]
    assert "EER of strangers 1.00%" in capsys.readouterr().out

"""The commands strangers, noise and closed-set-3d: one training each, on a toy data set."""

import torch

from lossbook import backbones, data
from lossbook.cli.main import main
from lossbook.data import omniglot as omniglot_data
from lossbook.experiments import closed_set, label_noise, omniglot
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

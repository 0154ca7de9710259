"""The commands verify and strangers, as someone with an embedding of their own meets them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lossbook import backbones
from lossbook.cli import main as cli
from lossbook.data import mnist, omniglot
from lossbook.experiments import label_noise, omniglot
from lossbook.metrics import verification
from tests.data.test_image_folder import write
from tests.data.test_lfw import faces  # noqa: F401  (a fixture)
from tests.experiments.test_omniglot import RECIPE, characters
from tests.metrics.test_verification import embedding
from tests.training.test_loop import tiny, toy


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, labels = embedding()
    np.savez("mine.npz", x=x, labels=labels)
    return x, labels


def test_an_npz_is_scored_as_the_library_does(mine, capsys):
    assert cli.main(["verify", "mine.npz", "--json", "out.json"]) == 0
    said, expected = capsys.readouterr().out, verification.report(*mine)
    found = json.load(open("out.json"))
    assert found.pop("embedding") == "mine.npz" and found == json.loads(json.dumps(expected))
    low, high = expected["intervals"]["eer"]
    assert re.search(rf"equal error rate +{expected['eer']:.2%} +{low:.2%} to {high:.2%}", said)
    assert re.search(
        r"TAR at a FAR of 0.01% +not measured: .* needs at least 10,000 impostor pairs", said
    )
    assert f"{expected['ten_fold']['accuracy']:.2%}" in said and "found at rank 5" in said


def test_an_embedding_can_be_scored_by_distance(mine, capsys):
    assert cli.main(["verify", "mine.npz", "--similarity", "distance"]) == 0
    assert f"{verification.report(*mine, kind='distance')['eer']:.2%}" in capsys.readouterr().out


def test_names_as_labels_are_as_good_as_numbers(mine, capsys):
    x, labels = mine
    np.savez("named.npz", x=x, labels=np.array([f"person {j:02}" for j in labels]))
    for name in ("mine.npz", "named.npz"):
        assert cli.main(["verify", name]) == 0
    one, other = capsys.readouterr().out.split("24 identities")[1:]
    assert one.splitlines()[1:7] == other.splitlines()[1:7]


def test_a_module_is_scored_on_a_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "images", ("a", "b", "c"))
    (tmp_path / "mynet.py").write_text(
        "from lossbook import backbones\ndef load():\n    return backbones.LeNetPP.small(8)\n"
    )
    arguments = ["verify", "mynet:load", "--images", "images", "--json", "o.json"]
    run = subprocess.run(
        [sys.executable, "-m", "lossbook", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    assert "15 images of 3 identities: 30 genuine and 75 impostor pairs" in run.stdout
    assert json.load(open("o.json"))["eer"] is not None


def test_lfw_is_judged_by_its_own_pairs(faces, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setitem(sys.modules, "facenet", type(sys)("facenet"))
    sys.modules["facenet"].load = lambda: backbones.LeNetPP.small(4)
    assert cli.main(["verify", "facenet:load", "--lfw", str(faces)]) == 0
    assert "6 genuine and 6 impostor pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["none.npz"], "no file at none.npz"),
        (["text.npz"], "text.npz is not an NPZ file"),
        (["half.npz"], "half.npz holds the arrays x: expected x, one embedding a row, and labels"),
        (["short.npz"], "labels (3,)"),
        (["mine.npz", "--images", "images"], "name a function that returns a torch module"),
        (["json:nothing", "--images", "images"], "cannot be called"),
        (["builtins:dict", "--images", "images"], "returned dict, expected a torch.nn.Module"),
        (["builtins:dict", "--images", "images", "--lfw", "."], "choose one"),
        (["builtins:dict", "--images", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_bad_input_is_a_message(mine, arguments, says, tmp_path, capsys):
    write(tmp_path / "images", ("a", "b"))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez("half.npz", x=mine[0])
    np.savez("short.npz", x=mine[0], labels=mine[1][:3])
    assert cli.main(["verify", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_one_identity_is_a_message(mine, capsys):
    np.savez("one.npz", x=mine[0], labels=np.zeros(len(mine[0]), int))
    assert cli.main(["verify", "one.npz"]) == 2
    assert "there is no impostor pair" in capsys.readouterr().err


def test_the_experiment_from_the_command_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(omniglot, "omniglot", lambda folder: characters())
    monkeypatch.setattr(omniglot, "PLAN", [omniglot.Cell("softmax", 2, 10)])
    monkeypatch.setattr(omniglot, "RECIPE", RECIPE)
    monkeypatch.setattr(backbones.LeNetPP, "small", lambda d: tiny())
    assert cli.main(["strangers", "--out", str(tmp_path)]) == 0
    assert "EER of strangers" in capsys.readouterr().out
    assert omniglot.load(tmp_path)[0]["made_by"] == {"command": "python -m lossbook strangers"}


def test_noise_from_the_command_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(label_noise, "PLAN", [label_noise.Cell("softmax", 0.2, 0)])
    monkeypatch.setattr(label_noise, "RECIPE", {"epochs": 1, "batch_size": 200})
    monkeypatch.setattr(mnist, "load", lambda name: toy())
    assert cli.main(["noise", "--out", str(tmp_path)]) == 0
    assert "softmax-20percent-seed0" in capsys.readouterr().out

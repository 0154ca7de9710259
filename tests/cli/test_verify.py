"""The command verify, as someone with an embedding of their own meets it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lossbook
from lossbook import backbones
from lossbook.cli.main import main
from lossbook.data import lfw
from lossbook.data.pairs import Pairs
from lossbook.metrics import verification
from tests.helpers.image_folders import write_images


@pytest.fixture
def saved_embedding(tmp_path, monkeypatch):
    """(x, labels) of 24 identities, saved as mine.npz in the current folder, an empty one."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(24), 6)
    x = random.normal(size=(24, 8))[labels] + 0.5 * random.normal(size=(len(labels), 8))
    np.savez("mine.npz", x=x, labels=labels)
    return x, labels


def test_an_npz_is_scored_as_the_library_does(saved_embedding, capsys):
    assert main(["verify", "mine.npz", "--json", "out.json"]) == 0
    output, expected = capsys.readouterr().out, verification.report(*saved_embedding)
    report = json.load(open("out.json"))
    assert report.pop("embedding") == "mine.npz"
    assert report == json.loads(json.dumps(expected))
    low, high = expected["intervals"]["eer"]
    assert re.search(rf"equal error rate +{expected['eer']:.2%} +{low:.2%} to {high:.2%}", output)
    assert re.search(
        r"TAR at a FAR of 0.01% +not measured: .* needs at least 10,000 impostor pairs", output
    )
    assert f"{expected['ten_fold']['accuracy']:.2%}" in output and "found at rank 5" in output


def test_an_embedding_can_be_scored_by_distance(saved_embedding, capsys):
    assert main(["verify", "mine.npz", "--similarity", "distance"]) == 0
    assert (
        f"{verification.report(*saved_embedding, metric='distance')['eer']:.2%}"
        in capsys.readouterr().out
    )


def test_names_as_labels_are_as_good_as_numbers(saved_embedding, capsys):
    x, labels = saved_embedding
    np.savez("named.npz", x=x, labels=np.array([f"person {j:02}" for j in labels]))
    for name in ("mine.npz", "named.npz"):
        assert main(["verify", name]) == 0
    with_numbers, with_names = capsys.readouterr().out.split("24 identities")[1:]
    assert with_numbers.splitlines()[1:7] == with_names.splitlines()[1:7]


def test_a_module_is_scored_on_a_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images", ("a", "b", "c"))
    (tmp_path / "mynet.py").write_text(
        "from lossbook import backbones\ndef load():\n    return backbones.LeNetPP.small(8)\n"
    )
    arguments = ["verify", "mynet:load", "--images", "images", "--json", "o.json"]
    run = subprocess.run(
        [sys.executable, "-m", "lossbook", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lossbook.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    assert "15 images of 3 identities: 30 genuine and 75 impostor pairs" in run.stdout
    assert json.load(open("o.json"))["eer"] is not None


def test_lfw_is_judged_by_its_own_pairs(monkeypatch, capsys):
    pairs = Pairs(np.array([0, 0, 2, 2]), np.array([1, 2, 3, 4]), np.array([1, 0, 1, 0], bool))
    faces = lfw.FacePairs(
        torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0)),
        np.array([0, 0, 1, 1, 2]),
        pairs,
        np.array([0, 0, 1, 1]),
    )
    monkeypatch.setattr(lfw, "lfw_pairs", lambda folder, size: faces)
    monkeypatch.setitem(sys.modules, "facenet", type(sys)("facenet"))
    sys.modules["facenet"].load = lambda: backbones.LeNetPP.small(4)
    assert main(["verify", "facenet:load", "--lfw", "faces"]) == 0
    assert "2 genuine and 2 impostor pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none.npz"], "no file at none.npz"),
        (["text.npz"], "text.npz is not an NPZ file"),
        (
            ["half.npz"],
            "half.npz holds the arrays x: expected x, one embedding per row",
        ),
        (["short.npz"], "labels (3,)"),
        (["mine.npz", "--images", "images"], "name a function that returns a torch module"),
        (["json:nothing", "--images", "images"], "cannot be called"),
        (["builtins:dict", "--images", "images"], "returned dict, expected a torch.nn.Module"),
        (["builtins:dict", "--images", "images", "--lfw", "."], "choose one"),
        (["builtins:dict", "--images", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_bad_input_is_a_message(saved_embedding, arguments, message, tmp_path, capsys):
    write_images(tmp_path / "images", ("a", "b"))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez("half.npz", x=saved_embedding[0])
    np.savez("short.npz", x=saved_embedding[0], labels=saved_embedding[1][:3])
    assert main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_one_identity_is_a_message(saved_embedding, capsys):
    np.savez("one.npz", x=saved_embedding[0], labels=np.zeros(len(saved_embedding[0]), int))
    assert main(["verify", "one.npz"]) == 2
    assert "there is no impostor pair" in capsys.readouterr().err

"""The commands train, evaluate and animate as a newcomer meets them."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossbook import backbones, data, training
from lossbook.cli.main import main
from lossbook.cli.options import BACKBONES, backbone_named
from tests.helpers.toys import tiny_backbone, toy_dataset


@pytest.fixture
def toy_options(monkeypatch, tmp_path):
    """Commands run in an empty folder, on toy data and a tiny backbone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "load", lambda name: toy_dataset())
    monkeypatch.setattr(backbones, "ConvNet", lambda embedding_dim: tiny_backbone())
    return ["--backbone", "ConvNet", "--epochs", "3"]


def test_train_evaluate_animate(toy_options, capsys, tmp_path):
    assert main(["train", "ArcFace_v3", *toy_options]) == 0
    output = capsys.readouterr().out
    run = training.Run.load("runs/ArcFace_v3-seed0/run.npz")
    assert f"test accuracy {run.history.test_acc.iloc[-1]:.2%}" in output
    assert "ArcFace(scale=4, margin=0.3)" in output

    assert main(["evaluate", "ArcFace_v3"]) == 0
    output = capsys.readouterr().out
    assert f"{run.history.test_acc.iloc[-1]:.2%}" in output and "by angle alone" in output

    assert main(["animate", "ArcFace_v3", "--view", "circle"]) == 0
    folder = tmp_path / "runs" / "ArcFace_v3-seed0"
    for split in ("train", "test"):
        assert Image.open(folder / f"{split}.gif").n_frames > 3
        assert np.asarray(Image.open(folder / f"{split}.png")).std() > 0


@pytest.mark.parametrize("arguments", [[], ["--seed", "3", "--out", "my folder; rm 'it'"]])
def test_the_suggested_command_runs_as_printed(arguments, toy_options, capsys):
    assert main(["train", "softmax", *toy_options, *arguments]) == 0
    suggestion = capsys.readouterr().out.splitlines()[-1].partition("next: ")[2]
    program, *suggested = shlex.split(suggestion)
    assert program == "lossbook" and suggested[:2] == ["animate", "softmax"]
    assert main(suggested) == 0
    folder = arguments[-1] if arguments else "runs/softmax-seed0"
    assert Path(folder, "test.gif").exists()


def test_the_same_command_again_resumes_where_it_was(toy_options, capsys):
    for _ in range(2):
        assert main(["train", "softmax", *toy_options, "--seed", "3", "--out", "here"]) == 0
    first, second = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("softmax")
    ]
    assert first == second  # the seconds too: nothing was trained again


def test_a_wrong_name_is_answered_by_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "arcface"])
    assert stop.value.code == 2
    assert "did you mean ArcFace_v" in capsys.readouterr().err


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_its_name(name):
    assert backbone_named(name)(2)(toy_dataset().test.images[:2]).shape == (2, 2)


@pytest.mark.parametrize("command", ["evaluate", "animate"])
def test_nothing_trained_yet(command, toy_options, capsys):
    assert main([command, "softmax", "--out", "my run"]) == 2
    error = capsys.readouterr().err
    assert "no finished training in my run: run lossbook train softmax --out 'my run'" in error


def test_a_bad_recipe_is_a_message_not_a_traceback(toy_options, capsys):
    assert main(["train", "softmax", "--backbone", "ConvNet", "--epochs", "-1"]) == 2
    assert "epochs = -1" in capsys.readouterr().err
    assert main(["train", "softmax", *toy_options, "--device", "gpu"]) == 2
    assert "device = 'gpu': expected 'cpu'" in capsys.readouterr().err


def test_weights_of_another_training_are_not_scored(toy_options, capsys, monkeypatch):
    """A finished run's folder in which a longer training was begun and stopped after an epoch."""
    assert main(["train", "softmax", *toy_options]) == 0
    run = training.Run.load("runs/softmax-seed0/run.npz")
    checkpoint = Path("runs/softmax-seed0/checkpoint")
    checkpoint.unlink()
    fit = training.fit

    def stop(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        training, "fit", lambda *args, **options: fit(*args, **options, on_epoch=stop)
    )
    assert main(["train", "softmax", "--backbone", "ConvNet", "--epochs", "9"]) == 130
    assert "the same command resumes" in capsys.readouterr().err
    assert checkpoint.exists()
    assert main(["evaluate", "softmax"]) == 2
    assert "is not the end of the training in" in capsys.readouterr().err
    run.config.pop("made_by")
    run.save("runs/softmax-seed0/run.npz")
    assert main(["evaluate", "softmax"]) == 2
    assert "was not written by lossbook train" in capsys.readouterr().err

"""The command line as a newcomer meets it: help, training, scoring, pictures, wrong names."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossbook import heads, training
from lossbook.cli import main as cli
from lossbook.cli.options import BACKBONES
from lossbook.data import mnist
from lossbook.training import loop
from tests.training.test_loop import tiny, toy


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Commands run in an empty folder, on toy data and a tiny backbone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "load", lambda name: toy())
    monkeypatch.setitem(BACKBONES, "ConvNet", lambda embedding_dim: tiny())
    return ["--backbone", "ConvNet", "--epochs", "3"]


def test_train_evaluate_animate(small, capsys, tmp_path):
    assert cli.main(["train", "ArcFace_v3", *small]) == 0
    said = capsys.readouterr().out
    run = training.Run.load("runs/ArcFace_v3-seed0/run.npz")
    assert (
        f"test accuracy {run.history.test_acc.iloc[-1]:.2%}" in said
        and "ArcFace(scale=4, margin=0.3)" in said
    )

    assert cli.main(["evaluate", "ArcFace_v3"]) == 0
    said = capsys.readouterr().out
    assert f"{run.history.test_acc.iloc[-1]:.2%}" in said and "by angle alone" in said

    assert cli.main(["animate", "ArcFace_v3", "--view", "circle"]) == 0
    folder = tmp_path / "runs" / "ArcFace_v3-seed0"
    for split in ("train", "test"):
        assert Image.open(folder / f"{split}.gif").n_frames > 3
        assert np.asarray(Image.open(folder / f"{split}.png")).std() > 0


def test_the_same_command_again_goes_on_where_it_was(small, capsys):
    for _ in range(2):
        assert cli.main(["train", "softmax", *small, "--seed", "3", "--out", "here"]) == 0
    first, second = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("softmax")
    ]
    assert first == second  # the seconds too: nothing was trained again


def test_a_wrong_name_is_answered_by_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "arcface"])
    assert stop.value.code == 2
    assert "did you mean ArcFace_v" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, says",
    [
        (
            ["evaluate", "softmax"],
            "no finished training in runs/softmax-seed0: run python -m lossbook train softmax",
        ),
        (["animate", "softmax"], "no finished training"),
    ],
)
def test_nothing_trained_yet(arguments, says, small, capsys):
    assert cli.main(arguments) == 2
    assert says in capsys.readouterr().err


def test_bad_recipe_is_a_message_not_a_traceback(small, capsys):
    assert cli.main(["train", "softmax", "--backbone", "ConvNet", "--epochs", "-1"]) == 2
    assert "epochs = -1" in capsys.readouterr().err
    assert cli.main(["train", "softmax", *small, "--device", "gpu"]) == 2
    assert "device = 'gpu': expected 'cpu'" in capsys.readouterr().err


def test_weights_of_another_training_are_not_scored(small, capsys, monkeypatch):
    """The folder's run is finished; then a longer one is begun in it, and stopped after its first epoch."""
    assert cli.main(["train", "softmax", *small]) == 0
    run = training.Run.load("runs/softmax-seed0/run.npz")
    (checkpoint := Path("runs/softmax-seed0/checkpoint")).unlink()
    fit = training.fit
    monkeypatch.setattr(loop, "fit", lambda *args, **options: fit(*args, **options, on_epoch=stop))

    def stop(run):
        raise KeyboardInterrupt

    assert (
        cli.main(["train", "softmax", "--backbone", "ConvNet", "--epochs", "9"]) == 130
        and checkpoint.exists()
    )
    assert cli.main(["evaluate", "softmax"]) == 2
    assert "is not the end of the training in" in capsys.readouterr().err
    run.config.pop("made_by")
    run.save("runs/softmax-seed0/run.npz")
    assert cli.main(["evaluate", "softmax"]) == 2
    assert "was not written by python -m lossbook train" in capsys.readouterr().err


def test_a_console_without_the_signs_gets_question_marks():
    said = subprocess.run(
        [sys.executable, "-m", "lossbook", "bounds", "--classes", "3"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    ).stdout.decode("cp1252")
    assert "?1/(C ? 1) = -0.50" in said


def test_help_lists_the_losses_and_first_steps():
    said = subprocess.run(
        [sys.executable, "-m", "lossbook", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in heads.PRESETS:
        assert name in said
    assert "python -m lossbook train ArcFace_v1" in said
    for command in ("train", "evaluate", "animate"):
        said = subprocess.run(
            [sys.executable, "-m", "lossbook", command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "--seed" in said and "NAME" in said

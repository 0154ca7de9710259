"""Checkpoints: a resumed training equals an uninterrupted one, and wrong files are refused."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from lossbook import backbones, heads, training
from tests.helpers.toys import RECIPE, assert_same_run, tiny_backbone, toy_dataset, train

ROOT = Path(__file__).parents[2]


class Interrupting(heads.ArcFace):
    """Presses Ctrl-C in the middle of the second epoch."""

    def loss(self, x, labels):
        if 0.45 < self.at < 0.55:
            raise KeyboardInterrupt
        return super().loss(x, labels)

    def set_progress(self, progress):
        self.at = progress


def test_ctrl_c_then_resumed_equals_uninterrupted(tmp_path):
    path = tmp_path / "run.checkpoint"
    make = {"embedding_dim": 2, "num_classes": 4, "scale": 8, "margin": 0.2}
    with pytest.raises(KeyboardInterrupt):
        training.fit(
            tiny_backbone(), Interrupting(**make), toy_dataset(), **RECIPE, checkpoint=path
        )

    class Calm(Interrupting):
        loss = heads.ArcFace.loss

    Calm.__name__ = "Interrupting"
    resumed = training.fit(tiny_backbone(), Calm(**make), toy_dataset(), **RECIPE, checkpoint=path)
    whole = training.fit(tiny_backbone(), Calm(**make), toy_dataset(), **RECIPE)
    assert_same_run(resumed, whole)


def test_killed_then_resumed_equals_uninterrupted(tmp_path):
    """A real kill -9, once the checkpoint has reached an epoch."""
    path = tmp_path / "run.checkpoint"
    script = textwrap.dedent(f"""
        import sys, time; sys.path.insert(0, {str(ROOT)!r})
        import torch; torch.set_num_threads({torch.get_num_threads()})
        from lossbook import heads; from tests.helpers.toys import train
        class ArcFace(heads.ArcFace):
            def set_progress(self, progress):
                time.sleep(0.05)                              # slow enough to be killed half-way
        train(epochs=12, head=ArcFace(2, 4, scale=8, margin=0.2), checkpoint={str(path)!r})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    while not path.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = len(torch.load(path, weights_only=True)["snapshots"])
    assert 1 <= reached < 12
    assert_same_run(train(epochs=12, checkpoint=path), train(epochs=12))


def test_a_finished_checkpoint_gives_the_run_again(tmp_path):
    first = train(checkpoint=tmp_path / "c")
    assert_same_run(first, train(checkpoint=tmp_path / "c"))


@pytest.mark.parametrize(
    "change, key",
    [
        ({"seed": 5}, "seed"),
        ({"head": heads.ArcFace(2, 4, scale=8, margin=0.2, easy_margin=True)}, "loss"),
        ({"dataset": toy_dataset(seed=9)}, "data_sha256.train"),
        ({"backbone": backbones.LeNetPP.small(2)}, "weights"),
        ({"epochs": 4}, "recipe.epochs"),
        ({"learning_rate": 1e-3}, "recipe.learning_rate"),
    ],
)
def test_another_trainings_checkpoint_is_refused(tmp_path, change, key):
    train(checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match=f"belongs to another training: its {key}"):
        train(checkpoint=tmp_path / "c", **change)


def test_another_heads_settings_are_refused(tmp_path):
    train(head=heads.SphereFace(2, 4), checkpoint=tmp_path / "c", epochs=1)
    with pytest.raises(ValueError, match="its head.anneal_until is 0.6, this one's is 0.3"):
        train(head=heads.SphereFace(2, 4, anneal_until=0.3), checkpoint=tmp_path / "c", epochs=1)


def test_a_checkpoint_without_room_leaves_the_former_one(tmp_path, monkeypatch):
    train(checkpoint=tmp_path / "c", epochs=2, on_epoch=lambda run: True)
    before = (tmp_path / "c").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="could not save .*c .*the former file is unchanged"):
        train(checkpoint=tmp_path / "c", epochs=2)
    assert (tmp_path / "c").read_bytes() == before


def test_a_damaged_checkpoint_is_refused(tmp_path):
    train(checkpoint=tmp_path / "c")
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        train(checkpoint=tmp_path / "c")

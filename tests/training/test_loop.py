"""The training loop: what it records, that it repeats itself, resumes, and stops loudly."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lossbook import backbones, data, heads, profiles, training
from lossbook.training import loop
from lossbook.training.devices import pick_device

RECIPE = {"epochs": 3, "batch_size": 32, "learning_rate": 3e-3, "progress": False}

ROOT = Path(__file__).parents[2]


def toy(n=160, classes=4, seed=0):
    """Small images whose class is where the bright square is: learnable in a few steps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    images = 0.2 * torch.rand(n, 1, 28, 28, generator=generator)
    for i, y in enumerate(labels.tolist()):
        images[
            i, 0, 4 + 12 * (y // 2) : 12 + 12 * (y // 2), 4 + 12 * (y % 2) : 12 + 12 * (y % 2)
        ] += 0.8
    names = tuple("abcd"[:classes])
    cut = n * 3 // 4
    return data.Dataset(
        "toy",
        data.Split(images[:cut], labels[:cut], names),
        data.Split(images[cut:], labels[cut:], names),
    )


def tiny():
    return backbones.LeNetPP(2, widths=(4, 4, 8), kernel_size=3, batch_norm=True)


def train(head=None, backbone=None, dataset=None, **options):
    return training.fit(
        backbone or tiny(),
        head or heads.ArcFace(2, 4, scale=8, margin=0.2),
        dataset or toy(),
        **{**RECIPE, **options},
    )


def same(one, two):
    columns = ["epoch", "train_loss", "train_acc", "test_acc"]
    pd.testing.assert_frame_equal(one.history[columns], two.history[columns], check_exact=True)
    assert len(one.snapshots) == len(two.snapshots)
    for a, b in zip(one.snapshots, two.snapshots):
        for key, value in vars(a).items():
            assert np.array_equal(value, vars(b)[key]), key


def test_it_learns_and_records():
    run = train(epochs=8)
    assert list(run.history.columns) == ["epoch", "train_loss", "train_acc", "test_acc", "seconds"]
    assert run.history.epoch.tolist() == list(range(1, 9))
    assert run.history.test_acc.iloc[-1] > 0.9
    assert run.history.train_loss.iloc[-1] < run.history.train_loss.iloc[0]
    assert run.history[["train_acc", "test_acc"]].to_numpy().max() <= 1
    assert run.name == "ArcFace(scale=8, margin=0.2)"
    assert run.config["recipe"]["epochs"] == 8 and run.config["device"] == "cpu"
    last = run.snapshots[-1]
    assert [s.epoch for s in run.snapshots] == list(range(1, 9))
    assert (
        last.train.shape == (120, 2) and last.test.shape == (40, 2) and last.weight.shape == (4, 2)
    )
    assert (last.test_pred == run.test_labels).mean() == pytest.approx(
        run.history.test_acc.iloc[-1]
    )


def test_the_snapshot_is_what_the_trained_modules_say():
    dataset, backbone, head = toy(), tiny(), heads.CosFace(2, 4, scale=8, margin=0.1)
    run = training.fit(backbone, head, dataset, **RECIPE)
    x = training.embed(backbone, dataset.test.images)
    np.testing.assert_array_equal(run.snapshots[-1].test, x.numpy())
    np.testing.assert_array_equal(run.snapshots[-1].test_pred, head(x).argmax(dim=1).numpy())
    np.testing.assert_array_equal(run.snapshots[-1].weight, head.weight.detach().numpy())
    assert not backbone.training and not head.training


def test_embed_leaves_every_module_in_its_mode():
    backbone = tiny()
    backbone.train()
    backbone[1].eval()  # a batch norm that its owner froze
    before = [module.training for module in backbone.modules()]
    training.embed(backbone, toy().test.images)
    with pytest.raises(RuntimeError):
        training.embed(backbone, torch.zeros(3, 5, 28, 28))
    assert [module.training for module in backbone.modules()] == before


def dropping():
    *layers, last = tiny()
    return nn.Sequential(*layers, nn.Dropout(0.5), last)


def test_dropout_follows_the_seed_and_goes_on_where_it_was(tmp_path):
    backbone, head, state = (
        dropping(),
        heads.ArcFace(2, 4, scale=8, margin=0.2),
        torch.get_rng_state(),
    )
    whole = train(head, backbone)
    assert torch.equal(torch.get_rng_state(), state)
    same(whole, train(backbone=dropping()))
    train(backbone=dropping(), checkpoint=tmp_path / "c", on_epoch=lambda run: True)
    same(whole, train(backbone=dropping(), checkpoint=tmp_path / "c"))


def test_on_epoch_sees_the_run_grow_and_may_end_it():
    seen, whole = [], train()

    def enough(run):
        seen.append(len(run.snapshots))
        return len(run.snapshots) == 2

    run = train(on_epoch=enough)
    assert seen == [1, 2] and run.history.epoch.tolist() == [1, 2]
    assert np.array_equal(
        run.snapshots[-1].test, whole.snapshots[1].test
    )  # up to there, the same training
    assert len(train(on_epoch=seen.append).snapshots) == 3


def test_snapshots_take_each_class_in_its_share():
    run = train(snapshot_size=40)
    assert len(run.train_labels) == 40 and len(run.test_labels) == 40
    assert np.bincount(run.train_labels).tolist() == [10, 10, 10, 10]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_same_seed_same_run_other_seed_other_run(optimizer):
    same(train(optimizer=optimizer), train(optimizer=optimizer))
    other = train(optimizer=optimizer, seed=1)
    assert not np.array_equal(
        other.snapshots[-1].test, train(optimizer=optimizer).snapshots[-1].test
    )


def test_the_global_generator_is_left_alone_and_does_not_matter():
    torch.manual_seed(7)
    first = train()
    after = torch.rand(3)
    torch.manual_seed(7)
    train_free = [tiny(), heads.ArcFace(2, 4, scale=8, margin=0.2)]
    assert torch.equal(torch.rand(3), after)  # only building the modules drew from it
    torch.manual_seed(1234)
    same(first, train(backbone=train_free[0], head=train_free[1]))


def test_warm_start_goes_on_from_the_weights_given():
    backbone, head = tiny(), heads.ArcFace(2, 4, scale=8, margin=0.2)
    train(backbone=backbone, head=head, epochs=10)
    warm = train(backbone=backbone, head=head, warm_start=True, epochs=1, learning_rate=1e-6)
    assert warm.history.test_acc.iloc[0] > 0.8
    cold = train(backbone=backbone, head=head, epochs=1, learning_rate=1e-6)
    assert cold.history.test_acc.iloc[0] < 0.8


def test_head_and_backbone_both_train_and_the_head_hears_the_progress():
    heard = []

    class Listening(heads.SphereFace):
        def set_progress(self, progress):
            heard.append(progress)
            super().set_progress(progress)

    backbone, head = tiny(), Listening(2, 4, margin=3)
    loop._draw_weights(backbone, 0), loop._draw_weights(head, 1)
    before = [p.clone() for p in (*backbone.parameters(), *head.parameters())]
    train(backbone=backbone, head=head)
    assert heard[0] == 0 and heard[-1] == 1 and heard == sorted(heard) and head.lam == 0
    after = [*backbone.parameters(), *head.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after))


@pytest.mark.filterwarnings(
    "error"
)  # float16's first step may overflow: it is skipped without a remark
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains(precision):
    run = train(epochs=12, precision=precision)
    assert run.config["precision"] == precision
    assert run.history.test_acc.iloc[-1] > 0.8


def test_shift_moves_without_wrapping():
    images = torch.zeros(2, 1, 6, 6)
    images[:, 0, 0, 0] = 1
    seen = set()
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        moved = training.shifted(images, 2, generator)
        assert moved.shape == images.shape and torch.equal(moved[0], moved[1])
        seen.add(tuple(moved[0, 0].nonzero().flatten().tolist()))
    assert seen == {()} | {(i, j) for i in range(3) for j in range(3)}
    assert training.shifted(images, 0, generator) is images


# --- interrupted ----------------------------------------------------------------------------------


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
        training.fit(tiny(), Interrupting(**make), toy(), **RECIPE, checkpoint=path)

    class Calm(Interrupting):
        loss = heads.ArcFace.loss

    Calm.__name__ = "Interrupting"
    resumed = training.fit(tiny(), Calm(**make), toy(), **RECIPE, checkpoint=path)
    whole = training.fit(tiny(), Calm(**make), toy(), **RECIPE)
    same(resumed, whole)


def test_killed_then_resumed_equals_uninterrupted(tmp_path):
    """A real kill -9, once the checkpoint has reached an epoch."""
    path = tmp_path / "run.checkpoint"
    script = textwrap.dedent(f"""
        import sys, time; sys.path.insert(0, {str(ROOT)!r})
        import torch; torch.set_num_threads({torch.get_num_threads()})
        from tests.training.test_loop import train, heads
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
    same(train(epochs=12, checkpoint=path), train(epochs=12))


def test_a_finished_checkpoint_gives_the_run_again(tmp_path):
    first = train(checkpoint=tmp_path / "c")
    same(first, train(checkpoint=tmp_path / "c"))


@pytest.mark.parametrize(
    "change, key",
    [
        ({"seed": 5}, "seed"),
        ({"head": heads.ArcFace(2, 4, scale=8, margin=0.2, easy_margin=True)}, "loss"),
        ({"dataset": toy(seed=9)}, "data_sha256.train"),
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


# --- stops loudly ---------------------------------------------------------------------------------


class Naive(heads.ArcFace):
    """ArcFace as it is often copied: arccos of a cosine that reaches 1."""

    def forward(self, x, labels=None):
        cos = nn.functional.linear(
            nn.functional.normalize(x), nn.functional.normalize(self.weight)
        ).clamp(-1, 1)
        if labels is None:
            return self.scale * cos
        turned = torch.cos(torch.arccos(cos) + self.margin)
        return self.scale * torch.where(
            nn.functional.one_hot(labels, self.num_classes).bool(), turned, cos
        )


class OnTheVector(nn.Module):
    """Embeddings that lie exactly on class vector 0."""

    def __init__(self):
        super().__init__()
        self.length = nn.Linear(1, 2)

    def forward(self, images):
        return (
            (self.length.weight.sum() ** 2 + 1)
            * torch.ones(len(images), 1)
            * torch.tensor([[1.0, 0.0]])
        )


class Aligned(Naive):
    def reset_parameters(self):
        with torch.no_grad():
            self.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))


def test_a_gradient_that_is_not_finite_stops_the_run_and_names_the_cause():
    with pytest.raises(
        training.TrainingDiverged, match=r"epoch 1, step 1 of 4.*gradient is not finite.*arccos"
    ):
        train(backbone=OnTheVector(), head=Aligned(2, 4, scale=8, margin=0.2))


def test_in_float16_too_once_a_smaller_scale_does_not_help():
    with pytest.raises(
        training.TrainingDiverged, match=r"epoch 5, step 1 of 4.*gradient is not finite.*arccos"
    ):
        train(
            backbone=OnTheVector(),
            head=Aligned(2, 4, scale=8, margin=0.2),
            precision="float16",
            epochs=20,
        )


def test_a_loss_that_is_not_finite_stops_the_run():
    class ByHand(heads.NormSoftmax):
        def loss(self, x, labels):
            powers = torch.exp(200 * self(x))  # exp by hand: overflows
            return -torch.log(powers[torch.arange(len(x)), labels] / powers.sum(dim=1)).mean()

    with pytest.raises(
        training.TrainingDiverged,
        match=r"epoch 1, step 1 of 4: the loss is (nan|inf).*the head made it",
    ):
        train(head=ByHand(2, 4, scale=8))


def test_an_embedding_that_is_not_finite_stops_the_run():
    class Broken(nn.Linear):
        def forward(self, images):
            return super().forward(images.flatten(1)) * math.nan

    with pytest.raises(
        training.TrainingDiverged, match="epoch 1, step 1 of 4: embedding 0 of 32 holds nan"
    ):
        train(backbone=Broken(784, 2))


def test_weights_that_cannot_be_drawn_are_named():
    class Raw(nn.Module):
        def __init__(self):
            super().__init__()
            self.free = nn.Parameter(torch.ones(784, 2))

        def forward(self, images):
            return images.flatten(1) @ self.free

    with pytest.raises(ValueError, match="Raw has no reset_parameters.*warm_start=True"):
        train(backbone=Raw())
    assert len(train(backbone=Raw(), warm_start=True, epochs=1).history) == 1


@pytest.mark.parametrize(
    "bad, says",
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"learning_rate": 0}, "learning_rate = 0"),
        ({"learning_rate": math.nan}, "learning_rate = nan"),
        ({"optimizer": "adam"}, "'adamw' or 'sgd'"),
        ({"precision": "half"}, "precision = 'half'"),
        ({"max_shift": -1}, "max_shift = -1"),
        ({"epochs": True}, "epochs = True"),
        ({"clip_norm": math.inf}, "clip_norm = inf"),
        ({"weight_decay": -1}, "weight_decay = -1"),
        ({"learning_rate": "3"}, "learning_rate = '3'"),
        ({"snapshot_size": 0}, "snapshot_size = 0"),
        ({"device": "gpu"}, "device = 'gpu'"),
        pytest.param(
            {"device": "cuda"},
            "device = 'cuda'",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
    ],
)
def test_bad_recipe(bad, says):
    with pytest.raises(ValueError, match=says):
        train(**bad)


def test_numpys_whole_numbers_are_whole_and_no_clip_is_no_clip():
    same(train(epochs=np.int64(1), clip_norm=1e9), train(epochs=1, clip_norm=None))


def test_unknown_option():
    with pytest.raises(TypeError, match="momentum"):
        train(momentum=0.9)


# --- the Run on disk ------------------------------------------------------------------------------


def test_a_run_survives_saving_and_loading(tmp_path):
    run = train()
    run.save(tmp_path / "a.npz")
    back = training.Run.load(tmp_path / "a.npz")
    same(run, back)
    pd.testing.assert_frame_equal(run.history, back.history, check_exact=True)
    assert (back.name, back.classes, back.config) == (run.name, run.classes, run.config)
    assert (
        np.array_equal(back.train_labels, run.train_labels) and back.test_labels.dtype == np.int64
    )
    np.load(tmp_path / "a.npz", allow_pickle=False)["about"]  # no pickle inside


def rewrite(path, change):
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    about = json.loads(str(arrays["about"]))
    change(about)
    np.savez_compressed(path, **{**arrays, "about": json.dumps(about)})


def test_another_version_of_the_format_is_refused(tmp_path):
    train().save(tmp_path / "a.npz")
    rewrite(tmp_path / "a.npz", lambda about: about.update(format=99))
    with pytest.raises(training.RunFileError, match="format 99, this lossbook reads format 1"):
        training.Run.load(tmp_path / "a.npz")


@pytest.mark.parametrize("harm", ["truncate", "text", "foreign", "snapshots", "epochs"])
def test_files_that_are_no_run_are_refused(tmp_path, harm):
    path = tmp_path / "a.npz"
    train().save(path)
    if harm == "truncate":
        path.write_bytes(path.read_bytes()[:-200])
    elif harm == "text":
        path.write_text("hello")
    elif harm == "snapshots":
        with np.load(path) as stored:
            np.savez(path, **{key: stored[key] for key in stored.files if key != "snapshot_weight"})
    elif harm == "epochs":
        rewrite(
            path, lambda about: about.update(history={"epoch": [*about["history"]["epoch"], 9]})
        )
    else:
        np.savez(path, x=np.arange(3))
    with pytest.raises(training.RunFileError, match="not a saved Run or is damaged"):
        training.Run.load(path)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="no run at nowhere.npz"):
        training.Run.load("nowhere.npz")


def test_no_space_left_keeps_the_former_file(tmp_path):
    """The kernel refuses the write (a file size limit, in a child process): the old run is still whole."""
    path = tmp_path / "a.npz"
    run = train()
    run.save(path)
    script = textwrap.dedent(f"""
        import resource, signal
        from lossbook import training
        run = training.Run.load({str(path)!r})
        run.name = "changed"
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            run.save({str(path)!r})
        except OSError as error:
            print(error.errno, error)
    """)
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert (
        said.startswith(str(errno.EFBIG))
        and "could not save" in said
        and "former file is unchanged" in said
    )
    assert training.Run.load(path).name == run.name
    assert os.listdir(tmp_path) == ["a.npz"]


# --- profiles and devices -------------------------------------------------------------------------


def test_profiles(monkeypatch):
    monkeypatch.delenv("LOSSBOOK_PROFILE", raising=False)
    assert profiles.current().dataset == "mnist5k"
    monkeypatch.setenv("LOSSBOOK_PROFILE", "full")
    assert (
        profiles.current().dataset == "mnist" and profiles.current().backbone is backbones.LeNetPP
    )
    monkeypatch.setenv("LOSSBOOK_PROFILE", "fulll")
    with pytest.raises(ValueError, match="'fulll': expected one of quick, full, fast"):
        profiles.current()
    for profile in profiles.PROFILES.values():
        training.Recipe(**profile.recipe)


def test_the_device_can_be_chosen(monkeypatch):
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == torch.device("mps")

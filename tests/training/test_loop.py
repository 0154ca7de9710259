"""The training loop: what it records, that it repeats itself, and what it refuses."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from lossbook import heads, training
from lossbook.training import loop
from lossbook.training.weights import initialize_weights
from tests.helpers.toys import RECIPE, assert_same_run, tiny_backbone, toy_dataset, train


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


def test_the_snapshot_is_the_output_of_the_trained_modules():
    dataset, backbone, head = (
        toy_dataset(),
        tiny_backbone(),
        heads.CosFace(2, 4, scale=8, margin=0.1),
    )
    run = training.fit(backbone, head, dataset, **RECIPE)
    x = training.embed(backbone, dataset.test.images)
    np.testing.assert_array_equal(run.snapshots[-1].test, x.numpy())
    np.testing.assert_array_equal(run.snapshots[-1].test_pred, head(x).argmax(dim=1).numpy())
    np.testing.assert_array_equal(run.snapshots[-1].weight, head.weight.detach().numpy())
    assert not backbone.training and not head.training


def test_embed_leaves_every_module_in_its_mode():
    backbone = tiny_backbone()
    backbone.train()
    backbone[1].eval()  # a batch norm that its owner froze
    before = [module.training for module in backbone.modules()]
    training.embed(backbone, toy_dataset().test.images)
    with pytest.raises(RuntimeError):
        training.embed(backbone, torch.zeros(3, 5, 28, 28))
    assert [module.training for module in backbone.modules()] == before


def dropping():
    *layers, last = tiny_backbone()
    return nn.Sequential(*layers, nn.Dropout(0.5), last)


def test_dropout_follows_the_seed_and_resumes_where_it_was(tmp_path):
    backbone, head, state = (
        dropping(),
        heads.ArcFace(2, 4, scale=8, margin=0.2),
        torch.get_rng_state(),
    )
    whole = train(head, backbone)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_run(whole, train(backbone=dropping()))
    train(backbone=dropping(), checkpoint=tmp_path / "c", on_epoch=lambda run: True)
    assert_same_run(whole, train(backbone=dropping(), checkpoint=tmp_path / "c"))


def test_on_epoch_sees_the_run_grow_and_may_end_it():
    seen, whole = [], train()

    def stop_after_two(run):
        seen.append(len(run.snapshots))
        return len(run.snapshots) == 2

    run = train(on_epoch=stop_after_two)
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
    assert_same_run(train(optimizer=optimizer), train(optimizer=optimizer))
    other = train(optimizer=optimizer, seed=1)
    assert not np.array_equal(
        other.snapshots[-1].test, train(optimizer=optimizer).snapshots[-1].test
    )


def test_the_global_generator_is_left_alone_and_does_not_matter():
    torch.manual_seed(7)
    first = train()
    after = torch.rand(3)
    torch.manual_seed(7)
    backbone, head = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2)
    assert torch.equal(torch.rand(3), after)  # only building the modules drew from it
    torch.manual_seed(1234)
    assert_same_run(first, train(backbone=backbone, head=head))


def test_warm_start_continues_from_the_weights_given():
    backbone, head = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2)
    train(backbone=backbone, head=head, epochs=10)
    warm = train(backbone=backbone, head=head, warm_start=True, epochs=1, learning_rate=1e-6)
    assert warm.history.test_acc.iloc[0] > 0.8
    cold = train(backbone=backbone, head=head, epochs=1, learning_rate=1e-6)
    assert cold.history.test_acc.iloc[0] < 0.8


def test_head_and_backbone_both_train_and_the_head_is_told_the_progress():
    progress_seen = []

    class RecordsProgress(heads.SphereFace):
        def set_progress(self, progress):
            progress_seen.append(progress)
            super().set_progress(progress)

    backbone, head = tiny_backbone(), RecordsProgress(2, 4, margin=3)
    initialize_weights(backbone, 0), initialize_weights(head, 1)
    before = [p.clone() for p in (*backbone.parameters(), *head.parameters())]
    train(backbone=backbone, head=head)
    assert (
        progress_seen[0] == 0
        and progress_seen[-1] == 1
        and progress_seen == sorted(progress_seen)
        and head.lam == 0
    )
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
        moved = loop.shift_randomly(images, 2, generator)
        assert moved.shape == images.shape and torch.equal(moved[0], moved[1])
        seen.add(tuple(moved[0, 0].nonzero().flatten().tolist()))
    assert seen == {()} | {(i, j) for i in range(3) for j in range(3)}
    assert loop.shift_randomly(images, 0, generator) is images


@pytest.mark.parametrize("terminal", [True, False])
def test_the_progress_bar_is_for_a_terminal_and_not_for_a_log(terminal, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    train(epochs=1, progress=True)
    assert ("ArcFace" in capsys.readouterr().err) == terminal


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


def test_unknown_option():
    with pytest.raises(TypeError, match="momentum"):
        train(momentum=0.9)

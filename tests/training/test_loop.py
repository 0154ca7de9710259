"""The training loop: what it records, that it repeats itself, and what it refuses."""

import copy
import pickle
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lossbook import backbones, data, heads, training
from lossbook.training import augmentation, loop
from lossbook.training.processes import SingleProcess
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
    with pytest.raises(ValueError, match="takes grey images"):
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
    with pytest.warns(UserWarning, match="backbone, LeNetPP, anew.*trained, loaded"):
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
        moved = augmentation.shift_randomly(images, 2, generator)
        assert moved.shape == images.shape and torch.equal(moved[0], moved[1])
        seen.add(tuple(moved[0, 0].nonzero().flatten().tolist()))
    assert seen == {()} | {(i, j) for i in range(3) for j in range(3)}
    assert augmentation.shift_randomly(images, 0, generator) is images


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
    with pytest.raises(TypeError, match="fit has no argument 'momentum': a recipe has epochs"):
        train(momentum=0.9)
    with pytest.raises(TypeError, match="fit has no argument 'class_weight'.* loss_options="):
        train(class_weight=torch.ones(4))


def test_options_of_the_loss_are_passed_on_and_recorded(tmp_path):
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])

    class Weighted(heads.ArcFace):
        def loss(self, x, labels):
            return F.cross_entropy(self(x, labels), labels, weight, label_smoothing=0.1)

    options = {"weight": weight, "label_smoothing": 0.1}
    run = train(heads.ArcFace(2, 4, scale=8, margin=0.2), loss_options=options)
    written_out = train(Weighted(2, 4, scale=8, margin=0.2))
    np.testing.assert_allclose(run.history.train_loss, written_out.history.train_loss, rtol=1e-4)
    recorded = {"weight": [1.0, 2.0, 3.0, 4.0], "label_smoothing": 0.1}
    run.save(tmp_path / "run.npz")
    assert training.Run.load(tmp_path / "run.npz").config["loss_options"] == recorded
    assert "loss_options" not in written_out.config


def test_sampled_classes_follow_the_seed_and_training_resumes_with_the_same(tmp_path):
    sampled = {"loss_options": {"sample": 0.5}, "batch_size": 2, "epochs": 2}
    whole = train(**sampled)
    assert whole.history.train_loss[0] < train(batch_size=2, epochs=2).history.train_loss[0]
    path = tmp_path / "checkpoint"
    train(**sampled, checkpoint=path, on_epoch=lambda run: True)
    assert_same_run(train(**sampled, checkpoint=path), whole)
    for other in ({}, {"loss_options": {"sample": 0.9}}):
        with pytest.raises(ValueError, match=r"another training: its loss_options.sample is 0\.5"):
            train(**{**sampled, "loss_options": None, **other}, checkpoint=path)


class RecordsOptions(nn.Module):
    """A head as another process group may wrap it: its loss has other options."""

    def __init__(self, head):
        super().__init__()
        self.head, self.weight, self.sampled = head, head.weight, []

    def forward(self, x):
        return self.head(x)

    def loss(self, x, labels, sample=None):
        self.sampled.append(sample)
        return self.head.loss(x, labels)


def test_options_go_to_the_loss_that_the_processes_compute():
    processes = SingleProcess()
    wrapped = []

    def prepare(backbone, head):
        wrapped.append(RecordsOptions(head))
        return backbone, wrapped[0]

    processes.prepare = prepare
    train(process_group=processes, loss_options={"sample": 0.3}, epochs=1)
    assert set(wrapped[0].sampled) == {0.3}
    with pytest.raises(
        TypeError, match=r"'weight', which is no option .* loss\(x, labels, sample\)"
    ):
        train(process_group=processes, loss_options={"weight": torch.ones(4)}, epochs=1)


@pytest.mark.parametrize(
    "head, options, error, message",
    [
        (heads.Center(2, 4), {"sample": 0.5}, TypeError, r"'sample', .* it is loss\(x, labels\)"),
        (None, {"reduction": "sum"}, ValueError, "'reduction': leave it out, .* the mean"),
        (None, {"generator": None}, ValueError, "'generator': leave it out, seed decides"),
        (None, {"label_smoothing": 2.0}, ValueError, "label_smoothing = 2.0: expected"),
    ],
)
def test_options_that_the_loss_does_not_have(head, options, error, message):
    with pytest.raises(error, match=message):
        train(head, loss_options=options)


class EndsInView(nn.Module):
    """A network as in many tutorials: view refuses channels_last activations."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(4)
        )
        self.linear = nn.Linear(4 * 7 * 7, 2)

    def forward(self, images):
        return self.linear(self.convolutions(images).view(len(images), -1))


class Convolves3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv3d(1, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, images):
        return self.linear(self.convolution(images[:, :, None]).amax((2, 3, 4)))


@pytest.mark.parametrize("make", [EndsInView, Convolves3d, tiny_backbone])
def test_the_memory_format_of_the_backbone_stays(make):
    backbone = make()
    strides = [p.stride() for p in backbone.parameters()]
    train(backbone=backbone, epochs=1)
    assert [p.stride() for p in backbone.parameters()] == strides
    assert backbone(toy_dataset().test.images).shape == (40, 2)


def test_channels_last_weights_are_drawn_as_contiguous_ones_are():
    plain = EndsInView()
    strided = EndsInView().to(memory_format=torch.channels_last)
    initialize_weights(plain, 3), initialize_weights(strided, 3)
    for a, b in zip(plain.parameters(), strided.parameters()):
        assert torch.equal(a, b)


def state_of(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def test_a_frozen_backbone_keeps_weights_and_statistics():
    backbone = tiny_backbone().requires_grad_(False)
    before = state_of(backbone)
    run = train(backbone=backbone)
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert run.config["warm_start"] == "backbone"
    with pytest.raises(ValueError, match="0.weight of the backbone is frozen"):
        train(backbone=backbone, warm_start=False)


def test_what_is_frozen_in_a_backbone_stays_and_the_rest_trains():
    backbone = tiny_backbone()
    for layer in list(backbone)[:-1]:
        layer.requires_grad_(False)
    before = state_of(backbone)
    train(backbone=backbone)
    changed = {k for k, value in backbone.state_dict().items() if not torch.equal(value, before[k])}
    last = len(backbone) - 1
    assert changed == {f"{last}.weight", f"{last}.bias"}


def test_loaded_weights_are_not_lost_without_a_warning():
    backbone = tiny_backbone()
    backbone.load_state_dict(tiny_backbone().state_dict())
    with pytest.warns(UserWarning, match="weights of the backbone, LeNetPP, anew"):
        train(backbone=backbone, epochs=1)


def batch_normalized():
    """A trained network whose weights do not tell: batch normalization does, in training mode."""
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 2))
    train(backbone=network, epochs=1)
    return network.train()


@pytest.mark.parametrize("made", ["eval", "batch norm"])
@pytest.mark.parametrize(
    "passed_on", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
def test_a_copy_of_trained_weights_is_not_lost_without_a_warning(made, passed_on):
    network = tiny_backbone()
    train(backbone=network, epochs=1)
    sign = "evaluation mode"
    if made == "batch norm":
        network, sign = batch_normalized(), r"has normalized \d+ batches"
    with pytest.warns(UserWarning, match=f"anew from the seed, although.*{sign}"):
        train(backbone=passed_on(network), epochs=1)


@pytest.mark.parametrize(
    "refused, error",
    [
        ({"loss_options": {"wieght": 1}}, TypeError),
        ({"keep_snapshots": 0}, ValueError),
        ({"snapshot_size": "all"}, ValueError),
        ({"learning_rate": -1}, ValueError),
    ],
)
def test_what_is_refused_costs_no_weights(refused, error):
    backbone, head = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2)
    train(head, backbone, epochs=1)
    before = copy.deepcopy([*backbone.state_dict().values(), *head.state_dict().values()])
    with pytest.raises(error):
        train(head, backbone, **refused)
    after = [*backbone.state_dict().values(), *head.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after))


@pytest.mark.parametrize(
    "network, message",
    [
        (torch.flatten, "the backbone is builtin.* flatten: expected a torch.nn.Module; put its"),
        (lambda images: images, "the backbone is function <lambda>: expected a torch.nn.Module"),
        (nn.Flatten, r"the backbone is a class Flatten: .*; call it, Flatten\("),
        (None, "the backbone is NoneType: expected a torch.nn.Module"),
    ],
)
def test_a_backbone_that_is_no_module_is_refused(network, message):
    with pytest.raises(TypeError, match=message):
        training.fit(network, heads.ArcFace(2, 4), data.load("mnist5k"), progress=False)


@pytest.mark.parametrize("name", [*heads.PRESETS, "SubCenterArcFace", "Center", "Triplet"])
def test_no_weight_of_a_new_head_counts_as_changed(name):
    head = (
        getattr(heads, name)(2, 4) if name not in heads.PRESETS else heads.from_preset(name, 2, 4)
    )
    assert initialize_weights(head, 0) == []
    with torch.no_grad():
        head.weight += 1
    if isinstance(head.weight, torch.nn.Parameter):
        assert "weight" in initialize_weights(head, 0)


@pytest.mark.parametrize(
    "make", [backbones.LeNetPP, backbones.MiniResNet18, backbones.ConvNet, backbones.Dense]
)
def test_no_weight_of_a_new_backbone_counts_as_changed(make):
    assert initialize_weights(make(2), 0) == []


@pytest.mark.filterwarnings("error")
def test_new_modules_and_an_explicit_choice_give_no_warning():
    backbone, head = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2)
    first = train(head, backbone)
    assert_same_run(first, train(head, backbone, warm_start=False))


def test_nothing_to_train_and_wrapped_modules_are_refused():
    head = heads.ArcFace(2, 4, scale=8, margin=0.2).requires_grad_(False)
    with pytest.raises(ValueError, match="there is nothing to train"):
        train(head, tiny_backbone().requires_grad_(False))


@pytest.mark.parametrize("device", ["meta"])
def test_torchs_default_device_does_not_matter(device):
    whole = train(epochs=1)
    backbone, head, dataset = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2), None
    dataset = toy_dataset()
    torch.set_default_device(device)
    try:
        run = train(head, backbone, dataset, epochs=1, device="cpu")
    finally:
        torch.set_default_device(None)
    assert_same_run(whole, run)


@pytest.mark.parametrize("images, batches", [(97, [32, 32, 33]), (98, [32, 32, 32, 2]), (1, [1])])
def test_a_single_image_left_over_joins_the_batch_before(images, batches):
    sizes = []

    class Counts(heads.ArcFace):
        def loss(self, x, labels):
            sizes.append(len(x))
            return super().loss(x, labels)

    full = toy_dataset()
    few = data.Split(full.train.images[:images], full.train.labels[:images], full.classes)
    network = backbones.Dense(2) if images > 1 else tiny_backbone()
    train(Counts(2, 4), network, data.Dataset("few", few, full.test), epochs=1)
    assert sizes == batches


def test_a_training_of_one_step_trains():
    head = heads.ArcFace(2, 4, scale=8, margin=0.2)
    initialize_weights(head, 1)
    before = head.weight.detach().clone()
    train(head, epochs=1, batch_size=1000, warm_start=False)
    assert (head.weight - before).abs().max() > 1e-3


def test_ctrl_c_leaves_both_in_evaluation_mode():
    backbone, head = tiny_backbone(), heads.ArcFace(2, 4, scale=8, margin=0.2)

    class Stops(EndsInView):
        def forward(self, images):
            raise KeyboardInterrupt

    backbone = Stops()
    with pytest.raises(KeyboardInterrupt):
        train(head, backbone)
    assert not any(m.training for module in (backbone, head) for m in module.modules())


def test_bytes_train_as_the_floats_that_they_stand_for():
    full = toy_dataset()
    as_bytes = [
        data.Split((half.images * 255).round().byte(), half.labels, half.classes)
        for half in (full.train, full.test)
    ]
    as_floats = [
        data.Split(half.images.float() / 255, half.labels, half.classes) for half in as_bytes
    ]
    assert_same_run(
        train(dataset=data.Dataset("bytes", *as_bytes)),
        train(dataset=data.Dataset("bytes", *as_floats)),
    )


def test_each_batch_has_per_class_images_of_each_of_its_classes(tmp_path):
    counts = []

    class Counts(heads.ArcFace):
        def loss(self, x, labels):
            counts.append(labels.unique(return_counts=True)[1].tolist())
            return super().loss(x, labels)

    whole = train(Counts(2, 4), per_class=8, batch_size=16)
    assert counts == [[8, 8]] * len(counts) and len(counts) == 3 * (120 // 16)
    assert whole.config["recipe"]["per_class"] == 8
    options = {"per_class": 8, "batch_size": 16, "checkpoint": tmp_path / "c"}
    train(Counts(2, 4), **options, on_epoch=lambda run: True)
    assert_same_run(whole, train(Counts(2, 4), **options))


def test_only_the_last_snapshots_are_kept():
    run = train(epochs=4, keep_snapshots=2)
    assert [s.epoch for s in run.snapshots] == [3, 4] and len(run.history) == 4
    np.testing.assert_array_equal(run.snapshots[-1].test, train(epochs=4).snapshots[-1].test)


def test_large_snapshots_are_kept_of_the_last_epoch_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "SNAPSHOTS_TOTAL", 5_000)
    options = {"checkpoint": tmp_path / "c"}
    whole = train()
    train(**options, on_epoch=lambda run: len(run.history) == 2)
    run = train(**options)
    assert [s.epoch for s in run.snapshots] == [3] and run.history.epoch.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(run.snapshots[-1].test, whole.snapshots[-1].test)
    run.save(tmp_path / "run.npz")
    assert_same_run(run, training.Run.load(tmp_path / "run.npz"))


def grow_margin(head, progress):
    head.margin = 0.3 * progress


def test_a_margin_that_grows_is_recorded_and_resumed(tmp_path):
    whole = train(head_schedule=grow_margin)
    options = {"head_schedule": grow_margin, "checkpoint": tmp_path / "c"}
    train(**options, on_epoch=lambda run: True)
    resumed = train(**options)
    assert_same_run(whole, resumed)
    changes = [
        (change["epoch"], round(change["margin"], 4)) for change in whole.config["head_changes"]
    ]
    assert changes == [(1, round(0.3 * 3 / 11, 4)), (2, round(0.3 * 7 / 11, 4)), (3, 0.3)]
    assert resumed.config["head_changes"] == whole.config["head_changes"]


def test_a_margin_set_between_epochs_survives_resuming(tmp_path):
    head = heads.ArcFace(2, 4, scale=8, margin=0.0)

    def set_margin(run):
        head.margin = 0.1 * len(run.history)
        return len(run.history) == 2

    train(head, checkpoint=tmp_path / "c", on_epoch=set_margin)
    head = heads.ArcFace(2, 4, scale=8, margin=0.0)
    run = train(head, checkpoint=tmp_path / "c")
    assert head.margin == 0.2 and run.config["head"]["margin"] == 0
    assert run.config["head_changes"] == [{"epoch": 2, "margin": 0.1}, {"epoch": 3, "margin": 0.2}]

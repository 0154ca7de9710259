"""Class-parallel training on two and four processes: loss, gradients and run of one process."""

import math
import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbook import data, heads, training
from lossbook.cli import main as cli
from lossbook.heads import euclidean, subcenter
from lossbook.training import class_parallel, devices, processes
from tests.helpers import ranks
from tests.helpers.processes import run_ranks

ROOT = Path(__file__).parents[2]


def torchrun(number, *arguments):
    """The finished ``torchrun`` of a file, or of a module after -m, with ``number`` ranks."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={number}",
        *map(str, arguments),
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )


def task(number, name, folder):
    for exit_code, stderr in run_ranks(number, ranks.main, name, folder):
        assert exit_code == 0, stderr[-3000:]


@pytest.fixture(scope="module", params=[2, 4])
def losses(request, tmp_path_factory):
    """(number of ranks, what they computed: (head, variant) → loss, gradients and state)."""
    folder = tmp_path_factory.mktemp("losses")
    task(request.param, "losses", folder)
    return request.param, torch.load(folder / f"losses-{request.param}.pt")


@pytest.mark.parametrize("targets", ranks.TARGETS)
@pytest.mark.parametrize("name", ranks.HEADS)
def test_loss_gradients_and_logits_are_those_of_one_process(name, targets, losses):
    split = losses[1][name, targets]
    head, (x, labels) = ranks.head_from_name(name), ranks.batch(targets)
    x.requires_grad_()
    loss = head.loss(x, labels)
    loss.backward()
    assert all(rows < ranks.CLASSES for rows in split["rows"]), "each rank holds a part"
    torch.testing.assert_close(split["loss"], loss.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(split["x"], x.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(split["logits"], head(x).detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(split["buffers"], dict(head.named_buffers()))
    assert split["scale"] == pytest.approx(head.scale, rel=1e-6)
    for key, parameter in head.named_parameters():
        torch.testing.assert_close(split[key], parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("correct_sample", [False, True])
@pytest.mark.parametrize("name", ["softmax", "ArcFace", "CurricularFace"])
def test_each_rank_samples_its_own_rivals_and_keeps_its_targets(name, correct_sample, losses):
    number, results = losses
    split = results[name, correct_sample]
    head, (x, labels) = ranks.head_from_name(name), ranks.batch()
    is_kept = split["weight"].any(dim=1)
    positive = torch.zeros(ranks.CLASSES, dtype=torch.bool)
    positive[labels] = True
    assert is_kept[labels].all()
    correction = torch.zeros(ranks.CLASSES)
    classes_per_rank = math.ceil(ranks.CLASSES / number)
    for classes in torch.arange(ranks.CLASSES).split(classes_per_rank):
        positives, kept = int(positive[classes].sum()), int(is_kept[classes].sum())
        assert kept == max(positives, math.ceil(ranks.SHARE * len(classes)))
        if correct_sample and kept > positives:
            rivals = classes[~positive[classes]]
            correction[rivals] = math.log((len(classes) - positives) / (kept - positives))

    x.requires_grad_()
    logits = (head(x, labels) + correction).masked_fill(~is_kept, -math.inf)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    torch.testing.assert_close(split["loss"], loss.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(split["x"], x.grad, rtol=1e-4, atol=1e-6)
    for key, parameter in head.named_parameters():
        torch.testing.assert_close(split[key], parameter.grad, rtol=1e-4, atol=1e-6)


def assert_close(first, second):
    """Two runs, equal to what rounding leaves after a few dozen steps."""
    assert len(first.history) == len(second.history) == 3
    np.testing.assert_allclose(first.history.train_loss, second.history.train_loss, rtol=1e-3)
    for a, b in zip(first.snapshots, second.snapshots):
        np.testing.assert_allclose(a.weight, b.weight, atol=2e-3)
        np.testing.assert_allclose(a.test, b.test, atol=2e-3 * np.abs(a.test).max())


def test_a_run_equals_that_of_one_process_and_resumes_with_another_number_of_them(tmp_path):
    single = ranks.train(3, tmp_path)
    folder = tmp_path / "split"
    folder.mkdir()
    task(2, "1", folder)  # one epoch on two ranks,
    assert len(training.Run.load(folder / "run-2.npz").history) == 1
    task(4, "2", folder)  # a second on four,
    resumed = ranks.train(3, folder)  # and the last on one
    assert_close(single, resumed)


def test_frozen_parts_stay_and_the_rest_trains_as_in_one_process(tmp_path):
    single = ranks.train_frozen()
    task(2, "frozen", tmp_path)
    for rank in range(2):
        split = torch.load(tmp_path / f"frozen-{rank}.pt")
        torch.testing.assert_close(split, single, rtol=1e-3, atol=2e-3)


def test_a_rank_that_dies_ends_the_run_and_the_checkpoint_stays(tmp_path):
    done = torchrun(2, Path(ranks.__file__), "die", tmp_path)
    assert done.returncode != 0
    assert re.search(
        r"exitcode\s*:\s*9\b", done.stderr
    )  # torchrun reports which rank, and how it ended
    assert_close(ranks.train(3, tmp_path), ranks.train(3, tmp_path / "whole"))


def test_more_ranks_than_classes_can_fill_are_refused():
    class Mesh:
        size, get_local_rank = (lambda self: 4), (lambda self: 0)

    with pytest.raises(ValueError, match="5 classes leave one of 4 ranks without any"):
        class_parallel.ClassParallelHead(heads.ArcFace(2, 5), Mesh())


@pytest.mark.parametrize(
    "head",
    [subcenter.SubCenterArcFace(2, 10), euclidean.Center(2, 10)],
    ids=lambda head: type(head).__name__,
)
def test_a_head_with_its_own_logits_or_loss_is_refused(head):
    with pytest.raises(ValueError, match=f"{type(head).__name__} defines its own logits or loss"):
        class_parallel.ClassParallelHead(head, None)


def test_the_other_rank_reports_that_one_was_lost(tmp_path):
    """Without torchrun, which ends the others itself: as on several machines."""
    (waiting, error), (ended, _) = run_ranks(2, ranks.main, "die", tmp_path)
    assert (waiting, ended) == (1, 9)
    assert "RankLost: rank 0 lost another rank" in error
    assert "resumes from the last finished epoch" in error


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_the_others_never_join_names_itself_and_what_to_do(rank, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_PORT": port}
    for name, value in {**settings, "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    waited = rf"rank {rank} could not join the 2 ranks at 127.0.0.1:{port} within 1 s"
    with (
        pytest.raises(processes.RankLost, match=waited) as error,
        class_parallel.join_process_group("cpu", timeout=timedelta(seconds=1)),
    ):
        pass
    assert "Start every rank from 0 to 1" in str(error.value)
    assert not torch.distributed.is_initialized()


def test_float16_cannot_be_scaled_on_ranks():
    assert not class_parallel.ProcessGroup.supports_loss_scaling
    with pytest.raises(
        ValueError, match="precision = 'float16': class-parallel training cannot scale"
    ):
        devices.pick_precision("float16", torch.device("cpu"), supports_loss_scaling=False)


def test_outside_of_torchrun_the_error_names_the_command(monkeypatch):
    for name in ("TORCHELASTIC_RUN_ID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(ValueError, match="torchrun --nproc-per-node=2"),
        class_parallel.join_process_group(),
    ):
        pass


def test_the_command_trains_class_parallel_and_one_process_evaluates_it(
    tmp_path, capsys, monkeypatch
):
    done = torchrun(2, Path(ranks.__file__), "command", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("saved in") == 1, "only the first rank prints"
    run = training.Run.load(tmp_path / "run.npz")
    assert run.config["ranks"] == 2 and run.snapshots[0].weight.shape == (10, 2)
    monkeypatch.setattr(data, "load", lambda name: ranks.dataset())
    assert cli.main(["evaluate", "ArcFace_v1", "--out", str(tmp_path)]) == 0
    assert f"{run.history.test_acc.iloc[-1]:.2%}" in capsys.readouterr().out


def test_the_quick_backbone_is_refused_and_another_is_named(tmp_path):
    for exit_code, stderr in run_ranks(2, ranks.train_the_quick_backbone, tmp_path):
        assert exit_code == 2 and "--backbone LeNetPP" in stderr
    assert not (tmp_path / "run.npz").exists()

"""What each rank does in the class-parallel tests.

Most tests call :func:`main` in processes of their own; two start this file with ``torchrun``, as
``torchrun … tests/helpers/ranks.py TASK FOLDER``.
"""

import os
import runpy
import sys
from pathlib import Path

import torch
from torch import nn

from lossbook import backbones, data, heads, training
from lossbook.cli import main as cli
from lossbook.training import class_parallel

CLASSES = 10
HEADS = {
    "softmax": lambda: heads.Softmax(3, CLASSES),
    "L-softmax": lambda: heads.LSoftmax(3, CLASSES, margin=2),
    "norm-softmax": lambda: heads.NormSoftmax(3, CLASSES, scale=8),
    "SphereFace": lambda: heads.SphereFace(3, CLASSES),
    "CosFace": lambda: heads.CosFace(3, CLASSES, scale=8, margin=0.2),
    "ArcFace": lambda: heads.ArcFace(3, CLASSES, scale=8, margin=0.3),
    "AdaFace": lambda: heads.AdaFace(3, CLASSES, scale=8),
    "MagFace": lambda: heads.MagFace(3, CLASSES, scale=8, low_length=1.0, high_length=3.0),
    "ElasticFace": lambda: heads.ElasticFace(3, CLASSES, scale=8, deviation=0.1),
    "CurricularFace": lambda: heads.CurricularFace(3, CLASSES, scale=8, rate=0.5),
    "MV-softmax": lambda: heads.MVSoftmax(3, CLASSES, scale=8),
    "AdaCos": lambda: heads.AdaCos(3, CLASSES),
}


TARGETS = {"of all ranks": [0, 9, 3, 3, 6, 2, 8], "of the first rank": [0, 1, 1, 0, 0, 1, 0]}
SHARE = 0.66  # of the classes of a rank: 4 of 5, 2 of 3, 1 of 1


def batch(targets="of all ranks"):
    """Embeddings (7, 3) and labels (7,): split unevenly over two and over four ranks."""
    random = torch.Generator().manual_seed(1)
    return torch.randn(7, 3, generator=random), torch.tensor(TARGETS[targets])


def head_from_name(name):
    torch.manual_seed(0)
    return HEADS[name]()


def dataset():
    random = torch.Generator().manual_seed(2)
    labels = torch.arange(92) % CLASSES
    images = (
        torch.rand(92, 1, 28, 28, generator=random)
        + torch.linspace(0, 1, CLASSES)[labels, None, None, None]
    ) / 2
    names = tuple(map(str, range(CLASSES)))
    return data.Dataset(
        "toy",
        data.Split(images[:72], labels[:72], names),
        data.Split(images[72:], labels[72:], names),
    )


def backbone():
    return backbones.LeNetPP(2, widths=(2, 2, 4), kernel_size=3)


def train(epochs, folder, **options):
    """72 images in batches of 16: the last batch holds 8.

    ``on_epoch`` ends the training after ``epochs``, with the schedule of all three.
    """
    return training.fit(
        backbone(),
        heads.ArcFace(2, CLASSES, scale=8, margin=0.2),
        dataset(),
        **{
            "epochs": 3,
            "batch_size": 16,
            "progress": False,
            "on_epoch": lambda run: len(run.history) >= epochs,
            "checkpoint": folder / "checkpoint",
            **options,
        },
    )


def save_losses(process_group, folder):
    """Save the loss, all gradients and this rank's logits of every head, gathered on rank 0."""
    results = {}
    for name in HEADS:
        for targets in TARGETS:
            results[name, targets] = split_loss(process_group, name, targets)
    for name in ("softmax", "ArcFace", "CurricularFace"):
        for correct_sample in (False, True):
            ways = {"sample": SHARE, "correct_sample": correct_sample}
            results[name, correct_sample] = split_loss(process_group, name, "of all ranks", **ways)
    if process_group.rank == 0:
        torch.save(results, folder / f"losses-{process_group.size}.pt")


def split_loss(process_group, name, targets, **ways):
    """The loss of a head and all that it leaves behind, gathered from the ranks."""
    x, labels = batch(targets)
    split = class_parallel.ClassParallelHead(head_from_name(name), process_group.mesh)
    shard = process_group.shard(x).clone().requires_grad_()
    loss = split.loss(shard, process_group.shard(labels), **ways)
    loss.backward()
    of_all_ranks = [None] * process_group.size
    torch.distributed.all_gather_object(of_all_ranks, (shard.grad, split(shard).detach()))
    return {
        "loss": loss.detach(),
        "x": torch.cat([gradient for gradient, _ in of_all_ranks]),
        "logits": torch.cat([logits for _, logits in of_all_ranks]),
        "rows": [parameter.to_local().shape[0] for parameter in split.parameters()],
        "buffers": dict(split.head.named_buffers()),
        "scale": split.head.scale,
        **{
            key: process_group.gather(parameter.grad)
            for key, parameter in split.head.named_parameters()
        },
    }


FROZEN = {"all of the backbone": slice(0, 4), "its batch norm": slice(2, 3), "the head": None}


def train_frozen(process_group=None):
    """For each frozen part, the weights after an epoch of training.

    The ranks begin with different weights, of which those of rank 0 count.
    """
    results = {}
    for part, layers in FROZEN.items():
        torch.manual_seed(0 if process_group is None else process_group.rank)
        batch_norm = nn.Identity() if layers is None else nn.BatchNorm1d(4)
        network = nn.Sequential(nn.Flatten(), nn.Linear(784, 4), batch_norm, nn.Linear(4, 2))
        head = heads.ArcFace(2, CLASSES, scale=8, margin=0.2)
        (head if layers is None else network[layers]).requires_grad_(False)
        training.fit(
            network,
            head,
            dataset(),
            epochs=1,
            batch_size=16,
            warm_start=True,
            progress=False,
            process_group=process_group,
            device="cpu",
        )
        state = {**network.state_dict(), **head.state_dict()}
        results[part] = state if process_group is None else process_group.gather(state)
    return results


def train_until_rank_1_dies(process_group, folder):
    def die(run):
        if process_group.rank == 1:
            os._exit(9)

    train(3, folder, process_group=process_group, on_epoch=die)


def train_by_command(folder):
    """``python -m lossbook train`` on the toy data set."""
    data.load = lambda name: dataset()
    arguments = ["ArcFace_v1", "--epochs", "1", "--backbone", "LeNetPP"]
    sys.argv = ["lossbook", "train", *arguments, "--out", str(folder), "--class-parallel"]
    runpy.run_module("lossbook", run_name="__main__")


def train_the_quick_backbone(folder):
    """The command without ``--backbone``: exits with its status."""
    options = ["--class-parallel", "--epochs", "1", "--out", str(folder)]
    sys.exit(cli.main(["train", "ArcFace_v1", *options]))


def main(task, folder):
    with class_parallel.join_process_group("cpu") as process_group:
        if task == "losses":
            save_losses(process_group, folder)
        elif task == "frozen":
            results = train_frozen(process_group)
            torch.save(results, folder / f"frozen-{process_group.rank}.pt")
        elif task == "die":
            train_until_rank_1_dies(process_group, folder)
        else:
            run = train(int(task), folder, process_group=process_group, device=process_group.device)
            if process_group.rank == 0:
                run.save(folder / f"run-{process_group.size}.npz")


if __name__ == "__main__":
    if sys.argv[1] == "command":
        train_by_command(Path(sys.argv[2]))
    else:
        main(sys.argv[1], Path(sys.argv[2]))

"""What each rank of the class-parallel tests runs: ``torchrun … tests/ranks.py TASK FOLDER``; not a test itself."""

import os
import sys
from pathlib import Path

import torch

from lossbook import backbones, data, heads, training
from lossbook.training import class_parallel

CLASSES = 10
HEADS = {
    "softmax": lambda: heads.Softmax(3, CLASSES),
    "L-softmax": lambda: heads.LSoftmax(3, CLASSES, margin=2),
    "norm-softmax": lambda: heads.NormSoftmax(3, CLASSES, scale=8),
    "SphereFace": lambda: heads.SphereFace(3, CLASSES),
    "CosFace": lambda: heads.CosFace(3, CLASSES, scale=8, margin=0.2),
    "ArcFace": lambda: heads.ArcFace(3, CLASSES, scale=8, margin=0.3),
}


def batch():
    """Embeddings (7, 3) and labels (7,): shared unevenly by two and by four ranks."""
    random = torch.Generator().manual_seed(1)
    return torch.randn(7, 3, generator=random), torch.tensor([0, 9, 3, 3, 6, 2, 8])


def head_named(name):
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
    """72 images in batches of 16: the last batch holds 8. ``on_epoch`` ends it early, with the schedule of all epochs."""
    return training.fit(
        backbone(),
        heads.ArcFace(2, CLASSES, scale=8, margin=0.2),
        dataset(),
        epochs=3,
        batch_size=16,
        progress=False,
        on_epoch=lambda run: len(run.history) >= epochs,
        checkpoint=folder / "checkpoint",
        **options,
    )


def loss_and_gradients(ranks, folder):
    """Of every head: the loss, all gradients, and the logits of this rank's embeddings, saved by the first rank."""
    x, labels = batch()
    found = {}
    for name in HEADS:
        split = class_parallel.ClassParallelHead(head_named(name), ranks.mesh)
        mine = ranks.share(x).clone().requires_grad_()
        with ranks.together():
            loss = split.loss(mine, ranks.share(labels))
            loss.backward()
        gathered = [None] * ranks.size
        torch.distributed.all_gather_object(gathered, (mine.grad, split(mine).detach()))
        found[name] = {
            "loss": loss.detach(),
            "x": torch.cat([one for one, _ in gathered]),
            "logits": torch.cat([one for _, one in gathered]),
            "rows": [parameter.to_local().shape[0] for parameter in split.parameters()],
            **{
                key: ranks.whole(parameter.grad) for key, parameter in split.head.named_parameters()
            },
        }
    if ranks.rank == 0:
        torch.save(found, folder / f"losses-{ranks.size}.pt")


def main(task, folder):
    with class_parallel.join_process_group("cpu") as ranks:
        if task == "losses":
            loss_and_gradients(ranks, folder)
        elif task == "die":

            def fall(run):
                if ranks.rank == 1:
                    os._exit(9)

            training.fit(
                backbone(),
                heads.ArcFace(2, CLASSES, scale=8, margin=0.2),
                dataset(),
                epochs=3,
                batch_size=16,
                progress=False,
                on_epoch=fall,
                checkpoint=folder / "checkpoint",
                ranks=ranks,
            )
        else:
            run = train(int(task), folder, ranks=ranks, device=ranks.device)
            if ranks.rank == 0:
                run.save(folder / f"run-{ranks.size}.npz")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

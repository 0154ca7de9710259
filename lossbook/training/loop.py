"""The training loop: one function, ``fit``, that turns a backbone, a head and data into a Run."""

import math
import platform
import time
from dataclasses import asdict

import torch
from torch import nn
from tqdm.auto import tqdm

from lossbook._version import __version__
from lossbook.backbones import embed
from lossbook.data.dataset import checksums, stratified_positions
from lossbook.training.checkpoint import Checkpoint
from lossbook.training.devices import describe, pick_device, pick_precision
from lossbook.training.divergence import TrainingDiverged, finite_loss, gradient_message
from lossbook.training.recipe import Recipe
from lossbook.training.run import Run, Snapshot
from lossbook.training.single_process import SingleProcess
from lossbook.utils.validation import check_int

__all__ = ["fit"]


def fit(
    backbone,
    head,
    dataset,
    *,
    seed=0,
    device=None,
    precision="auto",
    warm_start=False,
    snapshot_size=1000,
    checkpoint=None,
    progress=True,
    on_epoch=None,
    ranks=None,
    **recipe,
):
    """Train ``backbone`` and ``head`` together on ``dataset``; both are changed in place, and left in evaluation mode.

    Parameters
    ----------
    backbone : Module, images (N, 1, H, W) → embeddings (N, d)
    head : a head from :mod:`lossbook.heads`, or a module with the same ``forward`` and ``loss``
    dataset : lossbook.data.Dataset
    seed : int
        Decides everything random: initial weights, the order of images, the shifts, dropout. The same
        seed on the same machine gives the same run, bit for bit. torch's global generators stay as they were.
    device : str or torch.device, optional
        Default: CUDA, then Apple's MPS, then the CPU.
    precision : "auto", "float32", "bfloat16" or "float16"
        Autocast dtype. "auto" is mixed precision on a CUDA device, float32 elsewhere.
    warm_start : bool
        False draws all weights anew from ``seed``, as a scikit-learn ``fit`` would;
        True goes on from the weights as they are.
    snapshot_size : int
        How many train and how many test images (spread evenly over classes) a snapshot holds.
    checkpoint : path, optional
        Saved after every epoch. If it exists, training goes on from it, to the same result.
    progress : bool
        Show a progress bar over epochs, with loss and accuracy.
    on_epoch : callable, optional
        Called with the Run so far after every epoch; training ends there if it returns True.
    ranks : lossbook.training.class_parallel.ProcessGroup, optional
        Train on several processes: each takes a share of every batch and of the class vectors.
        The run is that of one process, to rounding; afterwards ``head.weight`` is split.
    **recipe
        ``epochs``, ``batch_size``, ``learning_rate``, … : the fields of :class:`Recipe`.

    Returns
    -------
    Run

    Raises
    ------
    TrainingDiverged
        The moment a loss or its gradient is not finite: names epoch, step and the likely cause.
    ValueError
        If the recipe is unsound, the device is not here, or a checkpoint belongs to another training.
    """
    recipe, snapshot_size = Recipe(**recipe), check_int("snapshot_size", snapshot_size)
    ranks = ranks or SingleProcess()
    device = pick_device(device)
    precision = pick_precision(precision, device, ranks.scales)
    mixed = precision is not torch.float32
    if not warm_start:
        _draw_weights(backbone, seed)
        _draw_weights(head, seed + 1)
    backbone.to(
        device, memory_format=torch.channels_last
    )  # convolutions run a third faster so on a CPU
    head.to(device)
    images, labels = dataset.train.images.to(device), dataset.train.labels.to(device)
    fixed = {
        name: stratified_positions(getattr(dataset, name).labels, snapshot_size)
        for name in ("train", "test")
    }

    steps = math.ceil(len(images) / recipe.batch_size)
    embedder, classifier = ranks.spread(backbone, head)
    parameters = [*backbone.parameters(), *head.parameters()]
    optimizer = recipe.optimizer_for(
        [{"params": list(part.parameters())} for part in (backbone, head)]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, epochs=recipe.epochs, steps_per_epoch=steps
    )
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)

    config = {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "backbone": type(backbone).__name__,
        "weights": sum(p.numel() for p in parameters),
        "head": _settings_of(head),
        "seed": seed,
        "warm_start": warm_start,
        "snapshot_size": snapshot_size,
        "precision": str(precision).removeprefix("torch."),
        "device": describe(device),
        "ranks": ranks.size,
        "recipe": asdict(recipe),
        "versions": {
            "lossbook": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }
    run = Run(
        getattr(head, "name", type(head).__name__),
        tuple(dataset.classes),
        dataset.train.labels[fixed["train"]].numpy(),
        dataset.test.labels[fixed["test"]].numpy(),
        config,
    )
    saved = Checkpoint(
        checkpoint,
        run,
        ranks,
        backbone=backbone,
        head=head,
        optimizer=optimizer,
        schedule=schedule,
        scaler=scaler,
    )
    first = saved.restore()

    with (
        tqdm(
            total=recipe.epochs,
            initial=first - 1,
            desc=run.name,
            unit="epoch",
            **({} if progress and ranks.rank == 0 else {"disable": True}),
        ) as bar,
        ranks.together(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        for epoch in range(first, recipe.epochs + 1):
            began = time.perf_counter()
            random = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
            torch.manual_seed(random.initial_seed())  # for layers that draw, such as dropout
            order = torch.randperm(len(images), generator=random).to(device)
            backbone.train(), head.train()
            losses, correct = 0.0, 0
            for step, positions in enumerate(order.split(recipe.batch_size), start=1):
                chosen = ranks.share(positions)
                if hasattr(head, "set_progress"):
                    head.set_progress(
                        ((epoch - 1) * steps + step - 1) / max(1, recipe.epochs * steps - 1)
                    )
                batch, truth = shifted(images[chosen], recipe.max_shift, random), labels[chosen]
                where = f"epoch {epoch}, step {step} of {steps}"
                with torch.autocast(device.type, precision if mixed else None, enabled=mixed):
                    x = embedder(batch)
                    loss = finite_loss(classifier, x, truth, where)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                norm = ranks.clip(
                    parameters, math.inf if recipe.clip_norm is None else recipe.clip_norm
                )
                if not scaler.is_enabled() and not torch.isfinite(norm):
                    raise TrainingDiverged(gradient_message(backbone, head, loss, where))
                before = scaler.get_scale()
                scaler.step(
                    optimizer
                )  # float16: skipped, and the scale halved, if a gradient overflowed
                scaler.update()
                if scaler.get_scale() >= before:
                    schedule.step()
                elif scaler.get_scale() < 1:  # halved some seventeen times: it is no overflow
                    raise TrainingDiverged(gradient_message(backbone, head, loss, where))
                losses += loss.item() * len(positions)
                with torch.no_grad():
                    correct += int((classifier(x.detach()).argmax(dim=1) == truth).sum())
            correct = ranks.total(correct)
            snapshot, test_accuracy = _look(backbone, classifier, dataset, fixed, epoch, ranks)
            run.snapshots.append(snapshot)
            run.history.loc[len(run.history)] = [
                epoch,
                losses / len(images),
                correct / len(images),
                test_accuracy,
                time.perf_counter() - began,
            ]
            run.history = run.history.astype({"epoch": int})
            saved.save()
            bar.set_postfix(loss=f"{losses / len(images):.3f}", test_acc=f"{test_accuracy:.3f}")
            bar.update()
            if on_epoch is not None and on_epoch(run) is True:
                break
    backbone.eval(), head.eval()
    return run


def _settings_of(head):
    """The head's plain attributes: scale, margins, annealing. λ itself is not a setting, it moves."""
    return {
        name: value
        for name, value in vars(head).items()
        if isinstance(value, (bool, int, float, str)) and name not in ("training", "lam")
    }


def _draw_weights(module, seed):
    """Initialise every layer from ``seed`` alone, on the CPU, so that every device starts alike."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for name, layer in module.cpu().named_modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise ValueError(
                    f"cannot draw the weights of layer {name or type(module).__name__!r} from the seed: "
                    f"{type(layer).__name__} has no reset_parameters(); write one, "
                    "or pass warm_start=True to train from its weights as they are"
                )


def shifted(batch, most, random):
    """Move all images of a batch by one random shift, filling with black."""
    if most == 0:
        return batch
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=random).tolist()
    height, width = batch.shape[-2:]
    return nn.functional.pad(batch, (most,) * 4)[..., down : down + height, right : right + width]


@torch.no_grad()
def _look(backbone, head, dataset, fixed, epoch, ranks):
    """The epoch's snapshot, and the accuracy on the whole test set, without margin."""
    head.eval()
    device = head.weight.device
    test = embed(backbone, dataset.test.images)
    predicted = head(test.to(device)).argmax(dim=1).cpu()
    accuracy = float((predicted == dataset.test.labels).double().mean())
    train = embed(backbone, dataset.train.images[fixed["train"]])
    train_predicted = head(train.to(device)).argmax(dim=1).cpu()
    weight = ranks.whole(head.weight.detach()).float().cpu().numpy().copy()
    return Snapshot(
        epoch,
        train.numpy(),
        test[fixed["test"]].numpy(),
        weight,
        train_predicted.numpy(),
        predicted[fixed["test"]].numpy(),
    ), accuracy

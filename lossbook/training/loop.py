"""The training loop: one function, ``fit``, that turns a backbone, a head and data into a Run."""

import math
import platform
import time
from dataclasses import asdict

import torch
from torch import nn

from lossbook._version import __version__
from lossbook.backbones import embed
from lossbook.data.dataset import checksums, stratified_positions
from lossbook.training.checkpoint import Checkpoint
from lossbook.training.devices import device_name, pick_device, pick_precision
from lossbook.training.divergence import TrainingDiverged, compute_loss, diagnose_gradient
from lossbook.training.processes import SingleProcess
from lossbook.training.recipe import Recipe
from lossbook.training.run import Run, Snapshot
from lossbook.utils.progress import progress_bar
from lossbook.utils.validation import check_int

__all__ = ["fit", "initialize_weights", "shift_randomly"]


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
    process_group=None,
    **recipe,
):
    """Train ``backbone`` and ``head`` together on ``dataset``.

    Both are changed in place, and left in evaluation mode.

    Parameters
    ----------
    backbone : Module
        Images (N, 1, H, W) → embeddings (N, d).
    head : Module
        A head from :mod:`lossbook.heads`, or a module with the same ``forward`` and ``loss``.
    dataset : lossbook.data.Dataset
    seed : int
        Decides everything random: initial weights, the order of images, the shifts, dropout. The
        same seed on the same machine gives the same run, bit for bit. torch's global generators
        are left as they were.
    device : str or torch.device, optional
        Default: CUDA, then Apple's MPS, then the CPU.
    precision : "auto", "float32", "bfloat16" or "float16"
        Autocast dtype. "auto" is mixed precision on a CUDA device, float32 elsewhere.
    warm_start : bool
        False draws all weights anew from ``seed``, as a scikit-learn ``fit`` would;
        True continues from the weights as they are.
    snapshot_size : int
        The number of training images and of test images (spread evenly over the classes) whose
        embeddings a snapshot holds.
    checkpoint : path, optional
        Saved after every epoch. If it exists, training resumes from it, to the same result.
    progress : bool
        Show a progress bar over epochs, with loss and accuracy, in a terminal or a notebook.
    on_epoch : callable, optional
        Called with the Run so far after every epoch; training ends there if it returns True.
    process_group : lossbook.training.class_parallel.ProcessGroup, optional
        Train on several processes: each takes a shard of every batch and of the class vectors.
        The run is that of one process, to rounding; afterwards ``head.weight`` is split.
    **recipe
        ``epochs``, ``batch_size``, ``learning_rate``, … : the fields of :class:`Recipe`.

    Returns
    -------
    Run

    Raises
    ------
    TrainingDiverged
        As soon as a loss or its gradient is not finite: names epoch, step and the likely cause.
    ValueError
        If the recipe is unsound, the device is not available, or the checkpoint belongs to
        another training.
    """
    recipe = Recipe(**recipe)
    snapshot_size = check_int("snapshot_size", snapshot_size)
    processes = process_group or SingleProcess()
    device = pick_device(device)
    precision = pick_precision(precision, device, processes.supports_loss_scaling)

    if not warm_start:
        initialize_weights(backbone, seed)
        initialize_weights(head, seed + 1)
    # Channels last: convolutions are a third faster on a CPU.
    backbone.to(device, memory_format=torch.channels_last)
    head.to(device)

    trainer = _Trainer(backbone, head, dataset.train, recipe, seed, precision, processes)
    snapshot_rows = {
        "train": stratified_positions(dataset.train.labels, snapshot_size),
        "test": stratified_positions(dataset.test.labels, snapshot_size),
    }
    config = _describe_training(trainer, dataset, warm_start, snapshot_size)
    run = _start_run(head, dataset, snapshot_rows, config)
    saved_state = Checkpoint(checkpoint, run, processes, **trainer.parts)
    first_epoch = saved_state.restore()

    with (
        _progress_bar(run.name, recipe.epochs, first_epoch, progress, processes) as bar,
        processes.training_context(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        for epoch in range(first_epoch, recipe.epochs + 1):
            start = time.perf_counter()
            train_loss, train_acc = trainer.train_epoch(epoch)
            snapshot, test_acc = _take_snapshot(trainer, dataset, snapshot_rows, epoch)
            seconds = time.perf_counter() - start
            run.add_epoch(snapshot, train_loss, train_acc, test_acc, seconds)
            saved_state.save()
            bar.set_postfix(loss=f"{train_loss:.3f}", test_acc=f"{test_acc:.3f}")
            bar.update()
            if on_epoch is not None and on_epoch(run) is True:
                break
    backbone.eval()
    head.eval()
    return run


class _Trainer:
    """A backbone and a head with their optimizer and its schedule; trains them epoch by epoch."""

    def __init__(self, backbone, head, split, recipe, seed, precision, processes):
        self.device = head.weight.device
        self.backbone, self.head = backbone, head
        self.images = split.images.to(self.device)
        self.labels = split.labels.to(self.device)
        self.recipe, self.seed, self.precision = recipe, seed, precision
        self.processes = processes
        self.steps = math.ceil(len(self.images) / recipe.batch_size)

        # What a step calls; with several processes these wrap backbone and head.
        self.embedder, self.classifier = processes.prepare(backbone, head)
        self.parameters = [*backbone.parameters(), *head.parameters()]
        self.optimizer = recipe.optimizer_for(
            [{"params": list(module.parameters())} for module in (backbone, head)]
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, epochs=recipe.epochs, steps_per_epoch=self.steps
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision is torch.float16)

    @property
    def parts(self):
        """Everything with a state that a checkpoint saves."""
        return {
            "backbone": self.backbone,
            "head": self.head,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def train_epoch(self, epoch):
        """Train for one epoch; returns the mean loss (with margin) and the accuracy (without)."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        torch.manual_seed(generator.initial_seed())  # for layers that draw, such as dropout
        order = torch.randperm(len(self.images), generator=generator).to(self.device)
        self.backbone.train()
        self.head.train()
        loss_sum, correct = 0.0, 0
        for step, batch in enumerate(order.split(self.recipe.batch_size), start=1):
            rows = self.processes.shard(batch)
            images = shift_randomly(self.images[rows], self.recipe.max_shift, generator)
            labels = self.labels[rows]
            self._set_progress(epoch, step)
            x, loss = self._train_step(
                images, labels, f"epoch {epoch}, step {step} of {self.steps}"
            )
            loss_sum += loss * len(batch)
            with torch.no_grad():
                correct += int((self.classifier(x).argmax(dim=1) == labels).sum())
        correct = self.processes.all_reduce(correct)
        return loss_sum / len(self.images), correct / len(self.images)

    def _set_progress(self, epoch, step):
        if hasattr(self.head, "set_progress"):
            steps_done = (epoch - 1) * self.steps + step - 1
            self.head.set_progress(steps_done / max(1, self.recipe.epochs * self.steps - 1))

    def _train_step(self, images, labels, where):
        """One step of the optimizer; returns the embeddings (n, d) and the loss, a float."""
        mixed = self.precision is not torch.float32
        with torch.autocast(self.device.type, self.precision if mixed else None, enabled=mixed):
            x = self.embedder(images)
            loss = compute_loss(self.classifier, x, labels, where)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        max_norm = math.inf if self.recipe.clip_norm is None else self.recipe.clip_norm
        norm = self.processes.clip_grad_norm(self.parameters, max_norm)
        if not self.scaler.is_enabled() and not torch.isfinite(norm):
            raise TrainingDiverged(diagnose_gradient(self.backbone, self.head, loss, where))

        # In float16 the step is skipped, and the scale halved, if a gradient overflowed.
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:
            self.schedule.step()
        elif self.scaler.get_scale() < 1:  # halved some seventeen times: it is no overflow
            raise TrainingDiverged(diagnose_gradient(self.backbone, self.head, loss, where))
        return x.detach(), loss.item()


def initialize_weights(module, seed):
    """Draw the weights of every layer from ``seed`` alone, on the CPU: the same on every device.

    Raises ``ValueError`` for a layer with weights that has no ``reset_parameters``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for name, layer in module.cpu().named_modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise ValueError(
                    "cannot draw the weights of layer "
                    f"{name or type(module).__name__!r} from the seed: "
                    f"{type(layer).__name__} has no reset_parameters(); write one, "
                    "or pass warm_start=True to train from its weights as they are"
                )


def shift_randomly(images, max_shift, generator):
    """``images`` (N, 1, H, W), all moved by one random shift of at most ``max_shift`` pixels.

    The shift is drawn for each direction; what moves in at the border is black.
    """
    if max_shift == 0:
        return images
    down, right = torch.randint(0, 2 * max_shift + 1, (2,), generator=generator).tolist()
    height, width = images.shape[-2:]
    padded = nn.functional.pad(images, (max_shift,) * 4)
    return padded[..., down : down + height, right : right + width]


@torch.no_grad()
def _take_snapshot(trainer, dataset, rows, epoch):
    """The snapshot of an epoch, and the accuracy on the whole test set, without margin."""
    trainer.classifier.eval()
    train, train_pred = _embed_and_predict(trainer, dataset.train.images[rows["train"]])
    test, test_pred = _embed_and_predict(trainer, dataset.test.images)
    weight = trainer.processes.gather(trainer.classifier.weight.detach())
    snapshot = Snapshot(
        epoch=epoch,
        train=train.numpy(),
        test=test[rows["test"]].numpy(),
        weight=weight.float().cpu().numpy().copy(),
        train_pred=train_pred.numpy(),
        test_pred=test_pred[rows["test"]].numpy(),
    )
    return snapshot, float((test_pred == dataset.test.labels).double().mean())


def _embed_and_predict(trainer, images):
    x = embed(trainer.backbone, images)
    logits = trainer.classifier(x.to(trainer.device))
    return x, logits.argmax(dim=1).cpu()


def _describe_training(trainer, dataset, warm_start, snapshot_size):
    """The ``config`` of the Run: what another training would need in order to be the same."""
    return {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "backbone": type(trainer.backbone).__name__,
        "weights": sum(parameter.numel() for parameter in trainer.parameters),
        "head": _head_settings(trainer.head),
        "seed": trainer.seed,
        "warm_start": warm_start,
        "snapshot_size": snapshot_size,
        "precision": str(trainer.precision).removeprefix("torch."),
        "device": device_name(trainer.device),
        "ranks": trainer.processes.size,
        "recipe": asdict(trainer.recipe),
        "versions": {
            "lossbook": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }


def _start_run(head, dataset, snapshot_rows, config):
    """A Run without epochs."""
    return Run(
        name=getattr(head, "name", type(head).__name__),
        classes=tuple(dataset.classes),
        train_labels=dataset.train.labels[snapshot_rows["train"]].numpy(),
        test_labels=dataset.test.labels[snapshot_rows["test"]].numpy(),
        config=config,
    )


def _head_settings(head):
    """The head's plain attributes: scale, margins, annealing; not λ itself, which changes."""
    return {
        name: value
        for name, value in vars(head).items()
        if isinstance(value, (bool, int, float, str)) and name not in ("training", "lam")
    }


def _progress_bar(name, epochs, first_epoch, progress, processes):
    return progress_bar(
        show=progress and processes.rank == 0,
        total=epochs,
        initial=first_epoch - 1,
        desc=name,
        unit="epoch",
    )

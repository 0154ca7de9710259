"""The training loop: one function, ``fit``, that turns a backbone, a head and data into a Run."""

import math
import platform
import time
from dataclasses import asdict

import torch

from lossbook._version import __version__
from lossbook.backbones import embed, scale_bytes
from lossbook.data.dataset import checksums, stratified_positions
from lossbook.data.samplers import MPerClassSampler
from lossbook.training.augmentation import shift_randomly
from lossbook.training.checkpoint import Checkpoint
from lossbook.training.devices import device_name, pick_device, pick_precision
from lossbook.training.divergence import TrainingDiverged, compute_loss, diagnose_gradient
from lossbook.training.loss_options import check_loss_options, describe_loss_options
from lossbook.training.processes import SingleProcess
from lossbook.training.recipe import recipe_from_settings
from lossbook.training.run import Run, Snapshot, head_name, head_settings
from lossbook.training.weights import check_trainable, frozen_layers, prepare_weights
from lossbook.utils.progress import progress_bar
from lossbook.utils.validation import check_int

__all__ = ["fit"]

SNAPSHOTS_TOTAL = 16 * 2**20  # bytes that the snapshots of all epochs may take by default


def fit(
    backbone,
    head,
    dataset,
    *,
    seed=0,
    device=None,
    precision="auto",
    warm_start=None,
    snapshot_size=1000,
    keep_snapshots=None,
    checkpoint=None,
    progress=True,
    loss_options=None,
    head_schedule=None,
    on_epoch=None,
    process_group=None,
    **recipe,
):
    """Train ``backbone`` and ``head`` together on ``dataset``.

    Both are changed in place, moved to ``device``, and left in evaluation mode, also if training
    fails or is interrupted by Ctrl-C. Their memory format stays as it is: the convolutional
    networks of :mod:`lossbook.backbones` are ``channels_last``, which is a third faster on a CPU,
    and any other network is if it was given so.

    Frozen parameters (``requires_grad`` is False) are never changed, and a layer whose parameters
    are all frozen stays in evaluation mode, so that a frozen batch normalisation keeps its
    statistics. A layer that is in evaluation mode while its backbone is in training mode does too.

    Parameters
    ----------
    backbone : Module
        Images (N, 1, H, W) → embeddings (N, d).
    head : Module
        A head from :mod:`lossbook.heads`, or a module with the same ``forward`` and ``loss``.
    dataset : lossbook.data.Dataset
        Its images are held as they are; bytes become floats in [0, 1] a batch at a time.
    seed : int
        Decides everything random: initial weights, the order of images, the shifts, dropout. The
        same seed on the same machine gives the same run, bit for bit. torch's global generators
        are left as they were.
    device : str or torch.device, optional
        Default: CUDA, then Apple's MPS, then the CPU.
    precision : "auto", "float32", "bfloat16" or "float16"
        Autocast dtype. "auto" is mixed precision on a CUDA device, float32 elsewhere.
    warm_start : bool, optional
        True continues from the weights as they are; False draws all weights anew from ``seed``,
        as a scikit-learn ``fit`` would. By default those of the backbone and of the head are drawn
        anew unless a parameter of it is frozen, with a warning if this overwrites weights that
        were trained or loaded before. ``run.config["warm_start"]`` records what was done: True,
        False, or "backbone" or "head" if only the weights of that one were kept.
    snapshot_size : int
        The number of training images and of test images (spread evenly over the classes) whose
        embeddings a snapshot holds.
    keep_snapshots : int, optional
        The Run and the checkpoint keep this many snapshots, those of the last epochs. Default: all
        of them, or only the last if all would take more than 16 MiB: each holds the class vectors
        too.
    checkpoint : path, optional
        Saved after every epoch. If it exists, training resumes from it, to the same result.
    progress : bool
        Show a progress bar over epochs, with loss and accuracy, in a terminal or a notebook.
    loss_options : dict, optional
        Options of ``head.loss``, for instance ``{"label_smoothing": 0.1}``, ``{"weight": w}`` for
        weights of the classes, or ``{"sample": 0.1}`` for Partial FC.
    head_schedule : callable, optional
        Called before every step with ``head`` and the share of training that is done, from 0 to 1,
        to set a margin or a scale that changes in training.
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
    TypeError, ValueError
        If a setting is unknown or unsound, the device is not available, all parameters are frozen,
        or the checkpoint belongs to another training.
    OSError
        If the checkpoint cannot be written; before the first epoch if its folder is at fault.

    Examples
    --------
    A margin that grows over the first half of training:

    >>> from lossbook import backbones, data, heads, training
    >>> def grow_margin(head, progress):
    ...     head.margin = min(0.3, 0.6 * progress)
    >>> run = training.fit(
    ...     backbones.Dense(2),
    ...     heads.ArcFace(2, 10, scale=16, margin=0.0),
    ...     data.load("mnist5k"),
    ...     epochs=2,
    ...     head_schedule=grow_margin,
    ...     progress=False,
    ... )
    >>> run.config["head_changes"][-1]
    {'epoch': 2, 'margin': 0.3}
    """
    recipe = recipe_from_settings(recipe)
    snapshot_size = check_int("snapshot_size", snapshot_size)
    processes = process_group or SingleProcess()
    device = pick_device(device)
    precision = pick_precision(precision, device, processes.supports_loss_scaling)
    check_trainable(backbone, head)
    snapshot_rows = _snapshot_rows(dataset, snapshot_size)
    keep = _snapshots_to_keep(keep_snapshots, snapshot_rows, head, recipe.epochs)
    check_loss_options(head, loss_options, device)  # before weights are drawn anew
    kept = prepare_weights(backbone, head, seed, warm_start)
    backbone.to(device)
    head.to(device)
    trainer = _Trainer(backbone, head, dataset.train, recipe, seed, precision, processes)
    trainer.head_schedule = head_schedule
    trainer.loss_options = check_loss_options(trainer.classifier, loss_options, trainer.device)
    config = _describe_training(trainer, dataset, kept, snapshot_size)
    run = _start_run(head, dataset, snapshot_rows, config)
    saved_state = Checkpoint(checkpoint, run, processes, **trainer.parts)
    first_epoch = saved_state.restore()

    try:
        with (
            _progress_bar(run.name, recipe.epochs, first_epoch, progress, processes) as bar,
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            for epoch in range(first_epoch, recipe.epochs + 1):
                train_loss, test_acc = _run_epoch(trainer, run, dataset, snapshot_rows, epoch)
                del run.snapshots[:-keep]
                saved_state.save()
                bar.set_postfix(loss=f"{train_loss:.3f}", test_acc=f"{test_acc:.3f}")
                bar.update()
                stop = on_epoch is not None and on_epoch(run) is True
                saved_state.save_changed_head()
                if stop:
                    break
    finally:
        backbone.eval()
        head.eval()
    return run


def _run_epoch(trainer, run, dataset, snapshot_rows, epoch):
    """(training loss, test accuracy) of an epoch, trained and recorded in the run."""
    start = time.perf_counter()
    train_loss, train_acc = trainer.train_epoch(epoch)
    run.record_head(trainer.head, epoch)
    snapshot, test_acc = _take_snapshot(trainer, dataset, snapshot_rows, epoch)
    seconds = time.perf_counter() - start
    run.add_epoch(snapshot, train_loss, train_acc, test_acc, seconds)
    return train_loss, test_acc


class _Trainer:
    """A backbone and a head with their optimizer and its schedule; trains them epoch by epoch."""

    def __init__(self, backbone, head, split, recipe, seed, precision, processes):
        self.device = head.weight.device
        self.backbone, self.head = backbone, head
        self.images = split.images.to(self.device)
        self.labels = split.labels.to(self.device)
        self.recipe, self.seed, self.precision = recipe, seed, precision
        self.processes, self.head_schedule, self.loss_options = processes, None, {}
        self.generator = torch.Generator()  # seeded anew in every epoch
        self.sampler = None
        if recipe.per_class is not None:
            self.sampler = MPerClassSampler(
                split.labels.cpu(), recipe.per_class, recipe.batch_size, self.generator
            )
        self.steps = len(self._draw_batches())

        # What a step calls; with several processes these wrap backbone and head.
        self.embedder, self.classifier = processes.prepare(backbone, head)
        self.parameters = [*backbone.parameters(), *head.parameters()]
        self.optimizer = recipe.optimizer_for(
            [{"params": list(module.parameters())} for module in (backbone, head)]
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            recipe.learning_rate,
            # A cycle of one step would be its end alone, where the learning rate is 0.
            total_steps=max(2, recipe.epochs * self.steps),
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision is torch.float16)
        self.frozen_layers = [*frozen_layers(backbone), *frozen_layers(head)]

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
        self.generator.manual_seed(self.seed * 1_000_003 + epoch)
        torch.manual_seed(self.generator.initial_seed())  # for layers that draw, such as dropout
        batches = self._draw_batches()
        self._enter_training_mode()
        loss_sum, correct = 0.0, 0
        for step, batch in enumerate(batches, start=1):
            rows = self.processes.shard(batch.to(self.device))
            images = scale_bytes(self.images[rows])
            images = shift_randomly(images, self.recipe.max_shift, self.generator)
            labels = self.labels[rows]
            self._set_progress(epoch, step)
            x, loss = self._train_step(
                images, labels, f"epoch {epoch}, step {step} of {self.steps}"
            )
            loss_sum += loss * len(batch)
            with torch.no_grad():
                correct += int((self.classifier(x).argmax(dim=1) == labels).sum())
        correct = self.processes.all_reduce(correct)
        trained = sum(map(len, batches))
        return loss_sum / trained, correct / trained

    def _draw_batches(self):
        """The positions of the images of each batch of an epoch, drawn by ``generator``."""
        if self.sampler is not None:
            order = torch.tensor(list(self.sampler), device="cpu")
        else:
            order = torch.randperm(len(self.images), generator=self.generator, device="cpu")
        batches = list(order.split(self.recipe.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1 < self.recipe.batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]  # batch norm needs more than one image
        return batches

    def _enter_training_mode(self):
        self.backbone.train()
        self.head.train()
        for layer in self.frozen_layers:
            layer.training = False

    def _set_progress(self, epoch, step):
        steps_done = (epoch - 1) * self.steps + step - 1
        progress = steps_done / max(1, self.recipe.epochs * self.steps - 1)
        if hasattr(self.head, "set_progress"):
            self.head.set_progress(progress)
        if self.head_schedule is not None:
            self.head_schedule(self.head, progress)

    def _train_step(self, images, labels, where):
        """One step of the optimizer; returns the embeddings (n, d) and the loss, a float."""
        mixed = self.precision is not torch.float32
        with torch.autocast(self.device.type, self.precision if mixed else None, enabled=mixed):
            x = self.embedder(images)
            loss = compute_loss(self.classifier, x, labels, where, **self.loss_options)
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


def _snapshot_rows(dataset, snapshot_size):
    """The positions of the images of a snapshot, in each half."""
    return {
        "train": stratified_positions(dataset.train.labels, snapshot_size),
        "test": stratified_positions(dataset.test.labels, snapshot_size),
    }


def _snapshots_to_keep(keep_snapshots, snapshot_rows, head, epochs):
    """The number of snapshots that a Run keeps; see :func:`fit`."""
    if keep_snapshots is not None:
        return check_int("keep_snapshots", keep_snapshots)
    samples = sum(map(len, snapshot_rows.values()))
    bytes_each = samples * (4 * head.weight.shape[-1] + 8) + 4 * head.weight.numel()
    return epochs if bytes_each * epochs <= SNAPSHOTS_TOTAL else 1


def _describe_training(trainer, dataset, kept, snapshot_size):
    """The ``config`` of the Run: what another training would need in order to be the same.

    ``kept`` tells of "backbone" and "head" whether the training started from their weights.
    """
    parts_kept = [part for part in kept if kept[part]]
    loss_options = describe_loss_options(trainer.loss_options)
    return {
        "dataset": dataset.name,
        "data_sha256": checksums(dataset),
        "backbone": type(trainer.backbone).__name__,
        "weights": sum(parameter.numel() for parameter in trainer.parameters),
        "head": head_settings(trainer.head),
        **({"loss_options": loss_options} if loss_options else {}),
        "seed": trainer.seed,
        "warm_start": parts_kept[0] if len(parts_kept) == 1 else bool(parts_kept),
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
        name=head_name(head),
        classes=tuple(dataset.classes),
        train_labels=dataset.train.labels[snapshot_rows["train"]].numpy(),
        test_labels=dataset.test.labels[snapshot_rows["test"]].numpy(),
        config=config,
    )


def _progress_bar(name, epochs, first_epoch, progress, processes):
    return progress_bar(
        show=progress and processes.rank == 0,
        total=epochs,
        initial=first_epoch - 1,
        desc=name,
        unit="epoch",
    )

"""Class-parallel training: class vectors split among processes, and the images of each batch too.

Started by ``torchrun``, each of K processes, a *rank*, holds C/K class vectors and a full backbone.
A step

1. embeds this rank's shard of the batch,
2. gathers all embeddings of the batch on every rank (they are small),
3. computes their logits for this rank's classes, with the margin on the targets among them,
4. forms one softmax over the classes of all ranks from two numbers per sample and rank: the target
   logit, or 0, and the logarithm of the sum of its exponentials.

In a step no rank holds the (N, C) logits or the (C, d) class vectors. After an epoch the vectors
are gathered once, for the snapshot and the checkpoint. PyTorch does the work: ``DTensor`` for what
is split, ``DistributedDataParallel`` for the backbone. The loss and every gradient are those of a
single process, to rounding. With ``sample``, Partial FC, each rank uses a share of its classes.
"""

import math
import os
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map

from lossbook.heads.adaptive import AdaCos
from lossbook.heads.base import Head
from lossbook.heads.partial_fc import sample_classes, share_correction
from lossbook.training.processes import Processes, RankLost
from lossbook.training.weights import frozen_layers
from lossbook.utils.validation import require
from lossbook.utils.vectors import polar

__all__ = ["ProcessGroup", "join_process_group", "ClassParallelHead"]

TIMEOUT = timedelta(minutes=5)  # how long a rank waits for the others


class ProcessGroup(Processes):
    """The processes started by ``torchrun``; :func:`join_process_group` makes it.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        The number of processes.
    device : torch.device
        The device of this process.
    mesh : DeviceMesh
        The processes as ``DTensor`` sees them.
    """

    supports_loss_scaling = False  # torch.amp.GradScaler does not take DTensors beside tensors

    def __init__(self, device_type):
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.mesh = init_device_mesh(device_type, (self.size,))
        if device_type == "cuda":
            self.device = torch.device(device_type, int(os.environ["LOCAL_RANK"]))
        else:
            self.device = torch.device(device_type)

    def prepare(self, backbone, head):
        backbone = _synchronize_batch_norm(backbone, self.device)
        if any(parameter.requires_grad for parameter in backbone.parameters()):
            backbone = DistributedDataParallel(backbone)
            # The loss is already the mean of the batch, so the gradients are summed.
            backbone.register_comm_hook(None, _sum_gradients)
        else:  # DistributedDataParallel takes no frozen module
            for tensor in backbone.state_dict().values():
                dist.broadcast(tensor, src=0)
        return backbone, ClassParallelHead(head, self.mesh)

    def shard(self, batch):
        shards = batch.chunk(self.size)
        require(
            len(shards) == self.size,
            f"a batch of {len(batch)} images cannot be shared among {self.size} ranks: "
            "choose another batch_size (the last batch of an epoch counts too) or fewer ranks",
        )
        return shards[self.rank]

    def all_reduce(self, number):
        number = torch.tensor(number, dtype=torch.float64, device=self.device)
        dist.all_reduce(number)
        return number.item()

    def clip_grad_norm(self, parameters, max_norm):
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norms = [self.gather(torch.linalg.vector_norm(gradient)) for gradient in gradients]
        total_norm = torch.stack(norms).norm()
        for gradient in gradients:
            gradient.mul_((max_norm / (total_norm + 1e-6)).clamp(max=1.0))
        return total_norm

    def gather(self, state):
        return tree_map(
            lambda value: value.full_tensor() if isinstance(value, DTensor) else value, state
        )

    def load_state_dict(self, part, state):
        if isinstance(part, nn.Module):
            current = part.state_dict()
            state = {
                name: _distribute_like(current.get(name), value) for name, value in state.items()
            }
        part.load_state_dict(state)
        if isinstance(part, torch.optim.Optimizer):
            for parameter, values in part.state.items():
                for name, value in values.items():
                    values[name] = _distribute_like(parameter, value)


@contextmanager
def join_process_group(device=None, timeout=TIMEOUT):
    """Join the processes of a ``torchrun`` for the duration of a ``with``.

    Gives a :class:`ProcessGroup`. ``device`` is "cuda" or "cpu"; by default CUDA where each rank
    has a graphics card of its own, else the CPU. ``timeout``, a ``datetime.timedelta``, is how long
    a rank waits for the others, 5 minutes by default.

    Raises ``ValueError`` outside of torchrun, and
    :class:`~lossbook.training.processes.RankLost` if another rank never joins or ends first.
    """
    require(
        "TORCHELASTIC_RUN_ID" in os.environ
        or {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys(),
        "class-parallel training needs several processes: start it with "
        "torchrun --nproc-per-node=2 -m lossbook train NAME --class-parallel",
    )
    device_type = _device_type(device)
    if device_type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if device_type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=timeout)
    except (dist.DistError, RuntimeError) as error:
        raise RankLost(_who_waited(timeout, error)) from None
    try:
        yield ProcessGroup(device_type)
    except (dist.DistError, RuntimeError) as error:
        if not _is_lost_connection(error):
            raise
        raise RankLost(
            f"rank {dist.get_rank()} lost another rank, which ended or cannot be reached: see that "
            "rank's own output for the reason; the same command resumes from the last finished "
            "epoch, with as many ranks or with another number of them "
            f"({str(error).splitlines()[0]})"
        ) from error
    finally:
        dist.destroy_process_group()


class ClassParallelHead(nn.Module):
    """A head whose class vectors (and bias) are split among the ranks of ``mesh``.

    ``weight`` is a DTensor of shape (C, d); each rank holds about C/K rows of it.
    ``loss(x, labels)`` takes this rank's embeddings and gives the mean over the whole batch;
    ``forward(x)`` gives the logits (n, C) of this rank's embeddings.

    Margins that depend on the sample, rivals that are re-weighted and AdaCos's scale are as in a
    single process: every rank knows the target cosine of every sample of the batch.

    Raises ``ValueError`` for a head whose logits are not those of ``lossbook.heads.base``, such
    as one with sub-centres or a second loss: they would be split wrongly.
    """

    def __init__(self, head, mesh):
        super().__init__()
        require(
            isinstance(head, Head)
            and type(head).loss is Head.loss
            and (head.uses_library_logits() or type(head) is AdaCos),
            f"{type(head).__name__} defines its own logits or loss, or has hooks, a scale or other "
            "parts that learn, and class-parallel training supports only the logits of "
            "lossbook.heads.base: train it in one process, or write it as a subclass of "
            "MarginHead or PerSampleMargin that defines the margin alone",
        )
        classes, ranks = head.num_classes, mesh.size()
        classes_per_rank = -(-classes // ranks)  # rounded up; the last rank may hold fewer
        require(
            classes_per_rank * (ranks - 1) < classes,
            f"{classes} classes leave one of {ranks} ranks without any: use fewer ranks",
        )
        self.mesh = mesh
        self.first_class = classes_per_rank * mesh.get_local_rank()
        for name, parameter in list(head.named_parameters()):
            split = distribute_tensor(parameter.detach(), mesh, [Shard(0)])
            setattr(head, name, nn.Parameter(split, requires_grad=parameter.requires_grad))
        self.local = _LocalLogits(head, mesh)

    @property
    def head(self):
        return self.local.head

    @property
    def weight(self):
        return self.head.weight

    @property
    def name(self):
        return self.head.name

    def set_progress(self, progress):
        self.head.set_progress(progress)

    def forward(self, x):
        x = self._all_gather(self.head.check_inputs(x, None))
        local = self._call_local(self._local_parameters(), x)
        shape = torch.Size([len(x), self.head.num_classes])
        split = DTensor.from_local(local, self.mesh, [Shard(1)], shape=shape, stride=(shape[1], 1))
        return split.redistribute(self.mesh, [Shard(0)]).to_local()

    def loss(self, x, labels, sample=None, generator=None, *, correct_sample=False):
        """The mean cross-entropy over the whole batch, of this rank's (n, d) and (n,).

        ``sample`` is Partial FC, as in :meth:`lossbook.heads.Head.loss`: each rank keeps those of
        its classes that the batch contains and draws others of its classes, up to this share.
        ``generator`` draws on this rank; ``correct_sample`` counts the classes of each rank.
        Raises ``ValueError`` if ``sample`` is given to a head that computes no sampled loss.
        """
        x = self.head.check_inputs(x, labels)
        penalties = self.head.penalties(x)
        x, labels = self._all_gather(x), self._all_gather(labels)
        parameters = self._local_parameters()
        classes_here = len(parameters["head.weight"])
        columns = labels - self.first_class
        rows = torch.nonzero((columns >= 0) & (columns < classes_here)).squeeze(1)
        columns, correction = columns[rows], None
        if sample is not None:
            require(
                self.head.uses_library_logits(),
                f"{type(self.head).__name__} needs the logits of all classes: leave sample out",
            )
            classes, columns = sample_classes(columns, classes_here, sample, generator)
            parameters = {name: value[classes] for name, value in parameters.items()}
            if correct_sample:
                correction = share_correction(columns, len(classes), classes_here)
        logits = self._call_local(parameters, x, labels, rows, columns)
        targets = _sum_over_ranks(_at_rows(rows, logits[rows, columns], len(x)), self.mesh)
        if correction is not None:  # it is 0 at the targets
            logits = logits + correction.to(logits.dtype)
        loss = (_log_sum_exp_over_ranks(logits, self.mesh) - targets).mean()
        if penalties is not None:
            loss = loss + _sum_over_ranks(penalties.sum(), self.mesh) / len(x)
        return loss

    def _all_gather(self, rows):
        """The rows of all ranks, (N, …), on every rank, from this rank's (n, …).

        Not by ``torch.distributed.nn.all_gather``: ranks hold unequal numbers of rows.
        """
        counts = torch.zeros(self.mesh.size(), dtype=torch.int64, device=rows.device)
        counts[self.mesh.get_local_rank()] = len(rows)
        dist.all_reduce(counts)
        shape = torch.Size([int(counts.sum()), *rows.shape[1:]])
        stride = torch.empty(shape, device="meta").stride()
        split = DTensor.from_local(
            rows.contiguous(), self.mesh, [Shard(0)], shape=shape, stride=stride
        )
        return split.redistribute(self.mesh, [Replicate()]).to_local(grad_placements=[Partial()])

    def _local_parameters(self):
        """The class vectors (and biases) of this rank, by their names in ``self.local``."""
        return {
            f"head.{name}": parameter.to_local() for name, parameter in self.head.named_parameters()
        }

    def _call_local(self, parameters, x, *targets):
        return torch.func.functional_call(self.local, parameters, (x, *targets))


class _LocalLogits(nn.Module):
    """The logits (N, B) of one rank's classes, with the margin where the target is among them."""

    def __init__(self, head, mesh):
        super().__init__()
        self.head, self.mesh = head, mesh

    def forward(self, x, labels=None, rows=None, columns=None):
        """``labels`` (N,) are of all classes; samples ``rows`` have their target at ``columns``."""
        logits = self.head.plain_logits(x)
        if labels is None:
            return logits
        if isinstance(self.head, AdaCos):
            return self._rescaled(logits, rows, columns)
        if not self.head.sees_samples:
            margined = self.head.apply_margin(logits[rows], x[rows], columns)
            return logits.index_copy(0, rows, margined)
        cos, _ = self.head.target_cosines(x[rows], columns)
        cos = _sum_over_ranks(_at_rows(rows, cos, len(x)), self.mesh, gradients_differ=True)
        _, length = polar(x, self.head.shortest_length(x))
        logits, target_logits = self.head.training_logits(logits, cos, length, labels)
        return logits.index_put((rows, columns), target_logits[rows])

    def _rescaled(self, logits, rows, columns):
        """``logits`` with the scale that AdaCos takes for this batch."""
        if not self.head.training:
            return logits
        scale = self.head.scale
        with torch.no_grad():
            cos = _at_rows(rows, logits[rows, columns] / scale, len(logits))
            rivals = logits.index_put((rows, columns), logits.new_tensor(-math.inf))
            self.head.adapt_scale(
                _sum_over_ranks(cos, self.mesh), _log_sum_exp_over_ranks(rivals, self.mesh)
            )
        return logits * (self.head.scale / scale)


def _at_rows(rows, values, count):
    """A tensor (count,) with ``values`` at ``rows`` and 0 elsewhere."""
    return values.new_zeros(count).index_put((rows,), values)


def _sum_over_ranks(tensor, mesh, gradients_differ=False):
    """The sum of a tensor over all ranks, on every rank.

    ``gradients_differ`` says that each rank uses the sum for its own part of the loss, so that
    their gradients are summed too; without it, every rank computes the same from the sum.
    """
    total = DTensor.from_local(tensor, mesh, [Partial()]).redistribute(mesh, [Replicate()])
    return total.to_local(grad_placements=[Partial()] if gradients_differ else None)


def _log_sum_exp_over_ranks(logits, mesh):
    """ln Σ_j e^{z_j} over the classes of all ranks, (N,), from each rank's logits (N, B)."""
    log_sums = DTensor.from_local(logits.logsumexp(dim=1, keepdim=True), mesh, [Shard(1)])
    return log_sums.full_tensor().logsumexp(dim=1)


def _synchronize_batch_norm(backbone, device):
    """``backbone`` with batch normalisation over the batches of all ranks; CUDA only.

    Frozen layers keep their statistics, and need none of other ranks.
    """
    frozen = frozen_layers(backbone)
    batch_norms = [
        name
        for name, layer in backbone.named_modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer not in frozen
    ]
    if not batch_norms:
        return backbone
    require(
        device.type == "cuda",
        f"the backbone's layer {batch_norms[0]} normalises over the batch, and PyTorch can do "
        "that across ranks only on CUDA: take a backbone without batch normalisation, for "
        "instance --backbone LeNetPP",
    )
    return nn.SyncBatchNorm.convert_sync_batchnorm(backbone)


def _sum_gradients(_state, bucket):
    """A communication hook: the backbone's gradients summed over the ranks, not averaged."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def _distribute_like(reference, tensor):
    """``tensor`` split as ``reference`` is, if that is split and has the same shape."""
    if (
        isinstance(reference, DTensor)
        and torch.is_tensor(tensor)
        and tensor.shape == reference.shape
    ):
        return distribute_tensor(
            tensor.to(reference.device), reference.device_mesh, reference.placements
        )
    return tensor


def _device_type(device):
    if device:
        return torch.device(device).type
    ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return "cuda" if torch.cuda.device_count() >= ranks_here else "cpu"


def _who_waited(timeout, error):
    """The message of a rank that the others did not join."""
    rank, size, address, port = (
        os.environ.get(name, "?") for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    )
    return (
        f"rank {rank} could not join the {size} ranks at {address}:{port} within "
        f"{timeout.total_seconds():g} s (timeout): {str(error).splitlines()[0]}. Start every rank "
        f"from 0 to {int(size) - 1 if size.isdigit() else '?'}, with the same MASTER_ADDR, "
        "MASTER_PORT and WORLD_SIZE, and see that the port of rank 0 can be reached from the "
        "others; torchrun sets all of them"
    )


def _is_lost_connection(error):
    message = str(error)
    return isinstance(error, dist.DistError) or "gloo" in message.lower() or "onnection" in message

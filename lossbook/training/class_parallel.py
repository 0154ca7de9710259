"""Class-parallel training: class vectors split among processes, and the images of each batch too.

Started by ``torchrun``, each of K processes, a *rank*, holds C/K class vectors and a full backbone.
A step

1. embeds this rank's shard of the batch,
2. gathers all embeddings of the batch on every rank (they are small),
3. computes their logits for this rank's classes, with the margin on the targets among them,
4. forms one softmax over the classes of all ranks without ever gathering their logits.

In a step no rank holds the (N, C) logits or the (C, d) class vectors. After an epoch the vectors
are gathered once, for the snapshot and the checkpoint. PyTorch does the work: ``DTensor`` for what
is split, ``loss_parallel`` for the softmax, ``DistributedDataParallel`` for the backbone. The loss
and every gradient are those of a single process, to rounding.
"""

import os
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map

from lossbook.heads.base import Head
from lossbook.training.processes import Processes, RankLost
from lossbook.utils.validation import require

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
        backbone = DistributedDataParallel(_synchronize_batch_norm(backbone, self.device))
        backbone.register_comm_hook(None, _sum_gradients)  # the loss is already the batch's mean
        return backbone, ClassParallelHead(head, self.mesh)

    def training_context(self):
        return loss_parallel()

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
def join_process_group(device=None):
    """Join the processes of a ``torchrun`` for the duration of a ``with``.

    Gives a :class:`ProcessGroup`. ``device`` is "cuda" or "cpu"; by default CUDA where each rank
    has a graphics card of its own, else the CPU.

    Raises ``ValueError`` outside of torchrun, and
    :class:`~lossbook.training.processes.RankLost` if another rank ends first.
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
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo", timeout=TIMEOUT)
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

    Raises ``ValueError`` for a head whose logits are not those of ``lossbook.heads.base``, such
    as one with sub-centres or a second loss: they would be split wrongly.
    """

    def __init__(self, head, mesh):
        super().__init__()
        require(
            isinstance(head, Head)
            and type(head).loss is Head.loss
            and head.uses_library_logits()
            and not head.sees_samples,
            f"{type(head).__name__} defines its own logits or loss, and class-parallel training "
            "supports only those of lossbook.heads.base: train it in one process, or write it as "
            "a subclass of MarginHead that defines margin_of alone",
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
            setattr(head, name, nn.Parameter(split))
        self.local = _LocalLogits(head)

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
        logits = self._split_logits(self._all_gather(self.head.check_inputs(x, None)))
        return logits.redistribute(self.mesh, [Shard(0)]).to_local()

    def loss(self, x, labels):
        x = self.head.check_inputs(x, labels)
        labels = self._all_gather(labels)
        logits = self._split_logits(self._all_gather(x), labels)
        targets = DTensor.from_local(labels, self.mesh, [Replicate()])
        return F.cross_entropy(logits, targets).full_tensor()

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

    def _split_logits(self, x, labels=None):
        """(N, C) logits as a DTensor split by class."""
        parameters = {
            f"head.{name}": parameter.to_local() for name, parameter in self.head.named_parameters()
        }
        local = torch.func.functional_call(self.local, parameters, (x, labels, self.first_class))
        shape = torch.Size([len(x), self.head.num_classes])
        return DTensor.from_local(local, self.mesh, [Shard(1)], shape=shape, stride=(shape[1], 1))


class _LocalLogits(nn.Module):
    """The logits of one rank's classes, with the margin where the target is among them."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, x, labels, first_class):
        logits = self.head.plain_logits(x)
        if labels is None:
            return logits
        columns = labels - first_class
        rows = torch.nonzero((columns >= 0) & (columns < logits.shape[1])).squeeze(1)
        margined = self.head.apply_margin(logits[rows], x[rows], columns[rows])
        return logits.index_copy(0, rows, margined)


def _synchronize_batch_norm(backbone, device):
    """``backbone`` with batch normalisation over the batches of all ranks; CUDA only."""
    batch_norms = [
        name
        for name, layer in backbone.named_modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
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


def _is_lost_connection(error):
    message = str(error)
    return isinstance(error, dist.DistError) or "gloo" in message.lower() or "onnection" in message

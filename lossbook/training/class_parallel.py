"""Class-parallel training: the class vectors split among processes, and the images of every batch too.

Started by ``torchrun``, each process, a *rank*, holds C/K class vectors and a full backbone. A step

1. embeds this rank's share of the batch,
2. gathers all embeddings of the batch on every rank (they are small),
3. takes their logits for this rank's classes, with the margin on the targets that are among them,
4. forms one softmax over the classes of all ranks without ever bringing their logits together.

In a step no rank holds the (N, C) logits or the (C, d) class vectors. After an epoch the vectors are
brought together once, for the snapshot and the checkpoint. PyTorch does the work: ``DTensor`` for
what is split, ``loss_parallel`` for the softmax, ``DistributedDataParallel`` for the backbone. The
loss and every gradient are those of a single process, to rounding.
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
from lossbook.training.single_process import RankLost, SingleProcess
from lossbook.utils.validation import require

__all__ = ["ProcessGroup", "join_process_group", "ClassParallelHead"]

PATIENCE = timedelta(minutes=5)  # how long a rank waits for the others


class ProcessGroup(SingleProcess):
    """The processes that ``torchrun`` started, joined for one training; make it with :func:`ranks`.

    Attributes: ``rank`` (from 0), ``size`` and ``device``, this rank's.
    """

    scales = False  # torch.amp.GradScaler does not take DTensors beside tensors

    def __init__(self, device_type):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.mesh = init_device_mesh(device_type, (self.size,))
        self.device = (
            torch.device(device_type, int(os.environ["LOCAL_RANK"]))
            if device_type == "cuda"
            else torch.device(device_type)
        )

    def spread(self, backbone, head):
        batch_norms = [
            name
            for name, layer in backbone.named_modules()
            if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        ]
        if batch_norms and self.device.type == "cuda":
            backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
        else:
            require(
                not batch_norms,
                f"the backbone's layer {', '.join(batch_norms[:1])} normalises over the batch, and "
                "PyTorch can do that across ranks on CUDA alone: take a backbone without batch "
                "normalisation, for instance --backbone LeNetPP",
            )
        parallel = DistributedDataParallel(backbone)
        parallel.register_comm_hook(None, _summed)  # the loss is the whole batch's mean already
        return parallel, ClassParallelHead(head, self.mesh)

    def share(self, batch):
        parts = batch.chunk(self.size)
        require(
            len(parts) == self.size,
            f"a batch of {len(batch)} images cannot be shared among {self.size} ranks: "
            "choose another batch_size (the last batch of an epoch counts too) or fewer ranks",
        )
        return parts[self.rank]

    def total(self, number):
        number = torch.tensor(number, dtype=torch.float64, device=self.device)
        dist.all_reduce(number)
        return number.item()

    def clip(self, parameters, most):
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = torch.stack(
            [self.whole(torch.linalg.vector_norm(gradient)) for gradient in gradients]
        ).norm()
        for gradient in gradients:
            gradient.mul_((most / (norm + 1e-6)).clamp(max=1.0))
        return norm

    @contextmanager
    def together(self):
        with loss_parallel():
            yield

    def whole(self, state):
        return tree_map(
            lambda value: value.full_tensor() if isinstance(value, DTensor) else value, state
        )

    def restore(self, part, state):
        if isinstance(part, nn.Module):
            own = part.state_dict()
            state = {name: _like(own[name], value) for name, value in state.items()}
        super().restore(part, state)
        if isinstance(part, torch.optim.Optimizer):
            for parameter, values in part.state.items():
                values.update({name: _like(parameter, value) for name, value in values.items()})


@contextmanager
def join_process_group(device=None):
    """Join the processes of a ``torchrun`` for the time of a ``with``; gives :class:`Ranks`.

    ``device`` is "cuda" or "cpu"; default CUDA where there is one a rank, else the CPU.

    Raises ``ValueError`` outside of torchrun, :class:`RankLost` if another rank ends first.
    """
    require(
        "TORCHELASTIC_RUN_ID" in os.environ
        or {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys(),
        "class-parallel training needs several processes: start it with "
        "torchrun --nproc-per-node=2 -m lossbook train NAME --class-parallel",
    )
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    kind = (
        torch.device(device).type
        if device
        else "cuda"
        if torch.cuda.device_count() >= local
        else "cpu"
    )
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield ProcessGroup(kind)
    except (dist.DistError, RuntimeError) as error:
        if (
            isinstance(error, dist.DistError)
            or "gloo" in str(error).lower()
            or "onnection" in str(error)
        ):
            raise RankLost(
                f"rank {dist.get_rank()} lost another rank, which ended or cannot be reached: its own output "
                "says why; the same command goes on from the last finished epoch, with as many ranks or "
                f"with another number of them ({str(error).splitlines()[0]})"
            ) from error
        raise
    finally:
        dist.destroy_process_group()


class ClassParallelHead(nn.Module):
    """A head of :mod:`lossbook.heads` whose class vectors (and bias) are split among the ranks of ``mesh``.

    ``weight`` is a DTensor of the shape (C, d); each rank holds about C/K rows of it. ``loss(x, labels)``
    takes this rank's embeddings and gives the mean over the whole batch; ``forward(x)`` gives the
    logits (n, C) of this rank's own.

    Raises ``ValueError`` for a head whose logits are not those of ``lossbook.heads.base``, such as one with
    sub-centres or a second loss: they would be split wrongly.
    """

    def __init__(self, head, mesh):
        super().__init__()
        require(
            isinstance(head, Head) and type(head).loss is Head.loss and head._is_as_written_here(),
            f"{type(head).__name__} defines logits or a loss of its own, and class-parallel training knows only those "
            "of lossbook.heads.base: train it in one process, or give a subclass of MarginHead a margin_of alone",
        )
        self.mesh, classes = mesh, head.num_classes
        share = -(-classes // mesh.size())
        require(
            share * (mesh.size() - 1) < classes,
            f"{classes} classes leave one of {mesh.size()} ranks without any: use fewer ranks",
        )
        self.first = share * mesh.get_local_rank()
        for name, parameter in list(head.named_parameters()):
            setattr(
                head, name, nn.Parameter(distribute_tensor(parameter.detach(), mesh, [Shard(0)]))
            )
        self.part = _Part(head)

    @property
    def head(self):
        return self.part.head

    @property
    def weight(self):
        return self.head.weight

    @property
    def name(self):
        return self.head.name

    def set_progress(self, progress):
        self.head.set_progress(progress)

    def forward(self, x):
        logits = self._logits(self._gathered(self.head._checked(x, None)))
        return logits.redistribute(self.mesh, [Shard(0)]).to_local()

    def loss(self, x, labels):
        x = self.head._checked(x, labels)
        labels = self._gathered(labels)
        logits = self._logits(self._gathered(x), labels)
        targets = DTensor.from_local(labels, self.mesh, [Replicate()])
        return F.cross_entropy(logits, targets).full_tensor()

    def _gathered(self, mine):
        """All ranks' rows, (N, …), on every rank."""
        sizes = torch.zeros(self.mesh.size(), dtype=torch.int64, device=mine.device)
        sizes[self.mesh.get_local_rank()] = len(mine)
        dist.all_reduce(sizes)
        shape = torch.Size([int(sizes.sum()), *mine.shape[1:]])
        stride = torch.empty(shape, device="meta").stride()
        split = DTensor.from_local(
            mine.contiguous(), self.mesh, [Shard(0)], shape=shape, stride=stride
        )
        return split.redistribute(self.mesh, [Replicate()]).to_local(grad_placements=[Partial()])

    def _logits(self, x, labels=None):
        """(N, C) logits as a DTensor split by class."""
        local = {
            f"head.{name}": parameter.to_local() for name, parameter in self.head.named_parameters()
        }
        mine = torch.func.functional_call(self.part, local, (x, labels, self.first))
        shape = torch.Size([len(x), self.head.num_classes])
        return DTensor.from_local(mine, self.mesh, [Shard(1)], shape=shape, stride=(shape[1], 1))


class _Part(nn.Module):
    """What one rank computes: the logits of its classes, with the margin where the target is among them."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, x, labels, first):
        logits = self.head._logits(x)
        if labels is None:
            return logits
        rows = torch.nonzero((labels >= first) & (labels < first + logits.shape[1])).squeeze(1)
        margined = self.head._with_margin(logits[rows], x[rows], labels[rows] - first)
        return logits.index_copy(0, rows, margined)


def _summed(_, bucket):
    """Gradients of the backbone, added up over the ranks."""
    return (
        dist.all_reduce(bucket.buffer(), async_op=True)
        .get_future()
        .then(lambda done: done.value()[0])
    )


def _like(parameter, tensor):
    """``tensor`` split as ``parameter`` is, if it is split and of the same shape."""
    if (
        isinstance(parameter, DTensor)
        and torch.is_tensor(tensor)
        and tensor.shape == parameter.shape
    ):
        return distribute_tensor(
            tensor.to(parameter.device), parameter.device_mesh, parameter.placements
        )
    return tensor

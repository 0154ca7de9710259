"""The processes of one training: the interface that ``fit`` uses, and the case of a single process.

This module does not import ``torch.distributed``, which not every build of PyTorch has; several
processes are in :mod:`lossbook.training.class_parallel`.
"""

from abc import ABC, abstractmethod

from torch.nn.utils import clip_grad_norm_

__all__ = ["Processes", "SingleProcess", "RankLost"]


class RankLost(RuntimeError):
    """Another process of the same training ended or cannot be reached any more."""


class Processes(ABC):
    """The processes that train one model together.

    :func:`lossbook.training.fit` does through these methods everything that differs between one
    process, :class:`SingleProcess`, and several,
    :class:`~lossbook.training.class_parallel.ProcessGroup`.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        The number of processes.
    supports_loss_scaling : bool
        Whether the loss can be scaled, as training in float16 needs.
    """

    rank: int
    size: int
    supports_loss_scaling: bool

    @abstractmethod
    def prepare(self, backbone, head):
        """(backbone, head) in the form in which they take part in training."""

    @abstractmethod
    def shard(self, batch):
        """This process's part of the rows of a batch."""

    @abstractmethod
    def all_reduce(self, number):
        """The sum of a number over all processes."""

    @abstractmethod
    def clip_grad_norm(self, parameters, max_norm):
        """Scale all gradients so that their total norm is at most ``max_norm``.

        Returns the total norm before scaling.
        """

    @abstractmethod
    def gather(self, state):
        """``state`` with every split tensor made whole; all processes must call this together.

        ``state`` is a tensor, or dicts and lists of tensors.
        """

    @abstractmethod
    def load_state_dict(self, part, state):
        """Load a gathered ``state`` into ``part``, a module, an optimizer or a schedule."""


class SingleProcess(Processes):
    """One process that holds the whole model and every batch: the default."""

    rank, size, supports_loss_scaling = 0, 1, True

    def prepare(self, backbone, head):
        return backbone, head

    def shard(self, batch):
        return batch

    def all_reduce(self, number):
        return number

    def clip_grad_norm(self, parameters, max_norm):
        return clip_grad_norm_(parameters, max_norm)

    def gather(self, state):
        return state

    def load_state_dict(self, part, state):
        part.load_state_dict(state)

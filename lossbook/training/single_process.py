"""One process, nothing split: how a training runs unless it is told otherwise."""

from contextlib import contextmanager

from torch.nn.utils import clip_grad_norm_

__all__ = ["SingleProcess", "RankLost"]


class RankLost(RuntimeError):
    """Another process of the same training ended or can no longer be reached."""


class SingleProcess:
    """What :func:`lossbook.training.fit` asks where one process or many could differ.

    Attributes: ``rank``, this process among them, from 0; ``size``, their number; ``scales``, whether a
    loss in float16 can be scaled. :class:`lossbook.training.class_parallel.ProcessGroup` answers for many.
    """

    rank, size, scales = 0, 1, True

    def spread(self, backbone, head):
        """(backbone, head) as they take part in training."""
        return backbone, head

    def share(self, batch):
        """This process's part of a batch of positions."""
        return batch

    def total(self, number):
        """The sum of a number over all processes."""
        return number

    def clip(self, parameters, most):
        """Cut the norm of all gradients together to ``most``; what it was before."""
        return clip_grad_norm_(parameters, most)

    @contextmanager
    def together(self):
        """Around the steps of a training."""
        yield

    def whole(self, state):
        """``state`` (a tensor, or dicts and lists of them) with what is split brought together; all must call it."""
        return state

    def restore(self, part, state):
        """Load a whole ``state`` into ``part``, a module or an optimizer."""
        part.load_state_dict(state)

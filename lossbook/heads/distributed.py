"""Several ranks, each with a copy of the head: their gradients must be those of one batch."""

import torch
import torch.distributed as dist
from torch import nn

from lossbook.utils.validation import require

__all__ = ["WithLoss", "check_gradients_are_shared"]


class WithLoss(nn.Module):
    """A backbone and a head in one module, whose ``forward`` returns the loss.

    ``DistributedDataParallel`` averages the gradients of what its ``forward`` computes, and of
    nothing else. Around the backbone alone it leaves the head to each rank, and
    ``DDP(head).module.loss`` passes it by: the ranks' class vectors drift apart, without an error.
    With this module inside, backbone and head train as in one process with the batches of all
    ranks, if these are equally large and the loss is a mean over samples. A loss over the pairs of
    a batch sees those of its rank alone. So do statistics that a head gathers: AdaCos's scale, the
    means of lengths and cosines of AdaFace and CurricularFace, centers, and the class means of the
    heads without class vectors.

    Parameters
    ----------
    backbone : Module or None
        Images → embeddings (N, d). With None, ``forward`` takes the embeddings themselves.
    head : Head

    Examples
    --------
    On each rank, after ``dist.init_process_group``::

        model = DistributedDataParallel(WithLoss(backbone, head))
        for step, (images, labels) in enumerate(loader):
            head.set_progress(step / steps)
            optimizer.zero_grad()
            model(images, labels).backward()
            optimizer.step()

    >>> from lossbook import backbones, heads
    >>> model = WithLoss(backbones.Dense(2), heads.ArcFace(2, num_classes=10))
    >>> images, labels = torch.rand(4, 1, 28, 28), torch.tensor([3, 1, 4, 1])
    >>> model(images, labels, label_smoothing=0.1).shape
    torch.Size([])
    >>> model(images).shape
    torch.Size([4, 10])
    """

    def __init__(self, backbone, head):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images, labels=None, **options):
        """``head.loss(embeddings, labels, **options)``; without labels the logits to predict with.

        ``images`` (N, …) and ``labels`` (N,); ``options`` are those of
        :meth:`lossbook.heads.Head.loss`.
        """
        x = images if self.backbone is None else self.backbone(images)
        return self.head(x) if labels is None else self.head.loss(x, labels, **options)


def check_gradients_are_shared(head):
    """Raise ``RuntimeError`` if this rank's gradient of ``head`` would be its own alone.

    That is where several ranks have joined a process group, the head's class vectors are an
    ordinary parameter that trains, and no ``DistributedDataParallel`` is running. A head whose
    gradients are summed over the ranks in another way has
    ``gradients_are_shared = True``.
    """
    if torch.compiler.is_compiling() or not (dist.is_available() and dist.is_initialized()):
        return
    if (
        dist.get_world_size() > 1
        and not head.gradients_are_shared
        and torch.is_grad_enabled()
        and type(head.weight) is nn.Parameter
        and head.weight.requires_grad
    ):
        active = nn.parallel.DistributedDataParallel._get_active_ddp_module()
        require(
            active is not None,
            f"{type(head).__name__} computes a loss on one of {dist.get_world_size()} ranks, and "
            "nothing would average its gradients over them: train "
            "DistributedDataParallel(heads.WithLoss(backbone, head)), and call it with "
            "(images, labels). If you sum the head's gradients over the ranks yourself, set "
            "head.gradients_are_shared = True",
            RuntimeError,
        )

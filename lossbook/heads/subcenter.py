"""Sub-centres: several class vectors a class, so that wrongly labelled images have somewhere else to go."""

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.base import polar
from lossbook.heads.margin_heads import ArcFace
from lossbook.utils.validation import check_int

__all__ = ["SubCenterArcFace"]


class SubCenterArcFace(ArcFace):
    """ArcFace with K class vectors a class; the one nearest to the embedding gives the class's cosine.

    Target s·cos(θ_y + m), all other logits s·cos θ_j, where θ_j is the least angle to one of class
    j's K sub-centres. An image with a wrong label is pulled to a sub-centre of its own instead of
    into the heap of its label.

    Source: Deng et al., "Sub-center ArcFace", ECCV 2020.

    Parameters: ``scale``, ``margin`` and ``easy_margin`` as in :class:`~lossbook.heads.ArcFace`;
    ``centers`` is K, at least 1 (1 is ArcFace).

    Attributes
    ----------
    weight : Parameter, shape (C, d)
        The *first* sub-centre of each class, which need not be its dominant one: see :meth:`dominant`.
    others : Parameter, shape (K − 1, C, d)
        The rest of them.
    """

    def __init__(
        self, embedding_dim, num_classes, scale=64.0, margin=0.5, centers=3, easy_margin=False
    ):
        centers = check_int("centers", centers)
        super().__init__(embedding_dim, num_classes, scale, margin, easy_margin)
        self.centers = self.hyperparameters["centers"] = centers
        self.others = nn.Parameter(torch.empty(centers - 1, num_classes, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all sub-centres from torch's global generator: the first as :class:`~lossbook.heads.Head` does."""
        super().reset_parameters()
        for others in getattr(self, "others", ()):
            nn.init.xavier_uniform_(others)

    def _logits(self, x):
        return self._cosines(x).amax(dim=1) * self.scale

    def _with_margin(self, logits, x, labels):
        own = self._cosines(x, labels).amax(dim=1)
        target = self.margin_of(own) * self.scale
        return logits.scatter(1, labels[:, None], target[:, None].to(logits.dtype))

    def _cosines(self, x, labels=None):
        """(N, K, C) cosines to all sub-centres, or (N, K) to those of each row's label; float32 or wider."""
        direction, _ = polar(x, self._shortest(x))
        every = torch.cat([self.weight[None], self.others])
        unit = (
            polar(every.flatten(0, 1), self._shortest(self.weight))[0]
            .view(every.shape)
            .to(direction.dtype)
        )
        with torch.autocast(x.device.type, enabled=False):
            if labels is not None:
                return (direction[:, None] * unit[:, labels].transpose(0, 1)).sum(dim=2)
            return F.linear(direction, unit.flatten(0, 1)).view(len(x), self.centers, -1)

    @torch.no_grad()
    def nearest(self, x, labels):
        """Which sub-centre of its label, 0 … K − 1, each embedding is nearest to; (N,) int64."""
        self._checked(x, labels)
        return self._cosines(x, labels).argmax(dim=1)

    @torch.no_grad()
    def dominant_of(self, x, labels):
        """The number of the sub-centre that most images of a class choose, (C,) int64; 0 for a class without images."""
        counts = torch.bincount(
            labels * self.centers + self.nearest(x, labels),
            minlength=self.num_classes * self.centers,
        )
        return counts.view(self.num_classes, self.centers).argmax(dim=1)

    @torch.no_grad()
    def dominant(self, x, labels):
        """A plain :class:`~lossbook.heads.ArcFace` that keeps, of each class, the sub-centre most of its images choose.

        ``x`` ``(N, d)`` and ``labels`` ``(N,)`` are those of the training set.
        """
        most = self.dominant_of(x, labels)
        every = torch.cat([self.weight[None], self.others])
        with torch.random.fork_rng(devices=[]):  # its weights are drawn, and then replaced
            kept = ArcFace(
                self.embedding_dim, self.num_classes, self.scale, self.margin, self.easy_margin
            ).to(every)
        kept.weight.copy_(every[most, torch.arange(self.num_classes, device=most.device)])
        return kept

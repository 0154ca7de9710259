"""Sub-centres: several class vectors per class, so that wrong labels do less harm."""

import torch
import torch.nn.functional as F
from torch import nn

from lossbook.heads.margin_heads import ArcFace
from lossbook.utils.validation import check_int
from lossbook.utils.vectors import polar

__all__ = ["SubCenterArcFace"]


class SubCenterArcFace(ArcFace):
    """ArcFace with K class vectors per class, the sub-centres; the nearest gives the cosine.

    Target s·cos(θ_y + m), all other logits s·cos θ_j, where θ_j is the least angle to one of class
    j's K sub-centres. An image with a wrong label is pulled to a sub-centre of its own instead of
    into the heap of its label.

    Source: Deng et al., "Sub-center ArcFace", ECCV 2020, eq. 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m in radians, in [0, π).
    centers : int
        K, at least 1 (1 is ArcFace).
    easy_margin : bool
        As in :class:`~lossbook.heads.ArcFace`.

    Attributes
    ----------
    weight : Parameter, shape (C, d)
        The *first* sub-centre of each class, which need not be its dominant one: see
        :meth:`keep_dominant`.
    others : Parameter, shape (K − 1, C, d)
        The other sub-centres.

    Examples
    --------
    >>> head = SubCenterArcFace(embedding_dim=2, num_classes=2, scale=10, margin=0.0, centers=2)
    >>> head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> head.others.data = torch.tensor([[[-1.0, 0.0], [0.0, -1.0]]])
    >>> x = torch.tensor([[3.0, 4.0], [-3.0, 4.0]])
    >>> head(x).detach()
    tensor([[6., 8.],
            [6., 8.]])
    >>> head.nearest_center(x, torch.tensor([0, 0]))
    tensor([0, 1])
    """

    def __init__(
        self, embedding_dim, num_classes, scale=64.0, margin=0.5, centers=3, easy_margin=False
    ):
        centers = check_int("centers", centers)
        super().__init__(embedding_dim, num_classes, scale, margin, easy_margin)
        self.hyperparameters = {**self.hyperparameters, "centers": centers}
        self.others = nn.Parameter(torch.empty(centers - 1, num_classes, embedding_dim))
        self._draw_others()

    def reset_parameters(self):
        """Draw all sub-centres from torch's global generator; the first as every head does."""
        super().reset_parameters()
        if hasattr(self, "others"):
            self._draw_others()

    def _draw_others(self):
        for vectors in self.others:
            nn.init.xavier_uniform_(vectors)

    def plain_logits(self, x):
        """Logits without margin, (N, C), of checked embeddings (N, d)."""
        return self._cosines(x).amax(dim=1) * self.scale

    def apply_margin(self, logits, x, labels):
        """``logits`` (N, C) with the margined target logit in the column of each row's label."""
        cos = self._cosines(x, labels).amax(dim=1)
        target_logits = self.margin_of(cos) * self.scale
        return logits.scatter(1, labels[:, None], target_logits[:, None].to(logits.dtype))

    def _all_centers(self):
        """All sub-centres, (K, C, d)."""
        return torch.cat([self.weight[None], self.others])

    def _cosines(self, x, labels=None):
        """Cosines to all sub-centres, (N, K, C), or to those of each row's label, (N, K).

        They are in float32 or wider.
        """
        direction, _ = polar(x, self.shortest_length(x))
        centers = self._all_centers()
        unit, _ = polar(centers.flatten(0, 1), self.shortest_length(self.weight))
        unit = unit.view(centers.shape).to(direction.dtype)
        with torch.autocast(x.device.type, enabled=False):
            if labels is not None:
                return (direction[:, None] * unit[:, labels].transpose(0, 1)).sum(dim=2)
            return F.linear(direction, unit.flatten(0, 1)).unflatten(1, (self.centers, -1))

    @torch.no_grad()
    def nearest_center(self, x, labels):
        """The sub-centre of its label, 0 … K − 1, that each embedding is nearest to; (N,) int64."""
        self.check_inputs(x, labels)
        return self._cosines(x, labels).argmax(dim=1)

    @torch.no_grad()
    def dominant_centers(self, x, labels):
        """The sub-centre that most images of each class are nearest to, (C,) int64.

        It is 0 for a class without images.
        """
        counts = torch.bincount(
            labels * self.centers + self.nearest_center(x, labels),
            minlength=self.num_classes * self.centers,
        )
        return counts.view(self.num_classes, self.centers).argmax(dim=1)

    @torch.no_grad()
    def keep_dominant(self, x, labels):
        """A plain :class:`~lossbook.heads.ArcFace` with the dominant sub-centre of each class.

        ``x`` ``(N, d)`` and ``labels`` ``(N,)`` are those of the training set.
        """
        dominant = self.dominant_centers(x, labels)
        centers = self._all_centers()
        with torch.random.fork_rng(devices=[]):  # its weights are drawn, and then replaced
            head = ArcFace(
                self.embedding_dim, self.num_classes, self.scale, self.margin, self.easy_margin
            ).to(centers)
        head.weight.copy_(centers[dominant, torch.arange(self.num_classes, device=centers.device)])
        return head

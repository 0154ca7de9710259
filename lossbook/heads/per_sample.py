"""The base class of the losses whose margin depends on the sample, or that re-weight rivals."""

import torch

from lossbook.heads.base import MarginHead
from lossbook.heads.targets import Targets
from lossbook.utils.vectors import polar

__all__ = ["PerSampleMargin"]


class PerSampleMargin(MarginHead):
    """Logits s·cos θ_j whose margin may depend on length, label and rivals of each sample.

    A subclass defines ``margin_of_samples``, and, if it changes other logits than the target's,
    sets ``adapts_rivals = True`` and defines ``adapt_rivals``. It also defines ``margin_of``, the
    margin of a medium sample, which figures draw. ``chunk`` and ``sample`` work as in every head.

    Examples
    --------
    A margin for each class, for instance larger for rare ones:

    >>> class MarginPerClass(PerSampleMargin):
    ...     class_margins = torch.tensor([0.1, 0.5])
    ...
    ...     def margin_of(self, cos):
    ...         return cos - 0.3
    ...
    ...     def margin_of_samples(self, targets):
    ...         return targets.cos - self.class_margins[targets.labels]
    >>> head = MarginPerClass(embedding_dim=2, num_classes=2, scale=10)
    >>> head.weight.data = torch.eye(2)
    >>> head(torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1])).detach()
    tensor([[9., 0.],
            [0., 5.]])
    """

    unit_weight = unit_embedding = True
    sees_samples = True

    def margin_of_samples(self, targets):
        """The margined target cosines, (N,), of :class:`~lossbook.heads.targets.Targets`.

        It is called once per loss. Running statistics are updated here, if ``self.training``.
        """
        return self.margin_of(targets.cos)

    def adapt_rivals(self, cos, targets):
        """The rivals' cosines, (N, B), as the loss takes them, entry by entry, of B classes.

        ``targets.margined`` (N,) are the margined targets to compare with. What is returned for
        the target itself is not used.
        """
        return cos

    def apply_margin(self, logits, x, labels):
        direction, length = polar(x, self.shortest_length(x))
        vector, _ = polar(self.weight[labels], self.shortest_length(self.weight))
        cos = (direction * vector).sum(dim=1)
        targets, margined = Targets.with_margin(self, cos, length, labels)
        if self.adapts_rivals:
            logits = self.adapt_rivals(logits / self.scale, targets) * self.scale
        return logits.scatter(1, labels[:, None], (margined * self.scale)[:, None].to(logits.dtype))

    def _margin_learns(self):
        with torch.enable_grad():
            return self.margin_of(self.weight.detach().new_ones(1)).requires_grad

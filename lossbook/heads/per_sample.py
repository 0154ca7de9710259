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
        cos, length = self.target_cosines(x, labels)
        logits, target_logits = self.training_logits(logits, cos, length, labels)
        return logits.scatter(1, labels[:, None], target_logits[:, None])

    def target_cosines(self, x, labels):
        """The cosines to the class vectors of ``labels``, and the lengths ‖x‖, (N,) each."""
        direction, length = polar(x, self.shortest_length(x))
        vector, _ = polar(self.weight[labels], self.shortest_length(self.weight))
        return (direction * vector).sum(dim=1), length

    def training_logits(self, logits, cos, length, labels):
        """The logits (N, B) of B classes as rivals, and the margined target logits, (N,).

        ``cos`` and ``length`` are those of :meth:`target_cosines`, of all N samples; the target
        need not be among the B classes.
        """
        targets, margined = Targets.with_margin(self, cos, length, labels)
        if self.adapts_rivals:
            logits = self.adapt_rivals(logits / self.scale, targets) * self.scale
        return logits, (margined * self.scale).to(logits.dtype)

    def _margin_learns(self):
        with torch.enable_grad():
            return self.margin_of(self.weight.detach().new_ones(1)).requires_grad

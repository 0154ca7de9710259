"""The panels of the fused pass (:mod:`lossbook.heads.fused.one_pass`): what has a row or column for each of some classes."""

import torch

from lossbook.utils.vectors import polar, safe_to_square

__all__ = ["panels_of"]

ROWS = 128  # class vectors projected at a time on a CPU: no second panel of them is held


def panels_of(head, ends, weight, bias, labels, size):
    """All classes in panels of ``size``, each with the batch's rows whose target lies in it."""
    starts = range(0, len(weight), size)
    order = labels.argsort()
    ranked = labels[order]
    cuts = torch.searchsorted(
        ranked, torch.tensor([*starts, len(weight)], device=labels.device)
    ).tolist()
    return [
        Panel(
            head,
            ends,
            weight[start : start + size],
            None if bias is None else bias[start : start + size],
            slice(start, start + size),
            order[low:high],
            ranked[low:high] - start,
        )
        for start, low, high in zip(starts, cuts, cuts[1:])
    ]


class Panel:
    """Some neighbouring classes: their logits, and what their softmax adds to the gradients."""

    def __init__(self, head, ends, weight, bias, where, rows, columns):
        self.head, self.ends, self.weight, self.bias = head, ends, weight, bias
        self.where, self.rows, self.columns, self.kept, self.factor = (
            where,
            rows,
            columns,
            None,
            None,
        )

    def logits(self, own):
        """The training logits, (N, columns); reads the targets from ``own`` if there is a margin, else writes them."""
        vectors, factor = self._directions()
        logits = self.ends.scaled @ vectors.T
        if factor is not None:
            logits.mul_(factor)
        if self.bias is not None:
            logits.add_(self.bias)
        if len(self.rows) and self.ends.target is not None:
            logits[self.rows, self.columns] = own[self.rows]
        elif len(self.rows):
            own[self.rows] = logits[self.rows, self.columns]
        return logits

    def pull_back(self, own, log_sum, at_targets, for_features, for_weight, for_bias):
        """Add to the gradient of the features (still without the scale); write the classes' own."""
        if self.kept is None:
            pull = self.logits(own).sub_(log_sum[:, None]).exp_().div_(len(own))
        else:
            (pull, highest), self.kept = self.kept, None
            pull.mul_((highest - log_sum).exp_().div_(len(own))[:, None])
        if len(self.rows):
            pull[self.rows, self.columns] = at_targets[self.rows]
        if for_bias is not None:
            for_bias[self.where] = pull.sum(dim=0)
        vectors, factor = self._directions()
        if factor is not None:
            pull.mul_(factor)
        if for_features is not None:
            for_features.addmm_(pull, vectors)
        if for_weight is not None:
            self._write(for_weight[self.where], pull, vectors, factor)

    def _write(self, out, pull, vectors, factor):
        if out.dtype == pull.dtype:
            found = torch.mm(pull.T, self.ends.scaled, out=out)
        else:
            found = pull.T @ self.ends.scaled
        if factor is not None:  # the part along W_j only made it longer
            rows = ROWS if found.device.type == "cpu" else len(found)
            for mine, theirs, r in zip(found.split(rows), vectors.split(rows), factor.split(rows)):
                mine.addcmul_(theirs, (mine * theirs).sum(dim=1).mul_(r).mul_(r)[:, None], value=-1)
        elif self.head.unit_weight:
            with torch.enable_grad():
                leaf = self.weight.detach().requires_grad_()
                directions = polar(leaf, self.head._shortest(leaf))[0]
            found = torch.autograd.grad(directions, leaf, found.to(directions.dtype))[0]
        if found is not out:
            out.copy_(found)

    def _directions(self):
        """``(vectors, factor)``: the class vectors as they are read are ``vectors`` times ``factor``, None for 1.

        The vectors are the weights themselves, not a copy, unless one is so long or short that its
        square would be lost; then the panel is normalised as in the plain head.
        """
        vectors = self.weight.to(self.ends.features.dtype)
        if not self.head.unit_weight:
            return vectors, None
        if self.factor is None:
            length = torch.linalg.vector_norm(vectors, dim=1)
            self.moderate, self.factor = (
                self.ends.moderate and safe_to_square(length),
                length.reciprocal_(),
            )
        if self.moderate:
            return vectors, self.factor
        return polar(self.weight, self.head._shortest(self.weight))[0].to(vectors.dtype), None

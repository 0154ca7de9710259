r"""Losses made of distances: between the embeddings of a batch, or from an embedding to its class's center.

Pure functions of embeddings ``x``, shape ``(N, d)``, floating, and class indices ``labels``, shape
``(N,)``, int64; a loss is a scalar in float32 or wider. What they compare is ‖x_i − x_j‖, so
turning or moving all embeddings together changes nothing (:func:`marginal` compares directions
and so may only be turned). A batch that holds nothing to compare costs nothing: the loss is zero,
with a zero gradient. The heads of :mod:`lossbook.heads.euclidean` check their input before they call.

The slope of a root at zero is infinite. Two embeddings on the same spot have no direction to pull
or push each other in, so their slope is taken as zero.
"""

import torch
import torch.nn.functional as F

from lossbook.utils.vectors import at_least_float32, polar

__all__ = [
    "MINING",
    "between",
    "contrastive",
    "triplets",
    "violations",
    "triplet",
    "center",
    "moved_centers",
    "range_loss",
    "marginal",
]

MINING = ("random", "semi-hard", "hard")


def squared_distances(x):
    """‖x_i − x_j‖², shape (N, N), from the differences themselves: exact for close embeddings far from zero."""
    x = at_least_float32(x)
    return (x[:, None] - x[None]).square().sum(dim=2)


def between(x):
    """‖x_i − x_j‖, shape (N, N); where it is zero, so is its gradient."""
    squared = squared_distances(x)
    apart = squared > 0
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)


def contrastive(x, labels, margin):
    """Pull equal pairs together, push unequal ones to a distance of at least ``margin``.

    ½D² for two samples of one class, ½max(0, m − D)² for two of different classes: the mean over
    the equal pairs plus the mean over the unequal ones, as if both had been drawn equally often.

    Source: Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping",
    CVPR 2006, eq. 4, with its Y from the labels.
    """
    distance, (equal, unequal) = between(x), _pairs(labels)
    pull, push = (
        distance[equal].square() / 2,
        (margin - distance[unequal]).clamp_min(0).square() / 2,
    )
    return _mean(pull, x) + _mean(push, x)


def triplets(x, labels, mining, generator=None):
    """Choose triplets from a batch: three int64 tensors (T,), the rows of anchors, positives and negatives.

    ``mining`` is one of

    * ``"random"``: every anchor and positive, with any negative, drawn from ``generator``, a CPU
      ``torch.Generator`` (torch's global one by default);
    * ``"semi-hard"``: every anchor and positive, with the nearest negative among those farther than
      the positive; none if there is no such negative (FaceNet, eq. 4);
    * ``"hard"``: every anchor once, with its farthest positive and its nearest negative
      (batch-hard, Hermans et al., eq. 5).

    Sources: Schroff et al., "FaceNet", CVPR 2015; Hermans et al., "In Defense of the Triplet
    Loss for Person Re-Identification", arXiv 1703.07737. Raises ``ValueError`` for any other mining.
    """
    if mining not in MINING:
        raise ValueError(f"mining = {mining!r}: expected one of {', '.join(map(repr, MINING))}")
    distance, (equal, unequal) = between(x.detach()), _pairs(labels)
    if mining == "hard":
        anchor = (equal.any(dim=1) & unequal.any(dim=1)).nonzero()[:, 0]
        farthest = torch.where(equal, distance, -torch.inf).argmax(dim=1)
        nearest = torch.where(unequal, distance, torch.inf).argmin(dim=1)
        return anchor, farthest[anchor], nearest[anchor]
    anchor, positive = equal.nonzero(as_tuple=True)
    allowed, order = unequal[anchor], distance[anchor]
    if mining == "semi-hard":
        allowed = allowed & (order > distance[anchor, positive][:, None])
    else:
        order = torch.rand(order.shape, generator=generator).to(x.device)
    negative = torch.where(allowed, order, torch.inf).argmin(dim=1)
    found = allowed.any(dim=1)
    return anchor[found], positive[found], negative[found]


def violations(x, chosen, margin):
    """max(0, D(a, p) − D(a, n) + m), shape (T,), of the ``chosen`` triplets: above zero where there is work left."""
    anchor, positive, negative = chosen
    distance = between(x)
    return (distance[anchor, positive] - distance[anchor, negative] + margin).clamp_min(0)


def triplet(x, labels, margin, mining="semi-hard", generator=None):
    """Every anchor nearer to its positive than to its negative, by at least ``margin``; the mean over :func:`triplets`.

    Distances are not squared and embeddings keep their lengths (Hermans et al., eq. 5). FaceNet's
    eq. 3 squares the distances and puts all embeddings on the unit sphere.
    """
    return _mean(violations(x, triplets(x, labels, mining, generator), margin), x)


def center(x, labels, centers):
    """½‖x_i − c_{y_i}‖², the mean over the batch, with ``centers`` of shape (C, d).

    Source: Wen et al., "A Discriminative Feature Learning Approach", ECCV 2016, eq. 2, divided by the
    batch size as L_S is, so that λ means the same.
    """
    x = at_least_float32(x)
    return (x - centers[labels].to(x.dtype)).square().sum(dim=1).mean() / 2


@torch.no_grad()
def moved_centers(centers, x, labels, alpha):
    """The centers, shape (C, d), after the paper's own step: c_j − α Σ_{y_i=j}(c_j − x_i) / (1 + n_j).

    n_j is the number of samples of class j in the batch. A class that is not there stays where it
    is, and for α ≤ 1 no center moves past the mean of its samples, however many there are.

    Source: Wen et al., ECCV 2016, eq. 4 and algorithm 1.
    """
    members = F.one_hot(labels, len(centers)).T.to(centers.dtype)
    count = members.sum(dim=1, keepdim=True)
    with torch.autocast(x.device.type, enabled=False):
        total = members @ x.to(centers.dtype)
    return centers - alpha * (count * centers - total) / (1 + count)


def range_loss(x, labels, margin, k=2):
    """(intra, inter): how far the k widest pairs of each class reach, and how near the two nearest classes are.

    ``intra`` is the harmonic mean of the k largest squared distances within a class (of all, if there
    are fewer), summed over the classes with at least two samples in the batch. ``inter`` is
    max(0, m − D), with D the smallest squared distance between the mean embeddings of two classes.

    Source: Zhang et al., "Range Loss for Deep Face Recognition with Long-Tailed Training Data", ICCV 2017.
    """
    intra, means = [], []
    for j in labels.unique():
        members = at_least_float32(x[labels == j])
        means.append(members.mean(dim=0))
        first, second = torch.triu_indices(len(members), len(members), offset=1, device=x.device)
        widest = (
            (members[first] - members[second]).square().sum(dim=1).topk(min(k, len(first))).values
        )
        if len(widest):
            smallest = (
                widest.detach().amin().clamp_min(torch.finfo(widest.dtype).tiny)
            )  # taken out: 1/D may overflow
            intra.append(smallest * len(widest) / (smallest / widest.clamp_min(smallest)).sum())
    gaps = squared_distances(torch.stack(means))
    gaps = gaps[torch.ones_like(gaps).triu(diagonal=1).bool()]
    nothing = _mean(gaps[:0], x)
    return sum(intra, start=nothing), (margin - gaps.min()).clamp_min(0) if len(gaps) else nothing


def marginal(x, labels, threshold=1.2, error=0.3):
    """Equal pairs of directions nearer than a threshold, unequal ones farther, both by an error margin.

    The mean over all pairs of max(0, ξ − y_ij(θ − ‖u_i − u_j‖²)), u = x/‖x‖, y_ij = 1 for equal
    classes and −1 for others; ``threshold`` is θ, ``error`` is ξ.

    Source: Deng, Zhou and Zafeiriou, "Marginal Loss for Deep Face Recognition", CVPR Workshops 2017.
    """
    squared = squared_distances(polar(x, 1e-12)[0])
    equal, unequal = _pairs(labels)
    signed = torch.where(equal, threshold - squared, squared - threshold)
    return _mean((error - signed).clamp_min(0)[equal | unequal], x)


def _pairs(labels):
    """(equal, unequal): two boolean (N, N), true where two different samples share their class, or do not."""
    same = labels[:, None] == labels[None]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def _mean(values, x):
    """The mean, or a zero that passes a zero gradient to ``x`` where there are no values."""
    return values.mean() if len(values) else (at_least_float32(x) * 0).sum()

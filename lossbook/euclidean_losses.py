r"""Losses on distances: between the embeddings of a batch, or from an embedding to its center.

Pure functions of embeddings ``x``, shape ``(N, d)``, floating, and class indices ``labels``, shape
``(N,)``, int64; a loss is a scalar in float32 or wider. They compare ‖x_i − x_j‖, so rotating or
moving all embeddings together changes nothing (:func:`marginal` compares directions, so only a
rotation leaves it unchanged). If a batch holds nothing to compare, the loss is zero with a zero
gradient. The heads of :mod:`lossbook.heads.euclidean` check their input before they call.

The square root has an infinite slope at zero. Two embeddings at the same point have no direction to
be pulled or pushed in, so the gradient of their distance is taken as zero.
"""

import torch
import torch.nn.functional as F

from lossbook.utils.validation import require
from lossbook.utils.vectors import at_least_float32, polar

__all__ = [
    "MINING",
    "pairwise_squared_distances",
    "pairwise_distances",
    "contrastive",
    "check_mining",
    "select_triplets",
    "triplet_losses",
    "triplet",
    "center",
    "updated_centers",
    "range_loss",
    "marginal",
]

MINING = ("batch-all", "batch-hard", "semi-hard", "random")


def pairwise_squared_distances(x):
    """‖x_i − x_j‖², shape (N, N).

    Computed from the differences themselves, so it is exact for close embeddings far from zero, and
    has second derivatives, which ``torch.cdist`` lacks.
    """
    x = at_least_float32(x)
    return (x[:, None] - x[None]).square().sum(dim=2)


def pairwise_distances(x):
    """‖x_i − x_j‖, shape (N, N); where it is zero, so is its gradient."""
    squared = pairwise_squared_distances(x)
    positive = squared > 0
    # The inner where keeps the root away from zero, whose gradient would be NaN in the outer one.
    return torch.where(positive, torch.where(positive, squared, 1).sqrt(), 0)


def contrastive(x, labels, margin):
    """Pull equal pairs together, push unequal ones to a distance of at least ``margin``.

    ½D² for two samples of one class, ½max(0, m − D)² for two of different classes: the mean over
    the equal pairs plus the mean over the unequal ones, as if both had been drawn equally often.

    Source: Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping",
    CVPR 2006, eq. 4, with its Y from the labels.
    """
    distance = pairwise_distances(x)
    equal, unequal = _pair_masks(labels)
    pull = distance[equal].square() / 2
    push = (margin - distance[unequal]).clamp_min(0).square() / 2
    return _mean(pull, x) + _mean(push, x)


def check_mining(mining):
    """``mining``, one of ``MINING``; ``"hard"`` is short for ``"batch-hard"``.

    Raises ``ValueError`` for any other value.
    """
    name = "batch-hard" if mining == "hard" else mining
    require(
        name in MINING,
        f"mining = {mining!r}: expected one of {', '.join(map(repr, MINING))}",
    )
    return name


def select_triplets(x, labels, mining, generator=None):
    """Select triplets from a batch: the rows of anchors, positives and negatives, each (T,) int64.

    An anchor and its positive are two samples of one class, the negative is one of another class.
    ``mining`` is one of

    * ``"batch-all"``: every such triplet, P·K·(K − 1)·(P·K − K) of them in a batch of P classes
      with K samples each (Hermans et al., eq. 6);
    * ``"batch-hard"``: every anchor once, with its farthest positive and its nearest negative
      (Hermans et al., eq. 5); ``"hard"`` is the same;
    * ``"semi-hard"``: every anchor and positive, with the nearest negative among those farther than
      the positive; none if there is no such negative (FaceNet, eq. 4);
    * ``"random"``: every anchor and positive, with any negative, drawn from ``generator``, a CPU
      ``torch.Generator`` (torch's global one by default).

    Sources: Schroff et al., "FaceNet", CVPR 2015; Hermans et al., "In Defense of the Triplet
    Loss for Person Re-Identification", arXiv 1703.07737.

    Raises ``ValueError`` for any other mining.
    """
    mining = check_mining(mining)
    distance = pairwise_distances(x.detach())
    equal, unequal = _pair_masks(labels)
    if mining == "batch-hard":
        anchor = (equal.any(dim=1) & unequal.any(dim=1)).nonzero()[:, 0]
        farthest = torch.where(equal, distance, -torch.inf).argmax(dim=1)
        nearest = torch.where(unequal, distance, torch.inf).argmin(dim=1)
        return anchor, farthest[anchor], nearest[anchor]
    anchor, positive = equal.nonzero(as_tuple=True)
    eligible = unequal[anchor]
    if mining == "batch-all":
        pair, negative = eligible.nonzero(as_tuple=True)
        return anchor[pair], positive[pair], negative
    if mining == "semi-hard":
        rank = distance[anchor]
        eligible = eligible & (rank > distance[anchor, positive][:, None])
    else:
        rank = torch.rand(eligible.shape, generator=generator, device="cpu").to(x.device)
    negative = torch.where(eligible, rank, torch.inf).argmin(dim=1)
    complete = eligible.any(dim=1)
    return anchor[complete], positive[complete], negative[complete]


def triplet_losses(x, triplets, margin):
    """max(0, D(a, p) − D(a, n) + m) of each triplet, shape (T,): zero where it is satisfied.

    ``triplets`` is what :func:`select_triplets` returns.
    """
    anchor, positive, negative = triplets
    distance = pairwise_distances(x)
    return (distance[anchor, positive] - distance[anchor, negative] + margin).clamp_min(0)


def triplet(x, labels, margin, mining="semi-hard", generator=None):
    """Every anchor nearer to its positive than to its negative, by at least ``margin``.

    The mean of :func:`triplet_losses` over :func:`select_triplets`, satisfied triplets included.
    Distances are not squared and embeddings keep their lengths (Hermans et al., eq. 5). FaceNet's
    eq. 3 squares the distances and puts all embeddings on the unit sphere.
    """
    triplets = select_triplets(x, labels, mining, generator)
    return _mean(triplet_losses(x, triplets, margin), x)


def center(x, labels, centers):
    """½‖x_i − c_{y_i}‖², the mean over the batch, with ``centers`` of shape (C, d).

    Source: Wen et al., "A Discriminative Feature Learning Approach", ECCV 2016, eq. 2, divided by
    the batch size as L_S is, so that λ means the same.
    """
    x = at_least_float32(x)
    return (x - centers[labels].to(x.dtype)).square().sum(dim=1).mean() / 2


@torch.no_grad()
def updated_centers(centers, x, labels, alpha):
    """The centers, shape (C, d), after the paper's step: c_j − α Σ_{y_i=j}(c_j − x_i) / (1 + n_j).

    n_j is the number of samples of class j in the batch. A class without samples keeps its center,
    and for α ≤ 1 no center moves past the mean of its samples, however many there are.

    Source: Wen et al., ECCV 2016, eq. 4 and algorithm 1.
    """
    members = F.one_hot(labels, len(centers)).T.to(centers.dtype)
    count = members.sum(dim=1, keepdim=True)
    with torch.autocast(x.device.type, enabled=False):
        total = members @ x.to(centers.dtype)
    return centers - alpha * (count * centers - total) / (1 + count)


def range_loss(x, labels, margin, k=2):
    """(intra, inter): the spread of the k widest pairs in each class, and the two nearest classes.

    ``intra`` is the harmonic mean of the k largest squared distances within a class (of all, if
    there are fewer), summed over the classes with at least two samples in the batch. ``inter`` is
    max(0, m − D), with D the smallest squared distance between the mean embeddings of two classes.

    Source: Zhang et al., "Range Loss for Deep Face Recognition with Long-Tailed Training Data",
    ICCV 2017.
    """
    intra, means = _zero(x), []
    for j in labels.unique():
        members = at_least_float32(x[labels == j])
        means.append(members.mean(dim=0))
        if len(members) > 1:
            widest = _of_pairs(pairwise_squared_distances(members))
            intra = intra + _harmonic_mean(widest.topk(min(k, len(widest))).values)
    if len(means) < 2:
        return intra, _zero(x)
    nearest = _of_pairs(pairwise_squared_distances(torch.stack(means))).min()
    return intra, (margin - nearest).clamp_min(0)


def marginal(x, labels, threshold=1.2, error=0.3):
    """Equal pairs of directions nearer than a threshold, unequal ones farther, both by a margin.

    The mean over all pairs of max(0, ξ − y_ij(θ − ‖u_i − u_j‖²)), u = x/‖x‖, y_ij = 1 for equal
    classes and −1 for others; ``threshold`` is θ, ``error`` is ξ.

    Source: Deng, Zhou and Zafeiriou, "Marginal Loss for Deep Face Recognition", CVPR Workshops
    2017.
    """
    squared = pairwise_squared_distances(polar(x, 1e-12)[0])
    equal, unequal = _pair_masks(labels)
    signed = torch.where(equal, threshold - squared, squared - threshold)
    return _mean((error - signed).clamp_min(0)[equal | unequal], x)


def _pair_masks(labels):
    """(equal, unequal), boolean (N, N): two different samples of one class, and of two classes."""
    same = labels[:, None] == labels[None]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return same & ~itself, ~same


def _of_pairs(matrix):
    """The entries above the diagonal of a matrix (N, N): one for each pair, shape (N(N−1)/2,)."""
    first, second = torch.triu_indices(*matrix.shape, offset=1, device=matrix.device)
    return matrix[first, second]


def _harmonic_mean(values):
    """n / Σ 1/v; the smallest value is taken out first, as 1/v may overflow."""
    smallest = values.detach().amin().clamp_min(torch.finfo(values.dtype).tiny)
    return smallest * len(values) / (smallest / values.clamp_min(smallest)).sum()


def _mean(values, x):
    """The mean of ``values``; without any, a zero that passes a zero gradient to ``x``."""
    return values.mean() if len(values) else _zero(x)


def _zero(x):
    return (at_least_float32(x) * 0).sum()

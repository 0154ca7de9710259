"""Pairs of images for verification: genuine, of one identity, and impostor, of two."""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["Pairs", "check_pairs", "fold_pairs", "make_pairs"]


class Pairs(NamedTuple):
    """P pairs of images: two row numbers each, and whether they are of the same identity; (P,).

    A list of your own is made the same way, with ``same`` as bool:
    ``Pairs(np.array([0, 0]), np.array([1, 4]), np.array([True, False]))``.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def check_pairs(pairs, count, labels=None):
    """:class:`Pairs` of ``count`` rows as arrays: of integers, and ``same`` of bool.

    Raises ``TypeError`` if they are of another kind, and ``ValueError`` if they are not of one
    length, if a row number is negative or not below ``count``, or if ``same`` contradicts the
    ``labels`` (``count``,) of the rows.
    """
    first, second, same = (np.asarray(values) for values in pairs)
    require(
        first.ndim == 1 and first.shape == second.shape == same.shape and len(first) > 0,
        f"pairs of shapes {first.shape}, {second.shape} and {same.shape}: expected first, second "
        "and same of one length, (P,), and at least one pair",
    )
    for name, rows in (("first", first), ("second", second)):
        require(
            np.issubdtype(rows.dtype, np.integer),
            f"{name} rows of the pairs are {rows.dtype}: expected integers, numbers of rows",
            TypeError,
        )
        outside = rows[(rows < 0) | (rows >= count)]
        if len(outside):
            raise ValueError(
                f"x has {count} rows, and a pair names row {outside[0]}: rows are numbered from 0 "
                f"to {count - 1}, in the order of the embeddings"
            )
    require(
        same.dtype == bool,
        f"same is {same.dtype}: expected bool, True for a genuine pair; same.astype(bool) turns "
        "1 and 0 into it",
        TypeError,
    )
    if labels is not None:
        wrong = np.flatnonzero((labels[first] == labels[second]) != same)
        if len(wrong):
            i, j = first[wrong[0]], second[wrong[0]]
            raise ValueError(
                f"same contradicts the labels in {len(wrong)} of {len(same)} pairs: rows {i} and "
                f"{j} have labels {labels[i]} and {labels[j]}, and same is {same[wrong[0]]}"
            )
    return Pairs(first, second, same)


def make_pairs(labels, max_per_kind=None, seed=0):
    """All pairs of N images, or a sample of them: the genuine ones first.

    Memory grows with the pairs that are returned and with N, not with N².

    Parameters
    ----------
    labels : (N,) integers, the identity of each image
    max_per_kind : int, optional
        At most so many genuine and so many impostor pairs, drawn without replacement. Default: all
        N(N−1)/2 pairs. Nearly all of them are impostor pairs, and they grow as N².
    seed : int
        The same seed draws the same pairs.

    Raises
    ------
    ValueError
        If no two images share an identity, or all do: there is nothing to verify.
    """
    labels = check_labels(labels, len(labels))
    if max_per_kind is not None:
        max_per_kind = check_int("max_per_kind", max_per_kind)
    random = np.random.default_rng(seed)
    num_genuine, num_impostor = _count_pairs(labels)
    genuine = _genuine_pairs(labels, _draw_at_most(max_per_kind, num_genuine, random))
    if max_per_kind is not None and num_impostor > 4 * max_per_kind:
        impostor = _draw_impostor_pairs(labels, max_per_kind, random)
    else:
        impostor = _impostor_pairs(labels, _draw_at_most(max_per_kind, num_impostor, random))
    return _join(genuine, impostor)


def fold_pairs(labels, folds=10, max_per_kind=300, seed=0):
    """Pairs in folds of disjoint identities, each half genuine and half impostor, as in LFW.

    Identities are dealt to ``folds`` groups at random; a fold pairs images of its own group, with
    as many genuine as impostor pairs: ``max_per_kind`` of each, or fewer if there are not so many.
    Returns ``(Pairs, fold)``, where ``fold`` ``(P,)`` is the number of each pair's fold, from 0.

    Raises ``ValueError`` if there are fewer than two identities per fold, or a fold has no genuine
    pair.
    """
    labels = check_labels(labels, len(labels))
    identities = np.random.default_rng(seed).permutation(np.unique(labels))
    folds = check_int("folds", folds, 2)
    require(
        len(identities) >= 2 * folds,
        f"{len(identities)} identities for {folds} folds: a fold needs two, {2 * folds} in all",
    )
    max_per_kind = check_int("max_per_kind", max_per_kind)
    pairs_by_fold = []
    for fold in range(folds):
        rows = np.flatnonzero(np.isin(labels, identities[fold::folds]))
        num_genuine, num_impostor = _count_pairs(labels[rows])
        count = min(max_per_kind, num_genuine, num_impostor)
        random = np.random.default_rng(seed + fold)
        genuine = _genuine_pairs(labels[rows], _draw(count, num_genuine, random))
        impostor = _impostor_pairs(labels[rows], _draw(count, num_impostor, random))
        pairs_by_fold.append(_join(rows[genuine], rows[impostor]))
    fold = np.repeat(np.arange(folds), [len(pairs.same) for pairs in pairs_by_fold])
    return Pairs(*(np.concatenate(arrays) for arrays in zip(*pairs_by_fold))), fold


def _join(genuine, impostor):
    """:class:`Pairs` of two arrays of row numbers, (G, 2) and (I, 2)."""
    first, second = np.concatenate([genuine, impostor]).T
    return Pairs(first, second, same=np.arange(len(first)) < len(genuine))


def _count_pairs(labels):
    """(genuine, impostor): how many pairs there are; ``ValueError`` if there are none of a kind."""
    sizes = np.unique(labels, return_counts=True)[1]
    genuine = int((sizes * (sizes - 1) // 2).sum())
    impostor = len(labels) * (len(labels) - 1) // 2 - genuine
    require(
        genuine > 0,
        f"none of the {len(labels)} images share an identity: there is no genuine pair; "
        "give at least one identity two images",
    )
    require(
        impostor > 0,
        f"all {len(labels)} images are of identity {labels[0]}: there is no impostor pair; "
        "give at least two identities",
    )
    return genuine, impostor


def _draw(size, count, random):
    """``size`` of the numbers 0 … ``count`` − 1, drawn without replacement, in rising order."""
    return np.sort(random.choice(count, size, replace=False))


def _draw_at_most(size, count, random):
    """As :func:`_draw`, and all the numbers if there are no more than ``size``, or it is None."""
    return np.arange(count) if size is None or count <= size else _draw(size, count, random)


# Pairs of a kind are numbered from 0, and a number is turned into its pair: so a few of many pairs
# can be drawn without a list of all.


def _genuine_pairs(labels, numbers):
    """(K, 2): the genuine pairs of these numbers, in the order of identity, first, second."""
    order = np.argsort(labels, kind="stable")  # identity by identity
    sorted_labels = labels[order]
    ends = np.searchsorted(sorted_labels, sorted_labels, side="right")
    partners = ends - np.arange(len(order)) - 1  # those that follow within the identity
    first, position = _find_first(partners, numbers)
    return np.stack([order[first], order[first + 1 + position]], axis=1)


def _impostor_pairs(labels, numbers):
    """(K, 2): the impostor pairs of these numbers, in the order of first, second row."""
    n = len(labels)
    _, identity, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(identity, kind="stable")
    starts = np.cumsum(sizes) - sizes  # where each identity starts in order
    place = np.empty(n, dtype=np.int64)  # each row's place within its identity
    place[order] = np.arange(n) - starts[identity[order]]
    strangers = np.arange(n) - place  # rows of other identities before each row
    total = n - sizes[identity]
    first, position = _find_first(total - strangers, numbers)

    # The second row is the k-th of those that are of another identity. It comes after k such rows
    # and the rows of this identity that at most k of them precede.
    k = strangers[first] + position
    keys = identity[order] * n + strangers[order]
    passed = np.searchsorted(keys, identity[first] * n + k, side="right") - starts[identity[first]]
    return np.stack([first, k + passed], axis=1)


def _find_first(partners, numbers):
    """(first, position) of numbered pairs, ``partners`` (N,) of which begin with each row."""
    ends = np.cumsum(partners)
    first = np.searchsorted(ends, numbers, side="right")
    return first, numbers - (ends[first] - partners[first])


def _draw_impostor_pairs(labels, size, random):
    """(``size``, 2): impostor pairs, drawn evenly without listing them all, which takes N² memory.

    Random pairs are drawn until enough different ones are of two labels.
    """
    n = len(labels)
    codes = np.empty(0, dtype=np.int64)  # the pair (i, j) with i < j has the code i · n + j
    while len(codes) < size:
        first, second = np.sort(random.integers(0, n, (2, 2 * size)), axis=0)
        impostor = labels[first] != labels[second]
        codes = np.unique(np.concatenate([codes, (first * n + second)[impostor]]))
    codes = np.sort(random.choice(codes, size, replace=False))
    return np.stack([codes // n, codes % n], axis=1)

"""Pairs of images for verification: genuine, of one identity, and impostor, of two."""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["Pairs", "fold_pairs", "make_pairs"]


class Pairs(NamedTuple):
    """P pairs of images: two row numbers each, and whether they are of the same identity; (P,)."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def make_pairs(labels, max_per_kind=None, seed=0):
    """All pairs of N images, or a sample of them: the genuine ones first.

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
    genuine = _genuine_pairs(labels)
    num_impostor = len(labels) * (len(labels) - 1) // 2 - len(genuine)
    require(
        len(genuine) > 0,
        f"none of the {len(labels)} images share an identity: there is no genuine pair; "
        "give at least one identity two images",
    )
    require(
        num_impostor > 0,
        f"all {len(labels)} images are of identity {labels[0]}: there is no impostor pair; "
        "give at least two identities",
    )
    if max_per_kind is not None and len(genuine) > max_per_kind:
        genuine = _draw(genuine, max_per_kind, random)
    impostor = _impostor_pairs(labels, num_impostor, max_per_kind, random)
    first, second = np.concatenate([genuine, impostor]).T
    return Pairs(first, second, same=np.arange(len(first)) < len(genuine))


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
    pairs_by_fold = []
    for fold in range(folds):
        rows = np.flatnonzero(np.isin(labels, identities[fold::folds]))
        first, second, same = make_pairs(labels[rows], seed=seed + fold)
        count = min(max_per_kind, same.sum(), (~same).sum())
        random = np.random.default_rng(seed + fold)
        genuine = _draw(np.flatnonzero(same), count, random)
        impostor = _draw(np.flatnonzero(~same), count, random)
        balanced = np.concatenate([genuine, impostor])
        pairs_by_fold.append(Pairs(rows[first[balanced]], rows[second[balanced]], same[balanced]))
    fold = np.repeat(np.arange(folds), [len(pairs.same) for pairs in pairs_by_fold])
    return Pairs(*(np.concatenate(arrays) for arrays in zip(*pairs_by_fold))), fold


def _draw(rows, size, random):
    """``size`` of the rows, drawn without replacement, in their order."""
    return rows[np.sort(random.choice(len(rows), size, replace=False))]


def _genuine_pairs(labels):
    """(G, 2): every pair of rows with the same label."""
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return np.concatenate([rows[_all_pairs(len(rows))] for rows in groups])


def _impostor_pairs(labels, count, max_pairs, random):
    """(I, 2): all ``count`` pairs of rows with different labels, or ``max_pairs`` of them."""
    if max_pairs is not None and count > 4 * max_pairs:
        return _draw_impostor_pairs(labels, max_pairs, random)
    pairs = _all_pairs(len(labels))
    first, second = labels[pairs].T
    pairs = pairs[first != second]
    if max_pairs is None or count <= max_pairs:
        return pairs
    return _draw(pairs, max_pairs, random)


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


def _all_pairs(n):
    """(n(n−1)/2, 2): the pairs of the numbers 0 … n − 1."""
    return np.stack(np.triu_indices(n, k=1), axis=1)

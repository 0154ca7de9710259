"""Pairs of images, genuine (of one identity) and impostor (of two), and how alike their embeddings are."""

from typing import NamedTuple

import numpy as np

from lossbook.utils.validation import check_int, check_labels, require

__all__ = ["Pairs", "make_pairs", "fold_pairs"]


class Pairs(NamedTuple):
    """P pairs of rows. ``first`` and ``second`` ``(P,)`` are row numbers, ``same`` ``(P,)`` says which are genuine."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def make_pairs(labels, most=None, seed=0):
    """All pairs of N images, or a sample of them: the genuine ones first.

    Parameters
    ----------
    labels : (N,) integers, the identity of each image
    most : int, optional
        At most so many genuine and so many impostor pairs, drawn without replacement. Default: all
        N(N−1)/2. Impostor pairs are nearly all of them, and grow as N².
    seed : int
        The same seed draws the same pairs.

    Raises
    ------
    ValueError
        If no two images share an identity, or all do: there is nothing to verify.
    """
    labels = check_labels(labels, len(labels))
    require(
        most is None or (isinstance(most, (int, np.integer)) and most >= 1),
        f"most = {most!r}: expected a whole number of pairs, at least 1, or None for all",
    )
    random = np.random.default_rng(seed)
    genuine = _genuine(labels)
    possible = len(labels) * (len(labels) - 1) // 2 - len(genuine)
    require(
        len(genuine) > 0,
        f"none of the {len(labels)} images share an identity: there is no genuine pair; "
        "give at least one identity two images",
    )
    require(
        possible > 0,
        f"all {len(labels)} images are of identity {labels[0]}: there is no impostor pair; "
        "give at least two identities",
    )
    if most is not None and len(genuine) > most:
        genuine = genuine[np.sort(random.choice(len(genuine), most, replace=False))]
    impostor = _impostor(labels, possible, most, random)
    first, second = np.concatenate([genuine, impostor]).T
    return Pairs(first, second, np.arange(len(first)) < len(genuine))


def fold_pairs(labels, folds=10, most=300, seed=0):
    """Pairs in folds of disjoint identities, half of each fold genuine and half impostor, as LFW's are.

    Identities are dealt to ``folds`` groups at random; a fold pairs images of its own group, with
    as many genuine as impostor pairs: ``most`` of each, or fewer if there are not so many.
    Returns ``(Pairs, fold)``, where ``fold`` ``(P,)`` numbers the fold of each pair from 0.

    Raises ``ValueError`` if there are fewer than two identities a fold, or a fold has no genuine pair.
    """
    labels = check_labels(labels, len(labels))
    identities = np.random.default_rng(seed).permutation(np.unique(labels))
    folds = check_int("folds", folds, 2)
    require(
        len(identities) >= 2 * folds,
        f"{len(identities)} identities for {folds} folds: a fold needs two, {2 * folds} in all",
    )
    parts = []
    for fold in range(folds):
        rows = np.flatnonzero(np.isin(labels, identities[fold::folds]))
        found = make_pairs(labels[rows], seed=seed + fold)
        count = min(most, found.same.sum(), (~found.same).sum())
        random = np.random.default_rng(seed + fold)
        chosen = np.concatenate(
            [
                np.sort(random.choice(np.flatnonzero(found.same == kind), count, replace=False))
                for kind in (True, False)
            ]
        )
        parts.append(
            (
                rows[found.first[chosen]],
                rows[found.second[chosen]],
                found.same[chosen],
                np.full(2 * count, fold),
            )
        )
    *merged, fold = (np.concatenate(part) for part in zip(*parts))
    return Pairs(*merged), fold


def _genuine(labels):
    """(G, 2): every pair of rows with one label."""
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return np.concatenate(
        [
            np.stack([rows[one] for one in np.triu_indices(len(rows), k=1)], axis=1)
            for rows in groups
        ]
    )


def _impostor(labels, possible, most, random):
    """(I, 2): every pair of rows with two labels, or ``most`` of the ``possible`` ones."""
    n = len(labels)
    if most is None or possible <= 4 * most:  # few enough to list them
        every = np.stack(np.triu_indices(n, k=1), axis=1)
        every = every[labels[every[:, 0]] != labels[every[:, 1]]]
        few = most is None or possible <= most
        return every if few else every[np.sort(random.choice(possible, most, replace=False))]
    codes = np.empty(0, dtype=np.int64)
    while len(codes) < most:  # fewer than one in four is taken: try until there are enough
        one, other = np.sort(random.integers(0, n, (2, 2 * most)), axis=0)
        codes = np.unique(np.concatenate([codes, (one * n + other)[labels[one] != labels[other]]]))
    codes = np.sort(random.choice(codes, most, replace=False))
    return np.stack([codes // n, codes % n], axis=1)

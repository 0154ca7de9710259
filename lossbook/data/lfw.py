"""Labeled Faces in the Wild: its 6,000 pairs in ten folds, from files of yours, for its own protocol."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lossbook.data.dataset import DataError
from lossbook.data.image_folder import grey
from lossbook.data.pairs import Pairs
from lossbook.utils.torchvision_compat import import_torchvision
from lossbook.utils.validation import require

__all__ = ["FacePairs", "lfw_pairs"]


class FacePairs(NamedTuple):
    """Images ``(N, 1, H, W)`` in [0, 1], each once; their identities ``(N,)``; pairs of them; their folds ``(P,)``."""

    images: torch.Tensor
    labels: np.ndarray
    pairs: Pairs
    fold: np.ndarray


def lfw_pairs(root, size=112, image_set="deepfunneled"):
    """LFW's pairs through ``torchvision.datasets.LFWPairs``, which checks the files and downloads nothing.

    Source: Huang et al., "Labeled Faces in the Wild", 2007.

    Parameters
    ----------
    root : path
        The folder that holds ``lfw-py``: in it ``pairs.txt``, the archive and its extracted images,
        as torchvision wants them.
    size : int
        Each image is made grey and resized to ``size`` × ``size`` pixels.
    image_set : {"original", "funneled", "deepfunneled"}
        Which alignment.

    Returns
    -------
    FacePairs
        ``pairs`` and ``fold`` are what :func:`lossbook.metrics.verification.report` takes as ``protocol``.

    Raises
    ------
    DataError
        If a file is missing or is not LFW's.
    """
    try:
        datasets = import_torchvision().datasets
        found = datasets.LFWPairs(root, split="10fold", image_set=image_set)
    except (RuntimeError, OSError) as error:
        _, archive, _ = datasets.LFWPairs.file_dict[image_set]
        raise DataError(
            f"{Path(root) / 'lfw-py'} does not hold LFW ({error}): put pairs.txt, {archive} and what that "
            "holds there; it can no longer be downloaded automatically"
        ) from error
    names = {
        path: name
        for files, people in zip(found.data, found.pair_names)
        for path, name in zip(files, people)
    }
    missing = next((path for path in names if not Path(path).is_file()), None)
    require(
        missing is None,
        f"{missing} is missing, which pairs.txt names: extract {found.filename} there",
        DataError,
    )
    people = {name: number for number, name in enumerate(sorted(set(names.values())))}
    row = {path: number for number, path in enumerate(sorted(names))}
    images = torch.from_numpy(np.stack([grey(path, size) for path in row]))[:, None].float() / 255
    first, second = np.array([[row[path] for path in files] for files in found.data]).T
    folds = int(Path(found.root, found.labels_file).read_text().split()[0])
    return FacePairs(
        images,
        np.array([people[names[path]] for path in row]),
        Pairs(first, second, np.array(found.targets, dtype=bool)),
        np.repeat(np.arange(folds), len(first) // folds),
    )

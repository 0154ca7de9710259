"""Labeled Faces in the Wild: its 6,000 pairs of faces in ten folds, from files that you provide."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lossbook.data.dataset import DataError
from lossbook.data.image_folder import read_grey
from lossbook.data.pairs import Pairs
from lossbook.utils.torchvision_compat import import_torchvision
from lossbook.utils.validation import require

__all__ = ["FacePairs", "lfw_pairs"]


class FacePairs(NamedTuple):
    """Images ``(N, 1, H, W)`` in [0, 1], each once, with their identities ``(N,)``, as ``labels``.

    ``pairs`` are P pairs of these images, and ``fold`` ``(P,)`` is the number of each pair's fold.
    """

    images: torch.Tensor
    labels: np.ndarray
    pairs: Pairs
    fold: np.ndarray


def lfw_pairs(root, size=112, image_set="deepfunneled"):
    """LFW's pairs through ``torchvision.datasets.LFWPairs``, which checks the files.

    Nothing is downloaded.

    Source: Huang et al., "Labeled Faces in the Wild", 2007.

    Parameters
    ----------
    root : path
        The folder that holds ``lfw-py``, and in it ``pairs.txt``, the archive and its extracted
        images, as torchvision expects them.
    size : int
        Each image is made grey and resized to ``size`` × ``size`` pixels.
    image_set : {"original", "funneled", "deepfunneled"}
        How the faces are aligned.

    Returns
    -------
    FacePairs
        Its ``pairs`` and ``fold`` are the ``protocol`` of
        :func:`lossbook.metrics.verification.report`.

    Raises
    ------
    DataError
        If a file is missing or is not LFW's.
    """
    dataset = _open_dataset(root, image_set)
    name_of = {
        path: name
        for paths, names in zip(dataset.data, dataset.pair_names)
        for path, name in zip(paths, names)
    }
    paths = sorted(name_of)
    for path in paths:
        require(
            Path(path).is_file(),
            f"{path} is missing, but named in pairs.txt: extract {dataset.filename} there",
            DataError,
        )
    images = torch.from_numpy(np.stack([read_grey(path, size) for path in paths]))
    _, labels = np.unique([name_of[path] for path in paths], return_inverse=True)
    row_of = {path: row for row, path in enumerate(paths)}
    first, second = np.array([[row_of[path] for path in pair] for pair in dataset.data]).T
    num_folds = int(Path(dataset.root, dataset.labels_file).read_text().split()[0])
    return FacePairs(
        images[:, None].float() / 255,
        labels,
        Pairs(first, second, np.array(dataset.targets, dtype=bool)),
        np.repeat(np.arange(num_folds), len(first) // num_folds),
    )


def _open_dataset(root, image_set):
    datasets = import_torchvision().datasets
    try:
        return datasets.LFWPairs(root, split="10fold", image_set=image_set)
    except (RuntimeError, OSError) as error:
        _, archive, _ = datasets.LFWPairs.file_dict[image_set]
        raise DataError(
            f"{Path(root) / 'lfw-py'} does not hold LFW ({error}): put pairs.txt, {archive} and "
            "its content there; they can no longer be downloaded automatically"
        ) from error

"""Omniglot: characters of many alphabets, each drawn by 20 people."""

from lossbook.data.dataset import DataError
from lossbook.data.image_folder import hold_out, images_in
from lossbook.utils.files import cache
from lossbook.utils.torchvision_compat import import_torchvision

__all__ = ["omniglot"]


def omniglot(folder=None):
    """Omniglot's background characters, light on black, 28×28: 20 drawings each, by as many people.

    Source: Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning", Science 2015.

    Parameters
    ----------
    folder : path, optional
        An extracted folder of alphabet/character/images, whole or a part. Without it, torchvision
        downloads the 964 characters of 30 alphabets into lossbook's cache, once.

    Returns
    -------
    Dataset
        Every fifth drawing of a character is for testing: drawn by four people who drew none of
        the training images.

    Raises
    ------
    DataError
        If the folder holds no images, or the download fails.
    """
    if folder is None:
        folder = _download()
    return hold_out(images_in(folder, invert=True), name="omniglot")


def _download():
    """The folder of the background characters in the cache, downloaded if it is not there."""
    root = "the cache"
    try:
        root = cache()
        datasets = import_torchvision().datasets
        return datasets.Omniglot(root, background=True, download=True).target_folder
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"Omniglot is not in {root} and could not be downloaded: {error}\nExtract its "
            "images_background.zip anywhere and give that folder's path"
        ) from error

"""Omniglot: characters of many alphabets, drawn by 20 people each."""

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
        Every fifth drawing of a character is for testing: four people whom no training image shows.

    Raises
    ------
    DataError
        If the folder holds no images, or the download fails.
    """
    if folder is None:
        root = cache()
        try:
            folder = (
                import_torchvision()
                .datasets.Omniglot(root, background=True, download=True)
                .target_folder
            )
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"Omniglot is not in {root} and could not be downloaded: {error}\nExtract its "
                "images_background.zip anywhere and give that folder's path"
            ) from error
    return hold_out(images_in(folder, invert=True), name="omniglot")

"""Data sets as tensors: the embedded digits, MNIST and Fashion-MNIST, or images of your own.

:func:`load` finds or downloads a set by its name; ``lossbook.data.mnist`` lists the folders that it
searches. For data of your own, build a :class:`Dataset` out of two :class:`Split`, by hand or
from a folder of images with :mod:`lossbook.data.image_folder`.
"""

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.data.mnist import DIGITS, NAMES, load

__all__ = ["DIGITS", "NAMES", "DataError", "Dataset", "Split", "load"]

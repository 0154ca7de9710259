"""Data sets as tensors: the embedded digits, MNIST and Fashion-MNIST, or your own images."""

from lossbook.data.dataset import DataError, Dataset, Split
from lossbook.data.mnist import DIGITS, NAMES, load

__all__ = ["DataError", "Dataset", "Split", "DIGITS", "NAMES", "load"]

"""Records of trainings on toy data, for tests of tables and of what is resumed."""

from lossbook.experiments import reproduce
from tests.helpers.toys import tiny_backbone, toy_dataset

__all__ = ["RECIPE", "reproduce_on_toys"]

RECIPE = {"epochs": 3, "batch_size": 20, "learning_rate": 3e-3}


def reproduce_on_toys(folder, names, seeds=1, **options):
    """The records of these rows, trained on the toy data set or read from ``folder``."""
    return reproduce.reproduce(
        names,
        toy_dataset(),
        lambda d: tiny_backbone(),
        seeds=seeds,
        folder=folder,
        **{**RECIPE, **options},
    )

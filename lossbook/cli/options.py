"""Options that several commands share, and what they stand for."""

import argparse
from operator import attrgetter

__all__ = [
    "BACKBONES",
    "CommandParser",
    "add_device_option",
    "add_out_option",
    "add_training_options",
    "backbone_named",
    "resolve_training",
]

BACKBONES = ("LeNetPP", "LeNetPP.small", "MiniResNet18", "ConvNet")


class CommandParser(argparse.ArgumentParser):
    """The parser of one command: it adds its options when the command is parsed.

    Choices and help texts list names from modules that import torch. In this way only the command
    that runs pays for them, and ``lossbook --help`` does not.

    Parameters
    ----------
    add_options : callable, optional
        Called with the parser.
    **settings
        For ``argparse.ArgumentParser``.
    """

    def __init__(self, *, add_options=None, **settings):
        super().__init__(**settings)
        self._add_options = add_options

    def parse_known_args(self, args=None, namespace=None):
        if self._add_options is not None:
            self._add_options(self)
        return super().parse_known_args(args, namespace)


def add_training_options(parser, profile, description=None):
    """Add what every command that trains takes: on what to train, and how.

    ``profile`` is the default, and ``description`` describes it in the help.
    """
    from lossbook import data, profiles

    parser.add_argument(
        "--profile",
        choices=profiles.PROFILES,
        default=profile,
        help="data, backbone and recipe: quick takes a minute on a CPU, full is all of MNIST, fast "
        f"is all of MNIST with quick's small network (default: {description or profile})",
    )
    parser.add_argument("--dataset", choices=data.NAMES, help="instead of the profile's")
    parser.add_argument("--epochs", type=int, help="instead of the profile's")
    add_device_option(parser)


def add_device_option(parser, description="cpu, cuda, mps (default: the best available)"):
    parser.add_argument("--device", help=description)


def add_out_option(parser, default, metavar="DIR"):
    parser.add_argument("--out", metavar=metavar, help=f"default {default}")


def backbone_named(name):
    """The constructor of one of ``BACKBONES``: embedding_dim → Module."""
    from lossbook import backbones

    return attrgetter(name)(backbones)


def resolve_training(options):
    """(profile, dataset, recipe) that the training options stand for.

    ``--dataset`` and ``--epochs`` override the profile's; ``--classes`` keeps the first classes.
    """
    from lossbook import data, profiles

    profile = profiles.PROFILES[options.profile] if options.profile else profiles.current()
    dataset = data.load(options.dataset or profile.dataset)
    if options.classes is not None:
        dataset = dataset.first_classes(options.classes)
    recipe = dict(profile.recipe)
    if options.epochs is not None:
        recipe["epochs"] = options.epochs
    return profile, dataset, recipe

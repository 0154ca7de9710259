"""Profiles: how much the chapters train, chosen by the environment variable ``LOSSBOOK_PROFILE``.

* ``quick``, the default: 5,000 digits and a small network.
* ``fast``: all of MNIST with the small network, a minute of training on two CPU cores. The chapters
  hold with it too.
* ``full``: all of MNIST and the network of the papers, for ``lossbook reproduce``. The chapters are
  not run with it.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from lossbook import backbones

__all__ = ["Profile", "PROFILES", "current"]


class Profile(NamedTuple):
    """What a chapter trains.

    ``dataset`` is a name that :func:`lossbook.data.load` takes, ``backbone`` is called with the
    embedding dimension, and ``recipe`` holds keyword arguments of :func:`lossbook.training.fit`.
    """

    name: str
    dataset: str
    backbone: Callable
    recipe: dict


PROFILES = {
    "quick": Profile(
        "quick",
        "mnist5k",
        backbones.LeNetPP.small,
        {"epochs": 15, "batch_size": 64, "learning_rate": 5e-3},
    ),
    "full": Profile(
        "full", "mnist", backbones.LeNetPP, {"epochs": 20, "batch_size": 128, "learning_rate": 1e-3}
    ),
    "fast": Profile(
        "fast",
        "mnist",
        backbones.LeNetPP.small,
        {"epochs": 5, "batch_size": 128, "learning_rate": 1e-2, "max_shift": 1},
    ),
}


def current():
    """The profile named by ``LOSSBOOK_PROFILE``, "quick" if it is not set.

    Raises ``ValueError`` for an unknown name: a misspelt profile must not run as the quick one.
    """
    name = os.environ.get("LOSSBOOK_PROFILE", "quick")
    if name not in PROFILES:
        raise ValueError(f"LOSSBOOK_PROFILE = {name!r}: expected one of {', '.join(PROFILES)}")
    return PROFILES[name]

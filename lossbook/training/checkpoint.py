"""Checkpoint: the state of a training after an epoch, so that an interrupted run can go on."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lossbook.training.run import COLUMNS, Snapshot
from lossbook.utils.files import write_atomically

__all__ = ["Checkpoint", "load_weights"]


class Checkpoint:
    """Saves and restores the parts of a training (modules, optimizer, schedule) and its Run.

    With ``path=None`` it does nothing. Parameters: ``path``, the ``run`` being recorded, ``ranks``
    (the first writes what all hold together, so that any number of them can go on from it) and, by
    name, everything with ``state_dict`` and ``load_state_dict``.
    """

    def __init__(self, path, run, ranks, **parts):
        self.path = None if path is None else Path(path)
        self.run, self.ranks, self.parts = run, ranks, parts

    def save(self):
        if self.path is None:
            return
        about = {
            "name": self.run.name,
            "config": self.run.config,
            "history": {column: self.run.history[column].tolist() for column in COLUMNS},
        }
        state = {
            "about": json.dumps(about),
            "parts": self.ranks.whole(
                {name: part.state_dict() for name, part in self.parts.items()}
            ),
            "snapshots": [
                {key: torch.as_tensor(value) for key, value in vars(snapshot).items()}
                for snapshot in self.run.snapshots
            ],
        }
        if self.ranks.rank == 0:
            packed = io.BytesIO()  # torch's own writer would not say that the disk is full
            torch.save(state, packed)
            write_atomically(self.path, lambda file: file.write(packed.getbuffer()))

    def restore(self):
        """Take up a saved state, if there is one; the number of the epoch to train next, from 1.

        Raises ``ValueError`` if the file is damaged or was made by a training with another
        loss, data set, seed or recipe.
        """
        if self.path is None or not self.path.exists():
            return 1
        state = _read(self.path)
        about = json.loads(state["about"])
        mine = {"loss": self.run.name, **_flat(self.run.config)}
        theirs = {"loss": about["name"], **_flat(about["config"])}
        differing = [key for key in mine if key not in _MAY_DIFFER and mine[key] != theirs.get(key)]
        if differing:
            key = differing[0]
            raise ValueError(
                f"checkpoint {self.path} belongs to another training: its {key} is {theirs.get(key)!r}, "
                f"this one's is {mine[key]!r}; use another file, or delete that one to start afresh"
            )
        for name, part in self.parts.items():
            self.ranks.restore(part, state["parts"][name])
        self.run.history = pd.DataFrame(about["history"], columns=COLUMNS)
        self.run.snapshots = [
            Snapshot(
                int(saved.pop("epoch")), **{key: np.asarray(value) for key, value in saved.items()}
            )
            for saved in state["snapshots"]
        ]
        return len(self.run.snapshots) + 1


def load_weights(path, backbone, head):
    """Put the weights of a checkpoint into ``backbone`` and ``head``; returns the run's history so far, a DataFrame."""
    state = _read(Path(path))
    backbone.load_state_dict(state["parts"]["backbone"])
    head.load_state_dict(state["parts"]["head"])
    return pd.DataFrame(json.loads(state["about"])["history"], columns=COLUMNS)


_MAY_DIFFER = {
    "device",
    "versions.lossbook",
    "versions.torch",
    "versions.python",
    "warm_start",
    "ranks",
}


def _flat(config):
    flat = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def _read(path):
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise
    except Exception as error:  # torch names no common class for the ways a file can be damaged
        raise ValueError(
            f"checkpoint {path} cannot be read, it is damaged or not a checkpoint "
            f"({type(error).__name__}): delete it to start afresh"
        ) from error

"""Checkpoint: the state of a training after an epoch, so that an interrupted run can be resumed."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lossbook.training.run import COLUMNS, Snapshot, head_name, head_settings
from lossbook.utils.files import check_writable, write_atomically

__all__ = ["Checkpoint", "load_weights"]

# Keys of a run's config that may differ between the training that wrote a checkpoint and the
# one that resumes from it.
MAY_DIFFER = {
    "device",
    "versions.lossbook",
    "versions.torch",
    "versions.python",
    "warm_start",
    "ranks",
}


class Checkpoint:
    """Saves and restores the parts of a training and its Run.

    Raises ``OSError`` if the file cannot be written: better now than after an epoch.

    Parameters
    ----------
    path : path or None
        The file; with None nothing is saved or restored.
    run : Run
        The run being recorded.
    processes : lossbook.training.processes.Processes
        The first process writes what all of them hold together, so that any number of processes
        can resume from it.
    **parts
        The modules, the optimizer, the schedule: anything with ``state_dict`` and
        ``load_state_dict``. The settings of ``head`` are saved too: they may change in training.
    """

    def __init__(self, path, run, processes, **parts):
        self.path = None if path is None else Path(path)
        self.run = run
        self.name = run.name  # the run's own follows the settings of the head
        self.processes = processes
        self.parts = parts
        self.head = parts["head"]
        self.saved_settings = head_settings(self.head)
        if self.path is not None and processes.rank == 0:
            check_writable(self.path)

    def save(self):
        """Write the file, completely or not at all. Raises ``OSError`` if it cannot be written."""
        if self.path is None:
            return
        self.saved_settings = head_settings(self.head)
        metadata = {
            "name": self.name,
            "config": self.run.config,
            "head_settings": self.saved_settings,
            "history": {column: self.run.history[column].tolist() for column in COLUMNS},
        }
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        state = {
            "about": json.dumps(metadata),
            "parts": self.processes.gather(parts),
            "snapshots": [
                {key: torch.as_tensor(value) for key, value in vars(snapshot).items()}
                for snapshot in self.run.snapshots
            ],
        }
        if self.processes.rank == 0:
            buffer = io.BytesIO()  # torch's own writer does not report a full disk
            torch.save(state, buffer)
            write_atomically(self.path, lambda file: file.write(buffer.getbuffer()))

    def save_changed_head(self):
        """Save again if a setting of the head is no longer as it was saved."""
        if head_settings(self.head) != self.saved_settings:
            self.save()

    def restore(self):
        """Load the saved state, if there is one; returns the number of the next epoch, from 1.

        Raises ``ValueError`` if the file is damaged or was made by a training with another
        loss, data set, seed or recipe.
        """
        if self.path is None or not self.path.exists():
            return 1
        state = _read(self.path)
        metadata = json.loads(state["about"])
        self._check_same_training(metadata)
        for name, part in self.parts.items():
            self.processes.load_state_dict(part, state["parts"][name])
        for name, value in metadata.get("head_settings", {}).items():
            if getattr(self.head, name, value) != value:
                setattr(self.head, name, value)
        if "head_changes" in metadata["config"]:
            self.run.config["head_changes"] = metadata["config"]["head_changes"]
        self.run.name = head_name(self.head)
        self.run.history = pd.DataFrame(metadata["history"], columns=COLUMNS)
        self.run.snapshots = [_snapshot(tensors) for tensors in state["snapshots"]]
        return len(self.run.history) + 1

    def _check_same_training(self, metadata):
        saved = {"loss": metadata["name"], **_flatten(metadata["config"])}
        current = {"loss": self.name, **_flatten(self.run.config)}
        loss_options = [key for key in saved if key.startswith("loss_options.")]
        for key in dict.fromkeys([*current, *loss_options]):
            if key not in MAY_DIFFER and current.get(key) != saved.get(key):
                raise ValueError(
                    f"checkpoint {self.path} belongs to another training: its {key} is "
                    f"{saved.get(key)!r}, this one's is {current.get(key)!r}; use another file, or "
                    "delete that one to start afresh"
                )


def load_weights(path, backbone, head):
    """Load the weights of a checkpoint into ``backbone`` and ``head``.

    Returns the history of the run so far, a DataFrame.
    """
    state = _read(Path(path))
    backbone.load_state_dict(state["parts"]["backbone"])
    head.load_state_dict(state["parts"]["head"])
    return pd.DataFrame(json.loads(state["about"])["history"], columns=COLUMNS)


def _snapshot(tensors):
    arrays = {key: np.asarray(value) for key, value in tensors.items()}
    return Snapshot(int(arrays.pop("epoch")), **arrays)


def _flatten(config):
    """Nested settings under joined keys: {"recipe": {"epochs": 3}} → {"recipe.epochs": 3}."""
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
    except Exception as error:  # torch has no common class for the ways a file can be damaged
        raise ValueError(
            f"checkpoint {path} cannot be read, it is damaged or not a checkpoint "
            f"({type(error).__name__}): delete it to start afresh"
        ) from error

"""Run: the record of one training, everything that figures and metrics need."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.utils.files import write_atomically

__all__ = ["Run", "Snapshot", "RunFileError", "COLUMNS", "head_name", "head_settings"]

FORMAT = 1
COLUMNS = ["epoch", "train_loss", "train_acc", "test_acc", "seconds"]
SNAPSHOT_ARRAYS = ["train", "test", "weight", "train_pred", "test_pred"]


class RunFileError(ValueError):
    """A file that is not a readable Run of this version."""


@dataclass(frozen=True)
class Snapshot:
    """The state after one epoch: embeddings of the fixed samples, and the class vectors.

    epoch : counted from 1
    train, test : (n, d) and (m, d) float32, embeddings of the fixed training and test samples
    weight : (C, d) float32, class vectors as trained
    train_pred, test_pred : (n,) and (m,) int64, classes predicted without margin
    """

    epoch: int
    train: np.ndarray
    test: np.ndarray
    weight: np.ndarray
    train_pred: np.ndarray
    test_pred: np.ndarray


@dataclass
class Run:
    """One training: its history, snapshots of its epochs, and how it was made.

    Parameters
    ----------
    name : str
        The loss and its settings, those of the last epoch.
    classes : tuple of str
        Names of the classes.
    train_labels, test_labels : (n,) and (m,) int array
        Labels of the fixed samples in the snapshots.
    config : dict
        Recipe, seed, device and versions, and under ``"head"`` the settings with which the head
        started. If they changed in training, ``"head_changes"`` is a list of dicts: an ``epoch``,
        and the settings at its end that differ from those before.
    history : DataFrame
        One row per epoch: ``epoch``, ``train_loss`` (with margin), ``train_acc`` and ``test_acc``
        (fractions, without margin), ``seconds``.
    snapshots : list of :class:`Snapshot`
        One per epoch, or those of the last epochs (``keep_snapshots`` of
        :func:`lossbook.training.fit`).
    """

    name: str
    classes: tuple
    train_labels: np.ndarray
    test_labels: np.ndarray
    config: dict
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    snapshots: list = field(default_factory=list)

    def add_epoch(self, snapshot, train_loss, train_acc, test_acc, seconds):
        """Append an epoch: its snapshot, and a row of the history."""
        self.snapshots.append(snapshot)
        row = [snapshot.epoch, train_loss, train_acc, test_acc, seconds]
        self.history.loc[len(self.history)] = row
        self.history = self.history.astype({"epoch": int})

    def record_head(self, head, epoch):
        """Record the name of ``head``, and which of its settings changed in ``epoch``."""
        settings = dict(self.config["head"])
        for change in self.config.get("head_changes", []):
            settings.update(change)
        changed = {
            key: value
            for key, value in head_settings(head).items()
            if key in settings and settings[key] != value
        }
        if changed:
            self.config.setdefault("head_changes", []).append({"epoch": epoch, **changed})
        self.name = head_name(head)

    def save(self, path):
        """Write the run to one compressed .npz file, completely or not at all, without pickle.

        Raises ``OSError`` if it cannot be written; an earlier file of that name then survives.
        """
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "classes": list(self.classes),
            "config": self.config,
            "history": {column: self.history[column].tolist() for column in COLUMNS},
        }
        arrays = {"train_labels": self.train_labels, "test_labels": self.test_labels}
        if len(self.snapshots) < len(self.history):
            arrays["snapshot_epoch"] = np.array([snapshot.epoch for snapshot in self.snapshots])
        for key in SNAPSHOT_ARRAYS:
            arrays[f"snapshot_{key}"] = np.array(
                [getattr(snapshot, key) for snapshot in self.snapshots]
            )
        write_atomically(
            path, lambda file: np.savez_compressed(file, about=json.dumps(metadata), **arrays)
        )

    @classmethod
    def load(cls, path):
        """Read a run written by :meth:`save`.

        Raises ``FileNotFoundError``, or :class:`RunFileError` if the file is damaged, is not a
        Run, or was written by another version of the format.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            metadata = json.loads(str(arrays["about"]))
            if metadata.get("format") != FORMAT:
                raise RunFileError(
                    f"{path} holds a Run of format {metadata.get('format')!r}, this lossbook reads "
                    f"format {FORMAT}: train it again, or use the lossbook version that wrote it"
                )
            return cls._from_arrays(metadata, arrays)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"no run at {path}: save one with run.save({str(path)!r})"
            ) from None
        except RunFileError:
            raise
        except (
            zipfile.BadZipFile,
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            EOFError,
            OSError,
        ) as error:
            raise RunFileError(
                f"{path} is not a saved Run or is damaged ({error}): save it again"
            ) from error

    @classmethod
    def _from_arrays(cls, metadata, arrays):
        history = pd.DataFrame(metadata["history"], columns=COLUMNS)
        snapshots = [
            Snapshot(int(epoch), **{key: arrays[f"snapshot_{key}"][i] for key in SNAPSHOT_ARRAYS})
            for i, epoch in enumerate(arrays.get("snapshot_epoch", history["epoch"]))
        ]
        return cls(
            metadata["name"],
            tuple(metadata["classes"]),
            arrays["train_labels"],
            arrays["test_labels"],
            metadata["config"],
            history,
            snapshots,
        )


def head_name(head):
    """The head's loss and settings, or the name of its class if it has no ``name``."""
    return getattr(head, "name", type(head).__name__)


def head_settings(head):
    """The head's settings, a dict: scale, margins, annealing; not λ, which fit sets."""
    settings = {**vars(head), **getattr(head, "hyperparameters", {})}  # a learned one as a number
    return {
        name: value
        for name, value in settings.items()
        if isinstance(value, (bool, int, float, str))
        and name not in ("training", "lam")
        and not name.startswith("_")
    }

"""Run: the record of one training, all that figures and metrics need to see."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.utils.files import write_atomically

__all__ = ["Run", "Snapshot", "RunFileError"]

FORMAT = 1
COLUMNS = ["epoch", "train_loss", "train_acc", "test_acc", "seconds"]


class RunFileError(ValueError):
    """A file that is not a readable Run of this version."""


@dataclass(frozen=True)
class Snapshot:
    """What one epoch left: embeddings of the fixed samples, and the class vectors.

    ``train`` (n, d) and ``test`` (m, d) embeddings, ``weight`` (C, d) class vectors as trained,
    float32; ``train_pred`` (n,) and ``test_pred`` (m,) classes predicted without margin, int64.
    ``epoch`` counts from 1: the state after that epoch.
    """

    epoch: int
    train: np.ndarray
    test: np.ndarray
    weight: np.ndarray
    train_pred: np.ndarray
    test_pred: np.ndarray


@dataclass
class Run:
    """One training: its history, an embedding snapshot an epoch, and how it was made.

    ``name`` the loss and its settings · ``history`` a DataFrame, one row an epoch: ``epoch``,
    ``train_loss`` (with margin), ``train_acc`` and ``test_acc`` (fractions, without margin),
    ``seconds`` · ``snapshots`` a list of :class:`Snapshot` · ``train_labels`` (n,) and
    ``test_labels`` (m,) of the fixed samples · ``classes`` their names · ``config`` recipe,
    seed, device and versions.
    """

    name: str
    classes: tuple
    train_labels: np.ndarray
    test_labels: np.ndarray
    config: dict
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    snapshots: list = field(default_factory=list)

    def save(self, path):
        """Write the run to one compressed .npz, whole or not at all; no pickle inside.

        Raises ``OSError`` if it cannot be written; a former file of that name then survives.
        """
        about = {
            "format": FORMAT,
            "name": self.name,
            "classes": list(self.classes),
            "config": self.config,
            "history": {column: self.history[column].tolist() for column in COLUMNS},
        }
        arrays = {"train_labels": self.train_labels, "test_labels": self.test_labels}
        for key in ("train", "test", "weight", "train_pred", "test_pred"):
            arrays[f"snapshot_{key}"] = np.array(
                [getattr(snapshot, key) for snapshot in self.snapshots]
            )
        write_atomically(
            path, lambda file: np.savez_compressed(file, about=json.dumps(about), **arrays)
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
            about = json.loads(str(arrays["about"]))
            if about.get("format") != FORMAT:
                raise RunFileError(
                    f"{path} holds a Run of format {about.get('format')!r}, this lossbook reads format "
                    f"{FORMAT}: train it again, or use the lossbook version that wrote it"
                )
            history = pd.DataFrame(about["history"], columns=COLUMNS)
            snapshots = [
                Snapshot(
                    int(epoch),
                    *(
                        arrays[f"snapshot_{key}"][i]
                        for key in ("train", "test", "weight", "train_pred", "test_pred")
                    ),
                )
                for i, epoch in enumerate(history["epoch"])
            ]
            return cls(
                about["name"],
                tuple(about["classes"]),
                arrays["train_labels"],
                arrays["test_labels"],
                about["config"],
                history,
                snapshots,
            )
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

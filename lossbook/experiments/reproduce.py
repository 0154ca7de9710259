"""Reproduce: train rows of the results tables, one after the other, and save what came out.

For a row and a seed three files: ``ROW-seedN.json`` (everything measured), ``ROW-seedN.npz`` (the
Run, for figures) and, while it trains, ``ROW-seedN.checkpoint``. A row whose JSON is there is
done; killed and started again, the same command goes on from the last finished epoch.
"""

from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

from lossbook.data.dataset import checksums
from lossbook.experiments import results
from lossbook.heads.presets import head_from_name
from lossbook.training.loop import fit
from lossbook.utils import records
from lossbook.utils.records import FOLDER

__all__ = ["train_row", "reproduce", "check", "Agreement", "setting_of"]

SNAPSHOT_SIZE = 500  # images of each half in the saved Run: enough for a figure, and small


def train_row(name, dataset, backbone, embedding_dim=2, about=None, **options):
    """(run, record) of one row: trained, and measured by :func:`lossbook.experiments.results.measure`.

    ``about`` is a dict to write into both; ``options`` are :func:`lossbook.training.fit`'s.
    """
    model, head = _network(name, dataset, backbone, embedding_dim)
    run = fit(model, head, dataset, snapshot_size=SNAPSHOT_SIZE, **options)
    run.config.update(about or {})
    return run, results.measure(model, head, dataset, run, name)


def reproduce(
    names, dataset, backbone, *, embedding_dim=2, seeds=1, folder=None, made_by=None, **options
):
    """Train every row of ``names`` with seeds 0 … ``seeds`` − 1; the list of records, trained now or before.

    Parameters
    ----------
    names : list of str
        Rows, see :mod:`lossbook.experiments.rows`.
    dataset : lossbook.data.Dataset
    backbone : callable, embedding_dim → Module
    folder : path, optional
        Default ``lossbook.utils.records.FOLDER``; a folder for this setting is made in it.
    made_by : dict, optional
        Written into each record, e.g. the command.
    **options
        For :func:`lossbook.training.fit`: ``device``, ``precision`` and the recipe.

    Raises
    ------
    KeyError
        For an unknown row.
    ValueError
        If a saved row was made with another recipe, another network or other images.
    """
    folder = Path(folder or FOLDER) / setting_of(dataset, embedding_dim)
    for name in names:
        _network(
            name, dataset, backbone, embedding_dim
        )  # a wrong one is refused now, not after hours
    images, records = checksums(dataset), []
    with tqdm(total=len(names) * seeds, desc="rows", unit="row") as bar:
        for seed in range(seeds):
            for name in names:
                stem = folder / f"{name}-seed{seed}"
                checkpoint = stem.with_name(stem.name + ".checkpoint")
                result = stem.with_name(stem.name + ".json")
                bar.set_postfix_str(f"{name}, seed {seed}")
                if result.exists():
                    record = _saved(
                        result, images, _network(name, dataset, backbone, embedding_dim), options
                    )
                else:
                    about = {"data_sha256": images, "made_by": made_by or {}}
                    run, record = train_row(
                        name,
                        dataset,
                        backbone,
                        embedding_dim,
                        about,
                        seed=seed,
                        checkpoint=checkpoint,
                        **options,
                    )
                    run.save(stem.with_name(stem.name + ".npz"))
                    records.save(record, result)
                    checkpoint.unlink()
                records.append(record)
                bar.update()
    return records


class Agreement(NamedTuple):
    """The outcome of :func:`check` for one row; accuracies are fractions, ``seeds`` counts the saved ones."""

    row: str
    seed: int
    test_saved: float
    test_again: float
    spread: float
    seeds: int

    @property
    def agrees(self):
        return abs(self.test_again - self.test_saved) <= self.spread


def check(name, dataset, backbone, *, embedding_dim=2, seed=0, folder=None, device=None):
    """Train a saved row again from nothing, with its own recipe, and compare the test accuracies.

    Returns an :class:`Agreement`. They agree if they differ by no more than
    :func:`lossbook.experiments.results.prediction_half_width` of the saved seeds. Raises ``FileNotFoundError`` if the row
    is not saved, ``ValueError`` if it was made from other images or with another network.
    """
    folder = Path(folder or FOLDER)
    setting = setting_of(dataset, embedding_dim)
    saved = {
        record["seed"]: record for record in results.load(folder, setting) if record["row"] == name
    }
    if seed not in saved:
        raise FileNotFoundError(
            f"no saved result of {name} with seed {seed} in {folder / setting}: there is nothing "
            f"to check; make it with python -m lossbook reproduce {name}"
        )
    record = saved[seed]
    _same_images(record, checksums(dataset), name)
    _same_network(record, _network(name, dataset, backbone, embedding_dim), name)
    _, again = train_row(
        name,
        dataset,
        backbone,
        embedding_dim,
        seed=seed,
        device=device,
        precision=record["precision"],
        **record["recipe"],
    )
    accuracies = [one["test"]["accuracy"] for one in saved.values()]
    return Agreement(
        name,
        seed,
        record["test"]["accuracy"],
        again["test"]["accuracy"],
        results.prediction_half_width(accuracies, record["test"]["images"]),
        len(saved),
    )


def setting_of(dataset, embedding_dim):
    """The name of the folder for a data set and a dimension, e.g. ``"mnist-2d"``, ``"mnist-8-classes-2d"``."""
    return f"{dataset.name.replace(', first', '').replace(' ', '-')}-{embedding_dim}d"


def _network(name, dataset, backbone, embedding_dim):
    """(backbone, head) of a row, not trained."""
    return backbone(embedding_dim), head_from_name(name, embedding_dim, len(dataset.classes))


def _saved(path, images, network, options):
    """The record in ``path``, if it is what would be trained now."""
    record = records.read(path)
    _same_images(record, images, path)
    _same_network(record, network, path)
    made = {**record["recipe"], "precision": record["precision"]}
    for key, value in options.items():
        if key in made and value != "auto" and made[key] != value:
            raise ValueError(
                f"{path} was made with {key} = {made[key]}, now {value} is asked for: "
                "give another --out, or delete it to train it again"
            )
    return record


def _same_network(record, network, where):
    here = type(network[0]).__name__, sum(p.numel() for part in network for p in part.parameters())
    made = record["backbone"], record["weights"]
    if here != made:
        raise ValueError(
            f"{where} was made with {made[0]} and {made[1]:,} weights, here are {here[0]} and {here[1]:,}: "
            "give its profile or backbone, or another --out"
        )


def _same_images(record, images, where):
    if record["data_sha256"] != images:
        raise ValueError(
            f"{where} was made from other images than those of {record['dataset']!r} here: "
            "the checksums differ; look at where the data come from"
        )

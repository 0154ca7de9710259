"""Reproduce: train rows of the results tables, one after the other, and save the results.

For a row and a seed there is ``ROW-seedN.json`` (everything measured) and, while it trains,
``ROW-seedN.checkpoint``. Seed 0 has ``ROW-seed0.npz``, too: the Run, for figures. A row whose JSON
file exists is done; killed and started again, the same command resumes after the last finished
epoch.
"""

from pathlib import Path
from typing import NamedTuple

from lossbook.data.dataset import checksums
from lossbook.experiments import results
from lossbook.heads.presets import head_from_name
from lossbook.training.loop import fit
from lossbook.utils import records
from lossbook.utils.progress import progress_bar
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = ["train_row", "reproduce", "check", "Agreement", "setting_of"]

SNAPSHOT_SIZE = 500  # images of each half in the saved Run: enough for a figure, and small


def train_row(name, dataset, backbone, embedding_dim=2, provenance=None, **options):
    """(run, record) of one row, trained and measured.

    The record is that of :func:`lossbook.experiments.results.measure`.

    ``provenance`` is a dict to write into both; ``options`` are :func:`lossbook.training.fit`'s.
    """
    model, head = _build_network(name, dataset, backbone, embedding_dim)
    run = fit(model, head, dataset, snapshot_size=SNAPSHOT_SIZE, **options)
    run.config.update(provenance or {})
    return run, results.measure(model, head, dataset, run, name)


def reproduce(
    names, dataset, backbone, *, embedding_dim=2, seeds=1, folder=None, made_by=None, **options
):
    """Train every row of ``names`` with seeds 0 … ``seeds`` − 1.

    Parameters
    ----------
    names : list of str
        Rows, see :mod:`lossbook.experiments.rows`.
    dataset : lossbook.data.Dataset
    backbone : callable, embedding_dim → Module
    seeds : int
        How many; the Run of seed 0 alone is saved, for figures.
    folder : path, optional
        Default ``lossbook.utils.records.FOLDER``; a folder for this setting is made in it.
    made_by : dict, optional
        Written into each record, e.g. the command.
    **options
        For :func:`lossbook.training.fit`: ``device``, ``precision`` and the recipe.

    Returns
    -------
    list of dict
        The records, whether trained now or before.

    Raises
    ------
    KeyError
        For an unknown row.
    ValueError
        If a saved row was made with another recipe, another network or other images.
    """
    folder = Path(folder or FOLDER) / setting_of(dataset, embedding_dim)
    for name in names:  # an invalid row is refused now, not after hours
        _build_network(name, dataset, backbone, embedding_dim)
    images, saved = checksums(dataset), []
    with progress_bar(total=len(names) * seeds, desc="rows", unit="row") as bar:
        for seed in range(seeds):
            for name in names:
                bar.set_postfix_str(f"{name}, seed {seed}")
                path = folder / f"{name}-seed{seed}.json"
                if path.exists():
                    network = _build_network(name, dataset, backbone, embedding_dim)
                    record = records.read(path)
                    _check_same_training(record, images, network, options, path)
                else:
                    provenance = {"data_sha256": images, "made_by": made_by or {}}
                    record = _train_and_save(
                        path, name, dataset, backbone, embedding_dim, provenance, seed, options
                    )
                saved.append(record)
                bar.update()
    return saved


class Agreement(NamedTuple):
    """The outcome of :func:`check` for one row.

    Accuracies, and their allowed difference ``tolerance``, are fractions; ``seeds`` counts the
    saved ones.
    """

    row: str
    seed: int
    test_saved: float
    test_again: float
    tolerance: float
    seeds: int

    @property
    def agrees(self):
        return abs(self.test_again - self.test_saved) <= self.tolerance


def check(name, dataset, backbone, *, embedding_dim=2, seed=0, folder=None, device=None, **options):
    """Train a saved row again from scratch and compare the test accuracies.

    Recipe and precision are those of the saved result. ``options`` may state them, as for
    :func:`reproduce`; they have to be the same.

    Returns an :class:`Agreement`. They agree if they differ by no more than
    :func:`lossbook.experiments.results.prediction_half_width` of the saved seeds. Raises
    ``FileNotFoundError`` if the row is not saved, ``ValueError`` if it was made from other images,
    with another network or with other options.
    """
    folder = Path(folder or FOLDER)
    setting = setting_of(dataset, embedding_dim)
    saved = {
        record["seed"]: record for record in results.load(folder, setting) if record["row"] == name
    }
    require(
        seed in saved,
        f"no saved result of {name} with seed {seed} in {folder / setting}: there is nothing "
        f"to check; make it with lossbook reproduce {name}",
        FileNotFoundError,
    )
    record = saved[seed]
    network = _build_network(name, dataset, backbone, embedding_dim)
    source = folder / setting / f"{name}-seed{seed}.json"
    _check_same_training(record, checksums(dataset), network, options, source)
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
    accuracies = [record["test"]["accuracy"] for record in saved.values()]
    return Agreement(
        name,
        seed,
        record["test"]["accuracy"],
        again["test"]["accuracy"],
        results.prediction_half_width(accuracies, record["test"]["images"]),
        len(saved),
    )


def setting_of(dataset, embedding_dim):
    """The folder's name for a data set and a dimension, e.g. ``"mnist-8-classes-2d"``."""
    return f"{dataset.name.replace(', first', '').replace(' ', '-')}-{embedding_dim}d"


def _build_network(name, dataset, backbone, embedding_dim):
    """(backbone, head) of a row, not trained."""
    return backbone(embedding_dim), head_from_name(name, embedding_dim, len(dataset.classes))


def _train_and_save(path, name, dataset, backbone, embedding_dim, provenance, seed, options):
    checkpoint = path.with_name(path.stem + ".checkpoint")
    run, record = train_row(
        name,
        dataset,
        backbone,
        embedding_dim,
        provenance,
        seed=seed,
        checkpoint=checkpoint,
        **options,
    )
    if seed == 0:
        run.save(path.with_name(path.stem + ".npz"))
    records.save(record, path)
    checkpoint.unlink()
    return record


def _check_same_training(record, images, network, options, path):
    """Raise ``ValueError`` if the record in ``path`` is of another training."""
    _check_same_images(record, images, path)
    _check_same_network(record, network, path)
    saved_options = {**record["recipe"], "precision": record["precision"]}
    for key, value in options.items():
        require(
            key not in saved_options or value == "auto" or saved_options[key] == value,
            f"{path} was made with {key} = {saved_options.get(key)}, now {key} = {value} is "
            f"required: give the {key} it was made with, or another --out, or delete the file to "
            "train it again",
        )


def _check_same_network(record, network, source):
    given = type(network[0]).__name__, sum(p.numel() for part in network for p in part.parameters())
    saved = record["backbone"], record["weights"]
    command = record["made_by"].get("command")
    require(
        given == saved,
        f"{source} was made with {saved[0]} and {saved[1]:,} weights, here are {given[0]} and "
        f"{given[1]:,}: give its profile or backbone, or another --out"
        + (f" (it was made by {command})" if command else ""),
    )


def _check_same_images(record, images, source):
    require(
        record["data_sha256"] == images,
        f"{source} was made from other images than those of {record['dataset']!r} here: "
        "the checksums differ; look at where the data come from",
    )

"""Strangers: train on some classes, verify on classes that no training saw, for many losses and settings.

The saved experiment of the chapter on strangers is a list of :class:`Cell`, each one training on
Omniglot, kept by :mod:`lossbook.experiments.resumable`.
"""

from typing import NamedTuple

import numpy as np
import torch

from lossbook import heads
from lossbook.backbones import embed
from lossbook.data.dataset import checksums
from lossbook.data.pairs import make_pairs
from lossbook.experiments import resumable
from lossbook.heads import euclidean
from lossbook.heads.presets import head_from_name
from lossbook.metrics import verification
from lossbook.metrics.bootstrap import by_identity
from lossbook.metrics.protocols import gallery_and_probe, ranks
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = [
    "Cell",
    "PLAN",
    "RECIPE",
    "HELD_OUT",
    "known_and_strangers",
    "all_images",
    "fewer_classes",
    "head_named",
    "run",
    "verification_record",
    "load",
]

KNOWN = ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin")
HELD_OUT = ("Japanese_(katakana)", "Sanskrit", "Tagalog")
RECIPE = {"epochs": 20, "batch_size": 64, "learning_rate": 5e-3}
MOST, RESAMPLES = 50_000, 200
GRID = np.geomspace(1e-4, 1, 25)  # FARs at which a ROC is kept
BINS = np.linspace(-1, 1, 61)  # of cosines


class Cell(NamedTuple):
    """One training: a row of :mod:`lossbook.experiments.rows` (or ``OTHERS``), d, how many known classes C, and the seed."""

    row: str
    embedding_dim: int = 64
    classes: int = 136
    seed: int = 0

    @property
    def name(self):
        return f"{self.row}-{self.embedding_dim}d-{self.classes}c-seed{self.seed}"


# Heads that are no row, since no single margin on the target cosine makes them: (make from (d, C), kind of similarity).
OTHERS = {
    "combined": (lambda d, C: heads.CombinedMargin(d, C, scale=16, m1=1, m2=0.3, m3=0.2), "cosine"),
    "contrastive": (euclidean.Contrastive, "distance"),
    "triplet": (euclidean.Triplet, "distance"),
    "center": (euclidean.Center, "cosine"),
    "range": (euclidean.Range, "cosine"),
    "marginal": (euclidean.Marginal, "cosine"),
}
LOSSES = (
    "softmax",
    "norm-softmax_s16",
    "L-softmax_v1",
    "A-softmax_v1",
    "CosFace_s16_m0.2",
    "ArcFace_s16_m0.3",
)
WITHOUT, WITH = (
    "norm-softmax_s16",
    "ArcFace_s16_m0.3",
)  # the pair whose difference is followed over d, C and s
_SETTINGS = [
    *[Cell(row) for row in LOSSES],
    *[Cell(f"ArcFace_s16_m{m}") for m in (0.1, 0.5)],
    *[Cell(row, classes=34) for row in (WITHOUT, WITH)],
    *[Cell(row, embedding_dim=d) for d in (16, 256, 512) for row in (WITHOUT, WITH)],
    *[Cell(row.replace("s16", "s64")) for row in (WITHOUT, WITH)],
    *[Cell(row) for row in OTHERS],
]
PLAN = [cell._replace(seed=seed) for cell in _SETTINGS for seed in range(3)]


def known_and_strangers(dataset):
    """(known, strangers) of Omniglot: five alphabets to train on, three held out.

    Raises ``ValueError`` if the data set lacks one of these eight.
    """
    alphabets = {name.split("/")[0] for name in dataset.classes}
    missing = [name for name in KNOWN + HELD_OUT if name not in alphabets]
    require(
        not missing,
        f"{dataset.name} has no alphabet {', '.join(missing)}: the experiment needs Omniglot's "
        f"{', '.join(KNOWN + HELD_OUT)}",
    )
    used, held_out = (
        [name for name in dataset.classes if name.split("/")[0] in chosen]
        for chosen in (KNOWN + HELD_OUT, HELD_OUT)
    )
    return dataset.only(used).split_classes(held_out)


def all_images(dataset):
    """(images, labels) of both halves of a data set: of classes that no training saw, all can be verified."""
    halves = dataset.train, dataset.test
    return torch.cat([half.images for half in halves]), torch.cat(
        [half.labels for half in halves]
    ).numpy()


def fewer_classes(dataset, count):
    """``count`` of the classes, spread evenly over the list, so that every alphabet keeps its share."""
    require(
        2 <= count <= len(dataset.classes),
        f"count = {count}: {dataset.name} has {len(dataset.classes)} classes",
    )
    kept = [
        dataset.classes[i]
        for i in np.linspace(0, len(dataset.classes) - 1, count).round().astype(int)
    ]
    return dataset.only(kept)


def head_named(row, embedding_dim, num_classes):
    """(head, kind of similarity) of a row's name. Raises as :func:`lossbook.heads.presets.preset_from_name`."""
    if row in OTHERS:
        make, kind = OTHERS[row]
        return make(embedding_dim, num_classes), kind
    return head_from_name(row, embedding_dim, num_classes), "cosine"


def run(cells, known, strangers, folder, backbone, *, made_by=None, device=None, **recipe):
    """Train every cell that is not in ``folder`` yet; (record, arrays) as :func:`lossbook.experiments.resumable.load`.

    A cell with fewer classes gets as many steps: its epochs grow as its images become fewer.
    Raises ``ValueError`` if the folder holds an experiment of other images or another recipe.
    """
    asked = {**RECIPE, **recipe}
    about = {
        "dataset": known.name,
        "asked": asked,
        "data_sha256": {"known": checksums(known), "strangers": checksums(strangers)},
    }
    return resumable.run(
        cells,
        lambda cell: _measured(cell, known, strangers, backbone, device, asked),
        folder,
        about,
        made_by,
    )


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return resumable.load(folder or FOLDER / "strangers")


def verification_record(x, labels, kind="cosine"):
    """(found, arrays) of one embedding: EER and TAR at each of ``verification.FARS`` with intervals by identity.

    ``arrays`` holds ``estimate`` (5,) and ``resampled`` (200, 5), in that order, ``band`` (3, 25), the TAR at ``GRID``
    with its interval (NaN for a FAR that needs more impostor pairs), and ``histogram`` (2, 60), the
    counts of genuine and impostor cosines in ``BINS``.
    """
    chosen = make_pairs(labels, MOST)
    scores = verification.similarity(x, chosen, kind)
    fars = [far for far in verification.FARS if far * (~chosen.same).sum() >= 1]

    def measures(scores, same, weight):
        curve = verification.roc(scores, same, weight)
        return np.array(
            [
                verification.eer_of(curve),
                *(verification.tar_of(curve, far) for far in [*fars, *GRID]),
            ]
        )

    interval = by_identity(measures, scores, chosen, labels, RESAMPLES)
    count = 1 + len(fars)
    names = ["eer", *(f"tar@{far:g}" for far in fars)]
    found = {
        "identities": len(np.unique(labels)),
        "images": len(labels),
        "genuine_pairs": int(chosen.same.sum()),
        "impostor_pairs": int((~chosen.same).sum()),
        **{
            name: [
                round(float(v), 5)
                for v in (interval.estimate[i], interval.low[i], interval.high[i])
            ]
            for i, name in enumerate(names)
        },
    }
    band = np.stack([interval.estimate, interval.low, interval.high])[:, count:]
    band[:, GRID * found["impostor_pairs"] < 1] = np.nan
    gallery, probe = gallery_and_probe(labels)
    cosine = scores if kind == "cosine" else verification.similarity(x, chosen)
    place = ranks(x[gallery], labels[gallery], x[probe], labels[probe], kind)
    found["rank_1"] = float(np.mean(place == 1))
    return found, {
        "estimate": interval.estimate[:count],
        "resampled": interval.resampled[:, :count].astype(np.float32),
        "band": band.astype(np.float32),
        "histogram": np.stack(
            [np.histogram(cosine[chosen.same == genuine], BINS)[0] for genuine in (True, False)]
        ),
    }


def _measured(cell, known, strangers, backbone, device, recipe):
    """(found, arrays) of one cell, trained and judged on known classes and on strangers."""
    chosen = fewer_classes(known, cell.classes)
    model = backbone(cell.embedding_dim)
    head, kind = head_named(cell.row, cell.embedding_dim, cell.classes)
    epochs = round(recipe["epochs"] * len(known.train) / len(chosen.train))
    run = fit(
        model,
        head,
        chosen,
        seed=cell.seed,
        device=device,
        progress=False,
        snapshot_size=10,
        **{**recipe, "epochs": epochs},
    )
    head.eval()
    x = embed(model, chosen.test.images)
    with torch.no_grad():
        right = (head(x.to(head.weight.device)).argmax(dim=1).cpu() == chosen.test.labels).double()
    per_class = torch.zeros(cell.classes, dtype=torch.float64).index_add(
        0, chosen.test.labels, right
    )
    images, labels = all_images(strangers)
    on_known, known_arrays = verification_record(x.numpy(), chosen.test.labels.numpy(), kind)
    on_strangers, stranger_arrays = verification_record(embed(model, images).numpy(), labels, kind)
    found = {
        **cell._asdict(),
        "loss": run.name,
        "similarity": kind,
        "epochs": epochs,
        "device": run.config["device"],
        "versions": run.config["versions"],
        "accuracy": float(right.mean()),
        "train_accuracy": float(run.history.train_acc.iloc[-1]),
        "known": on_known,
        "strangers": on_strangers,
        "seconds": round(float(run.history.seconds.sum()), 1),
    }
    return found, {
        "right": (per_class / torch.bincount(chosen.test.labels)).numpy().astype(np.float32),
        **{f"known_{key}": known_arrays[key] for key in ("estimate", "resampled")},
        **stranger_arrays,
    }

"""Open-set verification on Omniglot: train on some classes, verify on classes held out of training.

The saved experiment of the chapter on verification is a list of :class:`Cell`, each one training,
kept by :mod:`lossbook.experiments.resumable`.
"""

from typing import NamedTuple

import numpy as np
import torch

from lossbook import heads
from lossbook.backbones import embed
from lossbook.data.dataset import checksums
from lossbook.data.pairs import make_pairs
from lossbook.experiments import resumable
from lossbook.experiments.rows import FREE_SCALE
from lossbook.heads import euclidean
from lossbook.heads.presets import head_from_name
from lossbook.metrics import verification
from lossbook.metrics.bootstrap import bootstrap_by_identity
from lossbook.metrics.protocols import gallery_and_probe, identification_ranks
from lossbook.training.loop import fit
from lossbook.utils.records import FOLDER
from lossbook.utils.validation import require

__all__ = [
    "KNOWN",
    "HELD_OUT",
    "RECIPE",
    "LOSSES",
    "SCALES",
    "OTHERS",
    "PLAN",
    "Cell",
    "VerificationRecord",
    "known_and_strangers",
    "all_images",
    "fewer_classes",
    "build_head",
    "run",
    "load",
    "verification_record",
]

KNOWN = ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin")
HELD_OUT = ("Japanese_(katakana)", "Sanskrit", "Tagalog")
RECIPE = {"epochs": 20, "batch_size": 64, "learning_rate": 5e-3}
PER_CLASS = 4  # images of a class in a batch, for losses on pairs and triplets alone
MOST, RESAMPLES = 50_000, 200
GRID = np.geomspace(1e-4, 1, 25)  # FARs at which a ROC is kept
BINS = np.linspace(-1, 1, 61)  # of cosines


class Cell(NamedTuple):
    """One training: the loss, d, how many known classes C, and the seed.

    ``row`` is a name that :func:`lossbook.heads.head_from_name` takes, or one of ``OTHERS``.
    """

    row: str
    embedding_dim: int = 64
    classes: int = 136
    seed: int = 0

    @property
    def name(self):
        return f"{self.row}-{self.embedding_dim}d-{self.classes}c-seed{self.seed}"


# Heads that are no row, since no fixed scale and single margin on the target cosine makes them:
# (function of d and C, kind of similarity).
OTHERS = {
    "combined": (lambda d, C: heads.CombinedMargin(d, C, scale=16, m1=1, m2=0.3, m3=0.2), "cosine"),
    "contrastive": (euclidean.Contrastive, "distance"),
    "triplet": (euclidean.Triplet, "distance"),
    "center": (euclidean.Center, "cosine"),
    "range": (euclidean.Range, "cosine"),
    "marginal": (euclidean.Marginal, "cosine"),
    **{row: (make, "cosine") for row, make in FREE_SCALE.items()},
}
LOSSES = (
    "softmax",
    "norm-softmax_s16",
    "L-softmax_v1",
    "A-softmax_v1",
    "CosFace_s16_m0.2",
    "ArcFace_s16_m0.3",
)
# The pair whose difference is followed over d, C and s.
WITHOUT, WITH = "norm-softmax_s16", "ArcFace_s16_m0.3"
# The scales that both are trained with: 7 is AdaCos's fixed scale √2·ln(C − 1) for 136 classes.
SCALES = (2, 4, 7, 10, 16, 32, 64, 128)
_SETTINGS = [
    *[Cell(row) for row in LOSSES],
    *[Cell(f"ArcFace_s16_m{m}") for m in (0.1, 0.5)],
    *[Cell(row, classes=34) for row in (WITHOUT, WITH)],
    *[Cell(row, embedding_dim=d) for d in (16, 256, 512) for row in (WITHOUT, WITH)],
    *[Cell(row.replace("s16", f"s{s}")) for s in SCALES if s != 16 for row in (WITHOUT, WITH)],
    *[Cell(row) for row in OTHERS],
]
PLAN = [cell._replace(seed=seed) for cell in _SETTINGS for seed in range(3)]


class VerificationRecord(NamedTuple):
    """What :func:`verification_record` measures; R rates, B resamplings by identity.

    The rates are the equal error rate and the TAR at each of ``verification.FARS``, in this order.
    """

    summary: dict  # counts, rank-1 rate, and [estimate, low, high] for each rate
    estimate: np.ndarray  # (R,)
    resampled: np.ndarray  # (B, R)
    band: np.ndarray  # (3, 25): TAR at GRID, its low and its high end
    histogram: np.ndarray  # (2, 60): genuine and impostor cosines in BINS

    @property
    def arrays(self):
        """The fields that go into the file of arrays, by their names."""
        return {name: value for name, value in self._asdict().items() if name != "summary"}


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
    used = [name for name in dataset.classes if name.split("/")[0] in KNOWN + HELD_OUT]
    held_out = [name for name in used if name.split("/")[0] in HELD_OUT]
    return dataset.select_classes(used).split_classes(held_out)


def all_images(dataset):
    """(images, labels) of both halves of a data set.

    Of classes held out of training, all images can be verified.
    """
    halves = dataset.train, dataset.test
    images = torch.cat([half.images for half in halves])
    labels = torch.cat([half.labels for half in halves])
    return images, labels.numpy()


def fewer_classes(dataset, count):
    """``count`` of the classes, evenly spaced in the list, so that alphabets keep their shares."""
    require(
        2 <= count <= len(dataset.classes),
        f"count = {count}: expected 2 to {len(dataset.classes)}, the classes of {dataset.name}",
    )
    positions = np.linspace(0, len(dataset.classes) - 1, count).round().astype(int)
    return dataset.select_classes([dataset.classes[i] for i in positions])


def build_head(row, embedding_dim, num_classes):
    """(head, kind of similarity) of a cell's row.

    Raises ``KeyError`` as :func:`lossbook.heads.preset_from_name`.
    """
    if row in OTHERS:
        make, kind = OTHERS[row]
        return make(embedding_dim, num_classes), kind
    return head_from_name(row, embedding_dim, num_classes), "cosine"


def run(
    cells,
    known,
    strangers,
    folder,
    backbone,
    *,
    build=build_head,
    made_by=None,
    device=None,
    **recipe,
):
    """Train every cell that is not in ``folder`` yet.

    A cell with fewer classes gets as many steps: its epochs grow as its images become fewer.
    ``build`` makes the head of a cell's row, as :func:`build_head` does.

    Returns as :func:`lossbook.experiments.resumable.run`. Raises ``ValueError`` if the folder holds
    an experiment with other images or another recipe.
    """
    recipe = {**RECIPE, **recipe}
    settings = {
        "dataset": known.name,
        "asked": recipe,
        "data_sha256": {"known": checksums(known), "strangers": checksums(strangers)},
    }

    def measure(cell):
        return _train_cell(cell, known, strangers, backbone, build, device, recipe)

    return resumable.run(cells, measure, folder, settings, made_by)


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return resumable.load(folder or FOLDER / "strangers")


def verification_record(x, labels, kind="cosine"):
    """Verify embeddings ``x`` (N, d): a :class:`VerificationRecord` with intervals by identity.

    ``band`` is NaN for a FAR that needs more impostor pairs.
    """
    pairs = make_pairs(labels, MOST)
    impostor_pairs = int((~pairs.same).sum())
    scores = verification.similarity(x, pairs, kind)
    fars = [far for far in verification.FARS if far * impostor_pairs >= 1]
    names = ["eer", *(f"tar@{far:g}" for far in fars)]

    def measures(scores, same, weight):
        curve = verification.roc(scores, same, weight)
        tars = [verification.tar_from_roc(curve, far) for far in [*fars, *GRID]]
        return np.array([verification.eer_from_roc(curve), *tars])

    interval = bootstrap_by_identity(measures, scores, pairs, labels, RESAMPLES)
    estimate_low_high = np.stack([interval.estimate, interval.low, interval.high])
    band = estimate_low_high[:, len(names) :]
    band[:, GRID * impostor_pairs < 1] = np.nan
    summary = {
        "identities": len(np.unique(labels)),
        "images": len(labels),
        "genuine_pairs": int(pairs.same.sum()),
        "impostor_pairs": impostor_pairs,
        **{
            name: [round(float(value), 5) for value in estimate_low_high[:, i]]
            for i, name in enumerate(names)
        },
        "rank_1": _rank_1_rate(x, labels, kind),
    }
    cosine = scores if kind == "cosine" else verification.similarity(x, pairs)
    histograms = [np.histogram(cosine[half], BINS)[0] for half in (pairs.same, ~pairs.same)]
    return VerificationRecord(
        summary,
        interval.estimate[: len(names)],
        interval.resampled[:, : len(names)].astype(np.float32),
        band.astype(np.float32),
        np.stack(histograms),
    )


def _rank_1_rate(x, labels, kind):
    gallery, probe = gallery_and_probe(labels)
    rank = identification_ranks(x[gallery], labels[gallery], x[probe], labels[probe], kind)
    return float(np.mean(rank == 1))


def _train_cell(cell, known, strangers, backbone, build, device, recipe):
    """(record, arrays) of one cell, trained and measured on known classes and on strangers."""
    dataset = fewer_classes(known, cell.classes)
    model = backbone(cell.embedding_dim)
    head, kind = build(cell.row, cell.embedding_dim, cell.classes)
    epochs = round(recipe["epochs"] * len(known.train) / len(dataset.train))
    batches = {"per_class": PER_CLASS} if kind == "distance" else {}
    run = fit(
        model,
        head,
        dataset,
        seed=cell.seed,
        device=device,
        progress=False,
        snapshot_size=10,
        **{**recipe, "epochs": epochs, **batches},
    )
    head.eval()
    test = dataset.test
    x = embed(model, test.images)
    with torch.no_grad():
        predictions = head(x.to(head.weight.device)).argmax(dim=1).cpu()
    correct = (predictions == test.labels).double()
    of_known = verification_record(x.numpy(), test.labels.numpy(), kind)
    images, labels = all_images(strangers)
    of_strangers = verification_record(embed(model, images).numpy(), labels, kind)
    record = {
        **cell._asdict(),
        "loss": run.name,
        **({"scale": float(head.scale)} if cell.row in FREE_SCALE else {}),
        "similarity": kind,
        **batches,
        "epochs": epochs,
        "device": run.config["device"],
        "versions": run.config["versions"],
        "accuracy": float(correct.mean()),
        "train_accuracy": float(run.history.train_acc.iloc[-1]),
        "known": of_known.summary,
        "strangers": of_strangers.summary,
        "seconds": round(float(run.history.seconds.sum()), 1),
    }
    per_class = torch.zeros(cell.classes, dtype=torch.float64)
    per_class = per_class.index_add(0, test.labels, correct) / torch.bincount(test.labels)
    arrays = {
        "right": per_class.numpy().astype(np.float32),
        "known_estimate": of_known.estimate,
        "known_resampled": of_known.resampled,
        **of_strangers.arrays,
    }
    return record, arrays

"""One softmax, many names: losses on class vectors and on pairs, trained alike on Omniglot.

The data, the network and the measurements are those of :mod:`lossbook.experiments.omniglot`; the
batches hold four images of each class, for every loss.
"""

from lossbook.experiments import omniglot
from lossbook.experiments.omniglot import Cell
from lossbook.heads import pairs_and_proxies
from lossbook.utils.records import FOLDER

__all__ = ["LOSSES", "SCALES", "RECIPE", "PLAN", "build_head", "run", "load"]

LOSSES = ("norm-softmax_s16", "ArcFace_s16_m0.3", "SupCon_s16", "Proxy-Anchor", "Circle")
SCALES = (4, 256)  # of SupCon, beside 16: 1/τ
RECIPE = {"per_class": 4}
PLAN = [Cell(row, seed=seed) for seed in range(3) for row in LOSSES]
PLAN += [Cell(f"SupCon_s{scale}", seed=seed) for seed in range(3) for scale in SCALES]


def build_head(row, embedding_dim, num_classes):
    """(head, kind of similarity) of a cell's row.

    Raises ``KeyError`` as :func:`lossbook.heads.preset_from_name`.
    """
    if row.startswith("SupCon_s"):
        temperature = 1 / float(row.removeprefix("SupCon_s"))
        return pairs_and_proxies.SupCon(embedding_dim, num_classes, temperature), "cosine"
    if row == "Proxy-Anchor":
        return pairs_and_proxies.ProxyAnchor(embedding_dim, num_classes), "cosine"
    if row == "Circle":
        return pairs_and_proxies.Circle(embedding_dim, num_classes), "cosine"
    return omniglot.build_head(row, embedding_dim, num_classes)


def run(*arguments, **options):
    """:func:`lossbook.experiments.omniglot.run` with these heads and this recipe."""
    return omniglot.run(*arguments, build=build_head, **{**RECIPE, **options})


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return omniglot.load(folder or FOLDER / "one-softmax")

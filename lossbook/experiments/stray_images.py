"""Sub-centres on the noise they were made for: images of another identity under a name.

Names are characters of :mod:`lossbook.experiments.typefaces`. In a part of the typefaces of a name
its images are replaced by those of one other character, the same in all of them, which stands under
no other name. ArcFace with K sub-centres is trained on them; what is measured is whether the strays
leave for a sub-centre of their own, whether their angles give them away, and what strangers get.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from lossbook import bounds
from lossbook.backbones import embed
from lossbook.data.dataset import Split
from lossbook.experiments import resumable, typefaces
from lossbook.heads.subcenter import SubCenterArcFace
from lossbook.metrics.all_pairs import verify_all_pairs
from lossbook.utils.records import FOLDER

__all__ = ["Cell", "NAMES", "PLAN", "STEPS", "load", "mix", "run"]

NAMES, STEPS, MARGIN = 400, 500, 0.3


class Cell(NamedTuple):
    """One training: sub-centres per name, the share of stray images, and the seed."""

    centers: int
    share: float
    seed: int

    @property
    def name(self):
        return f"{self.centers}centers-{100 * self.share:.0f}percent-seed{self.seed}"


PLAN = [
    Cell(centers, share, seed) for seed in range(3) for share in (0.25, 0) for centers in (1, 3)
]


def run(
    cells,
    data,
    folder,
    *,
    names=NAMES,
    steps=STEPS,
    backbone=typefaces.small_network,
    device=None,
    made_by=None,
    sizes=None,
    **recipe,
):
    """Train every cell that is not in ``folder`` yet.

    ``data``, ``backbone``, ``device``, ``sizes`` and ``recipe`` are those of
    :func:`lossbook.experiments.typefaces.run`. Returns and raises as
    :func:`lossbook.experiments.resumable.run`.
    """
    settings = typefaces.settings_of(data, sizes, **recipe)
    settings |= {"names": names, "steps": steps, "margin": MARGIN}
    held_out = settings["held_out"]
    parts = data.hold_out(held_out["strangers"], held_out["unseen_faces"])
    named = data.select(parts.characters[:names], parts.faces)
    others = data.select(parts.characters[names : 2 * names], parts.faces)
    strangers = {
        "strangers": data.select(parts.strangers, parts.unseen_faces),
        "in_seen_faces": data.select(parts.strangers, typefaces.seen_faces(parts)),
    }

    def measure(cell):
        images, stray = mix(named, others, cell.share, cell.seed)
        model = backbone(typefaces.EMBEDDING_DIM)
        head, versions = _train(cell, model, images, steps, device, settings["asked"])
        numbers = _measure_strays(model, head, images, stray)
        for kind, split in strangers.items():
            x = embed(model, split.images).numpy()
            numbers[kind] = verify_all_pairs(x, split.labels.numpy()).summary
        return {**cell._asdict(), **numbers, "versions": versions}, {}

    return resumable.run(cells, measure, folder, settings, made_by)


def load(folder=None):
    """(record, arrays) of the saved experiment, or of another folder."""
    return resumable.load(folder or FOLDER / "stray-images")


def mix(named, others, share, seed=0):
    """``(Split, stray)``: a share of the images of each name replaced by those of another identity.

    ``named`` and ``others`` are data of as many classes each; images of class j of ``others`` stand
    under name j. Each image of ``named`` is dropped, and each of ``others`` taken, with probability
    ``share``. ``stray`` ``(N,)`` bool is true for those of ``others``.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(len(named), generator=generator, device="cpu") >= share
    taken = torch.rand(len(others), generator=generator, device="cpu") < share
    images = torch.cat([named.images[kept], others.images[taken]])
    labels = torch.cat([named.labels[kept], others.labels[taken]])
    stray = torch.arange(len(labels), device="cpu") >= int(kept.sum())
    return Split(images, labels, named.classes), stray


def _train(cell, model, images, steps, device, recipe):
    """Train ``model`` and a head of the cell on ``images``: (head, versions of the libraries)."""
    names = len(images.classes)
    scale = bounds.working_scale(names, m2=MARGIN)
    head = SubCenterArcFace(typefaces.EMBEDDING_DIM, names, scale, MARGIN, cell.centers)
    run, _ = typefaces.fit_steps(model, head, images, steps, cell.seed, device, recipe)
    return head.cpu().eval(), run.config["versions"]


def _measure_strays(model, head, images, stray):
    """Of strays and of the others: share away from the dominant sub-centre, and median angle to it.

    ``found`` is the share of strays among as many images with the largest angles.
    """
    x, labels = embed(model, images.images), images.labels
    away = head.nearest_center(x, labels) != head.dominant_centers(x, labels)[labels]
    directions = F.normalize(head.keep_dominant(x, labels).weight.detach())
    cos = (F.normalize(x) * directions[labels]).sum(dim=1)
    angles = cos.clamp(-1, 1).arccos().rad2deg()
    numbers = {}
    for kind, which in (("own", ~stray), ("stray", stray)):
        if which.any():
            numbers[kind] = {
                "images": int(which.sum()),
                "away": away[which].double().mean().item(),
                "angle": angles[which].median().item(),
            }
    if stray.any():
        farthest = angles.argsort(descending=True)[: int(stray.sum())]
        numbers["found"] = stray[farthest].double().mean().item()
    return numbers

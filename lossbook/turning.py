"""What a turning sphere is made of: runs, aligned and thinned, their directions in 16-bit numbers."""

import math

import numpy as np

from .caps import won
from .errors import require
from .palette import badge_texts, colors_of, on
from .scrubbing import TURN, base64_of, thin
from .sphere import EDGE, HOME, REACH, unit

__all__ = ["turnable"]


def turnable(gathering, split, points, epochs):
    """The runs of :func:`lossbook.sphere.gathered` as a dict for JSON; at most so many points a split, and epochs.

    A direction is two numbers: k and l for the polar angle πk / 65535 from the axis to the right, and the
    azimuth 2πl / 65536 around it. First all polar angles, then all azimuths; each epoch after epoch.
    """
    first = next(iter(gathering.values()))[0]
    data = {"classes": list(first.classes), "badges": badge_texts(first.classes), "colors": list(colors_of(first.classes)),
            "inks": [on(color) for color in colors_of(first.classes)], "split": split, "home": np.radians(HOME).tolist(),
            "reach": REACH, "edge": EDGE, "views": []}
    for title, (run, head) in gathering.items():
        shown, _ = thin(run, points, epochs)
        numbers = [s.epoch for s in shown.snapshots]
        require(data.setdefault("epochs", numbers) == numbers,
                f"{title!r} has snapshots of the epochs {numbers}, the first run of {data['epochs']}: one slider moves "
                "them all; give runs with the same number of epochs")
        view = {"title": title, "vectors": _directions(s.weight for s in shown.snapshots)}
        for half in ("train", "test"):
            view[half] = {
                "labels": base64_of(getattr(shown, f"{half}_labels").astype(np.uint8)),
                "predicted": base64_of(np.stack([getattr(s, f"{half}_pred") for s in shown.snapshots]).astype(np.uint8)),
                "directions": _directions(getattr(s, half) for s in shown.snapshots)}
        if head:
            view.update(_caps(shown, head))
        data["views"].append(view)
    return data


def _caps(run, head):
    """The rims of every epoch, (epochs, C·A) directions, and the share of the sphere that is won."""
    caps, last = [], None
    for snapshot in run.snapshots:
        last = won(head(snapshot.epoch), snapshot.weight, after=last)
        caps.append(last)
    return {"rims": _directions(one.rims.reshape(-1, 3) for one in caps), "around": caps[0].rims.shape[1],
            "share": [round(float(one.share.sum()), 4) for one in caps]}


def _directions(epochs):
    x, y, z = np.moveaxis(unit(np.stack(list(epochs))), -1, 0)
    polar = (np.arccos(np.clip(x, -1, 1)) / math.pi * (TURN - 1)).round()
    azimuth = (np.arctan2(z, y) / (2 * math.pi) * TURN).round()
    return base64_of(np.stack([polar, azimuth]).astype(int).astype("<u2"))

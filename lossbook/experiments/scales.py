"""Accuracy against the scale s: what the saved experiments say about the choice of it.

Ten digits in the plane (the grids of scale and margin, and the closed set) and 136 characters in
64 dimensions (the experiment on unseen classes), each by one recipe.
"""

import pandas as pd

from lossbook.experiments import closed_set, omniglot, scale_margin_grid
from lossbook.experiments.rows import FREE_SCALE
from lossbook.heads.presets import preset_from_name

__all__ = ["LOSSES", "digits", "characters"]

LOSSES = {0: "norm-softmax", 0.3: "ArcFace, m = 0.3"}  # by their margin


def digits():
    """The trainings on ten digits in the plane, as rows of a DataFrame.

    ``loss``, ``name`` of the training's setting, ``scale`` (of a scale that is not fixed, where it
    ended), ``fixed`` (bool), ``seed`` and ``accuracy``, the test accuracy in per cent.
    """
    grid = scale_margin_grid.load("ArcFace")
    rows = [
        _row(cell, LOSSES[cell["margin"]], cell["scale"], cell["accuracy"])
        for cell in grid["cells"].values()
        if cell["margin"] in LOSSES
    ]
    record, _ = closed_set.load()
    rows += [
        _row(cell, LOSSES[0], cell["scale"], cell["test"]["accuracy"], fixed=False)
        for cell in record["cells"].values()
        if cell["row"] in FREE_SCALE
    ]
    return pd.DataFrame(rows)


def characters():
    """The trainings on 136 characters in 64 dimensions, as :func:`digits`.

    ``accuracy`` is on other drawings of the characters that were trained with; ``eer`` is the equal
    error rate in per cent on characters that no training saw.
    """
    record, _ = omniglot.load()
    rows = []
    for cell in record["cells"].values():
        if (cell["embedding_dim"], cell["classes"]) != (64, 136):
            continue
        if cell["row"] in FREE_SCALE:
            row = _row(cell, LOSSES[0], cell["scale"], cell["accuracy"], fixed=False)
        elif cell["row"] in omniglot.OTHERS:
            continue
        else:
            preset = preset_from_name(cell["row"])
            if not preset.unit_embedding or preset.m3 or preset.m2 not in LOSSES:
                continue
            row = _row(cell, LOSSES[preset.m2], preset.scale, cell["accuracy"])
        rows.append({**row, "eer": 100 * cell["strangers"]["eer"][0]})
    return pd.DataFrame(rows)


def _row(cell, loss, scale, accuracy, fixed=True):
    return {
        "loss": loss,
        "name": cell["row"],
        "scale": scale,
        "fixed": fixed,
        "seed": cell["seed"],
        "accuracy": 100 * accuracy,
    }

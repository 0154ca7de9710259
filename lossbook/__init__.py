"""lossbook: margin-based softmax losses, from softmax to ArcFace, and what trains and shows them.

Data flows one way: ``data`` → ``backbones`` (embedding x) → ``heads`` (angles → ``margins`` →
logits) → cross-entropy. ``training.fit`` records a ``Run``; ``metrics`` and ``figures`` read it.
"""

import torch as _torch

__version__ = "0.1.0"


def _declare_torchvision_operators():
    """Let ``import torchvision`` work beside a CPU-only torch.

    PyPI's torchvision is linked to CUDA. Beside a CPU build its compiled operators do not load,
    and its import then fails for want of two schemas. Nothing here uses these operators
    (datasets and transforms are plain Python), so the schemas alone are enough.
    """
    schemas = {
        "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    }
    try:
        import torchvision  # noqa: F401  (the usual case: all is well)
        return None
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = _torch.library.Library("torchvision", "FRAGMENT")
    for schema in schemas.values():
        library.define(schema)
    import torchvision  # noqa: F401
    return library                    # the declarations live as long as this object


_torchvision_library = _declare_torchvision_operators()

from . import (  # noqa: E402, F401
    backbones, benchmark, bounds, data, distances, euclidean, figures, heads, margins, metrics, profiles, reproduce,
    results, rows, training, verification,
)

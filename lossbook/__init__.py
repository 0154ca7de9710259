"""lossbook: margin-based softmax losses, from softmax to ArcFace, and what trains and shows them.

Data flows one way: ``data`` → ``backbones`` (embedding x) → ``heads`` (angles → ``margins`` →
logits) → cross-entropy. ``training.fit`` records a ``Run``; ``metrics`` and ``figures`` read it.
"""

from lossbook import (
    backbones,
    bounds,
    data,
    figures,
    heads,
    margins,
    metrics,
    profiles,
    training,
)
from lossbook._version import __version__

__all__ = [
    "__version__",
    "backbones",
    "bounds",
    "data",
    "figures",
    "heads",
    "margins",
    "metrics",
    "profiles",
    "training",
]

"""lossbook: margin-based softmax losses, from softmax to ArcFace, and what trains and shows them.

Data flows one way: ``data`` → ``backbones`` (embedding x) → ``heads`` (angles → ``margins`` →
logits) → cross-entropy. ``training.fit`` records a ``Run``; ``metrics`` and ``figures`` read it.
"""

import importlib

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


# Submodules are imported on first use, so that a program pays only for what it needs (PEP 562).
def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"lossbook.{name}")
    raise AttributeError(f"module 'lossbook' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})

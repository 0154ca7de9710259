"""The command verify: score an embedding of your own on pairs of images."""

import importlib
import json
import sys
import zipfile

import numpy as np
import torch

from lossbook.backbones import embed
from lossbook.data import image_folder, lfw
from lossbook.metrics import verification
from lossbook.metrics.verification import format_report
from lossbook.utils.files import write_atomically
from lossbook.utils.validation import require

__all__ = ["verify", "read_embedding", "read_module"]


def verify(options):
    """Score the embedding that the command line names, print a table and, if asked, write it as JSON."""
    protocol = None
    require(
        options.images is None or options.lfw is None,
        "both --images and --lfw are given: choose one",
    )
    if options.images is None and options.lfw is None:
        x, labels = read_embedding(options.embedding)
    elif options.lfw is None:
        split = image_folder.images_in(options.images, options.size, options.invert)
        x, labels = (
            embed(read_module(options.embedding), split.images).numpy(),
            split.labels.numpy(),
        )
    else:
        faces = lfw.lfw_pairs(options.lfw, options.size)
        x, labels = embed(read_module(options.embedding), faces.images).numpy(), faces.labels
        protocol = faces.pairs, faces.fold
    found = verification.report(x, labels, protocol, kind=options.similarity, seed=options.seed)
    print(format_report(found))
    if options.json:
        text = (
            json.dumps({"embedding": options.embedding, **found}, indent=1, allow_nan=False) + "\n"
        )
        write_atomically(options.json, lambda file: file.write(text.encode()))
        print(f"wrote {options.json}")


def read_embedding(path):
    """(x, labels) of an NPZ file with arrays ``x`` (N, d) and ``labels`` (N,).

    Labels may be integers or names. Raises ``ValueError`` if the file is no NPZ, or an array is
    missing or does not fit.
    """
    try:
        with np.load(path) as packed:
            arrays = dict(packed)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no file at {path}: give an NPZ file with arrays x and labels, or a module as "
            "package.module:function together with --images"
        ) from None
    except (zipfile.BadZipFile, EOFError, TypeError, ValueError, OSError) as error:
        raise ValueError(
            f"{path} is not an NPZ file ({error}): numpy.savez(path, x=x, labels=labels) writes one"
        ) from None
    require(
        {"x", "labels"} <= set(arrays),
        f"{path} holds the arrays {', '.join(arrays)}: "
        "expected x, one embedding a row, and labels, one identity a row",
    )
    x, labels = arrays["x"], arrays["labels"]
    require(
        labels.ndim == 1 and len(labels) == len(x),
        f"{path}: x has shape {x.shape} and labels {labels.shape}: expected (N, d) and (N,)",
    )
    return x, np.unique(labels, return_inverse=True)[1]


def read_module(name):
    """The torch module that ``package.module:function`` returns, found from the current folder too.

    The function is called without arguments and returns a module with its weights loaded; it is given
    grey images ``(N, 1, size, size)`` in [0, 1]. Raises ``ValueError`` if there is none.
    """
    module, _, function = name.partition(":")
    require(
        module and function,
        f"{name!r}: to embed images, name a function that returns a torch module as "
        "package.module:function, e.g. mynet:load",
    )
    sys.path.insert(0, "")
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be called: {error}") from error
    finally:
        sys.path.remove("")
    require(
        isinstance(made, torch.nn.Module),
        f"{name} returned {type(made).__name__}, expected a torch.nn.Module",
    )
    return made

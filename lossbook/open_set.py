"""What the commands ``verify``, ``strangers`` and ``noise`` do: score an embedding, run the saved experiments."""

import importlib
import json
import sys
import zipfile

import numpy as np
import torch

from . import backbones, commands, folders, lfw, noise, strangers, verification
from .errors import require
from .files import write_atomically
from .training import embed

__all__ = ["verify", "train_strangers", "train_noise", "read_embedding", "read_module", "in_words"]


def verify(options):
    """Score the embedding that the command line names, print a table and, if asked, write it as JSON."""
    protocol = None
    require(options.images is None or options.lfw is None, "both --images and --lfw are given: choose one")
    if options.images is None and options.lfw is None:
        x, labels = read_embedding(options.embedding)
    elif options.lfw is None:
        split = folders.images_in(options.images, options.size, options.invert)
        x, labels = embed(read_module(options.embedding), split.images).numpy(), split.labels.numpy()
    else:
        faces = lfw.lfw_pairs(options.lfw, options.size)
        x, labels = embed(read_module(options.embedding), faces.images).numpy(), faces.labels
        protocol = faces.pairs, faces.fold
    found = verification.report(x, labels, protocol, kind=options.similarity, seed=options.seed)
    print(in_words(found))
    if options.json:
        text = json.dumps({"embedding": options.embedding, **found}, indent=1, allow_nan=False) + "\n"
        write_atomically(options.json, lambda file: file.write(text.encode()))
        print(f"wrote {options.json}")


def train_strangers(options):
    """Run the saved experiment of the chapter on strangers, or go on with it, and print a line a training."""
    known, unseen = strangers.known_and_strangers(folders.omniglot(options.folder))
    record, _ = strangers.run(strangers.PLAN, known, unseen, options.out or commands.RESULTS / "strangers",
                              backbones.LeNetPP.small, made_by={"command": "python -m lossbook strangers"},
                              device=options.device)
    for name, cell in record["cells"].items():
        eer, low, high = cell["strangers"]["eer"]
        print(f"{name:40} closed {cell['accuracy']:.2%}  EER of strangers {eer:.2%} ({low:.2%} to {high:.2%})")


def train_noise(options):
    """Run the saved experiment on wrong labels, or go on with it, and print a line a training."""
    record, _ = noise.run(noise.PLAN, options.out or commands.RESULTS / "noise", device=options.device,
                          made_by={"command": "python -m lossbook noise"})
    for name, cell in record["cells"].items():
        print(f"{name:55} test accuracy {cell['test']:.2%}")


def read_embedding(path):
    """(x, labels) of an NPZ file with arrays ``x`` (N, d) and ``labels`` (N,).

    Labels may be integers or names. Raises ``ValueError`` if the file is no NPZ, or an array is
    missing or does not fit.
    """
    try:
        with np.load(path) as packed:
            arrays = dict(packed)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file at {path}: give an NPZ file with arrays x and labels, or a module as "
                                "package.module:function together with --images") from None
    except (zipfile.BadZipFile, EOFError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not an NPZ file ({error}): numpy.savez(path, x=x, labels=labels) writes one") from None
    require({"x", "labels"} <= set(arrays), f"{path} holds the arrays {', '.join(arrays)}: "
            "expected x, one embedding a row, and labels, one identity a row")
    x, labels = arrays["x"], arrays["labels"]
    require(labels.ndim == 1 and len(labels) == len(x), f"{path}: x has shape {x.shape} and labels {labels.shape}: "
                                                       "expected (N, d) and (N,)")
    return x, np.unique(labels, return_inverse=True)[1]


def read_module(name):
    """The torch module that ``package.module:function`` returns, found from the current folder too.

    The function is called without arguments and returns a module with its weights loaded; it is given
    grey images ``(N, 1, size, size)`` in [0, 1]. Raises ``ValueError`` if there is none.
    """
    module, _, function = name.partition(":")
    require(module and function, f"{name!r}: to embed images, name a function that returns a torch module as "
                                 "package.module:function, e.g. mynet:load")
    sys.path.insert(0, "")
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be called: {error}") from error
    finally:
        sys.path.remove("")
    require(isinstance(made, torch.nn.Module), f"{name} returned {type(made).__name__}, expected a torch.nn.Module")
    return made


def in_words(found):
    """The table that ``verify`` prints of a :func:`lossbook.verification.report`."""
    lines = [f"{found['images']:,} images of {found['identities']:,} identities: {found['genuine_pairs']:,} genuine "
             f"and {found['impostor_pairs']:,} impostor pairs, scored by {found['similarity']}; "
             f"intervals ({found['level']:.0%}) are by identity"]

    def line(name, key, value):
        if value is None:
            said = f"not measured: {found['undefined'][key]}"
        else:
            interval = (found["intervals"] or {}).get(key)
            said = f"{value:8.2%}" + (f"   {interval[0]:.2%} to {interval[1]:.2%}" if interval else "")
        lines.append(f"  {name:30}{said}")

    line("equal error rate", "eer", found["eer"])
    for key in found:
        if key.startswith("tar@"):
            line(f"TAR at a FAR of {float(key[4:]):.2%}", key, found[key])
    folds = found["ten_fold"]
    line("accuracy in 10 folds", "ten_fold", folds and folds["accuracy"])
    if folds:
        lines[-1] += f"   ± {folds['standard_error']:.2%} (standard error)"
    for k, share in (found["rank"] or {"": None}).items():
        line(f"found at rank {k}".rstrip(), "rank", share)
    if found["intervals"] is None:
        lines.append(f"  no intervals: {found['undefined']['intervals']}")
    return "\n".join(lines)

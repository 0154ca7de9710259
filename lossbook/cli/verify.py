"""The command verify: score an embedding of your own on pairs of images."""

import importlib
import json
import sys
import zipfile

from lossbook.utils.files import write_atomically
from lossbook.utils.validation import require

__all__ = ["add_parser", "verify", "read_embedding", "read_module"]


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "verify",
        help="score an embedding of your own on pairs of images",
        description="Verify pairs of images by an embedding of your own: equal error rate, TAR "
        "at a FAR, accuracy in ten folds, rank in a gallery, with intervals by identity.",
    )
    parser.add_argument(
        "embedding",
        metavar="EMBEDDING",
        help="an NPZ file with arrays x (N, d) and labels (N,); with --images or --lfw, "
        "package.module:function that returns a torch module",
    )
    parser.add_argument("--images", metavar="DIR", help="a folder of class/images to embed")
    parser.add_argument(
        "--lfw", metavar="DIR", help="a folder that contains lfw-py, as torchvision expects it"
    )
    parser.add_argument(
        "--size",
        type=int,
        default=28,
        help="height and width that images are resized to, in pixels (default 28)",
    )
    parser.add_argument(
        "--invert", action="store_true", help="turn black into white, for dark ink on white paper"
    )
    parser.add_argument(
        "--similarity",
        choices=["cosine", "distance"],
        default="cosine",
        help="compare two embeddings by their angle (default) or by their Euclidean distance",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of sampled pairs, folds, gallery and resamples (default 0)",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything here too")
    parser.set_defaults(command=verify)


def verify(options):
    """Score an embedding, print a table and, with ``--json``, write all numbers to a file."""
    from lossbook.backbones import embed
    from lossbook.data import image_folder, lfw
    from lossbook.metrics import verification

    protocol = None
    require(
        options.images is None or options.lfw is None,
        "both --images and --lfw are given: choose one",
    )
    if options.images is None and options.lfw is None:
        x, labels = read_embedding(options.embedding)
    elif options.lfw is None:
        split = image_folder.images_in(options.images, options.size, options.invert)
        x = embed(read_module(options.embedding), split.images).numpy()
        labels = split.labels.numpy()
    else:
        faces = lfw.lfw_pairs(options.lfw, options.size)
        x = embed(read_module(options.embedding), faces.images).numpy()
        labels = faces.labels
        protocol = faces.pairs, faces.fold
    report = verification.report(x, labels, protocol, metric=options.similarity, seed=options.seed)
    print(verification.format_report(report))
    if options.json:
        record = {"embedding": options.embedding, **report}
        text = json.dumps(record, indent=1, allow_nan=False) + "\n"
        write_atomically(options.json, lambda file: file.write(text.encode()))
        print(f"wrote {options.json}")


def read_embedding(path):
    """(x, labels) of an NPZ file with arrays ``x`` (N, d) and ``labels`` (N,).

    Labels may be integers or names; integers from 0 are returned. Raises ``FileNotFoundError`` if
    there is no file, and ``ValueError`` if it is not an NPZ file, or an array is missing or has the
    wrong shape.
    """
    import numpy as np

    try:
        with np.load(path) as file:
            arrays = dict(file)
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
        "expected x, one embedding per row, and labels, one identity per row",
    )
    x, labels = arrays["x"], arrays["labels"]
    require(
        labels.ndim == 1 and len(labels) == len(x),
        f"{path}: x has shape {x.shape} and labels {labels.shape}: expected (N, d) and (N,)",
    )
    return x, np.unique(labels, return_inverse=True)[1]


def read_module(name):
    """The torch module that ``package.module:function`` returns.

    The package is looked for in the current folder too. The function is called without arguments
    and returns a module with its weights loaded, which receives grey images (N, 1, size, size) in
    [0, 1].

    Raises ``ValueError`` if the name has another form, the function cannot be imported, or it
    returns something else.
    """
    import torch

    module, _, function = name.partition(":")
    require(
        module and function,
        f"{name!r}: to embed images, name a function that returns a torch module as "
        "package.module:function, e.g. mynet:load",
    )
    sys.path.insert(0, "")
    try:
        network = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be called: {error}") from error
    finally:
        sys.path.remove("")
    require(
        isinstance(network, torch.nn.Module),
        f"{name} returned {type(network).__name__}, expected a torch.nn.Module",
    )
    return network

"""The command verify: score an embedding of your own on pairs of images."""

import importlib
import inspect
import json
import math
import sys
import zipfile
import zlib

from lossbook.utils.files import write_atomically
from lossbook.utils.validation import require

__all__ = ["add_parser", "verify", "read_embedding", "read_module", "read_trials"]

FPIRS = (1e-1, 1e-2)
# How a missing name looks once pandas or NumPy has turned it into text.
MISSING_NAMES = ("", "nan", "NaN", "None", "NaT", "<NA>")


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "verify",
        help="score an embedding of your own on pairs of images",
        description="Verify pairs of images by an embedding of your own: equal error rate, TAR "
        "at a FAR, accuracy in ten folds, rank in a gallery, with intervals by identity; with "
        "--gallery also by template, and with strangers at the door.",
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
    parser.add_argument(
        "--trials",
        metavar="FILE",
        help="a list of pairs of your own, instead of sampled ones: a line for each, with two row "
        "numbers of the NPZ file, from 0, and 1 (same identity) or 0; a fourth column is the fold",
    )
    parser.add_argument(
        "--gallery",
        metavar="FILE",
        help="an NPZ file of enrolled identities: each gets a template, the mean of its "
        "embeddings, with which the embeddings of EMBEDDING are compared; those of identities "
        "that are not in it count as strangers",
    )
    parser.add_argument(
        "--thresholds-from",
        metavar="FILE",
        help="an NPZ file of other identities: choose the scores to accept from there, and "
        "measure what they do here",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything here too")
    parser.set_defaults(command=verify)


def verify(options):
    """Score an embedding, print a table and, with ``--json``, write all numbers to a file."""
    from lossbook.data import image_folder, lfw
    from lossbook.metrics import verification

    protocol = None
    require(
        options.images is None or options.lfw is None,
        "both --images and --lfw are given: choose one",
    )
    from_file = options.images is None and options.lfw is None
    for option in ("trials", "gallery", "thresholds_from"):
        require(
            getattr(options, option) is None or from_file,
            f"--{option.replace('_', '-')} is for the rows of an NPZ file: give one instead of "
            "--images or --lfw",
        )
    if from_file:
        x, labels = read_embedding(options.embedding)
        if options.trials is not None:
            protocol = read_trials(options.trials)
    elif options.lfw is None:
        split = image_folder.images_in(options.images, options.size, options.invert)
        x = _embed(options.embedding, split.images)
        labels = split.labels.numpy()
    else:
        faces = lfw.lfw_pairs(options.lfw, options.size)
        x = _embed(options.embedding, faces.images)
        labels = faces.labels
        protocol = faces.pairs, faces.fold
    report = verification.report(x, labels, protocol, metric=options.similarity, seed=options.seed)
    print(verification.format_report(report))
    if options.thresholds_from is not None:
        report["kept_thresholds"] = _keep_thresholds(options, x, labels, protocol)
    if options.gallery is not None:
        report["gallery"] = _compare_with_gallery(options)
    if options.json:
        record = {"embedding": options.embedding, **report}
        text = json.dumps(record, indent=1, allow_nan=False) + "\n"
        write_atomically(options.json, lambda file: file.write(text.encode()))
        print(f"wrote {options.json}")


def _keep_thresholds(options, x, labels, protocol):
    """{measure: threshold of the other file, and its FAR and TAR here}; printed too."""
    from lossbook.metrics import verification

    chosen_on = _score_pairs(options, *read_embedding(options.thresholds_from), None)
    scores, same = _score_pairs(options, x, labels, protocol)
    thresholds = {"equal error rate": verification.threshold_at_eer(*chosen_on)}
    for far in verification.FARS:
        try:
            threshold = verification.threshold_at_far(*chosen_on, far)
        except verification.TooFewImpostors:
            continue
        thresholds[f"FAR of {far:.2%}"] = threshold
    print(f"scores chosen on {options.thresholds_from}, and their rates on {options.embedding}:")
    kept = {}
    for name, threshold in thresholds.items():
        rates = verification.rates_at(scores, same, threshold)
        print(f"  {name:30}{_format_score(threshold)}   FAR {rates.far:.2%}   TAR {rates.tar:.2%}")
        kept[name] = {"threshold": _finite(threshold), **rates._asdict()}
    return kept


def _score_pairs(options, x, labels, protocol):
    """(scores, same) of the pairs that the report judges."""
    from lossbook.data.pairs import make_pairs
    from lossbook.metrics import verification

    if protocol is None:
        pairs = make_pairs(labels, verification.MAX_PER_KIND, options.seed)
    else:
        pairs, _ = protocol
    return verification.similarity(x, pairs, options.similarity), pairs.same


def _compare_with_gallery(options):
    """Measures of verification by template and of identification in an open set; printed too."""
    import numpy as np

    from lossbook.metrics import identification, verification

    require(
        options.similarity == "cosine",
        "--gallery compares templates by their angle: leave --similarity distance out",
    )
    probe, names = _read_named(options.embedding)
    enrolled, enrolled_names = _read_named(options.gallery)
    require(
        (names.dtype.kind in "US") == (enrolled_names.dtype.kind in "US"),
        f"{options.embedding} and {options.gallery}: one has names for labels, the other numbers",
    )
    labels = np.unique(np.concatenate([names, enrolled_names]), return_inverse=True)[1]
    labels, enrolled_labels = np.split(labels, [len(names)])
    templates = identification.make_templates(enrolled, enrolled_labels)
    by_template = identification.template_scores(templates, probe, labels)
    searches = identification.search(templates.vectors, templates.labels, probe, labels)
    mated = int(searches.mated.sum())
    measures = {"templates": len(templates.labels), "mated": mated, "strangers": len(probe) - mated}
    print(
        f"{len(templates.labels):,} templates from {options.gallery}, {mated:,} probes of their "
        f"identities and {len(probe) - mated:,} of strangers:"
    )
    rates = {"equal error rate": (verification.equal_error_rate, *by_template)}
    for far in verification.FARS:
        rates[f"TAR at a FAR of {far:.2%}"] = (verification.tar_at_far, *by_template, far)
    for fpir in FPIRS:
        rates[f"FNIR at a FPIR of {fpir:.2%}"] = (_fnir_at_fpir, searches, fpir)
    for name, (measure, *arguments) in rates.items():
        try:
            measures[name] = measure(*arguments)
            print(f"  {name:30}{measures[name]:8.2%}")
        except ValueError as error:
            measures[name] = None
            print(f"  {name:30}not measured: {error}")
    return measures


def _fnir_at_fpir(searches, fpir):
    from lossbook.metrics import identification

    threshold = identification.threshold_at_fpir(searches, fpir)
    return identification.identification_rates(searches, threshold).fnir


def _finite(threshold):
    return threshold if math.isfinite(threshold) else None


def _format_score(threshold):
    return f"score {threshold:.4g}" if math.isfinite(threshold) else "no score"


def _embed(name, images):
    """The embeddings (N, d) of the images by the module called ``name``."""
    from lossbook.backbones import embed

    network = read_module(name)
    try:
        return embed(network, images).numpy()
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} does not embed images of shape {tuple(images.shape)}, grey and in [0, 1]: "
            f"{error}\nChoose another --size; for a network of colour images, let the function "
            "return a module that repeats the channel first: images.expand(-1, 3, -1, -1)"
        ) from error


def read_embedding(path):
    """(x, labels) of an NPZ file with arrays ``x`` (N, d) and ``labels`` (N,).

    Labels may be integers or names; integers from 0 are returned. Raises ``FileNotFoundError`` if
    there is no file, and ``ValueError`` if it is not an NPZ file, an array is missing or has the
    wrong shape, or a label is missing (NaN or an empty name).
    """
    import numpy as np

    x, names = _read_named(path)
    return x, np.unique(names, return_inverse=True)[1]


def _read_named(path):
    """As :func:`read_embedding`, with the labels as they are in the file."""
    import numpy as np

    try:
        file = np.load(path)
        names = file.files
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no file at {path}: give an NPZ file with arrays x and labels, or a module as "
            "package.module:function together with --images"
        ) from None
    except (zipfile.BadZipFile, EOFError, AttributeError, ValueError, OSError) as error:
        raise ValueError(
            f"{path} is not an NPZ file ({error}): numpy.savez(path, x=x, labels=labels) writes one"
        ) from None
    with file:
        require(
            {"x", "labels"} <= set(names),
            f"{path} holds the arrays {', '.join(names)}: expected x, one embedding per row, and "
            "labels, one identity per row; numpy.savez(path, x=x, labels=labels) writes them",
        )
        x, labels = (_read_array(path, file, name) for name in ("x", "labels"))
    require(
        x.ndim == 2 and labels.ndim == 1 and len(labels) == len(x),
        f"{path}: x has shape {x.shape} and labels {labels.shape}: expected (N, d) and (N,)",
    )
    _check_identities(path, labels)
    return x, labels


def _read_array(path, file, name):
    try:
        return file[name]
    except ValueError:  # NumPy would have to run code from the file
        advice = "x.astype(float)" if name == "x" else "labels.astype(str)"
        raise ValueError(
            f"{path}: {name} is an array of Python objects, as pandas makes them of text: save "
            f"{advice} instead"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}): save it again") from None


def _check_identities(path, labels):
    """Raise ``ValueError`` unless every label is a whole number or a name."""
    import numpy as np

    if labels.dtype.kind in "US":
        wrong = np.isin(labels.astype(str), MISSING_NAMES)
    elif labels.dtype.kind == "f":
        wrong = ~np.isfinite(labels) | (labels != np.round(labels))
    else:
        require(
            labels.dtype.kind in "iub",
            f"{path}: labels are {labels.dtype}: expected whole numbers or names",
        )
        return
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{path}: row {row} has no identity: its label is {str(labels[row])!r}, and "
            f"{int(wrong.sum())} of {len(labels)} are such; expected whole numbers or names, so "
            "remove these rows or label them"
        )


def read_trials(path):
    """(Pairs, folds) of a text file with a pair on each line: ``first second same [fold]``.

    ``first`` and ``second`` are row numbers from 0, ``same`` is 1 for one identity and 0 for two,
    and ``fold`` is a whole number. Empty lines are skipped, columns separated by spaces, tabs or
    commas. ``folds`` is None if there are three columns.

    Raises ``FileNotFoundError`` if there is no file, and ``ValueError`` with the number of a line
    that has another form.
    """
    import numpy as np

    from lossbook.data.pairs import Pairs

    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            columns = line.replace(",", " ").split()
            if not columns:
                continue
            require(
                all(column.isdecimal() for column in columns)
                and len(columns) == (len(rows[0]) if rows else len(columns))
                and len(columns) in (3, 4)
                and columns[2] in ("0", "1"),
                f"{path}, line {number}: {line.strip()!r}: expected two row numbers from 0 and 1 "
                "(same identity) or 0, and on all lines or on none the number of a fold",
            )
            rows.append([int(column) for column in columns])
    require(rows, f"{path} is empty: expected a pair on each line, for instance 0 1 1")
    first, second, same, *fold = np.array(rows).T
    return Pairs(first, second, same == 1), fold[0] if fold else None


def read_module(name):
    """The torch module called ``package.module:name``, or that a function of this name returns.

    The package is looked for in the current folder too. A function is called without arguments
    and returns a module with its weights loaded, which receives grey images (N, 1, size, size) in
    [0, 1].

    Raises ``ValueError`` if the name has another form, it cannot be imported or called, or it is
    or returns something else.
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
        network = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be called: {error}") from error
    finally:
        sys.path.remove("")
    if not isinstance(network, torch.nn.Module):
        network = _call(name, network)
    require(
        isinstance(network, torch.nn.Module),
        f"{name} returned {type(network).__name__}, expected a torch.nn.Module",
    )
    return network


def _call(name, function):
    try:
        inspect.signature(function).bind()
    except TypeError as error:  # not callable, or with arguments that must be given
        raise ValueError(
            f"{name!r} cannot be called: {error}; name a function that takes no arguments and "
            "returns the module"
        ) from None
    except ValueError:  # a built-in without a signature
        pass
    sys.path.insert(0, "")  # the function may import from the current folder
    try:
        return function()
    finally:
        sys.path.remove("")

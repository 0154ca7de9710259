"""The commands train, evaluate and animate."""

import argparse
import shlex
from pathlib import Path

from lossbook.cli.options import (
    BACKBONES,
    add_training_options,
    backbone_named,
    resolve_training,
)

__all__ = ["add_parser", "train", "evaluate", "animate"]


def add_parser(subparsers):
    for function, add_options, text in (
        (train, _add_train_options, "train a loss, or resume its interrupted training"),
        (
            evaluate,
            _add_run_options,
            "score a trained loss on all its training and test images, without margin",
        ),
        (
            animate,
            _add_animate_options,
            "draw train and test embeddings: over the epochs (GIF) and at the end (PNG)",
        ),
    ):
        parser = subparsers.add_parser(
            function.__name__,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            add_options=add_options,
        )
        parser.set_defaults(command=function, classes=None)


def _add_run_options(parser):
    """Add what identifies a training: the loss, the seed and the folder."""
    from lossbook import heads

    parser.add_argument(
        "name",
        metavar="NAME",
        type=_preset_name,
        help="the loss, one of: " + ", ".join(heads.preset_names()),
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="initial weights, order and shifts (default 0)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder of this training (default runs/NAME-seedS)"
    )


def _add_train_options(parser):
    _add_run_options(parser)
    add_training_options(parser, None, "the environment variable LOSSBOOK_PROFILE, else quick")
    parser.add_argument("--backbone", choices=BACKBONES, help="instead of the profile's")
    parser.add_argument(
        "--embedding-dim",
        type=int,
        default=2,
        help="length of an embedding (default 2, which can be drawn)",
    )
    parser.add_argument(
        "--class-parallel",
        action="store_true",
        help="split the class vectors and every batch among the processes of torchrun: torchrun "
        "--nproc-per-node=2 -m lossbook train NAME --class-parallel --backbone LeNetPP",
    )


def _add_animate_options(parser):
    _add_run_options(parser)
    parser.add_argument(
        "--view",
        choices=["plane", "circle"],
        default="plane",
        help="where to draw the embeddings (default plane)",
    )


def _preset_name(name):
    from lossbook import heads

    try:
        heads.from_preset(name, 2, 10)
    except KeyError as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def train(options):
    """Train a loss, save the run and print its accuracies."""
    if not options.class_parallel:
        return _train(options, device=options.device)
    from lossbook.training import class_parallel  # not every build of PyTorch supports this

    with class_parallel.join_process_group(options.device) as process_group:
        _train(options, process_group.device, process_group)


def _train(options, device, process_group=None):
    from lossbook import heads, training

    profile, dataset, recipe = resolve_training(options)
    folder = _folder(options)
    make_backbone = backbone_named(options.backbone) if options.backbone else profile.backbone
    run = training.fit(
        make_backbone(options.embedding_dim),
        heads.from_preset(options.name, options.embedding_dim, len(dataset.classes)),
        dataset,
        seed=options.seed,
        device=device,
        checkpoint=folder / "checkpoint",
        process_group=process_group,
        **recipe,
    )
    if process_group and process_group.rank > 0:
        return  # the first rank saves and prints for all
    run.config["made_by"] = {
        "preset": options.name,
        "embedding_dim": options.embedding_dim,
        "backbone": next(name for name in BACKBONES if backbone_named(name) == make_backbone),
    }
    run.save(folder / "run.npz")
    last = run.history.iloc[-1]
    print(
        f"{options.name}: {run.name} on {dataset.name}, {len(run.history)} epochs, "
        f"{run.history.seconds.sum():.0f} s: train accuracy {last.train_acc:.2%}, "
        f"test accuracy {last.test_acc:.2%} (both without margin)"
    )
    print(f"saved in {folder}; next: {_command('animate', options)}")


def evaluate(options):
    """Print accuracies and angles of a finished training, on all its images."""
    import pandas as pd

    from lossbook import data, heads
    from lossbook.metrics import scores
    from lossbook.training.checkpoint import load_weights

    run, folder = _load_run(options)
    if "made_by" not in run.config:
        raise ValueError(
            f"{folder / 'run.npz'} was not written by lossbook train: it does not name its network"
        )
    made_by = run.config["made_by"]
    dataset = data.load(run.config["dataset"])
    backbone = backbone_named(made_by["backbone"])(made_by["embedding_dim"])
    head = heads.from_preset(made_by["preset"], made_by["embedding_dim"], len(dataset.classes))
    if not load_weights(folder / "checkpoint", backbone, head).equals(run.history):
        raise ValueError(
            f"{folder / 'checkpoint'} is not the end of the training in {folder / 'run.npz'}: "
            "another one was started there since; finish it with "
            f"{_command('train', options)}, or give another --out"
        )
    table = {
        split: _format_scores(scores.score(backbone, head, getattr(dataset, split)))
        for split in ("train", "test")
    }
    print(
        f"{options.name}: {run.name} on {dataset.name}, seed {options.seed} "
        "(no margin anywhere below)"
    )
    print(pd.DataFrame(table).to_string())


def animate(options):
    """Draw the embeddings of a finished training into its folder."""
    from lossbook import figures

    run, folder = _load_run(options)
    draw = {"plane": figures.embeddings, "circle": figures.circle}[options.view]
    paths = []
    for split in ("train", "test"):
        animation, picture = folder / f"{split}.gif", folder / f"{split}.png"
        figures.animate(run, split=split, view=options.view).save(animation)
        draw(run, split=split).savefig(picture)
        paths += [str(animation), str(picture)]
    print("wrote " + ", ".join(paths))


def _format_scores(scores):
    """What evaluate prints of one split, from :func:`lossbook.metrics.scores.score`."""
    return {
        "images": f"{scores['images']:,}",
        "accuracy by the head's rule": f"{scores['accuracy']:.2%}",
        "accuracy by angle alone": f"{scores['accuracy_by_angle']:.2%}",
        "median angle to own class vector": _degrees(scores["median_angle_own"]),
        "median angle to nearest other": _degrees(scores["median_angle_other"]),
        "mean spread within a class": _degrees(scores["within"]),
        "least angle between class means": _degrees(scores["between_min"]),
    }


def _degrees(radians):
    import numpy as np

    return f"{np.degrees(radians):.1f}°"


def _folder(options):
    return Path(options.out or Path("runs") / f"{options.name}-seed{options.seed}")


def _command(name, options):
    """A command for the same training, ready to be pasted into a shell."""
    arguments = ["lossbook", name, options.name]
    if options.seed != 0:
        arguments += ["--seed", str(options.seed)]
    if options.out is not None:
        arguments += ["--out", options.out]
    return shlex.join(arguments)


def _load_run(options):
    """(run, folder) of a finished training. Raises ``FileNotFoundError`` if there is none."""
    from lossbook import training

    folder = _folder(options)
    if not (folder / "run.npz").exists():
        raise FileNotFoundError(
            f"no finished training in {folder}: run {_command('train', options)} first, with the "
            "same --seed and --out"
        )
    return training.Run.load(folder / "run.npz"), folder

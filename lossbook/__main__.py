"""The command line: ``python -m lossbook train | evaluate | animate NAME``.

A training lives in one folder, ``runs/NAME-seedS`` unless ``--out`` says otherwise:
``checkpoint`` (weights; training goes on from it), ``run.npz`` (what figures read) and, after
``animate``, its pictures.
"""

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from . import backbones, data, figures, heads, metrics, profiles, results, rows, training
from .checkpoints import load_weights
from .reproduce import check
from .reproduce import reproduce as train_rows

BACKBONES = {
    "LeNetPP": backbones.LeNetPP, "LeNetPP.small": backbones.LeNetPP.small,
    "MiniResNet18": backbones.MiniResNet18, "ConvNet": backbones.ConvNet,
}


class Disagreement(Exception):
    """A row trained again came to another accuracy than its saved result states."""


def main(arguments=None):
    """Run one command; the exit status is 0, 1 if a check disagrees, or 2 with a message if something was wrong."""
    options = _parser().parse_args(arguments)
    options.line = "python -m lossbook " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    except Disagreement as error:
        print(f"lossbook: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError, data.DataError, training.TrainingDiverged) as error:
        print(f"lossbook: {error}", file=sys.stderr)
        return 2
    return 0


def train(options):
    profile = profiles.PROFILES[options.profile] if options.profile else profiles.current()
    folder = _folder(options)
    dataset = data.load(options.dataset or profile.dataset)
    backbone = BACKBONES[options.backbone] if options.backbone else profile.backbone
    recipe = {**profile.recipe, **({} if options.epochs is None else {"epochs": options.epochs})}
    head = heads.from_preset(options.name, options.embedding_dim, len(dataset.classes))
    run = training.fit(backbone(options.embedding_dim), head, dataset, seed=options.seed, device=options.device,
                       checkpoint=folder / "checkpoint", **recipe)
    run.config["made_by"] = {"preset": options.name, "embedding_dim": options.embedding_dim,
                             "backbone": next(name for name, make in BACKBONES.items() if make == backbone)}
    run.save(folder / "run.npz")
    last = run.history.iloc[-1]
    print(f"{options.name}: {run.name} on {dataset.name}, {len(run.history)} epochs, {run.history.seconds.sum():.0f} s: "
          f"train accuracy {last.train_acc:.2%}, test accuracy {last.test_acc:.2%} (both without margin)")
    print(f"saved in {folder}; next: python -m lossbook animate {options.name}")


def evaluate(options):
    run, folder = _trained(options)
    made = run.config["made_by"]
    dataset = data.load(run.config["dataset"])
    backbone = BACKBONES[made["backbone"]](made["embedding_dim"])
    head = heads.from_preset(made["preset"], made["embedding_dim"], len(dataset.classes))
    load_weights(folder / "checkpoint", backbone, head)
    table = {split: _score(backbone, head, getattr(dataset, split)) for split in ("train", "test")}
    print(f"{options.name}: {run.name} on {dataset.name}, seed {options.seed} (no margin anywhere below)")
    print(pd.DataFrame(table).to_string())


def animate(options):
    run, folder = _trained(options)
    draw = {"plane": figures.embeddings, "circle": figures.circle}[options.view]
    for split in ("train", "test"):
        figures.animate(run, split=split, view=options.view).save(folder / f"{split}.gif")
        draw(run, split=split).savefig(folder / f"{split}.png")
    print("wrote " + ", ".join(str(folder / name) for name in ("train.gif", "train.png", "test.gif", "test.png")))


def reproduce(options):
    profile = profiles.PROFILES[options.profile]
    dataset = data.load(options.dataset or profile.dataset)
    dataset = dataset.first(options.classes or len(dataset.classes))
    names = options.rows or (rows.everything(len(dataset.classes)) if options.all else [])
    if not names:
        raise ValueError("no rows named: give some, e.g. ArcFace_v1 ArcFace_v1_s16, or --all for every preset "
                         "and its twin with a feasible scale")
    if options.check:
        found = [check(name, dataset, profile.backbone, embedding_dim=options.embedding_dim, folder=options.out,
                       device=options.device) for name in names]
        print(pd.DataFrame(found).to_string(index=False))
        if differing := [one["row"] for one in found if not one.agrees]:
            raise Disagreement(f"{', '.join(differing)}: trained again, the test accuracy differs by more than the spread")
        return
    recipe = {**profile.recipe, **({} if options.epochs is None else {"epochs": options.epochs})}
    records = train_rows(names, dataset, profile.backbone, embedding_dim=options.embedding_dim, seeds=options.seeds,
                         folder=options.out, made_by={"command": options.line}, device=options.device,
                         precision=options.precision, **recipe)
    print(results.table(records)[["loss", "seeds", "train", "test", "test_interval", "source_test"]].to_string())


def _score(backbone, head, split):
    """What evaluate prints of one split: accuracies and angles, as text."""
    x = training.embed(backbone, split.images)
    with torch.no_grad():
        logits, weight = head(x), head.weight
    own, other = metrics.angles(x, weight, split.labels)
    spread = metrics.angular_spread(x, split.labels)
    return {
        "images": f"{len(split):,}",
        "accuracy by the head's rule": f"{metrics.accuracy(logits, split.labels):.2%}",
        "accuracy by angle alone": f"{metrics.angular_accuracy(x, weight, split.labels):.2%}",
        "median angle to own class vector": _degrees(np.median(own)),
        "median angle to nearest other": _degrees(np.median(other)),
        "mean spread within a class": _degrees(spread.within),
        "least angle between class means": _degrees(spread.between_min),
    }


def _degrees(radians):
    return f"{np.degrees(radians):.1f}°"


def _folder(options):
    return Path(options.out or Path("runs") / f"{options.name}-seed{options.seed}")


def _trained(options):
    folder = _folder(options)
    if not (folder / "run.npz").exists():
        raise FileNotFoundError(f"no finished training in {folder}: run python -m lossbook train {options.name} "
                                "first, with the same --seed and --out")
    return training.Run.load(folder / "run.npz"), folder


def _preset(name):
    try:
        heads.from_preset(name, 2, 10)
    except KeyError as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def _row(name):
    try:
        rows.row_named(name)
    except KeyError as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m lossbook", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a margin-based softmax loss, score it and watch its embedding move.",
        epilog="first steps:\n"
               "  python -m lossbook train ArcFace_v1        train on 5,000 embedded digits, about a minute\n"
               "  python -m lossbook evaluate ArcFace_v1     accuracies and angles\n"
               "  python -m lossbook animate ArcFace_v1      train and test embeddings over the epochs, as GIF and PNG\n\n"
               "losses (NAME):\n" + "\n".join(f"  {name:14}{heads.from_preset(name, 2, 10).name}" for name in heads.PRESETS))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(function, text):
        sub = commands.add_parser(function.__name__, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=function)
        sub.add_argument("name", metavar="NAME", type=_preset, help="the loss, one of: " + ", ".join(heads.PRESETS))
        sub.add_argument("--seed", type=int, default=0, help="initial weights, order and shifts (default 0)")
        sub.add_argument("--out", metavar="DIR", help="folder of this training (default runs/NAME-seedS)")
        return sub

    sub = command(train, "train a loss; interrupted, the same command goes on where it was")
    sub.add_argument("--profile", choices=profiles.PROFILES, help="data, backbone and recipe: quick is a minute on a "
                     "CPU, full is all of MNIST (default: LOSSBOOK_PROFILE, else quick)")
    sub.add_argument("--dataset", choices=data.NAMES, help="instead of the profile's")
    sub.add_argument("--backbone", choices=BACKBONES, help="instead of the profile's")
    sub.add_argument("--epochs", type=int, help="instead of the profile's")
    sub.add_argument("--embedding-dim", type=int, default=2, help="length of an embedding (default 2, which can be drawn)")
    sub.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    command(evaluate, "score a trained loss on all its training and test images, without margin")
    sub = command(animate, "draw train and test embeddings: over the epochs (GIF) and at the end (PNG)")
    sub.add_argument("--view", choices=["plane", "circle"], default="plane", help="where to draw them (default plane)")
    sub = commands.add_parser("reproduce", help="train rows of the results page on full data, save and print them",
                              description="Train rows of the results page on full data, with the full-width network, "
                              "and save one JSON and one NPZ a run. Stopped, the same command goes on where it was.")
    sub.set_defaults(command=reproduce)
    sub.add_argument("rows", nargs="*", metavar="ROW", type=_row, help="a loss's name, with another scale or margin if "
                     "wanted: ArcFace_v1, ArcFace_v1_s16, CosFace_s30_m0.4, A-softmax_m4")
    sub.add_argument("--all", action="store_true", help="every named loss, and its twin with a feasible scale")
    sub.add_argument("--check", action="store_true", help="train saved rows again and say whether they agree "
                     "(exit status 1 if not)")
    sub.add_argument("--seeds", type=int, default=1, help="how many: seeds 0 to N - 1 (default 1)")
    sub.add_argument("--profile", choices=profiles.PROFILES, default="full", help="backbone and recipe (default full)")
    sub.add_argument("--dataset", choices=data.NAMES, help="instead of the profile's")
    sub.add_argument("--classes", type=int, metavar="N", help="only the first N classes of it")
    sub.add_argument("--embedding-dim", type=int, default=2, help="length of an embedding (default 2)")
    sub.add_argument("--epochs", type=int, help="instead of the profile's")
    sub.add_argument("--precision", choices=["auto", "float32", "bfloat16", "float16"], default="auto",
                     help="default: mixed on a GPU, float32 elsewhere")
    sub.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    sub.add_argument("--out", metavar="DIR", help="default book/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The command line: ``python -m lossbook COMMAND``; ``--help`` says what there is."""

import argparse
import shlex
import sys

from lossbook import data, heads, profiles, training
from lossbook.benchmarks import contestants
from lossbook.cli import assign as assign_commands
from lossbook.cli import benchmark as benchmark_commands
from lossbook.cli import experiments as experiment_commands
from lossbook.cli import options as shared
from lossbook.cli import results as result_commands
from lossbook.cli import train as train_commands
from lossbook.cli import verify as verify_commands
from lossbook.experiments.scale_margin_grid import MARGINS
from lossbook.teaching import assign
from lossbook.training.single_process import RankLost


def main(arguments=None):
    """Run one command; the exit status is 0, 1 if a check disagrees, or 2 with a message if something was wrong."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # a Windows console may have no −: better a ? than a traceback
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    options.line = "python -m lossbook " + shlex.join(
        sys.argv[1:] if arguments is None else arguments
    )
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    except result_commands.Disagreement as error:
        print(f"lossbook: {error}", file=sys.stderr)
        return 1
    except (
        ValueError,
        OSError,
        data.DataError,
        training.TrainingDiverged,
        RankLost,
        ModuleNotFoundError,
    ) as error:
        print(f"lossbook: {error}", file=sys.stderr)
        return 2
    return 0


def _preset(name):
    try:
        heads.from_preset(name, 2, 10)
    except KeyError as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def _row(name):
    try:
        heads.head_from_name(name, 2, 10)
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m lossbook",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a margin-based softmax loss, score it and watch its embedding move.",
        epilog="first steps:\n"
        "  python -m lossbook train ArcFace_v1        train on 5,000 embedded digits, about a minute\n"
        "  python -m lossbook evaluate ArcFace_v1     accuracies and angles\n"
        "  python -m lossbook animate ArcFace_v1      train and test embeddings over the epochs, as GIF and PNG\n\n"
        "losses (NAME):\n"
        + "\n".join(
            f"  {name:14}{heads.from_preset(name, 2, 10).name}" for name in heads.preset_names()
        ),
    )
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(function, text):
        sub = subparsers.add_parser(
            function.__name__, help=text, description=text[0].upper() + text[1:] + "."
        )
        sub.set_defaults(command=function, classes=None)
        sub.add_argument(
            "name",
            metavar="NAME",
            type=_preset,
            help="the loss, one of: " + ", ".join(heads.preset_names()),
        )
        sub.add_argument(
            "--seed", type=int, default=0, help="initial weights, order and shifts (default 0)"
        )
        sub.add_argument(
            "--out", metavar="DIR", help="folder of this training (default runs/NAME-seedS)"
        )
        return sub

    sub = command(
        train_commands.train, "train a loss; interrupted, the same command goes on where it was"
    )
    _training(sub, None, "LOSSBOOK_PROFILE, else quick")
    sub.add_argument("--backbone", choices=shared.BACKBONES, help="instead of the profile's")
    sub.add_argument(
        "--embedding-dim",
        type=int,
        default=2,
        help="length of an embedding (default 2, which can be drawn)",
    )
    sub.add_argument(
        "--class-parallel",
        action="store_true",
        help="split the class vectors and every batch among the "
        "processes of torchrun: torchrun --nproc-per-node=2 -m lossbook train NAME --class-parallel --backbone LeNetPP",
    )
    command(
        train_commands.evaluate,
        "score a trained loss on all its training and test images, without margin",
    )
    sub = command(
        train_commands.animate,
        "draw train and test embeddings: over the epochs (GIF) and at the end (PNG)",
    )
    sub.add_argument(
        "--view",
        choices=["plane", "circle"],
        default="plane",
        help="where to draw them (default plane)",
    )
    sub = subparsers.add_parser(
        "reproduce",
        help="train rows of the results page on full data, save and print them",
        description="Train rows of the results page on full data, with the full-width network, "
        "and save one JSON and one NPZ a run. Stopped, the same command goes on where it was.",
    )
    sub.set_defaults(command=result_commands.reproduce_rows)
    sub.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        type=_row,
        help="a loss's name, with another scale or margin if "
        "wanted: ArcFace_v1, ArcFace_v1_s16, CosFace_s30_m0.4, A-softmax_m4",
    )
    sub.add_argument(
        "--all", action="store_true", help="every named loss, and its twin with a feasible scale"
    )
    sub.add_argument(
        "--check",
        action="store_true",
        help="train saved rows again and say whether they agree (exit status 1 if not)",
    )
    sub.add_argument("--seeds", type=int, default=1, help="how many: seeds 0 to N - 1 (default 1)")
    sub.add_argument(
        "--embedding-dim", type=int, default=2, help="length of an embedding (default 2)"
    )
    sub.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16", "float16"],
        default="auto",
        help="default: mixed on a GPU, float32 elsewhere",
    )
    _many(sub, "full")
    sub = subparsers.add_parser(
        "map",
        help="train a loss over a grid of scales and margins in the plane and draw the map",
        description="Train a loss once for every pair of a scale and a margin, save test accuracy "
        "and angles, and draw the map. Stopped, the same command goes on where it was.",
    )
    sub.set_defaults(command=result_commands.draw_map)
    sub.add_argument("loss", choices=list(MARGINS), help="which loss")
    _many(sub, "quick")
    sub = subparsers.add_parser(
        "bounds",
        help="the least scale and the greatest margins for C classes in d dimensions",
        description="State the least scale and the greatest margins for C classes in d "
        "dimensions, exactly on the circle and by the papers' formula, and explain the gap.",
    )
    sub.set_defaults(command=result_commands.state_bounds)
    sub.add_argument("--classes", type=int, default=10, help="C (default 10)")
    sub.add_argument("--embedding-dim", type=int, default=2, help="d (default 2)")
    sub.add_argument(
        "--posterior", type=float, default=0.9, help="P wanted at a class centre (default 0.9)"
    )
    sub = subparsers.add_parser(
        "assign",
        help="make an assignment for a class: notebooks and an nbgrader course",
        description="Write an assignment on a chapter into a folder: the students' notebook, the "
        "solution and a course for nbgrader with hidden tests, points and a README.",
    )
    sub.set_defaults(command=assign_commands.assign_chapter)
    sub.add_argument("chapter", metavar="CHAPTER", help="one of: " + ", ".join(assign.chapters()))
    sub.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="the folder to write to; an nbgrader course in it grows",
    )
    sub.add_argument(
        "--points", type=float, help="what all tasks together are worth (default: as the text says)"
    )
    sub.add_argument(
        "--no-solutions",
        dest="solutions",
        action="store_false",
        help="write only the students' notebook",
    )
    sub.add_argument(
        "--seed", type=int, default=0, help="other numbers for another year (default 0)"
    )
    sub = subparsers.add_parser(
        "benchmark",
        help="time and memory of the heads, images a second of training, minutes of a build",
    )
    kinds = sub.add_subparsers(title="what", required=True, metavar="WHAT")
    sub = kinds.add_parser(
        "heads",
        help="a step through the last layer",
        description="Measure forward and backward of "
        "every head, of linear + cross-entropy and of a peer library's heads on the same tensors; "
        "save the numbers as JSON, draw and print them.",
    )
    sub.set_defaults(command=benchmark_commands.benchmark_heads)
    sub.add_argument(
        "--classes",
        type=int,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        metavar="C",
        help="numbers of classes (default 1000 10000 100000)",
    )
    sub.add_argument("--rounds", type=int, default=9, help="how often each is timed (default 9)")
    sub.add_argument("--device", help="cpu, cuda (default cpu)")
    sub.add_argument(
        "--without-peers", dest="peers", action="store_false", help="lossbook's own heads only"
    )
    sub.add_argument("--without-memory", dest="memory", action="store_false", help="times only")
    sub.add_argument("--without-times", dest="times", action="store_false", help="memory only")
    sub.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=contestants.CONTESTANTS,
        help="of these, in quotes: " + ", ".join(contestants.CONTESTANTS),
    )
    sub.add_argument(
        "--out", metavar="FILE", help="default book/results/benchmarks/heads-DEVICE.json"
    )
    sub = kinds.add_parser(
        "training",
        help="images a second of training",
        description="Measure images a second of fit, "
        "of a straightforward loop with a DataLoader, and of each trick alone, on the same backbones; "
        "save the numbers as JSON, draw and print them.",
    )
    sub.set_defaults(command=benchmark_commands.benchmark_training)
    sub.add_argument(
        "--dataset",
        choices=data.NAMES,
        default="mnist5k",
        help="images to train on (default mnist5k)",
    )
    sub.add_argument("--rounds", type=int, default=7, help="how often each is timed (default 7)")
    sub.add_argument("--device", help="cpu, cuda (default cpu)")
    sub.add_argument(
        "--out", metavar="FILE", help="default book/results/benchmarks/training-DEVICE.json"
    )
    sub = subparsers.add_parser(
        "verify",
        help="score an embedding of your own on pairs of images",
        description="Verify pairs of images by an embedding of your own: equal error rate, TAR "
        "at a FAR, accuracy in ten folds, rank in a gallery, with intervals by identity.",
    )
    sub.set_defaults(command=verify_commands.verify)
    sub.add_argument(
        "embedding",
        metavar="EMBEDDING",
        help="an NPZ file with arrays x (N, d) and labels (N,); with "
        "--images or --lfw, package.module:function that returns a torch module",
    )
    sub.add_argument("--images", metavar="DIR", help="a folder of class/images to embed")
    sub.add_argument(
        "--lfw", metavar="DIR", help="a folder that holds lfw-py, as torchvision wants it"
    )
    sub.add_argument(
        "--size",
        type=int,
        default=28,
        help="pixels of a side that images are resized to (default 28)",
    )
    sub.add_argument(
        "--invert", action="store_true", help="turn black into white, for dark ink on white paper"
    )
    sub.add_argument(
        "--similarity",
        choices=("cosine", "distance"),
        default="cosine",
        help="how alike two embeddings are: by angle (default), or by Euclidean distance",
    )
    sub.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of sampled pairs, folds, gallery and resamples (default 0)",
    )
    sub.add_argument("--json", metavar="FILE", help="write everything here too")
    sub = subparsers.add_parser(
        "strangers",
        help="train every loss on some alphabets of Omniglot, verify on others",
        description="Train every loss on five alphabets of Omniglot and verify on three that "
        "no training saw. Stopped, the same command goes on with the next training.",
    )
    sub.set_defaults(command=experiment_commands.train_strangers)
    sub.add_argument(
        "--folder", metavar="DIR", help="Omniglot's alphabets, extracted (default: download them)"
    )
    _saved(sub, "strangers")
    sub = subparsers.add_parser(
        "noise",
        help="train every loss on digits with wrong labels",
        description="Train every loss on digits of which up to 40 % have a wrong label. "
        "Stopped, the same command goes on with the next training.",
    )
    sub.set_defaults(command=experiment_commands.train_noise)
    _saved(sub, "noise")
    return parser


def _training(sub, default, said=None):
    """The options of every command that trains: on what, and how."""
    sub.add_argument(
        "--profile",
        choices=profiles.PROFILES,
        default=default,
        help="data, backbone and recipe: quick is "
        "a minute on a CPU, full is all of MNIST, fast is all of MNIST with quick's small network "
        f"(default: {said or default})",
    )
    sub.add_argument("--dataset", choices=data.NAMES, help="instead of the profile's")
    sub.add_argument("--epochs", type=int, help="instead of the profile's")
    sub.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")


def _saved(sub, name):
    """The options of the commands that make a chapter's saved experiment."""
    sub.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    sub.add_argument("--out", metavar="DIR", help=f"default book/results/{name}")


def _many(sub, default):
    """The options of the commands that train many rows for the results page."""
    _training(sub, default)
    sub.add_argument(
        "--classes", type=int, metavar="N", help="only the first N classes of the data set"
    )
    sub.add_argument("--out", metavar="DIR", help="default book/results")

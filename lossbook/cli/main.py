"""The command ``lossbook``: reads the command line, runs one command, returns its exit status."""

import argparse
import shlex
import sys

from lossbook.cli import assign, benchmark, experiments, results, train, verify
from lossbook.cli.options import CommandParser

__all__ = ["main"]

GROUPS = (train, results, assign, benchmark, verify, experiments)


def main(arguments=None):
    """Run one command.

    Returns the exit status: 0, 1 if a check disagrees, 2 with a message if something was wrong,
    130 if it was stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        # The encoding of a Windows console may lack −: a ? is better than a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if arguments is None:
        arguments = sys.argv[1:]
    options = _build_parser().parse_args(arguments)
    options.line = "lossbook " + shlex.join(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes from the last finished epoch", file=sys.stderr)
        return 130
    except results.Disagreement as error:
        print(f"lossbook: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _report(error)
    except _library_errors() as error:  # evaluated only if an exception comes this far
        return _report(error)
    return 0


def _report(error):
    print(f"lossbook: {error}", file=sys.stderr)
    return 2


def _library_errors():
    """The library's other errors whose message is enough for the user; imports torch."""
    from lossbook.data import DataError
    from lossbook.training import TrainingDiverged
    from lossbook.training.processes import RankLost

    return DataError, TrainingDiverged, RankLost


def _build_parser():
    parser = argparse.ArgumentParser(
        prog="lossbook",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a margin-based softmax loss, score it and watch its embedding move.",
        epilog="first steps:\n"
        "  lossbook train ArcFace_v1      train on 5,000 embedded digits, about a minute\n"
        "  lossbook evaluate ArcFace_v1   accuracies and angles\n"
        "  lossbook animate ArcFace_v1    embeddings over the epochs, as GIF and PNG\n\n"
        "lossbook train --help lists the losses; lossbook COMMAND --help describes a command.",
    )
    subparsers = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    for group in GROUPS:
        group.add_parser(subparsers)
    return parser

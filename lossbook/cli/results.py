"""The commands reproduce, map and bounds."""

import argparse
from pathlib import Path

from lossbook.cli.options import add_out_option, add_training_options, resolve_training

__all__ = ["Disagreement", "add_parser", "reproduce_rows", "draw_map", "state_bounds"]


class Disagreement(Exception):
    """A row trained again reached another accuracy than its saved result states."""


# The margins of the papers, for the scales that the command bounds prints.
WORKING_MARGINS = {
    "norm-softmax": {},
    "CosFace, m = 0.35": {"m3": 0.35},
    "ArcFace, m = 0.5": {"m2": 0.5},
}


def add_parser(subparsers):
    reproduce = subparsers.add_parser(
        "reproduce",
        help="train rows of the results page on full data, save and print them",
        description="Train rows of the results page on full data, with the full-width network "
        "unless another profile is given, and save a JSON file for each seed and the embeddings of "
        "seed 0. Stopped, the same command resumes where it was.",
        add_options=_add_reproduce_options,
    )
    reproduce.set_defaults(command=reproduce_rows)

    scale_margin_map = subparsers.add_parser(
        "map",
        help="train a loss over a grid of scales and margins in the plane and draw the map",
        description="Train a loss once for every pair of a scale and a margin, save test accuracy "
        "and angles, and draw the map. Stopped, the same command resumes where it was.",
        add_options=_add_map_options,
    )
    scale_margin_map.set_defaults(command=draw_map)

    bounds = subparsers.add_parser(
        "bounds",
        help="the least scale and the greatest margins for C classes in d dimensions",
        description="State the least scale and the greatest margins for C classes in d "
        "dimensions, exactly on the circle and by the papers' formula, and explain the gap.",
    )
    bounds.add_argument("--classes", type=int, default=10, help="C (default 10)")
    bounds.add_argument("--embedding-dim", type=int, default=2, help="d (default 2)")
    bounds.add_argument(
        "--posterior",
        type=float,
        default=0.9,
        help="the least P of the true class at its centre (default 0.9)",
    )
    bounds.set_defaults(command=state_bounds)


def _add_reproduce_options(parser):
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        type=_row_name,
        help="a loss's name, optionally with another scale or margin: ArcFace_v1, ArcFace_v1_s16, "
        "CosFace_s30_m0.4, A-softmax_m4",
    )
    parser.add_argument(
        "--all", action="store_true", help="every named loss, and its twin with a feasible scale"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="train saved rows again, with the recipe and precision they were made with, and "
        "report whether they agree (exit status 1 if not); give their profile and --out",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="how many: seeds 0 to N - 1 (default 1)"
    )
    parser.add_argument(
        "--embedding-dim", type=int, default=2, help="length of an embedding (default 2)"
    )
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16", "float16"],
        default="auto",
        help="default: mixed on a GPU, float32 elsewhere",
    )
    _add_setting_options(parser, "full")


def _add_map_options(parser):
    from lossbook.experiments.scale_margin_grid import MARGINS

    parser.add_argument("loss", choices=MARGINS, help="which loss")
    parser.add_argument(
        "--seed", type=int, default=0, help="of all trainings; other seeds are kept (default 0)"
    )
    _add_setting_options(parser, "quick")


def _add_setting_options(parser, profile):
    """Add what the commands that train many rows share."""
    add_training_options(parser, profile)
    parser.add_argument(
        "--classes", type=int, metavar="N", help="only the first N classes of the data set"
    )
    add_out_option(parser, "book/results")


def _row_name(name):
    from lossbook import heads

    try:
        heads.head_from_name(name, 2, 10)
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(error.args[0]) from None
    return name


def reproduce_rows(options):
    """Train rows and print their table, or with ``--check`` train saved rows again and compare."""
    from lossbook.experiments import reproduce, results, rows
    from lossbook.utils.records import REPOSITORY_FOLDER

    profile, dataset, recipe = resolve_training(options)
    names = options.rows
    if not names and options.all:
        names = rows.all_rows(len(dataset.classes), options.embedding_dim)
    if not names:
        raise ValueError(
            "no rows named: give some, e.g. ArcFace_v1 ArcFace_v1_s16, or --all for every preset "
            "and its twin with a feasible scale"
        )
    if options.check:
        return _check_rows(names, dataset, profile, options)
    records = reproduce.reproduce(
        names,
        dataset,
        profile.backbone,
        embedding_dim=options.embedding_dim,
        seeds=options.seeds,
        folder=options.out or REPOSITORY_FOLDER,
        device=options.device,
        precision=options.precision,
        made_by={"command": options.line},
        **recipe,
    )
    table = results.table(records)
    print(results.with_units(table, "loss", "seeds", "train", "test", "source_test").to_string())


def _check_rows(names, dataset, profile, options):
    from lossbook.experiments import reproduce

    stated = {} if options.epochs is None else {"epochs": options.epochs}
    differing = []
    for name in names:
        for seed in range(options.seeds):
            agreement = reproduce.check(
                name,
                dataset,
                profile.backbone,
                embedding_dim=options.embedding_dim,
                seed=seed,
                folder=options.out,
                device=options.device,
                precision=options.precision,
                **stated,
            )
            print(_verdict(agreement), flush=True)
            if not agreement.agrees:
                differing.append(f"{name}, seed {seed}")
    if differing:
        raise Disagreement(
            f"{'; '.join(differing)}: trained again, the test accuracy differs by more than seeds "
            "and images explain"
        )


def _verdict(agreement):
    """One line on a row that was trained again."""
    return (
        f"{'agrees' if agreement.agrees else 'disagrees'}: "
        f"{agreement.row}, seed {agreement.seed}, test accuracy "
        f"{agreement.test_saved:.2%} saved, {agreement.test_again:.2%} trained again, "
        f"differs by {100 * abs(agreement.test_again - agreement.test_saved):.2f} points; up to "
        f"{100 * agreement.tolerance:.2f} points are explained by {agreement.seeds} saved "
        f"{'seed' if agreement.seeds == 1 else 'seeds'} and by which images are tested"
    )


def draw_map(options):
    """Train a loss over the grid of scales and margins, and draw its map."""
    from lossbook import figures
    from lossbook.experiments import reproduce, scale_margin_grid
    from lossbook.utils.records import REPOSITORY_FOLDER

    profile, dataset, recipe = resolve_training(options)
    folder = Path(options.out or REPOSITORY_FOLDER) / "maps"
    name = f"{options.loss}-{reproduce.setting_of(dataset, 2)}"
    record = scale_margin_grid.run(
        options.loss,
        dataset,
        profile.backbone,
        folder / name,
        seed=options.seed,
        made_by={"command": options.line},
        device=options.device,
        **recipe,
    )
    picture = folder / f"{name}.png"
    figures.scale_margin_map(record).savefig(picture)
    print(f"wrote {folder / name / 'record.json'} and {picture}")


def state_bounds(options):
    """Print the bounds on scale and margins, with their explanation."""
    from lossbook import bounds

    limits = bounds.limits(options.classes, options.embedding_dim, options.posterior)
    print(
        f"{options.classes} classes in {options.embedding_dim} dimensions, "
        f"posterior {options.posterior:g} at a class centre"
    )
    for name in limits._fields[:-1]:
        value = getattr(limits, name)
        text = "no formula known" if value is None else f"{value:.3f}"
        unit = " radians" if value is not None and "angular" in name else ""
        print(f"  {name.replace('_', ' '):26}{text}{unit}")
    print(limits.explanation)
    print("scale for an embedding at 45° from its class vector, other class vectors at 90°")
    for name, margins in WORKING_MARGINS.items():
        scale = bounds.working_scale(options.classes, **margins, posterior=options.posterior)
        print(f"  {name:26}{scale:.1f}")

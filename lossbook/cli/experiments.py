"""Experiments: one command for each of :mod:`lossbook.experiments` that trains many networks."""

from lossbook.cli.options import add_device_option, add_out_option

__all__ = [
    "add_parser",
    "train_strangers",
    "train_one_softmax",
    "train_noise",
    "train_closed_set",
    "train_closed_set_3d",
    "train_degraded_digits",
    "train_typefaces",
    "save_embeddings",
    "train_with_strays",
]

RESUMES = "Stopped, the same command resumes with the next training"
FONTS = (
    "The characters are drawn from Debian's font packages: if some are missing, the command that "
    "installs them is printed."
)


def add_parser(subparsers):
    strangers = _add_experiment(
        subparsers,
        "strangers",
        train_strangers,
        "train every loss on some alphabets of Omniglot, verify on others",
        "Train every loss on five alphabets of Omniglot and verify on three that no training saw. "
        f"{RESUMES}.",
    )
    one_softmax = _add_experiment(
        subparsers,
        "one-softmax",
        train_one_softmax,
        "train losses on class vectors and on pairs alike, verify on other alphabets",
        "Train norm-softmax, ArcFace, SupCon, Proxy-Anchor and Circle loss on five alphabets of "
        "Omniglot, in the same batches of four images a class, and verify on three that no "
        f"training saw. {RESUMES}.",
    )
    for parser in (strangers, one_softmax):
        parser.add_argument(
            "--folder",
            metavar="DIR",
            help="Omniglot's alphabets, extracted (default: download them)",
        )
    _add_experiment(
        subparsers,
        "noise",
        train_noise,
        "train every loss on digits with wrong labels",
        f"Train every loss on digits of which up to 40 % have a wrong label. {RESUMES}.",
    )
    _add_experiment(
        subparsers,
        "closed-set",
        train_closed_set,
        "train every loss alike on ten digits in the plane, with five seeds",
        "Train every loss by one recipe on the embedded digits in two dimensions, with five "
        f"seeds. {RESUMES}.",
    )
    _add_experiment(
        subparsers,
        "closed-set-3d",
        train_closed_set_3d,
        "train five losses alike on ten digits in three dimensions, with five seeds",
        "Train softmax, norm-softmax, SphereFace, CosFace and ArcFace by one recipe on the "
        f"embedded digits in three dimensions, with five seeds. {RESUMES}.",
    )
    _add_experiment(
        subparsers,
        "degraded-digits",
        train_degraded_digits,
        "train adaptive and fixed margins on blurred digits",
        "Train losses with fixed and with adaptive margins on digits that are blurred at random, "
        "and test them on digits that are blurred, noisy or of a low resolution. "
        f"{RESUMES}.",
    )
    _add_typefaces(subparsers)


def _add_typefaces(subparsers):
    typefaces = _add_experiment(
        subparsers,
        "typefaces",
        train_typefaces,
        "train losses on Han characters in many typefaces, verify on others",
        "Train losses on Han characters and verify on characters and typefaces that no training "
        "saw. Without options that select trainings, the whole experiment: margins and scales are "
        "chosen first, and --plan lists the rest. With such options, all their combinations. "
        f"{RESUMES}; started in a second terminal, it shares the trainings with the first. {FONTS}",
    )
    _add_typefaces_options(typefaces)
    _add_experiment(
        subparsers,
        "embeddings",
        save_embeddings,
        "save the embeddings of characters that a network has not seen",
        "Train ArcFace on Han characters in many typefaces, and save its embeddings of others. "
        f"{FONTS}",
    )
    _add_experiment(
        subparsers,
        "stray-images",
        train_with_strays,
        "train sub-centres on names under which images of another identity stand",
        "Train ArcFace with one and with three sub-centres on Han characters of which a share of "
        f"the images is another character's, and without. {RESUMES}. {FONTS}",
    )


def _add_experiment(subparsers, name, command, summary, description):
    """The parser of an experiment, with the options that all have."""
    parser = subparsers.add_parser(name, help=summary, description=description)
    add_device_option(parser)
    add_out_option(parser, f"book/results/{name}")
    parser.set_defaults(command=command)
    return parser


def _add_typefaces_options(parser):
    parser.add_argument(
        "--losses",
        nargs="+",
        metavar="LOSS",
        help="losses such as ArcFace, with the margin and scale that --tune chose, or rows such as "
        "ArcFace_m0.3 (default: all losses)",
    )
    parser.add_argument("--classes", nargs="+", type=int, help="default 100 400 1600 6400")
    parser.add_argument(
        "--typefaces-per-class", nargs="+", type=int, metavar="N", help="at most (default: all)"
    )
    parser.add_argument("--steps", nargs="+", type=int, help="default 1500")
    parser.add_argument("--seeds", nargs="+", type=int, help="default 0 1 2")
    parser.add_argument(
        "--tune",
        action="store_true",
        help="choose margins and scales, of all losses or --losses, on characters that are not "
        "scored",
    )
    parser.add_argument(
        "--plan", action="store_true", help="train nothing: list trainings and expected minutes"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="do without font packages that are missing"
    )


def train_strangers(options):
    """Run the experiment on unseen classes, or resume it, and print one line per training."""
    from lossbook.experiments import omniglot

    _train_on_omniglot(omniglot, "strangers", options)


def train_one_softmax(options):
    """Run the experiment on class vectors and pairs, or resume it, and print its trainings."""
    from lossbook.experiments import one_softmax

    _train_on_omniglot(one_softmax, "one-softmax", options)


def _train_on_omniglot(experiment, name, options):
    from lossbook import backbones
    from lossbook.data import omniglot as omniglot_data
    from lossbook.experiments import omniglot
    from lossbook.utils.records import REPOSITORY_FOLDER

    known, strangers = omniglot.known_and_strangers(omniglot_data.omniglot(options.folder))
    record, _ = experiment.run(
        experiment.PLAN,
        known,
        strangers,
        options.out or REPOSITORY_FOLDER / name,
        backbones.LeNetPP.small,
        made_by={"command": f"lossbook {name}"},
        device=options.device,
    )
    for cell_name, cell in record["cells"].items():
        eer, low, high = cell["strangers"]["eer"]
        print(
            f"{cell_name:40} closed {cell['accuracy']:.2%}  "
            f"EER of strangers {eer:.2%} ({low:.2%} to {high:.2%})"
        )


def train_noise(options):
    """Run the experiment on wrong labels, or resume it, and print one line per training."""
    from lossbook.experiments import label_noise

    record = _train(label_noise, "noise", options)
    for name, cell in record["cells"].items():
        print(f"{name:55} test accuracy {cell['test']:.2%}")


def train_closed_set(options):
    """Run the experiment in the plane, or resume it, and print one line per training."""
    from lossbook.experiments import closed_set

    _print_accuracies(_train(closed_set, "closed-set", options))


def train_closed_set_3d(options):
    """Run the experiment in three dimensions, or resume it, and print one line per training."""
    from lossbook.experiments import closed_set

    settings = {"embedding_dim": 3, **closed_set.SPHERE_RECIPE}
    record = _train(closed_set, "closed-set-3d", options, closed_set.SPHERE_PLAN, **settings)
    _print_accuracies(record)


def _print_accuracies(record):
    for name, cell in record["cells"].items():
        print(f"{name:30} test accuracy {cell['test']['accuracy']:.2%}")


def train_degraded_digits(options):
    """Run the experiment on blurred digits, or resume it, and print one line per training."""
    from lossbook.experiments import degraded_digits

    record = _train(degraded_digits, "degraded-digits", options)
    for name, cell in record["cells"].items():
        accuracies = [f"{key} {value['accuracy']:.1%}" for key, value in cell["conditions"].items()]
        print(f"{name:30} {', '.join(accuracies)}")


def _train(experiment, name, options, plan=None, **settings):
    """The record of an experiment on digits after every cell of its plan is trained."""
    from lossbook.utils.records import REPOSITORY_FOLDER

    record, _ = experiment.run(
        plan or experiment.PLAN,
        options.out or REPOSITORY_FOLDER / name,
        device=options.device,
        made_by={"command": f"lossbook {name}"},
        **settings,
    )
    return record


def train_typefaces(options):
    """Run the trainings that the options select, or resume, and print one line for each."""
    from pathlib import Path

    from lossbook.data.typefaces import typefaces as load_typefaces
    from lossbook.experiments import typefaces, typefaces_rows
    from lossbook.utils.records import REPOSITORY_FOLDER

    folder = Path(options.out or REPOSITORY_FOLDER / "typefaces")
    record = typefaces.load(folder)[0] if (folder / "record.json").exists() else None
    stages = _typefaces_stages(options)
    if options.plan:
        _print_plan(stages, record)
        return
    if stages[0].options is not None:
        typefaces_rows.rows_of(stages[0].losses, record)  # refuses before the data are made
    data = load_typefaces(
        typefaces.MIN_FACES, typefaces.CHARACTERS, allow_missing=options.allow_missing
    )
    for stage in stages:
        rows = () if stage.options is None else typefaces_rows.rows_of(stage.losses, record)
        record, _ = typefaces.run(
            typefaces.cells_of(stage, rows),
            data,
            folder,
            device=options.device,
            made_by={"command": "lossbook typefaces"},
            report=_print_typefaces_cell,
        )


def _print_typefaces_cell(cell, measured):
    eer, low, high = measured["strangers"]["eer"]
    print(
        f"{cell.name:50} EER of strangers {eer:.2%} ({low:.2%} to {high:.2%}), "
        f"{measured['seconds']:.0f} s of training",
        flush=True,
    )


def save_embeddings(options):
    """Train the network and save its embeddings, unless they are there, and print how many."""
    from lossbook.data.typefaces import typefaces as load_typefaces
    from lossbook.experiments import embeddings, typefaces
    from lossbook.utils.records import REPOSITORY_FOLDER

    folder = options.out or REPOSITORY_FOLDER / "embeddings"
    data = load_typefaces(typefaces.MIN_FACES, typefaces.CHARACTERS)
    made_by = {"command": "lossbook embeddings"}
    embeddings.run(data, folder, device=options.device, made_by=made_by)
    numbers, arrays = embeddings.load(folder)
    print(
        f"{len(arrays['x']):,} images of {len(numbers['characters'])} characters in "
        f"{len(numbers['faces'])} typefaces, as they are and blurred: {folder}"
    )


def train_with_strays(options):
    """Run the trainings that are not there yet, and print one line for each of all."""
    from lossbook.data.typefaces import typefaces as load_typefaces
    from lossbook.experiments import stray_images, typefaces
    from lossbook.utils.records import REPOSITORY_FOLDER

    folder = options.out or REPOSITORY_FOLDER / "stray-images"
    data = load_typefaces(typefaces.MIN_FACES, typefaces.CHARACTERS)
    made_by = {"command": "lossbook stray-images"}
    record, _ = stray_images.run(
        stray_images.PLAN, data, folder, device=options.device, made_by=made_by
    )
    for name, cell in record["cells"].items():
        print(f"{name:30} EER of strangers {cell['strangers']['eer'][0]:.2%}")


def _typefaces_stages(options):
    """The stages that the options select: all of the experiment if they select nothing."""
    from lossbook.experiments import typefaces, typefaces_rows
    from lossbook.utils.validation import require

    selected = {
        "classes": options.classes,
        "typefaces": options.typefaces_per_class,
        "steps": options.steps,
        "seeds": options.seeds,
    }
    selected = {name: tuple(values) for name, values in selected.items() if values}
    losses = tuple(options.losses or typefaces_rows.LOSSES)
    if options.tune:
        require(
            not selected,
            "--tune has its own classes, typefaces, steps and seeds: give --losses alone",
        )
        return [typefaces.Stage("choice of margins and scales", losses, None)]
    if options.losses or selected:
        return [typefaces.Stage("selected", losses, selected)]
    return typefaces.STAGES


def _print_plan(stages, record):
    """Print the trainings that are left, by stage, and how long they take."""
    from lossbook.experiments import typefaces, typefaces_rows

    measured = set(record["cells"]) if record else set()
    listed = dict.fromkeys(measured)
    waiting = []
    for stage in stages:
        try:
            rows = typefaces_rows.rows_of(stage.losses, record)
        except ValueError:  # not chosen yet: the losses stand for them
            rows = stage.losses
        cells = [cell for cell in typefaces.cells_of(stage, rows) if cell.name not in listed]
        listed.update(dict.fromkeys(cell.name for cell in cells))
        waiting += cells
        minutes, _ = typefaces.expected_minutes(cells, record)
        print(f"{stage.title}: {len(cells)} trainings, {minutes:.0f} min")
        for cell in cells:
            minutes, _ = typefaces.expected_minutes([cell], record)
            print(f"  {cell.name:50} {minutes:5.1f} min")
    minutes, known = typefaces.expected_minutes(waiting, record)
    source = "as long as those before" if known else "not measured on this computer yet"
    print(f"{len(waiting)} trainings, {minutes / 60:.1f} h ({source}); {len(measured)} are done")

"""The commands benchmark heads and benchmark training."""

from pathlib import Path

from lossbook.cli.options import add_device_option, add_out_option

__all__ = ["add_parser", "benchmark_heads", "benchmark_training"]


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "benchmark", help="time and memory of the heads, images per second of training"
    )
    kinds = parser.add_subparsers(title="what", required=True, metavar="WHAT")
    heads_parser = kinds.add_parser(
        "heads",
        help="a step through the last layer",
        description="Measure forward and backward of every head, of linear + cross-entropy, of "
        "PyTorch's fused form of it and of a peer library's heads on the same tensors; save the "
        "numbers as JSON, draw and print them.",
        add_options=_add_heads_options,
    )
    heads_parser.set_defaults(command=benchmark_heads)
    training_parser = kinds.add_parser(
        "training",
        help="images per second of training",
        description="Measure images per second of fit, of a straightforward loop with a "
        "DataLoader, and of each trick alone, on the same backbones; save the numbers as JSON, "
        "draw and print them.",
        add_options=_add_training_options,
    )
    training_parser.set_defaults(command=benchmark_training)


def _add_heads_options(parser):
    from lossbook.benchmarks.contestants import CONTESTANTS

    parser.add_argument(
        "--classes",
        type=int,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        metavar="C",
        help="numbers of classes (default 1000 10000 100000)",
    )
    parser.add_argument(
        "--batch", type=int, default=256, metavar="N", help="embeddings in a batch (default 256)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each is timed (default 9)")
    parser.add_argument(
        "--without-peers", dest="peers", action="store_false", help="lossbook's own heads only"
    )
    parser.add_argument("--without-memory", dest="memory", action="store_false", help="times only")
    parser.add_argument("--without-times", dest="times", action="store_false", help="memory only")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=CONTESTANTS,
        help="of these, in quotes: " + ", ".join(CONTESTANTS),
    )
    add_device_option(parser, "cpu, cuda (default cpu)")
    add_out_option(
        parser, "book/results/benchmarks/heads-DEVICE.json, with --batch N headsN-…", metavar="FILE"
    )


def _add_training_options(parser):
    from lossbook import data

    parser.add_argument(
        "--dataset",
        choices=data.NAMES,
        default="mnist5k",
        help="images to train on (default mnist5k)",
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often each is timed (default 7)")
    add_device_option(parser, "cpu, cuda (default cpu)")
    add_out_option(parser, "book/results/benchmarks/training-DEVICE.json", metavar="FILE")


def benchmark_heads(options):
    """Measure a step of every head, save the record and its picture, and print the table."""
    from lossbook import figures
    from lossbook.benchmarks import heads as head_benchmark

    device = options.device or "cpu"
    record = head_benchmark.measure_heads(
        options.classes,
        options.rounds if options.times else 0,
        device,
        options.batch,
        peers=options.peers,
        only=options.only,
        memory=options.memory,
        made_by={"command": options.line},
    )
    table = head_benchmark.table(record)
    print(table.round(3).to_string(index=False))
    for num_classes in options.classes:
        products, memory = head_benchmark.estimate(record, num_classes)
        print(
            f"{num_classes:,} classes: the three products take {1e3 * products:.1f} ms at the "
            f"measured rate, memory {1e3 * memory:.1f} ms"
        )
    figure = figures.head_costs(table, head_benchmark.setting(record))
    kind = "heads" if options.batch == head_benchmark.N else f"heads{options.batch}"
    _save_benchmark(record, options.out, f"{kind}-{device}", figure)


def benchmark_training(options):
    """Measure the rate of training, save the record and its picture, and print the table."""
    from lossbook import data, figures
    from lossbook.benchmarks import training as training_benchmark

    device = options.device or "cpu"
    record = training_benchmark.measure_training(
        data.load(options.dataset).train,
        options.rounds,
        device,
        made_by={"command": options.line},
    )
    table = training_benchmark.table(record)
    print(table.round(2).to_string(index=False))
    figure = figures.training_rates(table, training_benchmark.setting(record))
    _save_benchmark(record, options.out, f"training-{device}", figure)


def _save_benchmark(record, out, name, figure):
    """Save a record and its picture at ``out``, by default among the repository's results."""
    from lossbook.utils import records

    path = Path(out or records.REPOSITORY_FOLDER / "benchmarks" / f"{name}.json")
    records.save(record, path)
    figure.savefig(path.with_suffix(".png"))
    print(f"wrote {path} and {path.with_suffix('.png')}")

"""The commands benchmark heads and benchmark training."""

from pathlib import Path

from lossbook import data, figures
from lossbook.benchmarks import heads as head_benchmark
from lossbook.benchmarks import training as training_benchmark
from lossbook.utils import records
from lossbook.utils.records import REPOSITORY_FOLDER


def benchmark_heads(options):
    device = options.device or "cpu"
    record = head_benchmark.heads(
        options.classes,
        options.rounds if options.times else 0,
        device,
        peers=options.peers,
        only=options.only,
        memory=options.memory,
        made_by={"command": options.line},
    )
    frame = head_benchmark.table(record)
    print(frame.round(3).to_string(index=False))
    for C in options.classes:
        products, moved = head_benchmark.estimate(record, C)
        print(
            f"{C:,} classes: the three products take {1e3 * products:.1f} ms at the measured rate, memory {1e3 * moved:.1f} ms"
        )
    save_benchmark(
        record,
        options,
        f"heads-{device}",
        figures.head_costs(frame, head_benchmark.setting(record)),
    )


def benchmark_training(options):
    device = options.device or "cpu"
    record = training_benchmark.training(
        data.load(options.dataset).train, options.rounds, device, made_by={"command": options.line}
    )
    frame = training_benchmark.table(record)
    print(frame.round(2).to_string(index=False))
    save_benchmark(
        record,
        options,
        f"training-{device}",
        figures.training_rates(frame, training_benchmark.setting(record)),
    )


def save_benchmark(record, options, name, figure):
    """Save a benchmark's record and its picture where --out says, else among the results."""
    path = Path(options.out or REPOSITORY_FOLDER / "benchmarks" / f"{name}.json")
    records.save(record, path)
    figure.savefig(path.with_suffix(".png"))
    print(f"wrote {path} and {path.with_suffix('.png')}")

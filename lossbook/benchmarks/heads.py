"""``python -m lossbook benchmark heads``: time and peak memory of a step through the last layer.

Times follow the usual discipline: every contestant on the same tensors, a warm-up, rounds that
visit all contestants in turn (so a slow spell of the machine meets them all), medians, and ratios
only within one run. Peak memory is what torch's allocator held.
"""

import statistics
import time

import pandas as pd
import torch

from lossbook.benchmarks import contestants
from lossbook.benchmarks.timing import best_seconds, machine, most_allocated, wait
from lossbook.utils.validation import require

__all__ = ["heads", "table", "setting", "peak_memory", "rates", "estimate"]

N, D = 256, 512  # embeddings in a batch, numbers in an embedding


def heads(
    classes,
    rounds=9,
    device="cpu",
    peers=True,
    only=None,
    memory=True,
    made_by=None,
    progress=print,
):
    """Measure all contestants of ``lossbook.benchmarks.contestants`` at each number of classes; returns a record for JSON.

    Times are seconds of forward and backward; ``peak`` is bytes beyond embeddings and class vectors,
    the gradients included. ``only`` names some of the contestants; without rounds there are no times.
    """
    require(
        classes and (rounds >= 1 or memory),
        f"rounds = {rounds!r}, classes = {classes!r}, memory = {memory!r}: "
        "expected at least one number of classes, and times or memory to measure",
    )
    names = [
        name
        for name in only or contestants.CONTESTANTS
        if peers or not name.startswith(contestants.PEER)
    ]
    if any(name.startswith(contestants.PEER) for name in names):
        contestants.peer_losses()  # missing: say so now, not after an hour
    record = {
        "format": 1,
        "benchmark": "heads",
        "N": N,
        "d": D,
        "rounds": rounds,
        "chunk": contestants.CHUNK,
        "machine": machine(device),
        "rates": rates(device),
        "made_by": made_by or {},
        "rows": [],
    }
    for C in classes:
        seconds = _times(names, C, rounds, device) if rounds else {}
        for name in names:
            row = {"classes": C, "name": name}
            if rounds:
                row.update(seconds=seconds[name], median=statistics.median(seconds[name]))
                progress(f"{C:>9,} {name:40} {1e3 * row['median']:9.1f} ms")
            record["rows"].append(row)
    for row in record["rows"] if memory else ():
        row["peak"] = peak_memory(row["name"], row["classes"], device)
        progress(f"{row['classes']:>9,} {row['name']:40} {row['peak'] / 2**20:9.1f} MiB")
    return record


def _times(names, C, rounds, device):
    x, labels, weight = contestants.problem(N, D, C, device)
    steps = {name: contestants.contestant(name, weight) for name in names}
    seconds = {name: [] for name in names}
    for turn in range(rounds + 1):  # the first turn warms up
        for name in names:
            took = _step(*steps[name], x, labels)
            if turn:
                seconds[name].append(took)
    return seconds


def _step(loss, parameter, x, labels):
    """Seconds of one forward and backward, gradients of embeddings and class vectors included."""
    x = x.detach().requires_grad_()
    wait(x)
    start = time.perf_counter()
    loss(x, labels).backward()
    wait(x)
    took = time.perf_counter() - start
    parameter.grad = None
    return took


def peak_memory(name, C, device="cpu"):
    """Bytes that one step of a contestant needs at its peak beyond its inputs, gradients included."""
    x, labels, weight = contestants.problem(N, D, C, device)
    loss, parameter = contestants.contestant(name, weight)
    return most_allocated(lambda: _step(loss, parameter, x, labels), device)


def rates(device="cpu", turns=40):
    """FLOP/s of the product of a batch with class vectors, and bytes/s of a copy too large for the cache."""
    x, _, weight = contestants.problem(N, D, 16_384, device)
    large = torch.zeros(2**26, device=device)
    out = torch.empty_like(large)
    return {
        "flops": 2 * N * D * 16_384 / best_seconds(lambda: x @ weight.T, x, turns),
        "bytes": 2 * 4 * large.numel() / best_seconds(lambda: out.copy_(large), x, turns),
    }


def estimate(record, C, products=3):
    """Roofline: the seconds that the products alone take at the measured rate, and those that memory alone takes.

    Bytes: the class vectors are read twice, their gradient is written once, and the (N, C) softmax is
    written once and read once. Whatever a head takes beyond the larger of the two is overhead.
    """
    flops = products * 2 * record["N"] * record["d"] * C
    moved = 4 * (3 * C * record["d"] + 2 * record["N"] * C)
    return flops / record["rates"]["flops"], moved / record["rates"]["bytes"]


def table(record):
    """A DataFrame, one row a contestant and number of classes: milliseconds, MiB, ratios to the plain linear layer."""
    frame = pd.DataFrame(
        [
            {key: row.get(key) for key in ("classes", "name", "median", "peak")}
            for row in record["rows"]
        ]
    )
    plain = frame[frame.name == contestants.PLAIN].set_index("classes")
    frame["time_ratio"] = frame["median"] / frame.classes.map(plain["median"])
    frame["memory_ratio"] = frame.peak / frame.classes.map(plain.peak)
    return frame


def setting(record):
    """What a record was measured with, as the title of its picture."""
    threads = record["machine"]["threads"]
    return f"N = {record['N']}, d = {record['d']}, {threads} thread{'s' * (threads != 1)}"

"""``python -m lossbook benchmark heads``: time and peak memory of a step through the last layer.

Times follow the usual discipline: every contestant on the same tensors, a warm-up, rounds that
visit all contestants in turn (so that a slow spell of the machine meets them all), medians, and
ratios only within one run. Peak memory is that of torch's allocator.
"""

import statistics
import time

import pandas as pd
import torch

from lossbook.benchmarks import contestants
from lossbook.benchmarks.timing import best_seconds, machine, peak_bytes, synchronize
from lossbook.utils.validation import require

__all__ = ["measure_heads", "peak_memory", "measure_rates", "estimate", "table", "setting"]

N, D = 256, 512  # embeddings in a batch by default, numbers in an embedding


def measure_heads(
    classes,
    rounds=9,
    device="cpu",
    batch=N,
    peers=True,
    only=None,
    memory=True,
    made_by=None,
    progress=print,
):
    """Measure the contestants at each number of classes; returns a record for JSON.

    In the record, ``seconds`` are those of forward and backward; ``peak`` is bytes beyond
    embeddings and class vectors, the gradients included.

    Parameters
    ----------
    classes : list of int
    rounds : int
        How often each contestant is timed; 0 for no times.
    batch : int
        Embeddings in a batch, N.
    peers : bool
        Whether the peer library's losses are measured too.
    only : list of str, optional
        Names in ``lossbook.benchmarks.contestants.CONTESTANTS``; by default all.
    memory : bool
        Whether peak memory is measured.
    """
    require(
        classes and (rounds >= 1 or memory),
        f"rounds = {rounds!r}, classes = {classes!r}, memory = {memory!r}: "
        "expected at least one number of classes, and times or memory to measure",
    )
    require(batch >= 1, f"batch = {batch!r}: expected how many embeddings a batch holds")
    names = [
        name
        for name in only or contestants.CONTESTANTS
        if peers or not name.startswith(contestants.PEER)
    ]
    if any(name.startswith(contestants.PEER) for name in names):
        contestants.import_peer_losses()  # a missing one is an error now, not after an hour
    record = {
        "format": 1,
        "benchmark": "heads",
        "N": batch,
        "d": D,
        "rounds": rounds,
        "chunk": contestants.CHUNK,
        "machine": machine(device),
        "rates": measure_rates(device),
        "made_by": made_by or {},
        "rows": [],
    }
    for C in classes:
        seconds = _measure_times(names, batch, C, rounds, device) if rounds else {}
        for name in names:
            row = {"classes": C, "name": name}
            if rounds:
                row.update(seconds=seconds[name], median=statistics.median(seconds[name]))
                progress(f"{C:>9,} {name:40} {1e3 * row['median']:9.1f} ms")
            record["rows"].append(row)
    for row in record["rows"] if memory else ():
        row["peak"] = peak_memory(row["name"], row["classes"], device, batch)
        progress(f"{row['classes']:>9,} {row['name']:40} {row['peak'] / 2**20:9.1f} MiB")
    return record


def _measure_times(names, N, C, rounds, device):
    """Seconds of a step of each contestant in every round: ``{name: [seconds, …]}``."""
    x, labels, weight = contestants.make_inputs(N, D, C, device)
    steps = {name: contestants.build_contestant(name, weight) for name in names}
    seconds = {name: [] for name in names}
    for number in range(rounds + 1):  # round 0 warms up
        for name in names:
            duration = _time_step(*steps[name], x, labels)
            if number > 0:
                seconds[name].append(duration)
    return seconds


def _time_step(loss, parameter, x, labels):
    """Seconds of one forward and backward, gradients of embeddings and class vectors included."""
    x = x.detach().requires_grad_()
    synchronize(x)
    start = time.perf_counter()
    loss(x, labels).backward()
    synchronize(x)
    seconds = time.perf_counter() - start
    parameter.grad = None
    return seconds


def peak_memory(name, C, device="cpu", N=N):
    """Peak bytes of one step of a contestant beyond its inputs, gradients included."""
    x, labels, weight = contestants.make_inputs(N, D, C, device)
    loss, parameter = contestants.build_contestant(name, weight)
    return peak_bytes(lambda: _time_step(loss, parameter, x, labels), device)


def measure_rates(device="cpu", repeats=40):
    """FLOP/s of the product of a batch with class vectors, and bytes/s of a copy.

    The copy is too large for the cache.
    """
    x, _, weight = contestants.make_inputs(N, D, 16_384, device)
    large = torch.zeros(2**26, device=device)
    copy = torch.empty_like(large)
    return {
        "flops": 2 * N * D * 16_384 / best_seconds(lambda: x @ weight.T, x, repeats),
        "bytes": 2 * 4 * large.numel() / best_seconds(lambda: copy.copy_(large), x, repeats),
    }


def estimate(record, C, products=3):
    """Roofline: seconds for the products alone and for memory alone, at the measured rates.

    The class vectors are read twice, their gradient is written once, and the (N, C) softmax is
    written once and read once. Time beyond the larger of the two is overhead.
    """
    flops = products * 2 * record["N"] * record["d"] * C
    moved_bytes = 4 * (3 * C * record["d"] + 2 * record["N"] * C)
    return flops / record["rates"]["flops"], moved_bytes / record["rates"]["bytes"]


def table(record):
    """A DataFrame with one row per contestant and number of classes.

    ``median`` is in seconds, ``peak`` in bytes; ``time_ratio`` and ``memory_ratio`` are multiples
    of the plain linear layer's.
    """
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
    """The settings of a record, as the title of its picture."""
    threads = record["machine"]["threads"]
    return f"N = {record['N']}, d = {record['d']}, {threads} thread{'s' * (threads != 1)}"

"""``python -m lossbook benchmark heads``: time and peak memory of a step through the last layer.

Times follow the usual discipline: every contestant on the same tensors, a warm-up, rounds that
visit all contestants in turn (so a slow spell of the machine meets them all), medians, and ratios
only within one run. Peak memory is what torch's allocator held.
"""

import itertools
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from . import contest
from .errors import require
from .files import write_atomically
from .results import FOLDER

__all__ = ["heads", "table", "peak_memory", "most_allocated", "machine", "rates", "estimate", "load", "save"]

N, D = 256, 512             # embeddings in a batch, numbers in an embedding


def heads(classes, rounds=9, device="cpu", peers=True, only=None, memory=True, made_by=None, progress=print):
    """Measure all contestants of ``lossbook.contest`` at each number of classes; returns a record for JSON.

    Times are seconds of forward and backward; ``peak`` is bytes beyond embeddings and class vectors,
    the gradients included. ``only`` names some of the contestants; without rounds there are no times.
    """
    require(classes and (rounds >= 1 or memory), f"rounds = {rounds!r}, classes = {classes!r}, memory = {memory!r}: "
            "expected at least one number of classes, and times or memory to measure")
    names = [name for name in only or contest.CONTESTANTS if peers or not name.startswith(contest.PEER)]
    if any(name.startswith(contest.PEER) for name in names):
        contest.peer_losses()                           # missing: say so now, not after an hour
    record = {"format": 1, "benchmark": "heads", "N": N, "d": D, "rounds": rounds, "chunk": contest.CHUNK,
              "machine": machine(device), "rates": rates(device), "made_by": made_by or {}, "rows": []}
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
    x, labels, weight = contest.problem(N, D, C, device)
    steps = {name: contest.contestant(name, weight) for name in names}
    seconds = {name: [] for name in names}
    for turn in range(rounds + 1):                      # the first turn warms up
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


def wait(x):
    if x.is_cuda:
        torch.cuda.synchronize()


def peak_memory(name, C, device="cpu"):
    """Bytes that one step of a contestant needs at its peak beyond its inputs, gradients included."""
    x, labels, weight = contest.problem(N, D, C, device)
    loss, parameter = contest.contestant(name, weight)
    return most_allocated(lambda: _step(loss, parameter, x, labels), device)


def most_allocated(work, device="cpu"):
    """The most bytes that torch's allocator held at a time while ``work()`` ran, beyond what it held before.

    On a CPU it is read from torch's own record of every allocation. The resident size of the process
    would be no measure: it depends on which pages happen to be mapped already.
    """
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        work()
    with tempfile.TemporaryDirectory() as folder:
        watched.export_chrome_trace(f"{folder}/trace.json")
        events = json.loads(Path(f"{folder}/trace.json").read_text(encoding="utf-8"))["traceEvents"]
    taken = sorted((event for event in events if event.get("name") == "[memory]"), key=lambda event: event["ts"])
    return max(itertools.accumulate(event["args"]["Bytes"] for event in taken))


def machine(device="cpu"):
    """What the numbers were measured on."""
    name = torch.cuda.get_device_name(device) if device != "cpu" else _processor()
    return {"device": name, "kind": device, "threads": torch.get_num_threads(), "torch": torch.__version__,
            "python": platform.python_version(), "system": platform.system()}


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    features = {word for line in lines if line.startswith("flags") for word in line.split()}
    wide = next((word for word in ("avx512f", "avx2") if word in features), "")
    return " ".join(filter(None, [names[0] if names else platform.processor() or platform.machine(), wide]))


def rates(device="cpu", turns=40):
    """FLOP/s of the product of a batch with class vectors, and bytes/s of a copy too large for the cache."""
    x, _, weight = contest.problem(N, D, 16_384, device)
    large = torch.zeros(2**26, device=device)
    out = torch.empty_like(large)
    return {"flops": 2 * N * D * 16_384 / _best(lambda: x @ weight.T, x, turns),
            "bytes": 2 * 4 * large.numel() / _best(lambda: out.copy_(large), x, turns)}


def _best(work, x, turns):
    seconds = []
    for _ in range(turns + 1):
        wait(x)
        start = time.perf_counter()
        work()
        wait(x)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


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
    frame = pd.DataFrame([{key: row.get(key) for key in ("classes", "name", "median", "peak")} for row in record["rows"]])
    plain = frame[frame.name == contest.PLAIN].set_index("classes")
    frame["time_ratio"] = frame["median"] / frame.classes.map(plain["median"])
    frame["memory_ratio"] = frame.peak / frame.classes.map(plain.peak)
    return frame


def load(name):
    """A saved record, by its name: ``"heads-cpu"``. Raises ``FileNotFoundError`` saying how to make it."""
    path = FOLDER / "benchmarks" / f"{name}.json"
    require(path.exists(), f"no benchmark in {path}: make it with python -m lossbook benchmark {name.partition('-')[0]}",
            FileNotFoundError)
    return json.loads(path.read_text(encoding="utf-8"))


def save(record, path):
    """Write a record to ``path``, whole or not at all. Raises ``OSError``."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))

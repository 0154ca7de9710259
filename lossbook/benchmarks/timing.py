"""Time and memory of a piece of work, and the machine on which it was measured."""

import itertools
import json
import platform
import tempfile
import time
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["best_seconds", "machine", "peak_bytes", "synchronize"]


def synchronize(x):
    """Wait until the device of ``x`` has finished its work; a CPU always has."""
    if x.is_cuda:
        torch.cuda.synchronize()


def best_seconds(work, x, repeats):
    """Seconds of the fastest of ``repeats`` calls of ``work()`` on the device of ``x``.

    One more call, the first, warms up.
    """
    seconds = []
    for _ in range(repeats + 1):
        synchronize(x)
        start = time.perf_counter()
        work()
        synchronize(x)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def peak_bytes(work, device="cpu"):
    """The largest number of bytes allocated by torch at a time during ``work()``.

    Bytes allocated before do not count. On a CPU they are read from torch's own record of every
    allocation. The resident size of the process would be no measure: it depends on which pages
    happen to be mapped already.
    """
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    allocations = sorted(
        (event for event in events if event.get("name") == "[memory]"),
        key=lambda event: event["ts"],
    )
    return max(itertools.accumulate(event["args"]["Bytes"] for event in allocations))


def machine(device="cpu"):
    """The machine, as a dict that JSON can hold: device, threads, versions."""
    name = torch.cuda.get_device_name(device) if device != "cpu" else _processor_name()
    return {
        "device": name,
        "kind": device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor_name():
    """The processor's model and its widest vector instructions."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    vectors = next((flag for flag in ("avx512f", "avx2") if flag in flags), "")
    return f"{model} {vectors}".strip()

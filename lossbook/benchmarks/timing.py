"""Time and memory of a piece of work, and the machine it was measured on."""

import itertools
import json
import platform
import tempfile
import time
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["most_allocated", "machine"]


def wait(x):
    if x.is_cuda:
        torch.cuda.synchronize()


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
    taken = sorted(
        (event for event in events if event.get("name") == "[memory]"),
        key=lambda event: event["ts"],
    )
    return max(itertools.accumulate(event["args"]["Bytes"] for event in taken))


def machine(device="cpu"):
    """What the numbers were measured on."""
    name = torch.cuda.get_device_name(device) if device != "cpu" else _processor()
    return {
        "device": name,
        "kind": device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    features = {word for line in lines if line.startswith("flags") for word in line.split()}
    wide = next((word for word in ("avx512f", "avx2") if word in features), "")
    return " ".join(
        filter(None, [names[0] if names else platform.processor() or platform.machine(), wide])
    )


def best_seconds(work, x, turns):
    seconds = []
    for _ in range(turns + 1):
        wait(x)
        start = time.perf_counter()
        work()
        wait(x)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])

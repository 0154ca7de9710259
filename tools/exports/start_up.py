"""How long a start takes: ``python -m tools.exports.start_up``.

Each program runs in fresh interpreters, in turn with ``import torch``; medians are printed, and
their ratio to it.
"""

import statistics
import subprocess
import sys
import time

__all__ = ["PROGRAMS", "main"]

ROUNDS = 7
PROGRAMS = {
    "import torch": ["-c", "import torch"],
    "import lossbook": ["-c", "import lossbook"],
    "lossbook's data, heads, metrics, training": [
        "-c",
        "from lossbook import backbones, data, heads, metrics, training",
    ],
    "lossbook --help": ["-m", "lossbook", "--help"],
    "lossbook bounds": ["-m", "lossbook", "bounds", "--classes", "10"],
}


def main(rounds=ROUNDS):
    """Print the median seconds of every program, and its ratio to ``import torch``."""
    seconds = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, arguments in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    torch_median = statistics.median(seconds["import torch"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:45}{median:6.2f} s   {median / torch_median:5.2f} × import torch")


if __name__ == "__main__":
    main()

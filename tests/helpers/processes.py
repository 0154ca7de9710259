"""Several ranks in a test, without the wait for Python and torch to start in each of them."""

import multiprocessing
import os
import socket
import sys
import tempfile
from pathlib import Path

import torch

# One process imports what takes seconds; every rank is a fork of it.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["lossbook.training.class_parallel"])


def run_ranks(number, work, *arguments):
    """Call ``work(*arguments)`` in ``number`` new processes that can join one process group.

    ``work`` is a function at the top of a module. Returns a list of (exit code, stderr), a rank
    each.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{rank}.txt") for rank in range(number)]
        started = [
            _CONTEXT.Process(target=_run, args=(rank, number, port, path, work, arguments))
            for rank, path in enumerate(paths)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(timeout=300)
        return [(process.exitcode, path.read_text()) for process, path in zip(started, paths)]


def _run(rank, number, port, stderr, work, arguments):
    sys.stderr = stderr.open("w", buffering=1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(number), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    work(*arguments)

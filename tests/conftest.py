"""Shared by all tests: the same hypothesis examples everywhere, and no time limit on one
example."""

import torch
from hypothesis import settings

settings.register_profile("lossbook", deadline=None, derandomize=True)
settings.load_profile("lossbook")

torch.set_num_threads(1)  # tests run on several processes; threads on top would fight for the cores


def pytest_addoption(parser):
    parser.addoption(
        "--every-chapter",
        action="store_true",
        help="run all notebooks far from the repository, as Colab does, "
        "where else the quickest one stands for them (about half an hour)",
    )


def pytest_terminal_summary(terminalreporter):
    """Say how many notebooks ran: nbval counts each of their cells as a test."""
    cells = [
        report.nodeid.partition("::")[0]
        for report in terminalreporter.getreports("passed")
        if ".ipynb::" in report.nodeid
    ]
    if cells:
        terminalreporter.write_line(
            f"{len(cells)} of the tests passed are cells of {len(set(cells))} notebooks"
        )

"""What an import and a command pull in, read in fresh interpreters: only what they need."""

import subprocess
import sys

import pytest

import lossbook
from tools.exports import start_up

# What takes long to import.
HEAVY = {
    "IPython",
    "PIL",
    "matplotlib",
    "mlxtend",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "torch",
    "torchvision",
}


def heavy_modules(program):
    """Those of ``HEAVY`` that a fresh interpreter has imported at the end of ``program``."""
    report = "import sys\nprint('\\nIMPORTED', *{name.partition('.')[0] for name in sys.modules})"
    output = subprocess.run(
        [sys.executable, "-c", f"{program}\n{report}"], capture_output=True, text=True, check=True
    ).stdout
    return HEAVY & set(output.rpartition("IMPORTED")[2].split())


def run_command(arguments):
    return f"""
from lossbook.cli.main import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert stop.code == 0
"""


@pytest.mark.parametrize(
    "program, allowed",
    [
        ("import lossbook", set()),
        ("from lossbook import bounds", {"numpy"}),
        ("from lossbook import margins", {"torch", "numpy"}),
        ("from lossbook import backbones, heads, profiles", {"torch", "numpy"}),
        ("from lossbook import metrics", {"torch", "numpy"}),
        ("from lossbook import data", {"torch", "numpy"}),
        ("from lossbook import training", {"torch", "numpy", "pandas"}),
    ],
)
def test_an_import_pulls_in_no_more_than_it_needs(program, allowed):
    assert heavy_modules(program) <= allowed


@pytest.mark.parametrize(
    "arguments, allowed",
    [
        (["--help"], {"numpy"}),
        (["bounds", "--classes", "10"], {"numpy", "scipy"}),
        (["bounds", "--help"], {"numpy"}),
        (["verify", "--help"], {"numpy"}),
    ],
)
def test_a_command_pulls_in_no_more_than_it_needs(arguments, allowed):
    assert heavy_modules(run_command(arguments)) <= allowed


def test_submodules_are_there_when_they_are_used():
    heavy_modules("import lossbook\nassert lossbook.heads.ArcFace(2, 10).scale == 64")
    for name in lossbook.__all__:
        assert hasattr(lossbook, name)
    assert set(lossbook.__all__) <= set(dir(lossbook))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lossbook' has no attribute 'head'"):
        lossbook.head  # noqa: B018


def test_the_benchmark_prints_ratios_to_torch(monkeypatch, capsys):
    programs = {"import torch": ["-c", "pass"], "lossbook --help": ["-c", "pass"]}
    monkeypatch.setattr(start_up, "PROGRAMS", programs)
    start_up.main(rounds=1)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("import torch") and "1.00 ×" in first
    assert second.startswith("lossbook --help")

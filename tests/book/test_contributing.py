"""CONTRIBUTING.md's new loss, added by the letter to a copy of the library, does all that it
promises."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lossbook

ROOT = Path(__file__).parents[2]
PIECE = re.compile(r"`((?:lossbook|tests)/[\w/]+\.py)`:\n\n```python\n([\s\S]*?)```")
PIECES = PIECE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """A copy of the library and its oracle with the pieces at the end of the files they name."""
    folder = tmp_path_factory.mktemp("fork")
    shutil.copytree(
        ROOT / "lossbook", folder / "lossbook", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "tests/helpers").mkdir(parents=True)
    (folder / "tests/heads").mkdir()
    shutil.copy(ROOT / "tests/helpers/oracle.py", folder / "tests/helpers")
    shutil.copy(ROOT / "tests/test_layers.py", folder / "tests")
    for path, code in PIECES:
        with open(folder / path, "a", encoding="utf-8") as file:
            file.write(("\n\n" if file.tell() else "") + code)
    return folder


def run(fork, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(fork), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=fork, env=environment, capture_output=True, text=True
    )


def test_one_margin_one_head_one_preset_one_test():
    assert [path for path, _ in PIECES] == [
        "lossbook/margins.py",
        "lossbook/heads/sphereface_r.py",
        "lossbook/heads/__init__.py",
        "lossbook/heads/presets.py",
        "tests/heads/test_sphereface_r.py",
    ]
    assert all(len(code.splitlines()) < 40 for _, code in PIECES)


def test_no_module_gets_too_long(fork):
    assert all(len((fork / path).read_text().splitlines()) <= 400 for path, _ in PIECES)


@pytest.mark.parametrize(
    "command",
    [
        ["pytest", "-q", "-p", "no:cacheprovider", "tests/test_layers.py"],
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
    ],
    ids=["imports go down", "lint", "format"],
)
def test_it_keeps_the_rules_for_code(fork, command):
    result = run(fork, "-m", *command)
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_own_test_passes(fork):
    result = run(
        fork, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/heads/test_sphereface_r.py"
    )
    assert result.returncode == 0 and "8 passed" in result.stdout, result.stdout + result.stderr


def test_its_own_test_sees_a_wrong_margin(fork, tmp_path):
    broken = tmp_path / "fork"
    shutil.copytree(fork, broken)
    path = broken / "lossbook/margins.py"
    path.write_text(path.read_text().replace("clamp_min(-1.0)", "clamp_min(-2.0)"))
    result = run(
        broken, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/heads/test_sphereface_r.py"
    )
    assert result.returncode == 1 and "failed" in result.stdout


def test_the_command_trains_it(fork):
    result = run(fork, "-m", "lossbook", "train", "SphereFace-R", "--epochs", "1", "--out", "here")
    assert result.returncode == 0 and "SphereFaceR(scale=16, margin=1.5)" in result.stdout, (
        result.stderr
    )
    assert "SphereFace-R" in run(fork, "-m", "lossbook", "train", "--help").stdout


def test_its_caps_are_drawn(fork):
    result = run(
        fork,
        "-c",
        "from lossbook import backbones, data, figures, heads, training\n"
        "digits = data.load('mnist5k')\n"
        "head = heads.SphereFaceR(3, 10, scale=16)\n"
        "run = training.fit(backbones.Dense(3), head, digits, epochs=1, progress=False)\n"
        "print(type(figures.sphere(run)).__name__)",
    )
    assert result.returncode == 0 and result.stdout == "NotebookFigure\n", result.stderr


def test_how_to_cite():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(
        citation
    )  # what the format asks for
    assert citation["version"] == lossbook.__version__ and citation["authors"] == [
        {"name": "The lossbook authors"}
    ]

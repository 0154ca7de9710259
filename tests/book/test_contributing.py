"""CONTRIBUTING.md's new loss, added by the letter to a copy of the library, does all that it promises."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lossbook
from tests.book.test_style import MAX_MODULE

ROOT = Path(__file__).parents[2]
PIECE = re.compile(r"`((?:lossbook|tests)/\w+\.py)`:\n\n```python\n([\s\S]*?)```")
PIECES = PIECE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """A copy of the library and its oracle with the pieces at the end of the files they name."""
    folder = tmp_path_factory.mktemp("fork")
    shutil.copytree(
        ROOT / "lossbook", folder / "lossbook", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/oracle.py", folder / "tests")
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
        "lossbook/sphereface_r.py",
        "lossbook/__init__.py",
        "tests/test_sphereface_r.py",
    ]
    assert all(len(code.splitlines()) < 40 for _, code in PIECES)


def test_no_module_gets_too_long(fork):
    assert all(len((fork / path).read_text().splitlines()) <= MAX_MODULE for path, _ in PIECES)


def test_its_own_test_passes(fork):
    said = run(fork, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_sphereface_r.py")
    assert said.returncode == 0 and "8 passed" in said.stdout, said.stdout + said.stderr


def test_its_own_test_sees_a_wrong_margin(fork, tmp_path):
    broken = tmp_path / "fork"
    shutil.copytree(fork, broken)
    path = broken / "lossbook/margins.py"
    path.write_text(path.read_text().replace("clamp_min(-1.0)", "clamp_min(-2.0)"))
    said = run(broken, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_sphereface_r.py")
    assert said.returncode == 1 and "failed" in said.stdout


def test_the_command_trains_it(fork):
    said = run(fork, "-m", "lossbook", "train", "SphereFace-R", "--epochs", "1", "--out", "here")
    assert said.returncode == 0 and "SphereFaceR(scale=16, margin=1.5)" in said.stdout, said.stderr
    assert "SphereFace-R" in run(fork, "-m", "lossbook", "--help").stdout


def test_its_caps_are_drawn(fork):
    said = run(
        fork,
        "-c",
        "from lossbook import backbones, data, figures, heads, training\n"
        "digits = data.load('mnist5k')\nrun = training.fit(backbones.Dense(3), heads.from_preset('SphereFace-R', 3, 10), digits,"
        " epochs=1, progress=False)\nprint(type(figures.sphere(run)).__name__)",
    )
    assert said.returncode == 0 and said.stdout == "NotebookFigure\n", said.stderr


def test_how_to_cite():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(said)  # what the format asks for
    assert said["version"] == lossbook.__version__ and said["authors"] == [
        {"name": "The lossbook authors"}
    ]

"""The wheel alone, without the repository: complete, importable, and able to train."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

IMPORT_EVERYTHING = """
import importlib
import pkgutil

import lossbook

for module in pkgutil.walk_packages(lossbook.__path__, "lossbook."):
    importlib.import_module(module.name)
    print(module.name)
"""

LOAD_SAVED_RESULTS = """
from lossbook.experiments import resumable, results
from lossbook.training import Run
from lossbook.utils.records import FOLDER, load_benchmark

assert results.load()
for record in FOLDER.rglob("record.json"):
    assert resumable.load(record.parent)[0]["cells"]
    print(record.parent.name)
for path in FOLDER.glob("benchmarks/*.json"):
    assert load_benchmark(path.stem)["rows"]
    print(path.stem)
for path in FOLDER.rglob("*-seed*.npz"):
    Run.load(path)
"""

TRAIN_AND_SHOW = """
from lossbook import backbones, data, heads, interactive, training

digits = data.load("mnist5k")
few = data.Split(digits.train.images[::40], digits.train.labels[::40], digits.classes)
dataset = data.Dataset("a few digits", few, few)
for embedding_dim, show in ((2, interactive.scrub), (3, interactive.sphere)):
    head = heads.ArcFace(embedding_dim, 10)
    run = training.fit(backbones.LeNetPP.small(embedding_dim), head, dataset, epochs=1)
    assert len(run.history) == 1
    assert "<script" in show(run).html
assert "<script" in interactive.margin_explorer().html
"""


def tracked_files():
    """The repository's files that are tracked by git and not deleted, relative to its root."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]


def pip(*arguments):
    command = [sys.executable, "-m", "pip", *arguments, "--no-deps", "--no-index", "--quiet"]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which nothing but the wheel is installed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: git lists the files that the wheel is built from")
    source, wheels, site = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site"))
    for name in tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    pip("wheel", str(source), "--no-build-isolation", "--wheel-dir", str(wheels))
    (wheel,) = wheels.glob("lossbook-*.whl")
    pip("install", str(wheel), "--target", str(site))
    return site


def run(site, tmp_path, *command):
    """The output of a program that runs in an empty folder and finds lossbook in ``site`` only."""
    completed = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def run_program(site, tmp_path, program):
    """The lines that a Python program prints; every module of lossbook must come from ``site``."""
    check = (
        "\nimport sys\nfor name, module in sys.modules.items():\n"
        "    if name.partition('.')[0] == 'lossbook' and module.__file__:\n"
        f"        assert module.__file__.startswith({str(site)!r}), module\n"
    )
    return run(site, tmp_path, sys.executable, "-c", program + check).splitlines()


def test_it_holds_every_file_of_the_package(site):
    for name in tracked_files():
        if name.startswith("lossbook/"):
            installed = site / name
        elif name.startswith("book/results/") and name.endswith((".json", ".npz")):
            installed = site / "lossbook/saved" / Path(name).relative_to("book/results")
        else:
            continue
        assert installed.is_file(), f"{name} is not in the wheel"
        assert installed.read_bytes() == (ROOT / name).read_bytes()


def test_every_package_and_module_is_imported(site, tmp_path):
    imported = run_program(site, tmp_path, IMPORT_EVERYTHING)
    packages = [path.parent for path in (ROOT / "lossbook").rglob("*/__init__.py")]
    assert {".".join(path.relative_to(ROOT).parts) for path in packages} <= set(imported)


def test_every_saved_result_is_loaded(site, tmp_path):
    loaded = run_program(site, tmp_path, LOAD_SAVED_RESULTS)
    assert {"strangers", "noise", "heads-cpu", "training-cpu", "book-cpu"} <= set(loaded)


def test_it_trains_and_makes_every_widget(site, tmp_path):
    run_program(site, tmp_path, TRAIN_AND_SHOW)


def test_its_command_runs(site, tmp_path):
    folder = site / ("Scripts" if os.name == "nt" else "bin")
    assert "least scale" in run(site, tmp_path, str(folder / "lossbook"), "bounds")

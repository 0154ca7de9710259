"""The notebooks run where lossbook is not: an environment without it, an empty folder, the address
in _config.yml.

Two environments stand in for Colab, both on the Python that runs the tests:

* the lock, the newest versions of everything;
* the lock with older releases before it, Colab's or of their age, of all that the notebooks and
their kernel meet.

Not tested here are Python 3.13, torch 2.11 (for which other builds would have to be installed) and
what Colab itself adds to IPython. git is told to find the repository's address in a repository made
from this working tree and tagged as a release is. Needs git, and the registry that pip uses; takes
two runs of the quickest chapter, and with ``--every-chapter`` (``make colab``) two of each.
"""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lossbook import profiles
from lossbook.training import devices
from tests.helpers.environments import COLAB, environment, outside
from tools import toc
from tools.exports import full_profile
from tools.notebooks import setup_cell

QUICKEST = "notebooks/08_nan"
TAG = setup_cell.tag()
ADDRESS = toc.repository()["url"]


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        metafunc.parametrize(
            "chapter",
            toc.chapters() if metafunc.config.getoption("--every-chapter") else [QUICKEST],
        )


# What the cell says


def first_cell(page=QUICKEST):
    cells = nbformat.read(toc.ROOT / f"{page}.ipynb", as_version=4).cells
    return next(cell for cell in cells if cell.cell_type == "code")


def run(source, monkeypatch, *, colab=False, environment=None):
    """Run a set-up cell here, where lossbook is importable; return LOSSBOOK_PROFILE afterwards."""
    monkeypatch.setenv(
        "LOSSBOOK_PROFILE", environment or ""
    )  # so that what the cell sets is taken back after the test
    if not environment:
        del os.environ["LOSSBOOK_PROFILE"]
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(
        TransformerManager().transform_cell(source), {}
    )  # there is no get_ipython: an installation would fail
    return os.environ.get("LOSSBOOK_PROFILE")


@pytest.mark.parametrize(
    "switch, colab, environment, expected",
    [
        ("quick", False, None, None),
        ("quick", False, "full", "full"),  # Jupyter, nbval: as the reader set it
        ("fast", False, None, "fast"),
        ("fast", False, "quick", "fast"),
        ("quick", True, None, "quick"),
        ("fast", True, None, "fast"),  # Colab: as the switch says, both ways
        ("quick", True, "fast", "quick"),
    ],
)
def test_switch(switch, colab, environment, expected, monkeypatch):
    source = first_cell().source.replace('profile = "quick"', f'profile = "{switch}"')
    assert run(source, monkeypatch, colab=colab, environment=environment) == expected


def test_the_switch_offers_the_profiles_that_the_chapters_are_run_with():
    offered = re.search(r"^profile = .*#@param (\[.*\])$", first_cell().source, re.M)[1]
    assert json.loads(offered) == ["quick", full_profile.PROFILE]
    assert set(json.loads(offered)) <= set(profiles.PROFILES)


@pytest.mark.parametrize("page", toc.chapters())
def test_set_up_is_folded_and_states_the_times_of_the_header(page):
    cell, text = first_cell(page), (toc.ROOT / f"{page}.md").read_text(encoding="utf-8")
    assert cell.metadata == {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert cell.source.startswith("#@title") and "not yet measured" not in text
    header = setup_cell.HEADER.search(text)
    for profile, cores in (("quick", "two CPU cores"), ("fast", "one CPU core")):
        stated = re.search(
            rf"^#@markdown \*\*{profile}\*\*: .* about (.*) on {cores}", cell.source, re.M
        )
        assert (stated and stated[1]) == header[profile]


def set_up_of(header, tmp_path):
    """The set-up cell of a chapter with this header."""
    (tmp_path / "lossbook").mkdir()
    (tmp_path / "notebooks").mkdir()
    for name in ("_config.yml", "pyproject.toml", "lossbook/_version.py"):
        (tmp_path / name).write_bytes((toc.ROOT / name).read_bytes())
    (tmp_path / "notebooks/01_a.md").write_text(f"# A\n\n{header}\n", encoding="utf-8")
    return setup_cell.source("notebooks/01_a", tmp_path)


def test_without_a_gpu_the_set_up_says_how_long_all_of_mnist_takes(tmp_path, monkeypatch, capsys):
    source = set_up_of("*Reading 9 min · CPU 40 s · all of MNIST 12 min*", tmp_path)
    chosen = source.replace('profile = "quick"', 'profile = "fast"')
    monkeypatch.setattr(devices, "pick_device", lambda: torch.device("cuda"))
    run(chosen, monkeypatch)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(devices, "pick_device", lambda: torch.device("cpu"))
    run(source, monkeypatch)
    assert capsys.readouterr().out == ""
    took = "about 12 min for this notebook on one CPU core"
    for cell, named in ((chosen, None), (source, "fast")):
        run(cell, monkeypatch, environment=named)
        assert capsys.readouterr().out == f"All of MNIST without a GPU: {took}\n"


@pytest.mark.parametrize(
    "header, profile, compared",
    [
        ("*Reading 9 min · CPU 40 s*", "fast", " (5,000 digits take about 40 s on two CPU cores)"),
        ("*Reading 9 min*", "fast", ""),
        # What was measured is the small network: it says nothing of the papers' network.
        ("*Reading 9 min · all of MNIST 12 min*", "full", ""),
    ],
)
def test_a_time_that_was_never_measured_is_not_guessed(
    header, profile, compared, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(devices, "pick_device", lambda: torch.device("cpu"))
    run(set_up_of(header, tmp_path), monkeypatch, environment=profile)
    never = "how long this notebook takes was never measured"
    assert capsys.readouterr().out == f"All of MNIST without a GPU: {never}{compared}\n"


def test_times_that_were_not_measured_stand_nowhere(tmp_path):
    source = set_up_of("*Reading 9 min*", tmp_path)
    assert "about" not in source


def test_a_chapter_without_a_header_is_refused(tmp_path):
    with pytest.raises(ValueError, match="01_a.md has no line"):
        set_up_of("*Reading 9 min · CPU 40 s · GPU not yet measured*", tmp_path)


@pytest.mark.parametrize("page", toc.chapters())
def test_lines_of_the_set_up_are_not_cut_off(page):
    assert [line for line in first_cell(page).source.splitlines() if len(line) > 78] == []


# Far from the repository


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A repository of the working tree with one commit, tagged as a release."""
    folder = tmp_path_factory.mktemp("released")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=toc.ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (path := toc.ROOT / name).is_file() and not path.is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(path.read_bytes())
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A release")
    git(folder, "tag", TAG)
    return folder


def git(folder, *arguments):
    identity = [
        "-c",
        "user.name=lossbook",
        "-c",
        "user.email=lossbook@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def of_the_lock(folder):
    return environment(folder)


def of_colab(folder):
    return environment(
        folder,
        [f"{name}=={version}" for name, version in COLAB.items()],
        without="lossbook|mlxtend",
    )


def execute(python, folder, repository, chapter=QUICKEST, cells=None):
    """The chapter's notebook after its cells were run in order, in an empty folder, by ``python``'s
    own kernel."""
    (folder / "kernels/far").mkdir(parents=True, exist_ok=True)
    (folder / "kernels/far/kernel.json").write_text(
        json.dumps(
            {
                "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "far",
                "language": "python",
            }
        )
    )
    (folder / "empty").mkdir(exist_ok=True)
    notebook = nbformat.read(toc.ROOT / f"{chapter}.ipynb", as_version=4)
    notebook.cells = notebook.cells[:cells]
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = AsyncKernelManager(kernel_name="far", kernel_spec_manager=specs)
    client = NotebookClient(
        notebook, km=manager, timeout=600, resources={"metadata": {"path": str(folder / "empty")}}
    )
    try:
        client.execute(
            env=outside(
                folder,
                GIT_CONFIG_COUNT="1",
                GIT_CONFIG_KEY_0=f"url.{repository.as_uri()}.insteadOf",
                GIT_CONFIG_VALUE_0=ADDRESS,
            )
        )
    finally:
        run_sync(manager.shutdown_kernel)(now=True)  # nbclient keeps a kernel that it was given
    return notebook


def versions(python, folder):
    """Version by name of everything that an environment's Python can import."""
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"],
        check=True,
        capture_output=True,
        text=True,
        env=outside(folder),
    ).stdout
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}


@pytest.mark.parametrize("kind", [of_the_lock, of_colab], ids=["lock", "colab"])
def test_notebook_runs_from_first_to_last_cell(kind, chapter, released, tmp_path):
    python = kind(tmp_path)
    before = versions(python, tmp_path)
    assert "lossbook" not in before and {"torch", "numpy", "ipywidgets"} <= set(before)
    notebook = execute(python, tmp_path, released, chapter)
    assert [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and not cell.execution_count
    ] == []
    after = versions(python, tmp_path)
    assert {name: after[name] for name in before} == before, "the set-up changed what was installed"
    assert set(after) - set(before) <= {"lossbook", "mlxtend"}
    assert after["lossbook"] == TAG.removeprefix("v")


def test_a_missing_tag_is_said_with_what_to_do(released, tmp_path):
    fork = tmp_path / "fork"
    subprocess.run(["git", "clone", "--quiet", "--no-tags", released, fork], check=True)
    with pytest.raises(
        CellExecutionError, match=f"{TAG} was not found: .* makes it with git tag {TAG} && "
    ):
        execute(of_the_lock(tmp_path), tmp_path, fork, cells=2)

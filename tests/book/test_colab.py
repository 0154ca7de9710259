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
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools import toc
from tools.notebooks import setup_cell

QUICKEST = "notebooks/12_nan"
# numpy, plotly, ipywidgets, ipython and traitlets as Colab has them, the others about as old;
# mlxtend is missing.
COLAB = {
    "numpy": "2.1.3",
    "pandas": "2.2.3",
    "matplotlib": "3.10.0",
    "scipy": "1.16.3",
    "scikit-learn": "1.6.1",
    "pillow": "11.3.0",
    "tqdm": "4.67.1",
    "ipywidgets": "7.7.1",
    "widgetsnbextension": "3.6.10",
    "ipython": "7.34.0",
    "ipykernel": "6.17.1",
    "jupyter-client": "7.4.9",
    "traitlets": "5.7.1",
    "tornado": "6.5.1",
    "plotly": "5.24.1",
    "backcall": "0.2.0",
    "decorator": "4.4.2",
    "entrypoints": "0.4",
    "ipython-genutils": "0.2.0",
    "nest-asyncio": "1.6.0",
    "pickleshare": "0.7.5",
    "pytz": "2025.2",
    "six": "1.17.0",
}
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
        ("full", False, None, "full"),
        ("full", False, "quick", "full"),
        ("quick", True, None, "quick"),
        ("full", True, None, "full"),  # Colab: as the switch says, both ways
        ("quick", True, "full", "quick"),
    ],
)
def test_switch(switch, colab, environment, expected, monkeypatch):
    source = first_cell().source.replace('profile = "quick"', f'profile = "{switch}"')
    assert run(source, monkeypatch, colab=colab, environment=environment) == expected


@pytest.mark.parametrize("page", toc.chapters())
def test_set_up_is_hidden_and_says_the_times_of_the_header(page):
    cell, text = first_cell(page), (toc.ROOT / f"{page}.md").read_text(encoding="utf-8")
    assert cell.metadata["cellView"] == "form" and cell.source.startswith("#@title")
    cpu, gpu = setup_cell.TIMES.search(text).groups()
    assert f" {cpu} on a CPU" in cell.source and f"GPU runtime: {gpu}." in cell.source
    assert f"CPU {cpu} · GPU {gpu}*" in text


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


def environment(folder, packages=(), without="lossbook"):
    """The Python of a new environment: what is installed here ``without`` some, and before it
    ``packages`` of its own.

    What is installed here is borrowed from outside the new environment, so the pip of that cannot
    change it.
    """
    venv.create(folder / "venv", with_pip=False)
    (folder / "layer").mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.suffix != ".pth" and not re.search(without, path.name):
            (folder / "layer" / path.name).symlink_to(path)
    python = folder / "venv/bin/python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(site) / "layer.pth").write_text(f"{folder / 'layer'}\n")
    if packages:
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", *packages],
            check=True,
            env=outside(folder),
        )
    return python


def outside(folder, **more):
    """Environment variables with nothing of the repository's own: no paths to modules, no profile,
    no data."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("LOSSBOOK_", "PYTHON", "PYTEST", "VIRTUAL_ENV", "JUPYTER", "IPYTHON")
        )
    }
    own = {
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONNOUSERSITE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return kept | own | more


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
        CellExecutionError, match=f"has not released it yet, which is done by git tag {TAG} && "
    ):
        execute(of_the_lock(tmp_path), tmp_path, fork, cells=2)

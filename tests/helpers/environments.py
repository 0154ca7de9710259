"""Environments without lossbook, for tests of what runs far from the repository."""

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

__all__ = ["COLAB", "environment", "outside"]

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
    settings = {
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONNOUSERSITE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return kept | settings | more

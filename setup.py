"""What pyproject.toml cannot state: all packages are found, and one has its files in the book."""

import re
from pathlib import Path

from setuptools import find_packages, setup

SETTINGS = (Path(__file__).parent / "_config.yml").read_text(encoding="utf-8")

# The saved results are installed as lossbook.saved, so that notebooks far from the repository can
# read them.
setup(
    packages=[*find_packages(include=["lossbook", "lossbook.*"]), "lossbook.saved"],
    # An assignment made by an installed lossbook names the repository that it came from.
    project_urls={"Repository": re.search(r"^  url: *(\S+)", SETTINGS, re.M)[1]},
    package_dir={"lossbook.saved": "book/results"},
)

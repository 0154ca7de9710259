"""What pyproject.toml cannot state: all packages are found, and one has its files in the book."""

from setuptools import find_packages, setup

# The saved results are installed as lossbook.saved, so that notebooks far from the repository can
# read them.
setup(
    packages=[*find_packages(include=["lossbook", "lossbook.*"]), "lossbook.saved"],
    package_dir={"lossbook.saved": "book/results"},
)

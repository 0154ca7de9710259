"""What pyproject.toml cannot say: every package found, and one whose files lie in the book."""

from setuptools import find_packages, setup

# The saved results travel with the package, so that a notebook far from the repository can read them.
setup(
    packages=[*find_packages(include=["lossbook", "lossbook.*"]), "lossbook.saved"],
    package_dir={"lossbook.saved": "book/results"},
)

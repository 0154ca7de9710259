"""The one cell of a notebook that the book does not have: the profile, and lossbook if missing.

It installs the release that it was made for, at the tag v{version}, from the address in
_config.yml, and changes none of the packages that lossbook needs: what Colab has, Colab keeps.
"""

import re
import textwrap
import tomllib

from tools.toc import ROOT, repository

# One line with the times that were measured; those that were not are left out.
HEADER = re.compile(
    r"^\*Reading (?P<reading>\d+) min"
    r"(?: · CPU (?P<quick>[^·*]+))?"
    r"(?: · all of MNIST (?P<fast>[^·*]+))?\*$",
    re.M,
)
SOURCE = """#@title Set-up: how much to train, and lossbook where it is missing
profile = "quick"  #@param ["quick", "fast"]
#@markdown **quick**: 5,000 digits{quick}.
#@markdown **fast**: all of MNIST{fast}.
import importlib.metadata
import importlib.util
import os
import sys

# Outside Colab, "quick" leaves LOSSBOOK_PROFILE as it is.
if profile == "fast" or "google.colab" in sys.modules:
    os.environ["LOSSBOOK_PROFILE"] = profile


def is_installed():
    spec = importlib.util.find_spec("lossbook")
    # A mere folder of that name has no origin.
    return spec is not None and spec.origin is not None


if not is_installed():
    # What lossbook needs and is here stays at its version. The first of
    # several on the path is the one in use, so it comes last here.
    distributions = list(importlib.metadata.distributions())
    versions = {{d.name.lower(): d.version for d in reversed(distributions)}}
    names = (
{names}
    )
    kept = [name for name in names.split() if name in versions]
    pins = " ".join(f"{{name}}=={{versions[name]}}" for name in kept)
    release = "git+{url}@{tag}"
    %pip install --quiet "lossbook @ {{release}}" {{pins}}
    importlib.invalidate_caches()
    if not is_installed():
        raise RuntimeError(
            "lossbook was not installed. The output of pip above says why. "
            "No connection: run this cell once more. "
            "A conflict: {tag} does not suit a package that is installed "
            "here; start a new runtime and run this cell first. "
            "{tag} was not found: tell those who gave you this notebook "
            "that the release is missing; the owner of the repository "
            "makes it with git tag {tag} && git push origin {tag}"
        )"""
WARNING = """

chosen = os.environ.get("LOSSBOOK_PROFILE", "quick")
if chosen in ("fast", "full"):
    from lossbook.training.devices import pick_device

    if pick_device().type == "cpu":
        times = {{{times}}}
        unknown = "how long this notebook takes was never measured"{comparison}
        print("All of MNIST without a GPU:", times.get(chosen, unknown))"""
COMPARISON = """
        unknown += " (5,000 digits take about {quick} on two CPU cores)\""""


def source(page, root=ROOT):
    """The set-up cell of a chapter.

    Raises ``ValueError`` if the chapter has no line under its title from which to take the times.
    """
    header = HEADER.search((root / f"{page}.md").read_text(encoding="utf-8"))
    if not header:
        raise ValueError(
            f"{page}.md has no line *Reading … min · CPU … · all of MNIST …*, in which a time that "
            "was not measured is left out. Its times stand beside the notebook's switch."
        )
    quick, fast = header["quick"], header["fast"]
    return (SOURCE + WARNING).format(
        quick=f", about {quick} on two CPU cores" if quick else "",
        fast=f", about {fast} on one CPU core" if fast else "",
        url=repository(root)["url"],
        tag=tag(root),
        names=in_quotes(requirement_names(root)),
        times=f'"fast": "about {fast} for this notebook on one CPU core"' if fast else "",
        comparison=COMPARISON.format(quick=quick) if quick else "",
    )


def in_quotes(words):
    """The words as string literals, one below the other, that together are one string."""
    lines = textwrap.wrap(" ".join(words), width=60)
    return "\n".join(f'        "{line} "' for line in lines)


def tag(root=ROOT):
    """The tag that marks the release which the sources here are, or will be."""
    text = (root / "lossbook/_version.py").read_text(encoding="utf-8")
    return "v" + re.search(r'^__version__ = "(.+)"$', text, re.M)[1]


def requirement_names(root=ROOT):
    """Names of the packages that lossbook needs, which the installation leaves as they are.

    pip has no reason to look at any others.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]]

"""The one cell of a notebook that the book does not have: the profile, and lossbook if missing.

It installs the release that it was made for, at the tag v{version}, from the address in
_config.yml, and changes none of the packages that lossbook needs: what Colab has, Colab keeps.
"""

import re
import tomllib

from tools.toc import ROOT, repository

SOURCE = """#@title Set-up: how much to train, and lossbook where it is missing
profile = "quick"  #@param ["quick", "full"]
#@markdown **quick** takes about {cpu} on a CPU.
#@markdown **full**, all of MNIST, is for a GPU runtime: {gpu}.
import importlib.metadata, importlib.util, os, sys

# Outside Colab, "quick" leaves LOSSBOOK_PROFILE as it is.
if profile == "full" or "google.colab" in sys.modules:
    os.environ["LOSSBOOK_PROFILE"] = profile

def is_installed():
    spec = importlib.util.find_spec("lossbook")
    return spec is not None and spec.origin is not None  # a mere folder of that name has no origin

if not is_installed():
    # What lossbook needs and is here stays at its version; the first on the path is the one in use.
    distributions = reversed(list(importlib.metadata.distributions()))
    versions = {{d.name.lower(): d.version for d in distributions}}
    names = "{names}"
    pins = " ".join(f"{{name}}=={{versions[name]}}" for name in names.split() if name in versions)
    %pip install --quiet "lossbook @ git+{url}@{tag}" {{pins}}
    importlib.invalidate_caches()
    if not is_installed():
        raise RuntimeError(
            "lossbook was not installed; the reason is in the output of pip above. "
            "A conflict: {tag} does not suit a version that is installed here. "
            "{tag} was not found: the owner of {url} "
            "has not released it yet, which is done by git tag {tag} && git push origin {tag}"
        )"""
TIMES = re.compile(r"^\*Reading .+ · CPU (?P<cpu>.+) · GPU (?P<gpu>.+)\*$", re.M)


def source(page, root=ROOT):
    """The set-up cell of a chapter.

    Raises ``ValueError`` if the chapter does not state under its title how long it takes.
    """
    times = TIMES.search((root / f"{page}.md").read_text(encoding="utf-8"))
    if not times:
        raise ValueError(
            f"{page}.md has no line *Reading … min · CPU … · GPU …*, "
            "whose times stand beside the notebook's switch."
        )
    return SOURCE.format(
        **times.groupdict(),
        url=repository(root)["url"],
        tag=tag(root),
        names=" ".join(requirement_names(root)),
    )


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

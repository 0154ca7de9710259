"""The one cell of a notebook that the book does not have: how much to train, and lossbook where it is missing.

It installs the release that it was made for, at the tag v{version}, from the address in _config.yml,
and changes none of the packages that lossbook needs: what Colab has, Colab keeps.
"""

import re
import tomllib

from tools.toc import ROOT, repository

SOURCE = '''#@title Set-up: how much to train, and lossbook where it is missing
profile = "quick"  #@param ["quick", "full"]
#@markdown **quick** takes about {cpu} on a CPU. **full**, all of MNIST, is for a GPU runtime: {gpu}.
import importlib.metadata, importlib.util, os, sys

if profile == "full" or "google.colab" in sys.modules:  # elsewhere "quick" leaves LOSSBOOK_PROFILE as it is
    os.environ["LOSSBOOK_PROFILE"] = profile
if getattr(importlib.util.find_spec("lossbook"), "origin", None) is None:  # a mere folder of that name has none
    found = {{d.name.lower(): d.version for d in reversed(list(importlib.metadata.distributions()))}}
    names = "{kept}"
    kept = " ".join(f"{{name}}=={{found[name]}}" for name in names.split() if name in found)
    %pip install --quiet "lossbook @ git+{url}@{tag}" {{kept}}
    importlib.invalidate_caches()
    if getattr(importlib.util.find_spec("lossbook"), "origin", None) is None:
        raise RuntimeError("lossbook was not installed; above, pip says why. "
                           "If it speaks of a conflict: {tag} does not suit a version that is installed here. "
                           "If it does not find {tag}: the owner of {url} "
                           "has not released it yet, which is done by git tag {tag} && git push origin {tag}")'''
TIMES = re.compile(r"^\*Reading .+ · CPU (?P<cpu>.+) · GPU (?P<gpu>.+)\*$", re.M)


def source(page, root=ROOT):
    """The set-up cell of a chapter; raises ``ValueError`` if its header does not say how long it takes."""
    times = TIMES.search((root / f"{page}.md").read_text(encoding="utf-8"))
    if not times:
        raise ValueError(f"{page}.md has no line *Reading … min · CPU … · GPU …*, whose times the notebook's switch says.")
    return SOURCE.format(**times.groupdict(), url=repository(root)["url"], tag=tag(root), kept=" ".join(kept(root)))


def tag(root=ROOT):
    """The tag that marks the release which the sources here are, or will be."""
    text = (root / "lossbook/_version.py").read_text(encoding="utf-8")
    return "v" + re.search(r'^__version__ = "(.+)"$', text, re.M)[1]


def kept(root=ROOT):
    """Names of the packages that stay as they are: lossbook's requirements. Others pip has no reason to look at."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]]

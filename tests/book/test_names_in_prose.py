"""A dotted name in the text, such as `bounds.limits`, is a name that exists."""

import importlib
import pkgutil
import re

import pytest

import lossbook
from lossbook.teaching import assign
from tools import toc

# First parts of names that stand for an object or a file, not for a module.
OBJECTS = {"head", "run", "repository"}
TO_BE_WRITTEN = {"heads.SphereFaceR"}  # the example of CONTRIBUTING.md
ELSEWHERE = {"torch", "numpy"}
SUFFIXES = "ipynb", "md", "yml", "py", "json", "npz", "txt", "cff"
TEXTS = {
    **{page: (toc.ROOT / f"{page}.md") for page in toc.pages()},
    **{f"assignment {number}": assign.TEXTS / f"{number}.md" for number in assign.chapters()},
    "README": toc.ROOT / "README.md",
    "CONTRIBUTING": toc.ROOT / "CONTRIBUTING.md",
}


def names_in(text):
    """Dotted names in code within the text, without the blocks of code."""
    prose = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    names = re.findall(r"(?<!`)`([A-Za-z_]\w*(?:\.\w+)+)(?:\([^`]*\))?`", prose)
    return [name for name in names if not name.endswith(SUFFIXES)]


def modules_by_name():
    """The modules of the library by the last part of their names, such as ``bounds``."""
    modules = {"lossbook": [lossbook]}
    for info in pkgutil.walk_packages(lossbook.__path__, "lossbook."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            modules.setdefault(info.name.split(".")[-1], []).append(module)
    return modules


MODULES = modules_by_name()


def exists(name):
    """Whether a dotted name can be reached from a module that is called like its first part."""
    first, *rest = name.split(".")
    modules = MODULES.get(first, [])
    if first in ELSEWHERE:
        modules = [importlib.import_module(first)]
    return any(reaches(module, rest) for module in modules)


def reaches(place, parts):
    """Whether each of the parts is an attribute of the one before, from ``place`` on."""
    for part in parts:
        place = getattr(place, part, None)
        if place is None:
            return False
    return True


@pytest.mark.parametrize("title", TEXTS)
def test_every_name_exists(title):
    names = set(names_in(TEXTS[title].read_text(encoding="utf-8"))) - TO_BE_WRITTEN
    assert [n for n in names if n.split(".")[0] not in OBJECTS and not exists(n)] == []


def test_a_stale_name_is_seen():
    text = "`folders.omniglot()` and `bounds.limits`\n```\n`old.name`\n```\n`figures.no_such`"
    names = names_in(text)
    assert names == ["folders.omniglot", "bounds.limits", "figures.no_such"]
    assert [exists(name) for name in names] == [False, True, False]

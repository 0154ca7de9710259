"""Imports run one way: each room of the library imports only from the rooms below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = {
    "cli": 7, "__main__": 8,
    "teaching": 6, "benchmarks": 6, "experiments": 6, "interactive": 6,
    "figures": 5,
    "training": 4,
    "heads": 3, "metrics": 3,
    "margins": 2, "euclidean_losses": 2, "bounds": 2, "data": 2, "profiles": 2,
    "utils": 1, "backbones": 1, "_version": 1,
}  # fmt: skip
TOP = 9  # the package itself, which leads to every room


def imported_modules(path, package):
    """Every module that a file of ``package`` imports, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: 1 - node.level or None]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def wrong_imports(root):
    """(file, imported module) of each import that goes up, sideways, or out of the library."""
    wrong = []
    for path in sorted((root / "lossbook").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("lossbook", "__init__"):
            continue
        room = parts[1]
        for module in imported_modules(path, ".".join(parts[:-1])):
            names = module.split(".")
            if names[0] in ("tools", "tests", "notebooks"):
                wrong.append((path.name, module))
            elif names[0] == "lossbook":
                imported = names[1] if len(names) > 1 else "the whole library"
                if imported != room and LEVELS.get(imported, TOP) >= LEVELS[room]:
                    wrong.append((path.name, module))
    return wrong


def test_every_room_is_in_the_table():
    rooms = {path.stem for path in (ROOT / "lossbook").glob("*.py")}
    rooms |= {path.parent.name for path in (ROOT / "lossbook").glob("*/__init__.py")}
    assert rooms - {"__init__"} == set(LEVELS)


def test_no_import_goes_up_or_sideways():
    assert wrong_imports(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("heads/base.py", "from lossbook import figures"),
        ("heads/base.py", "def late():\n    from lossbook.training.loop import fit"),
        ("metrics/angular.py", "import lossbook.heads.base"),
        ("utils/files.py", "from ..data import mnist"),
        ("figures/views.py", "from lossbook.interactive.widget import Widget"),
        ("training/loop.py", "import lossbook"),
        ("training/loop.py", "from lossbook import __version__"),
        ("training/loop.py", "from tools import toc"),
    ],
)
def test_a_planted_import_is_caught(tmp_path, file, line):
    path = tmp_path / "lossbook" / file
    path.parent.mkdir(parents=True)
    path.write_text("import math\nfrom lossbook.utils.validation import require\n")
    assert wrong_imports(tmp_path) == []
    path.write_text(line + "\n")
    assert [name for name, _ in wrong_imports(tmp_path)][:1] == [path.name]

"""The lock holds on every Python the project promises, and this environment is what it says."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
LOCK = dict(
    re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
)


def test_lock_names_releases_and_no_local_builds():
    assert len(LOCK) > 50
    assert [f"{name}=={version}" for name, version in LOCK.items() if "+" in version] == []


@pytest.mark.parametrize("name", LOCK)
def test_locked_package_is_installed_and_accepts_the_oldest_python(name):
    oldest = re.search(
        r">=([\d.]+)",
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"],
    )[1]
    installed = metadata.metadata(name)
    assert installed["Version"].partition("+")[0] == LOCK[name], (
        "another release than the lock's: run make test again"
    )
    assert SpecifierSet(installed.get("Requires-Python") or "").contains(f"{oldest}.0")

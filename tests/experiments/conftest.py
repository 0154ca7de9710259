"""The commands of experiments, on toys."""

import pytest

from lossbook import data, profiles
from tests.helpers.records import RECIPE
from tests.helpers.toys import tiny_backbone, toy_dataset


@pytest.fixture
def on_toys(monkeypatch, tmp_path):
    """Options that make a command train a tiny backbone on the toy data set, into ``tmp_path``."""
    monkeypatch.setattr(data, "load", lambda name: toy_dataset())
    quick = profiles.PROFILES["quick"]._replace(
        backbone=lambda embedding_dim: tiny_backbone(), recipe=RECIPE
    )
    monkeypatch.setitem(profiles.PROFILES, "quick", quick)
    return ["--profile", "quick", "--out", str(tmp_path)]

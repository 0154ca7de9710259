"""The profiles of the book: which data and network each takes."""

import pytest

from lossbook import backbones, profiles, training


def test_profiles(monkeypatch):
    monkeypatch.delenv("LOSSBOOK_PROFILE", raising=False)
    assert profiles.current().dataset == "mnist5k"
    monkeypatch.setenv("LOSSBOOK_PROFILE", "full")
    assert (
        profiles.current().dataset == "mnist" and profiles.current().backbone is backbones.LeNetPP
    )
    monkeypatch.setenv("LOSSBOOK_PROFILE", "fulll")
    with pytest.raises(ValueError, match="'fulll': expected one of quick, full, fast"):
        profiles.current()
    for profile in profiles.PROFILES.values():
        training.Recipe(**profile.recipe)

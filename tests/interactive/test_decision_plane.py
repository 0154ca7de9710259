"""The decision plane: it starts from the settings given, and bad input is refused."""

import importlib
import re

import pytest
import torch

from lossbook import figures, interactive, margins
from lossbook.interactive.widget import WEB
from tests.helpers.widgets import read_data

module = importlib.import_module("lossbook.interactive.decision_plane")
SETTINGS = {"none": (1, 0, 0), "arc": (1, 0.3, 0), "all": (0.9, 0.4, 0.15)}


def test_the_script_gets_the_settings_and_starts_at_the_first_margin():
    data = read_data(interactive.decision_plane(SETTINGS, apart=36))
    assert {title: tuple(row.values()) for title, row in data["settings"].items()} == SETTINGS
    assert all(list(row) == ["m1", "m2", "m3"] for row in data["settings"].values())
    assert (data["start"], data["apart"], len(data["colors"])) == ("arc", 36, 2)
    assert read_data(interactive.decision_plane({"none": (1, 0, 0)}))["start"] == "none"


def test_the_still_picture_is_the_figure_of_the_chapters(monkeypatch):
    drawn, draw = [], figures.decision_boundaries
    monkeypatch.setattr(
        figures,
        "decision_boundaries",
        lambda functions, **settings: drawn.append((functions, settings)) or draw(functions),
    )
    widget = interactive.decision_plane(SETTINGS, apart=36)
    ((functions, settings),) = drawn
    assert list(functions) == list(SETTINGS) and settings == {"apart": 36}
    for cos in (-0.5, 0.0, 0.9):
        for title, setting in SETTINGS.items():
            cosines = torch.tensor([cos])
            assert functions[title](cosines) == margins.combined(cosines, *setting)
    assert "one square per setting (none: m1 = 1, m2 = 0, m3 = 0; arc: m1 = 1, m2 = 0.3" in repr(
        widget
    )
    assert "class vectors are 36 degrees apart" in repr(widget)


def test_the_sliders_are_those_of_the_script():
    sliders = (WEB / "margin_sliders.js").read_text(encoding="utf-8")
    rows = re.findall(r'^  \["(m\d)", .*?", ([\d.]+), ([\d.]+), [\d.]+, value', sliders, re.M)
    assert {name: (float(low), float(high)) for name, low, high in rows} == module.SLIDERS
    script = (WEB / "decision_plane.js").read_text(encoding="utf-8")
    assert '["apart", "Δ", "apart", {}, {}, '.format(*module.APART) in script


@pytest.mark.parametrize(
    "settings, apart, message",
    [
        ({}, 90, "settings is empty"),
        ({"a": (1, 0)}, 90, r"settings\['a'\] = \(1, 0\): expected three numbers"),
        ({"a": (5, 0, 0)}, 90, "m1 of 'a' = 5: its slider goes from 0.5 to 4"),
        ({"a": (1, 2, 0)}, 90, "m2 of 'a' = 2: .* 0 to 1.5"),
        ({"a": (1, 0, float("nan"))}, 90, "m3 of 'a' = nan"),
        ({"a": (1, 0, -0.1)}, 90, "m3 of 'a' = -0.1"),
        (SETTINGS, 5, "apart = 5: its slider goes from 10 to 180"),
    ],
)
def test_refusals_say_why(settings, apart, message):
    with pytest.raises(ValueError, match=message):
        interactive.decision_plane(settings, apart)

"""The margin explorer starts from the presets of the library."""

import pytest

from lossbook import heads, interactive
from tests.helpers.widgets import read_data


def test_the_explorer_offers_the_presets_of_the_library():
    decoded = read_data(interactive.margin_explorer("CosFace_v2", num_classes=8, embedding_dim=7))
    presets = {name: heads.Preset(**row) for name, row in decoded["presets"].items()}
    assert {name: presets[name] for name in heads.PRESETS} == heads.PRESETS
    twins = set(presets) - set(heads.PRESETS) - set(decoded["adaptive"])
    assert {heads.preset_from_name(name) for name in twins} == {presets[name] for name in twins}
    assert len(twins) == 6 and "ArcFace_v3_s16" in twins
    assert set(decoded["adaptive"]) == {"AdaFace", "MagFace"}
    assert (decoded["preset"], decoded["C"], decoded["d"]) == ("CosFace_v2", 8, 7)
    with pytest.raises(KeyError, match="no preset 'CosFace'.*CosFace_v1"):
        interactive.margin_explorer("CosFace")


@pytest.mark.parametrize("name", ["AdaFace", "MagFace"])
def test_a_margin_of_the_length_starts_as_its_head_has_it_at_medium_length(name):
    decoded = read_data(interactive.margin_explorer(name))
    head, row = heads.from_preset(name, 2, 2), heads.Preset(**decoded["presets"][name])
    constants = decoded["adaptive"][name]
    settings = {key: constants[key] for key in head.hyperparameters if key in constants}
    assert settings == {key: head.hyperparameters[key] for key in settings} and len(settings) > 2
    if name == "AdaFace":
        assert (row.scale, row.m3, constants["start"]["v"]) == (head.scale, head.margin, 0)
    else:
        ends = head.low_length, head.high_length
        assert constants["start"]["a"] == sum(ends) / 2 and ends == (10, 110)  # as the slider's
        assert row.m2 == pytest.approx((head.low_margin + head.high_margin) / 2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: interactive.margin_explorer(num_classes=1), "num_classes = 1"),
        (lambda: interactive.margin_explorer(embedding_dim=31), "embedding_dim = 31"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()

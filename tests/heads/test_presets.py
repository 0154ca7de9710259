"""Rows of the results tables by name: presets, twins with a feasible scale, losses with their own numbers."""

import pytest

from lossbook import bounds, heads
from lossbook.experiments import rows
from lossbook.heads.presets import head_from_name, preset_from_name


def test_a_preset_is_its_own_row():
    for name, preset in heads.PRESETS.items():
        assert preset_from_name(name) == preset


@pytest.mark.parametrize(
    "name, loss",
    [
        ("ArcFace_v1_s16", "ArcFace(scale=16, margin=0.1)"),
        ("norm-softmax_s16", "NormSoftmax(scale=16)"),
        ("CosFace_s30_m0.4", "CosFace(scale=30, margin=0.4)"),
        ("CosFace_v2_m0.35", "CosFace(scale=4, margin=0.35)"),
        ("ArcFace_s64_m0.5", "ArcFace(scale=64, margin=0.5)"),
        ("A-softmax_m4", "SphereFace(margin=4)"),
        ("L-softmax_m4", "LSoftmax(margin=4)"),
    ],
)
def test_scale_and_margin_in_a_name(name, loss):
    assert head_from_name(name, 2, 10).name == loss


@pytest.mark.parametrize(
    "name, says",
    [
        ("ArcFac", "did you mean ArcFace_v"),
        ("ArcFace", "ArcFace needs a margin"),
        ("softmax_s16", "no scale to set"),
        ("softmax_m0.1", "no margin to set"),
        ("norm-softmax_m0.1", "no margin to set"),
        ("", "no preset ''"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name, says):
    with pytest.raises(KeyError) as error:
        preset_from_name(name)
    assert says in error.value.args[0]


@pytest.mark.parametrize("classes", [4, 8, 10, 20])
def test_a_twin_has_the_least_whole_scale_that_is_feasible(classes):
    for name, preset in heads.PRESETS.items():
        twin = rows.with_feasible_scale(name, classes)
        if not preset.x_norm or bounds.centre_posterior(preset.scale, classes) >= 0.9:
            assert twin is None
        else:
            scale = preset_from_name(twin).scale
            assert preset_from_name(twin)._replace(scale=preset.scale) == preset
            assert (
                bounds.centre_posterior(scale - 1, classes)
                < 0.9
                <= bounds.centre_posterior(scale, classes)
            )


def test_a_preset_without_a_row_still_has_a_head(monkeypatch):
    monkeypatch.setitem(heads.MORE_PRESETS, "Own", lambda d, C: heads.CosFace(d, C, scale=3))
    assert head_from_name("Own", 2, 10).name == "CosFace(scale=3, margin=0.35)"
    with pytest.raises(KeyError, match="no row of lengths"):
        preset_from_name("Own")


def test_everything_is_every_preset_and_its_twin():
    names = rows.all_rows(10)
    assert [name for name in names if name in heads.PRESETS] == list(heads.PRESETS)
    assert [name for name in names if name not in heads.PRESETS] == [
        "norm-softmax_s16",
        "CosFace_v1_s16",
        "CosFace_v2_s16",
        "ArcFace_v1_s16",
        "ArcFace_v2_s16",
        "ArcFace_v3_s16",
    ]


def test_no_twin_is_named_by_the_circles_bound_elsewhere():
    assert rows.all_rows(10, 3) == list(heads.PRESETS), (
        "between circle and simplex no bound is known"
    )
    assert (
        rows.with_feasible_scale("norm-softmax", 10, 9) == "norm-softmax_s4"
        and rows.with_feasible_scale("ArcFace_v1", 10, 9) is None
    )

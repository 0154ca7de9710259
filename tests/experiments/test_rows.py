"""Rows of the results tables: presets, and their twins with a feasible scale."""

import pytest

from lossbook import bounds, heads
from lossbook.experiments import rows
from lossbook.heads import preset_from_name


@pytest.mark.parametrize("classes", [4, 8, 10, 20])
def test_a_twin_has_the_least_whole_scale_that_is_feasible(classes):
    for name, preset in heads.PRESETS.items():
        twin = rows.with_feasible_scale(name, classes)
        if not preset.unit_embedding or bounds.centre_posterior(preset.scale, classes) >= 0.9:
            assert twin is None
        else:
            scale = preset_from_name(twin).scale
            assert preset_from_name(twin)._replace(scale=preset.scale) == preset
            assert bounds.centre_posterior(scale - 1, classes) < 0.9
            assert bounds.centre_posterior(scale, classes) >= 0.9


def test_all_rows_are_every_preset_and_its_twin():
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
    assert rows.with_feasible_scale("norm-softmax", 10, 9) == "norm-softmax_s4"
    assert rows.with_feasible_scale("ArcFace_v1", 10, 9) is None

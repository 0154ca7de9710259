"""The sector ring: its slider ends a quarter beyond the bound, and bad input is refused."""

import math

import pytest

from lossbook import bounds, interactive
from tests.helpers.widgets import read_data


@pytest.mark.parametrize(
    "loss, name, margin, limit",
    [
        ("CosFace", "m3", 0.1, bounds.greatest_cosine_margin(8)),
        ("ArcFace", "m2", 0.3, 2 * math.pi / 8),
        ("SphereFace", "m1", 2, None),
    ],
)
def test_the_slider_starts_at_the_margin_and_ends_beyond_the_bound(loss, name, margin, limit):
    data = read_data(interactive.sector_ring(loss, margin, num_classes=8))
    assert (data["name"], data["margin"]) == (name, margin)
    assert data["classes"] == [str(j) for j in range(8)] and len(data["colors"]) == 8
    if limit is None:
        assert (data["limit"], data["least"], data["most"]) == (None, 1, 4)
    else:
        assert data["limit"] == pytest.approx(limit) and data["least"] == 0
        assert 1.25 * limit <= data["most"] < 1.25 * limit + 0.05


def test_the_still_picture_shows_the_margin_and_both_ends():
    assert "m = 0.3 rad, and with the ends of its slider, 0 and 0.8;" in repr(
        interactive.sector_ring("ArcFace", 0.3)
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: interactive.sector_ring("arcface"),
            "loss = 'arcface': expected one of SphereFace",
        ),
        (lambda: interactive.sector_ring("ArcFace", 0.9), "margin = 0.9: .* from 0 to 0.8 rad"),
        (lambda: interactive.sector_ring("SphereFace", 0.5), "margin = 0.5: .* from 1 to 4"),
        (lambda: interactive.sector_ring(margin=float("nan")), "margin = nan"),
        (lambda: interactive.sector_ring(num_classes=1), "num_classes = 1"),
        (lambda: interactive.sector_ring(margin=0.1, num_classes=11), "num_classes = 11"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Curves against the scale: the lines are the values that were given."""

import numpy as np
import pytest

from lossbook import figures


def test_best_posteriors_draws_each_curve_over_the_scales():
    scales, curves = [1, 4, 64], {"circle": [0.1, 0.4, 1.0], "simplex": [0.2, 0.9, 1.0]}
    (ax,) = figures.best_posteriors(scales, curves).axes
    for line, (label, posteriors) in zip(ax.lines, curves.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata(), np.stack([scales, posteriors], axis=1))
    assert ax.get_xscale() == "log" and ax.get_xlim() == (1, 64)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(curves)


def test_force_curves_draws_what_lacks_above_and_the_force_below():
    theta, lacking, force = [0, 36, 72], [0.8, 0.9, 1.0], [0.0, 0.5, 0.9]
    above, below = figures.force_curves(theta, {"s = 1": (lacking, force)}, boundary=18).axes
    for ax, values in ((above, lacking), (below, force)):
        curve, boundary = ax.lines
        np.testing.assert_array_equal(curve.get_xydata(), np.stack([theta, values], axis=1))
        assert list(boundary.get_xdata()) == [18, 18]
    assert list(below.get_xticks()) == [0, 18, 36, 54, 72]


@pytest.mark.parametrize(
    "draw",
    [lambda: figures.best_posteriors([1, 2], {}), lambda: figures.force_curves([0, 1], {}, 1)],
)
def test_no_curves_are_refused(draw):
    with pytest.raises(ValueError, match="curves is empty"):
        draw()

"""Target curves and their derivatives against finite differences."""

import math

import numpy as np
import pytest
import torch

from lossbook import figures
from tests.helpers.drawings import TARGETS


@pytest.mark.parametrize("label", [*TARGETS, "raw cos 4θ"])
def test_target_curves_and_their_slopes(label):
    function = {**TARGETS, "raw cos 4θ": lambda cos: torch.cos(4 * torch.arccos(cos))}[label]
    curve, slope = (ax.lines[0] for ax in figures.target_curves({label: function}, points=360).axes)
    theta, step = np.radians(curve.get_xdata()), 1e-6
    assert 0 < theta.min() < 0.01 and math.pi - 0.01 < theta.max() < math.pi

    def at(angle):
        return function(torch.cos(torch.tensor(angle))).numpy()

    np.testing.assert_allclose(curve.get_ydata(), at(theta))
    np.testing.assert_allclose(
        slope.get_ydata(), (at(theta + step) - at(theta - step)) / (2 * step), atol=1e-4
    )


def test_pulls_are_drawn_where_they_exist_and_marked_where_not():
    def arcface(x, w):
        return torch.cos(torch.arccos((x @ w.to(x.dtype)).clamp(-1, 1)) + 0.3)

    panels = figures.pulls_by_precision({"arccos": arcface}, 0.3, points=60).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["float32", "float16", "bfloat16"]
    for ax, eps in zip(panels, (2**-23, 2**-10, 2**-7)):
        paper, pull = ax.lines[:2]
        np.testing.assert_allclose(
            paper.get_ydata(), np.sin(np.radians(paper.get_xdata()) + 0.3), rtol=1e-6
        )
        finite = np.isfinite(pull.get_ydata())
        marked = ax.collections[0].get_offsets()[:, 0]
        np.testing.assert_array_equal(marked, pull.get_xdata()[~finite])
        # a cosine is 1 up to about the root of eps / 2
        assert math.radians(marked.max()) == pytest.approx(math.sqrt(eps / 2), rel=0.3)
    finite = np.isfinite(panels[0].lines[1].get_ydata())
    paper, pull = (line.get_ydata()[finite] for line in panels[0].lines[:2])
    np.testing.assert_allclose(pull[-20:], paper[-20:], rtol=1e-2)


def test_curves_against_the_angle_are_in_degrees():
    theta = np.linspace(0, 1, 5)
    panels = {"pull": {"a": theta, "b": 2 * theta}, "force": {"a": theta**2, "b": theta}}
    first, second = figures.against_angle(theta, panels, boundary=0.5).axes
    assert [ax.get_ylabel() for ax in (first, second)] == ["pull", "force"]
    for ax, curves in zip((first, second), panels.values()):
        *lines, upright = ax.lines
        for line, (label, values) in zip(lines, curves.items(), strict=True):
            assert line.get_label() == label
            np.testing.assert_allclose(line.get_xdata(), np.degrees(theta))
            np.testing.assert_allclose(line.get_ydata(), values)
        assert upright.get_xdata()[0] == pytest.approx(math.degrees(0.5))
    assert "29°" in second.get_xlabel()


def test_a_rival_is_drawn_over_all_cosines():
    def twice_beyond_half(cos):
        return torch.where(cos > 0.5, 2 * cos, cos)

    ax = figures.rival_curves({"plain": lambda cos: cos, "twice": twice_beyond_half}, 0.5).axes[0]
    plain, twice = ax.lines[:2]
    assert plain.get_ydata() == pytest.approx(plain.get_xdata())
    assert twice.get_ydata()[-1] == 2 and twice.get_ydata()[0] == -1
    assert ax.lines[2].get_xdata()[0] == 0.5


def test_best_posteriors_draws_each_curve_over_the_scales():
    scales, curves = [1, 4, 64], {"circle": [0.1, 0.4, 1.0], "simplex": [0.2, 0.9, 1.0]}
    (ax,) = figures.best_posteriors(scales, curves).axes
    for line, (label, posteriors) in zip(ax.lines, curves.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata(), np.stack([scales, posteriors], axis=1))
    assert ax.get_xscale() == "log" and ax.get_xlim() == (1, 64)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(curves)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: figures.target_curves({}), ValueError, "functions is empty"),
        (lambda: figures.best_posteriors([1, 2], {}), ValueError, "curves is empty"),
        (
            lambda: figures.target_curves({"flat": lambda cos: torch.zeros_like(cos)}),
            TypeError,
            "'flat'.*gradient",
        ),
        (
            lambda: figures.target_curves({"sum": lambda cos: cos.sum()}),
            TypeError,
            r"'sum'.*shape \(\)",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

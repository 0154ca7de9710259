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


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: figures.target_curves({}), ValueError, "functions is empty"),
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

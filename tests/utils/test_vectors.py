"""Directions and lengths in float32 or wider, at any scale."""

import math

import pytest
import torch

from lossbook.utils.vectors import at_least_float32, polar, safe_to_square


@pytest.mark.parametrize(
    "dtype, expected",
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_alone_is_widened(dtype, expected):
    assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == expected


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_polar_is_direction_and_length_at_any_scale(scale):
    vectors = torch.tensor([[3.0, 4.0], [-6.0, 8.0]]) * scale
    direction, length = polar(vectors, shortest=1e-35)
    torch.testing.assert_close(direction, torch.tensor([[0.6, 0.8], [-0.6, 0.8]]))
    torch.testing.assert_close(length, torch.tensor([5.0, 10.0]) * scale)


def test_gradient_of_a_direction_is_that_of_division_by_the_length():
    vectors = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: polar(v, 1e-12), vectors)


def test_a_zero_row_has_a_zero_direction_and_gradient():
    vectors = torch.zeros(1, 3, requires_grad=True)
    direction, length = polar(vectors, 1e-12)
    direction.sum().backward()
    assert not direction.any() and length == 0 and not vectors.grad.any()


def test_a_row_that_is_too_short_has_a_bounded_gradient():
    vectors = torch.tensor([[1e-20, 0.0]], requires_grad=True)
    direction, _ = polar(vectors, shortest=1e-12)
    direction.sum().backward()
    assert direction.norm() < 1 and vectors.grad.abs().max() <= 1.01e12


@pytest.mark.parametrize(
    "lengths, least, safe",
    [
        ([1.0, 2.0**39], None, True),
        ([1.0, 2.0**40], None, False),
        ([1.0, 2.0**-41], None, False),
        ([0.0, 1.0], 0.0, True),
        ([math.nan, 1.0], None, False),
    ],
)
def test_lengths_that_can_be_squared(lengths, least, safe):
    options = {} if least is None else {"least": least}
    assert safe_to_square(torch.tensor(lengths), **options) is safe

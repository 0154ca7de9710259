"""Margins against the papers' formulas, and the properties every margin must have."""

import doctest
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook import margins
from tests.helpers import oracle

THETA = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
NAMED = {
    "lsoftmax m=4": lambda cos: margins.lsoftmax(cos, 4),
    "sphereface m=3": lambda cos: margins.sphereface(cos, 3),
    "sphereface m=1.35": lambda cos: margins.sphereface(cos, 1.35),
    "cosface m=.35": lambda cos: margins.cosface(cos, 0.35),
    "arcface m=.5": lambda cos: margins.arcface(cos, 0.5),
    "combined": lambda cos: margins.combined(cos, 1.2, 0.3, 0.2),
    "combined m1=.9": lambda cos: margins.combined(cos, 0.9, 0.4, 0.15),
}
m1s, m2s, m3s = st.floats(1, 8), st.floats(0, 3), st.floats(0, 1.9)
cosines = st.floats(-1, 1)


def at(function, cosine):
    return float(function(torch.tensor([cosine], dtype=torch.float64)))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 1.35, 2.5])
@pytest.mark.parametrize("function", [margins.lsoftmax, margins.sphereface])
def test_psi_equals_the_piecewise_formula(function, m):
    expected = torch.tensor([oracle.psi(t, m) for t in THETA.tolist()], dtype=torch.float64)
    torch.testing.assert_close(function(torch.cos(THETA), m), expected, atol=1e-7, rtol=0)


@given(cosines, m1s, m2s, m3s)
def test_combined_equals_the_formula(cosine, m1, m2, m3):
    expected = oracle.turned(math.acos(cosine), m1, m2) - m3
    assert at(lambda c: margins.combined(c, m1, m2, m3), cosine) == pytest.approx(
        expected, abs=1e-9
    )


@given(cosines, st.floats(0, math.pi - 1e-6))
def test_arcface_is_cos_of_the_turned_angle_below_pi(cosine, m):
    theta = math.acos(cosine)
    if theta + m <= math.pi:
        assert at(lambda c: margins.arcface(c, m), cosine) == pytest.approx(
            math.cos(theta + m), abs=1e-9
        )


@pytest.mark.parametrize("name", NAMED)
def test_strictly_decreasing_and_continuous(name):
    steps = NAMED[name](torch.cos(THETA)).diff()
    assert (steps < 0).all()
    assert steps.abs().max() < 8 * (THETA[1] - THETA[0])  # no jump: |dΦ/dθ| ≤ m1


@given(m1s, m2s, m3s, st.floats(0, math.pi), st.floats(1e-3, 1))
def test_decreasing_for_every_margin(m1, m2, m3, theta, step):
    further = min(math.pi, theta + step)

    def value(t):
        return at(lambda c: margins.combined(c, m1, m2, m3), math.cos(t))

    # rounding of cos θ near 0 and π moves the angle by up to √(2ε), hence the tolerance
    assert value(further) <= value(theta) + 1e-6


@given(cosines, m1s, m2s, m3s)
def test_a_margin_never_raises_the_target(cosine, m1, m2, m3):
    assert at(lambda c: margins.combined(c, m1, m2, m3), cosine) <= cosine + 1e-9


@pytest.mark.parametrize(
    "function",
    [
        lambda c: margins.lsoftmax(c, 1),
        lambda c: margins.sphereface(c, 1),
        lambda c: margins.cosface(c, 0),
        lambda c: margins.arcface(c, 0),
        lambda c: margins.combined(c, 1, 0, 0),
    ],
)
def test_no_margin_is_the_plain_cosine(function):
    cos = torch.cos(THETA)
    assert torch.equal(function(cos), cos)


@pytest.mark.parametrize("name", NAMED)
def test_gradcheck(name):
    cos = torch.linspace(-0.97, 0.97, 60, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(NAMED[name], cos)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMED)
def test_gradient_is_finite_and_not_lost_at_the_ends(name, dtype):
    cos = torch.tensor([1.0, -1.0, 0.0, 1 - 1e-3], dtype=dtype, requires_grad=True)
    value = NAMED[name](cos)
    value.sum().backward()
    assert value.dtype == dtype
    assert torch.isfinite(value).all() and torch.isfinite(cos.grad).all()
    assert (cos.grad > 0).all()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_slope_at_the_ends_is_the_limit(m):
    """d cos(mθ)/d cos θ is the Chebyshev T_m', which is ±m² at ±1; ψ's is +m² at both."""
    cos = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    margins.sphereface(cos, m).sum().backward()
    torch.testing.assert_close(
        cos.grad, torch.full((2,), float(m * m), dtype=torch.float64), rtol=1e-6, atol=0
    )


def test_slope_is_the_true_one_not_straight_through():
    cos = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    margins.arcface(cos, 0.5).backward()
    theta = math.acos(0.3)
    assert cos.grad.item() == pytest.approx(math.sin(theta + 0.5) / math.sin(theta), rel=1e-12)


def test_second_derivatives():
    cos = torch.linspace(-0.8, 0.8, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(NAMED["arcface m=.5"], cos)


def test_a_cosine_rounded_past_one_is_read_as_one():
    past = torch.tensor([1.0000001, -1.0000001])
    assert torch.equal(margins.arcface(past, 0.5), margins.arcface(past.clamp(-1, 1), 0.5))


def test_easy_margin_leaves_the_far_half_alone():
    cos = torch.cos(THETA)
    easy = margins.arcface(cos, 0.5, easy_margin=True)
    far = cos <= 0
    assert torch.equal(easy[far], cos[far])
    torch.testing.assert_close(easy[~far], torch.cos(THETA[~far] + 0.5), atol=1e-7, rtol=0)
    jump = easy[far][0] - easy[~far][-1]
    assert jump > 0.4  # why it is not monotone: up by sin m


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda c: margins.lsoftmax(c, 0.5), "at least 1"),
        (lambda c: margins.sphereface(c, math.nan), "nan"),
        (lambda c: margins.cosface(c, -0.1), "-0.1"),
        (lambda c: margins.cosface(c, 2), r"\[0, 2\)"),
        (lambda c: margins.arcface(c, 28.6), "math.radians"),
        (lambda c: margins.arcface(c, -0.5), "radians"),
        (lambda c: margins.combined(c, 0, 0, 0), "m1 = 0"),
        (lambda c: margins.combined(c, 1, math.inf, 0), "m2 = inf"),
        (
            lambda c: margins.arcface(c, torch.tensor(0.5, requires_grad=True)),
            "requires a gradient",
        ),
        (
            lambda c: margins.cosface(c, torch.tensor(0.5, requires_grad=True)),
            "requires a gradient",
        ),
    ],
)
def test_margins_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(3))


@pytest.mark.parametrize("cos", [torch.zeros(3, dtype=torch.int64), [0.1], 0.1])
def test_cosines_of_the_wrong_kind(cos):
    with pytest.raises(TypeError, match="floating-point tensor"):
        margins.arcface(cos, 0.5)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(margins).attempted and not doctest.testmod(margins).failed

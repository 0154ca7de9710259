r"""Margin functions: what each loss does to the cosine of the target angle.

Every function here takes the cosine of the angle :math:`\theta_y` between an embedding and
its own class vector, shape ``(N,)``, and returns the margined target, shape ``(N,)``. The
cosines of the other classes are never touched: that is the whole difference between these
losses and softmax. Angles are in radians.

All of them are one function, the unified target logit of the ArcFace paper (Deng et al. 2019,
eq. 4), continued so that it keeps falling:

.. math::
   \Phi(u) - m_3, \qquad u = m_1 \theta + m_2, \qquad
   \Phi(u) = (-1)^k \cos u - 2k, \quad k = \lfloor u / \pi \rfloor .

:math:`\Phi` equals :math:`\cos u` up to :math:`u = \pi`. Raw :math:`\cos u` rises again
there, and would reward a sample for moving away from its class; :math:`\Phi` falls everywhere.
It is the piecewise ψ of L-softmax (Liu et al. 2016, eq. 6), stated once for every margin.
"""

import math
import numbers

import torch

from lossbook.utils.validation import require
from lossbook.utils.vectors import at_least_float32

__all__ = ["lsoftmax", "sphereface", "cosface", "arcface", "combined"]


def lsoftmax(cos, m):
    r"""ψ(θ) = (−1)^k cos(mθ) − 2k, the multiplicative angular margin of L-softmax.

    Source: Liu et al., "Large-Margin Softmax Loss", ICML 2016, eq. 6.

    Parameters
    ----------
    cos : Tensor, shape (N,), any floating dtype
        Target cosines in [−1, 1].
    m : float, at least 1
        Multiplier of the angle. Integers in the papers; the definition holds for any real m.

    Returns
    -------
    Tensor, shape (N,), same dtype: between −(2m − 1) (for integer m) and 1.

    Raises
    ------
    ValueError
        If ``m < 1`` or ``m`` is not finite.
    """
    _check_constant(m)
    require(math.isfinite(m) and m >= 1, f"m = {m!r}: a multiplicative margin must be at least 1")
    return combined(cos, m, 0.0, 0.0)


def sphereface(cos, m):
    """ψ(θ) as in :func:`lsoftmax`; SphereFace differs in its unit class vectors, not its margin.

    Parameters, returns and errors as in :func:`lsoftmax`.

    Source: Liu et al., "SphereFace", CVPR 2017, eq. 7.
    """
    return lsoftmax(cos, m)


def cosface(cos, m):
    """cos θ − m, the additive cosine margin.

    Source: Wang et al., "CosFace", CVPR 2018, eq. 4.

    Parameters
    ----------
    cos : Tensor, shape (N,), any floating dtype
    m : float, in [0, 2)

    Returns
    -------
    Tensor, shape (N,), same dtype.

    Raises
    ------
    ValueError
        If ``m`` is outside [0, 2).
    """
    _check_constant(m)
    require(
        math.isfinite(m) and 0 <= m < 2,
        f"m = {m!r}: a cosine margin lies in [0, 2); no embedding could meet a larger one",
    )
    return combined(cos, 1.0, 0.0, m)


def arcface(cos, m, easy_margin=False):
    """cos(θ + m), the additive angular margin, kept decreasing where θ + m passes π.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 3.

    Parameters
    ----------
    cos : Tensor, shape (N,), any floating dtype
    m : float, in [0, π)
        The margin in radians.
    easy_margin : bool
        Apply the margin only where cos θ > 0 and leave the rest as cos θ, the other common
        remedy for θ + m > π. It is not monotone: the target jumps up at θ = π/2.

    Returns
    -------
    Tensor, shape (N,), same dtype.

    Raises
    ------
    ValueError
        If ``m`` is outside [0, π).

    Examples
    --------
    >>> arcface(torch.tensor([1.0, 0.5, 0.0]), m=0.5)  # cos of 0 + 0.5, π/3 + 0.5, π/2 + 0.5
    tensor([ 0.8776,  0.0236, -0.4794])
    """
    _check_constant(m)
    require(
        math.isfinite(m) and 0 <= m < math.pi,
        f"m = {m!r}: an angular margin is in radians, in [0, π)"
        + (f"; if you mean {m!r} degrees, use math.radians({m!r})" if m >= math.pi else ""),
    )
    return combined(cos, 1.0, m, 0.0, easy_margin)


def combined(cos, m1, m2, m3, easy_margin=False):
    """Φ(m1·θ + m2) − m3, which is cos(m1·θ + m2) − m3 as long as the angle stays below π.

    The gradient is the true one, −Φ'(u)·m1/sin θ, and stays finite at cos θ = ±1, where it is
    taken one rounding step inside the interval.

    Source: Deng et al., "ArcFace", CVPR 2019, eq. 4.

    Parameters
    ----------
    cos : Tensor, shape (N,), any floating dtype
        Target cosines. Rounding may push one a little past ±1; it is read as ±1.
    m1 : float, above 0
        Multiplicative angular margin (SphereFace). The ArcFace paper also has one of 0.9.
    m2 : float, at least 0
        Additive angular margin in radians (ArcFace).
    m3 : float, at least 0
        Additive cosine margin (CosFace).
    easy_margin : bool
        See :func:`arcface`.

    Returns
    -------
    Tensor, shape (N,), same dtype as ``cos``. The angle itself is computed in float32 or wider.

    Raises
    ------
    TypeError
        If ``cos`` is not a floating-point tensor.
    ValueError
        If a margin is outside its domain.
    """
    if not (torch.is_tensor(cos) and cos.is_floating_point()):
        raise TypeError(
            f"cos must be a floating-point tensor, got {type(cos).__name__}"
            + (f" of {cos.dtype}" if torch.is_tensor(cos) else "")
        )
    _check_constant(m1, m2, m3)
    require(
        math.isfinite(m1) and m1 > 0, f"m1 = {m1!r}: it multiplies the angle and must be above 0"
    )
    require(math.isfinite(m2) and m2 >= 0, f"m2 = {m2!r}: an angle in radians, at least 0")
    require(math.isfinite(m3) and m3 >= 0, f"m3 = {m3!r}: an additive cosine margin, at least 0")
    if m1 == 1 and m2 == 0:
        target = cos - m3
    else:
        target = _angular_margin(cos, float(m1), float(m2)) - m3
    return torch.where(cos > 0, target, cos) if easy_margin else target


def _check_constant(*margins):
    for m in margins:
        require(
            not (torch.is_tensor(m) and m.requires_grad),
            "expected a margin that is a constant number, got a tensor that requires a gradient: "
            "for a margin that is learned, write a head's margin_of with torch operations",
        )
        if not (isinstance(m, numbers.Real) or torch.is_tensor(m)):
            raise TypeError(f"expected a margin that is a number, got {m!r}")


def _angular_margin(cos, m1, m2):
    """Φ(m1·arccos(c) + m2); torch.compile takes no function with a forward-mode derivative."""
    compiling = torch.compiler.is_compiling()
    return (_AngularMargin if compiling else _ForwardModeToo).apply(cos, m1, m2)


class _AngularMargin(torch.autograd.Function):
    """Φ(m1·arccos(c) + m2) with its exact derivative m1·|sin u| / sin θ."""

    @staticmethod
    def forward(cos, m1, m2):
        u = m1 * torch.arccos(at_least_float32(cos).clamp(-1, 1)) + m2
        k = torch.floor(u / math.pi)
        sign = 1 - 2 * torch.remainder(k, 2)
        return (sign * torch.cos(u) - 2 * k).to(cos.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        cos, *ctx.margins = inputs
        ctx.save_for_backward(cos)
        ctx.save_for_forward(cos)

    @staticmethod
    def backward(ctx, grad):
        return _times_slope(grad, *ctx.saved_tensors, *ctx.margins), None, None

    @staticmethod
    def vmap(info, in_dims, cos, m1, m2):
        return _angular_margin(cos, m1, m2), in_dims[0]


class _ForwardModeToo(_AngularMargin):
    @staticmethod
    def jvp(ctx, tangent, *_):
        return _times_slope(tangent, *ctx.saved_tensors, *ctx.margins)


def _times_slope(gradient, cos, m1, m2):
    """``gradient`` times the derivative of the angular margin at ``cos``."""
    cos_wide = at_least_float32(cos)
    edge = 1 - torch.finfo(cos_wide.dtype).eps  # the last cosine whose angle is not 0 or π
    inside = cos_wide.clamp(-edge, edge)
    theta = torch.arccos(inside)
    slope = m1 * torch.sin(m1 * theta + m2).abs() / torch.sqrt((1 - inside) * (1 + inside))
    return (gradient * slope).to(cos.dtype)

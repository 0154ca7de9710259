"""The curve of a target logit, and its slope."""

import itertools
import math

import numpy as np
import torch

from lossbook.figures.style import (
    INK,
    LINE_STYLES,
    check_not_empty,
    label_ends,
    line_colors,
    new_axes,
    styled,
)

__all__ = ["target_curves", "evaluate_target"]


@styled
def target_curves(functions, points=721):
    """The target logit as a function of θ_y, and below it the derivative for gradient descent.

    ``functions`` is a dict: label → callable from target cosines ``(N,)`` to targets ``(N,)``, in
    torch, such as ``lambda cos: margins.arcface(cos, 0.5)``; any differentiable function will do,
    monotone or not. Targets are in units of s, derivatives in units of s per radian, by autograd,
    at ``points`` angles inside (0°, 180°).

    Raises ``ValueError`` for an empty dict or more than ten functions, ``TypeError`` for a function
    that does not return a differentiable tensor of the shape it was given.
    """
    check_not_empty("functions", functions)
    theta = (torch.arange(points, dtype=torch.float64) + 0.5) * math.pi / points
    figure, axes = new_axes((7.2, 6.0), 2, 1, sharex=True)
    curves = [_target_and_slope(label, function, theta) for label, function in functions.items()]
    degrees = np.degrees(theta.numpy())
    for ax, row, ylabel in zip(
        axes[:, 0], zip(*curves), ("target logit / s", "derivative / s (per radian)")
    ):
        for label, y, color, style in zip(
            functions, row, line_colors(functions), itertools.cycle(LINE_STYLES)
        ):
            ax.plot(degrees, y, color=color, linestyle=style, label=label)
        ax.set(ylabel=ylabel, xlim=(0, 180), xticks=range(0, 181, 30))
        ax.grid(True)
        ax.locator_params(axis="y", nbins=6)
    label_ends(axes[0, 0])
    axes[1, 0].axhline(0, color=INK, linewidth=0.8)
    axes[1, 0].set_xlabel("θ, angle to the sample's own class vector (degrees)")
    return figure


def _target_and_slope(label, function, theta):
    """Targets at the angles ``theta`` (N,), and their derivatives; two arrays (N,)."""
    theta = theta.clone().requires_grad_()
    target = evaluate_target(label, function, torch.cos(theta))
    if not target.requires_grad:
        raise TypeError(
            f"{label!r} returned a tensor without a gradient: it must be differentiable, in torch"
        )
    (slope,) = torch.autograd.grad(target.sum(), theta)
    return target.detach().numpy(), slope.numpy()


def evaluate_target(label, function, cos):
    """``function(cos)``, for cosines ``(N,)``; ``label`` names the function in the error.

    Raises ``TypeError`` unless the function returns a tensor of the shape of ``cos``.
    """
    target = function(cos)
    if not torch.is_tensor(target) or target.shape != cos.shape:
        raise TypeError(
            f"{label!r} must turn a tensor of cosines (N,) into a tensor of targets (N,), "
            f"but returned {type(target).__name__} of shape {tuple(np.shape(target))} "
            f"for N = {len(cos)}"
        )
    return target

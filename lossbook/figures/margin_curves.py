"""Curves of formulas: target logits, their slopes and pulls, rivals' logits, best posteriors."""

import itertools
import math

import numpy as np
import torch

from lossbook.figures.style import (
    GREY,
    INK,
    LIGHT,
    LINE_STYLES,
    check_not_empty,
    label_ends,
    line_colors,
    new_axes,
    styled,
)
from lossbook.metrics.target_pull import target_pull

__all__ = [
    "target_curves",
    "pulls_by_precision",
    "against_angle",
    "rival_curves",
    "best_posteriors",
    "evaluate_target",
]

PRECISIONS = (torch.float32, torch.float16, torch.bfloat16)


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


@styled
def pulls_by_precision(targets, margin, precisions=PRECISIONS, direction=0.0, points=150):
    """The pull towards the class vector near it, in units of s, one panel for each precision.

    The broad grey curve is ArcFace's pull on paper, sin(θ + ``margin``). Angles at which a target
    has no finite gradient are marked × at the height called NaN, one row for each target.

    Parameters
    ----------
    targets : dict, label → callable
        Embeddings (N, 2) and a class vector (2,) to targets (N,), as for
        :func:`lossbook.metrics.target_pull.target_pull`.
    margin : float
        In radians.
    precisions : sequence of torch.dtype
        Of the embeddings.
    direction : float
        The angle at which the class vector stands, in radians.
    points : int
        Angles, evenly spaced on a logarithmic axis from 0.001° to 40°.
    """
    check_not_empty("functions", targets)
    theta = torch.deg2rad(torch.logspace(-3, 1.6, points, dtype=torch.float64))
    degrees = np.degrees(theta.numpy())
    height = 0.6 + 2.5 * len(precisions)
    figure, axes = new_axes((7.2, height), len(precisions), 1, sharex=True, sharey=True)
    for ax, dtype in zip(axes[:, 0], precisions):
        ax.plot(degrees, torch.sin(theta + margin), color=LIGHT, linewidth=7, label="on paper")
        for row, (label, color, style) in enumerate(
            zip(targets, line_colors(targets), itertools.cycle(LINE_STYLES))
        ):
            pull = target_pull(targets[label], theta, dtype, direction).numpy()
            ax.plot(degrees, pull, color=color, linestyle=style, label=label)
            lost = degrees[~np.isfinite(pull)]
            ax.scatter(
                lost, np.full_like(lost, -0.2 - 0.12 * row), 20, color, marker="x", linewidth=1
            )
        ax.axhline(0, color=INK, linewidth=0.8)
        ax.set(title=str(dtype).removeprefix("torch."), ylabel="pull / s")
    ax.set(xscale="log", xlim=(1e-3, 40), xlabel="θ, angle to the class vector (degrees)")
    ax.set_xticks([0.001, 0.01, 0.1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    ax.set(ylim=(-0.45, 1.0))
    ax.set_yticks([-0.26, 0, 0.3, 0.6, 0.9], ["NaN", "0", "0.3", "0.6", "0.9"])
    handles = ax.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, columnspacing=1.5)
    return figure


@styled
def against_angle(theta, panels, boundary=None):
    """Curves against the angle to the class vector, one panel for each quantity.

    Parameters
    ----------
    theta : array (N,)
        Angles in radians.
    panels : dict, title of the y axis → dict
        In each panel: label → values (N,). The panels have the same labels.
    boundary : float, optional
        An angle in radians at which an upright line stands, such as that of the decision boundary.
    """
    degrees = np.degrees(np.asarray(theta))
    figure, axes = new_axes((7.2, 2.8 * len(panels)), len(panels), 1, sharex=True)
    for ax, (ylabel, curves) in zip(axes[:, 0], panels.items()):
        for (label, values), color, style in zip(
            curves.items(), line_colors(curves), itertools.cycle(LINE_STYLES)
        ):
            ax.plot(degrees, np.asarray(values), color=color, linestyle=style, label=label)
        if boundary is not None:
            ax.axvline(math.degrees(boundary), color=GREY, linewidth=1)
        ax.set(ylabel=ylabel, xlim=(0, degrees.max()))
        ax.grid(True, axis="y")
    xlabel = "θ, angle to the class vector (degrees)"
    if boundary is not None:
        xlabel += f"; the boundary is at {math.degrees(boundary):.0f}°"
    ax.set_xlabel(xlabel)
    axes[0, 0].legend(loc="lower right")
    return figure


@styled
def rival_curves(functions, target, points=401):
    """The logit of a rival as a function of its cosine, in units of s.

    ``functions`` is a dict: label → callable from rivals' cosines ``(N,)`` to logits ``(N,)``, in
    torch. The dashed upright line is ``target``, the target's cosine with its margin, beyond which
    a rival is nearer than the target.
    """
    cos = torch.linspace(-1, 1, points, dtype=torch.float64)
    figure, axes = new_axes((7.2, 4.0))
    ax = axes[0, 0]
    for (label, function), color, style in zip(
        functions.items(), line_colors(functions), itertools.cycle(LINE_STYLES)
    ):
        ax.plot(cos, function(cos), color=color, linestyle=style, label=label)
    ax.axvline(target, color=INK, linestyle=LINE_STYLES[1], linewidth=1.3)
    ax.annotate(
        "target with its margin",
        (target, -0.9),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        color=INK,
    )
    ax.set(
        xlabel="cosine with the rival's class vector",
        ylabel="logit of the rival / s",
        xticks=(-1, -0.5, 0, 0.5, 1),
    )
    ax.grid(True)
    label_ends(ax)
    return figure


@styled
def best_posteriors(scales, curves):
    """The highest posterior that a class can reach, against the scale s on a logarithmic axis.

    ``scales`` has the values of s, above 0; ``curves`` is a dict: label → posteriors, one per
    scale. Raises ``ValueError`` for an empty dict or more than ten curves.
    """
    figure, axes = new_axes((7.2, 4.0))
    ax = axes[0, 0]
    for (label, posteriors), color, style in zip(
        check_not_empty("curves", curves).items(), line_colors(curves), itertools.cycle(LINE_STYLES)
    ):
        ax.plot(scales, posteriors, color=color, linestyle=style, label=label)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="scale s", ylabel="best posterior P", xlim=(min(scales), max(scales)))
    ax.set_ylim(0, 1.02)
    ax.legend(loc="lower right")
    ax.grid(True)
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

"""What the scale s does to a sample: its best posterior, and the pull that it feels."""

import itertools

from lossbook.figures.style import (
    GREY,
    LINE_STYLES,
    check_not_empty,
    line_colors,
    new_axes,
    styled,
)

__all__ = ["best_posteriors", "force_curves"]


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


@styled
def force_curves(theta, curves, boundary):
    """What a sample feels at the angle θ from its class vector: 1 − P, and the turning force.

    ``theta`` has angles in degrees; ``curves`` is a dict: label → ``(1 − P, force)``, two arrays of
    that length, the force being the slope of the loss in θ in units of s. ``boundary`` is the angle
    at which the nearest other class begins, drawn as an upright line.

    Raises ``ValueError`` for an empty dict or more than ten curves.
    """
    figure, axes = new_axes((7.2, 5.6), 2, 1, sharex=True)
    above, below = axes[:, 0]
    for (label, (lacking, force)), color, style in zip(
        check_not_empty("curves", curves).items(), line_colors(curves), itertools.cycle(LINE_STYLES)
    ):
        above.plot(theta, lacking, color=color, linestyle=style, label=label)
        below.plot(theta, force, color=color, linestyle=style)
    for ax, ylabel in ((above, "1 − P of the own class"), (below, "turning force / s")):
        ax.axvline(boundary, color=GREY, linewidth=1)
        ax.set(ylabel=ylabel, ylim=(-0.02, None), xlim=(min(theta), max(theta)))
        ax.grid(True, axis="y")
    below.set_xticks([k * boundary for k in range(int(max(theta) / boundary) + 1)])
    below.set_xlabel(
        f"θ, angle to the own class vector (degrees); the boundary is at {boundary:g}°"
    )
    above.legend(loc="lower right", ncols=2)
    return figure

"""A schematic: who is compared with whom, in losses on class vectors and in losses on pairs."""

import numpy as np
from matplotlib.lines import Line2D

from lossbook.figures.style import (
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    LINE_STYLES,
    draw_badge,
    new_panels,
    styled,
)

__all__ = ["comparison_schemes"]

VECTORS = np.radians([90, 210, 330])  # the angle of the class vector of each class
IMAGES = VECTORS[:, None] + np.radians([-35, 0, 35])  # of the three images of each class
IMAGE, CIRCLE = 1.0, 1.42  # how far out an image and a class vector are drawn


@styled
def comparison_schemes():
    """Three classes with three images each, and what one anchor is compared with.

    One panel each for class vectors as candidates, images as candidates, and a class vector as
    the anchor. Solid lines lead to what belongs to the anchor, dashed ones to its rivals.
    """
    figure, panels = new_panels(3, 3, (2.5, 2.6), border=(0, 0.7))
    images = [_at(angle, IMAGE) for angle in IMAGES.ravel()]
    vectors = [_at(angle, CIRCLE) for angle in VECTORS]
    anchor = 2  # an image of the first class
    schemes = {
        "class vectors answer": (images[anchor], vectors[:1], vectors[1:]),
        "images answer": (images[anchor], images[:2], images[3:]),
        "a class vector asks": (vectors[0], images[:3], images[3:]),
    }
    for ax, (title, (start, partners, rivals)) in zip(panels, schemes.items()):
        ax.set_title(title)
        for ends, color, style in ((rivals, GREY, LINE_STYLES[1]), (partners, INK, LINE_STYLES[0])):
            for end in ends:
                ax.plot(*zip(start, end), color=color, linestyle=style, linewidth=1.4, zorder=1)
        _draw_classes(ax, images, vectors, with_vectors=title != "images answer")
        ax.plot(*start, "o", markersize=21, markerfacecolor="none", markeredgecolor=INK, zorder=5)
        ax.set(xlim=(-1.75, 1.75), ylim=(-1.3, 1.85), aspect="equal")
        ax.axis("off")
    figure.legend(
        handles=[
            _legend_line("anchor", INK, marker="o", linestyle="none"),
            _legend_line("belongs to it", INK, linestyle=LINE_STYLES[0]),
            _legend_line("rival", GREY, linestyle=LINE_STYLES[1]),
        ],
        loc="outside upper left",
        ncols=3,
    )
    return figure


def _draw_classes(ax, images, vectors, with_vectors):
    """Images as dots on the unit circle, class vectors as numbered badges outside of it."""
    angles = np.linspace(0, 2 * np.pi, 181)
    ax.plot(np.cos(angles), np.sin(angles), color=LIGHT, linewidth=1, zorder=0)
    for i, position in enumerate(images):
        ax.plot(*position, "o", markersize=11, color=CLASS_COLORS[i // 3], zorder=3)
    if with_vectors:
        for label, position in enumerate(vectors):
            draw_badge(ax, position, str(label), CLASS_COLORS[label])


def _at(angle, length):
    return length * np.cos(angle), length * np.sin(angle)


def _legend_line(label, color, marker=None, linestyle="-"):
    return Line2D(
        [],
        [],
        color=color,
        label=label,
        marker=marker,
        markersize=12,
        markerfacecolor="none",
        linestyle=linestyle,
        linewidth=1.6,
    )

"""Schematics: a network in parts, an angle to two class vectors, who is compared with whom."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Arc, FancyArrowPatch, FancyBboxPatch, Wedge

from lossbook.figures.style import (
    AMBER,
    BLUE,
    CLASS_COLORS,
    GREY,
    INK,
    LIGHT,
    LINE_STYLES,
    draw_badge,
    new_axes,
    new_panels,
    styled,
)

__all__ = ["network_scheme", "angle_scheme", "comparison_schemes"]

VECTORS = np.radians([90, 210, 330])  # the angle of the class vector of each class
IMAGES = VECTORS[:, None] + np.radians([-35, 0, 35])  # of the three images of each class
IMAGE, CIRCLE = 1.0, 1.42  # how far out an image and a class vector are drawn


@styled
def network_scheme(embedding_dim=2, num_classes=10, image="1 × 28 × 28"):
    """From an image to the loss: backbone, embedding, head and logits, each with its shape.

    Boxes are what is trained; what stands between them is passed on, for one image.
    """
    figure, ((ax,),) = new_axes((8, 1.9))
    figure.one_layout = True  # a drawing from left to right
    passed = {
        0.0: ("image", image),
        3.5: ("embedding $x$", f"{embedding_dim} numbers"),
        7.0: ("logits $z$", f"{num_classes} numbers"),
        9.6: ("loss $L$", "1 number"),
    }
    boxes = {
        1.75: ("backbone", "convolutions", BLUE),
        5.25: ("head", f"$W$: {num_classes} × {embedding_dim}", AMBER),
    }
    for x, (name, size) in passed.items():
        ax.text(x, 0.12, name, ha="center", va="bottom", fontweight="bold")
        ax.text(x, -0.02, size, ha="center", va="top", color=GREY)
    for x, (name, size, color) in boxes.items():
        style = {"boxstyle": "round,pad=0.06", "facecolor": color, "edgecolor": INK, "alpha": 0.3}
        ax.add_patch(FancyBboxPatch((x - 0.72, -0.42), 1.44, 0.98, **style))
        ax.text(x, 0.12, name, ha="center", va="bottom", fontweight="bold")
        ax.text(x, -0.02, size, ha="center", va="top")
    for start, end in ((0.6, 0.95), (2.55, 2.72), (4.28, 4.45), (6.05, 6.3), (7.7, 9.05)):
        arrow = FancyArrowPatch(
            (start, 0.07),
            (end, 0.07),
            arrowstyle="-|>",
            mutation_scale=13,
            color=INK,
            shrinkA=0,
            shrinkB=0,
        )
        ax.add_patch(arrow)
    ax.text(8.35, 0.2, "softmax,\n$-\\ln P_y$", ha="center", va="bottom")
    ax.text(8.35, -0.1, "label $y$", ha="center", va="top", color=GREY)
    for text in ax.texts:
        text.set_fontsize(11)
    ax.set(xlim=(-0.75, 10.35), ylim=(-0.6, 0.85))
    ax.axis("off")
    return figure


@styled
def angle_scheme(lead=15):
    """Two class vectors, an embedding between them, its two angles, and what a margin leaves.

    ``lead``, in degrees, is how much nearer to its own class vector than to the other an image of
    either class has to be: between the two boundaries no class wins.
    """
    figure, ((ax,),) = new_axes((4.6, 3.4))
    first, second, sample = 20, 110, 42  # angles of W1, W2 and x, in degrees
    middle = (first + second) / 2
    for begin, end, color in (
        (first, middle - lead / 2, BLUE),
        (middle + lead / 2, second, AMBER),
    ):
        ax.add_patch(Wedge((0, 0), 1, begin, end, color=color, alpha=0.3, linewidth=0))
    for angle, style in ((middle, "--"), (middle - lead / 2, "-"), (middle + lead / 2, "-")):
        ax.plot(*zip((0, 0), _at(np.radians(angle), 1.08)), color=GREY, linestyle=style)
    for label, angle in (("$W_1$", first), ("$W_2$", second)):
        _draw_arrow(ax, angle, 1, label, INK)
    _draw_arrow(ax, sample, 0.82, "$x$", BLUE)
    for label, radius, begin, end in (
        (r"$\theta_1$", 0.42, first, sample),
        (r"$\theta_2$", 0.56, sample, second),
    ):
        ax.add_patch(Arc((0, 0), 2 * radius, 2 * radius, theta1=begin, theta2=end, color=INK))
        place = _at(np.radians((begin + end) / 2), radius + 0.08)
        ax.text(*place, label, ha="center", va="center")
    ax.annotate(
        "won by neither",
        _at(np.radians(middle), 1.0),
        _at(np.radians(middle + 1), 1.24),
        ha="center",
        va="bottom",
        color=GREY,
    )
    ax.set(xlim=(-0.62, 1.25), ylim=(-0.08, 1.32), aspect="equal")
    ax.axis("off")
    return figure


def _draw_arrow(ax, angle, length, label, color):
    tip = _at(np.radians(angle), length)
    ax.add_patch(
        FancyArrowPatch(
            (0, 0),
            tip,
            arrowstyle="-|>",
            mutation_scale=15,
            color=color,
            linewidth=2,
            shrinkA=0,
            shrinkB=0,
        )
    )
    ax.text(*_at(np.radians(angle), length + 0.1), label, ha="center", va="center", fontsize=14)


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

"""The look of every picture: class colours, one matplotlib style, and what pictures share."""

import base64
import functools
import io
import math
import os

import matplotlib.style
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from lossbook.figures.narrow import narrowed

__all__ = [
    "CLASS_COLORS",
    "BLUE",
    "AMBER",
    "RED",
    "INK",
    "GREY",
    "LIGHT",
    "LINE_STYLES",
    "STYLE",
    "NotebookFigure",
    "styled",
    "new_axes",
    "new_panels",
    "set_title",
    "add_class_legend",
    "class_colors",
    "line_colors",
    "badge_texts",
    "printable",
    "draw_badge",
    "contrasting_ink",
    "label_ends",
    "check_not_empty",
]

# "petroff10", ten colours told apart with the common kinds of colour blindness (Petroff 2021,
# arXiv 2107.02270). Written out because matplotlib ships it by name only from 3.10 on.
CLASS_COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
BLUE, AMBER, RED = CLASS_COLORS[:3]
INK, GREY, LIGHT = "#22262b", "#6a7077", "#d5d8dc"
LINE_ORDER = (0, 6, 4, 5, 2, 8, 1, 7, 3, 9)  # the class colours, best seen as a thin line first
NARROW = "image/vnd.lossbook.narrow+png"  # the type of a figure drawn for a narrow screen
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (6, 1.5, 1.2, 1.5)), (0, (1.6, 1)))
STYLE = {
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "text.color": INK,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.7,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
}


class NotebookFigure(Figure):
    """A matplotlib Figure, on white, that a notebook shows once, as PNG, whatever the backend.

    It is not registered with pyplot, so nothing shows it again at the end of a cell, and there is
    nothing to close. It is shown at 100 CSS pixels per inch (12 pt text is 17 pixels high) with
    half as many pixels again, for sharp screens, in 256 colours, which keeps pages light.

    Where ``LOSSBOOK_NARROW_FIGURES`` is set, as in the book's build, the output holds the figure a
    second time, for narrow screens (:func:`lossbook.figures.narrow.narrowed`), under the type
    :data:`NARROW`. Set ``one_layout`` on a figure that is only right as it is.
    """

    one_layout = False
    title = None  # of the whole figure: a matplotlib Text
    legend_settings = None  # (arguments, keyword arguments) of the last legend

    def legend(self, *args, **kwargs):
        self.legend_settings = args, kwargs
        return super().legend(*args, **kwargs)

    def _repr_png_(self):
        buffer, png = io.BytesIO(), io.BytesIO()
        self.savefig(buffer, format="png")
        image = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        image.save(png, "PNG", optimize=True)
        return png.getvalue()

    def png_as_text(self):
        """The PNG in base64."""
        return base64.b64encode(self._repr_png_()).decode()

    def narrowed(self):
        """The figure for a narrow screen; None if that would be the same."""
        with matplotlib.style.context(["default", STYLE]):
            return narrowed(self)

    def _ipython_display_(self):
        # Not left to _repr_png_ alone: the inline backend's own printer for figures would win,
        # and crop the picture.
        from IPython.display import display

        data = {"image/png": self.png_as_text(), "text/plain": repr(self)}
        if os.environ.get("LOSSBOOK_NARROW_FIGURES") and (narrow := self.narrowed()):
            data[NARROW] = narrow.png_as_text()
        display(
            data,
            metadata={"image/png": {"width": round(100 * self.get_figwidth())}},
            raw=True,
        )


def styled(draw):
    """Run a drawing function under :data:`STYLE`, leaving matplotlib's own settings unchanged.

    Decorates a function that returns a figure.
    """

    @functools.wraps(draw)
    def draw_in_style(*args, **kwargs):
        with matplotlib.style.context(["default", STYLE]):
            figure = draw(*args, **kwargs)
            for text in figure.findobj(Text):
                text.set_text(printable(text.get_text()))
            figure.draw_without_rendering()  # ticks are created on drawing: do it in this style
        return figure

    return draw_in_style


def new_axes(figsize, rows=1, columns=1, ax=None, **kwargs):
    """A new :class:`NotebookFigure` of ``figsize`` inches and its axes, or those given as ``ax``.

    Returns ``(figure, axes)``; ``axes`` is an array of shape ``(rows, columns)``. Further
    arguments go to ``Figure.subplots``.
    """
    if ax is not None:
        return ax.figure, np.array([[ax]])
    figure = NotebookFigure(figsize=figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def new_panels(count, columns, panel_size, border=(0, 0), **kwargs):
    """A new :class:`NotebookFigure` with ``count`` panels, in rows of at most ``columns``.

    ``panel_size`` is the width and height of a panel and ``border`` what the figure has beyond
    them, both in inches. Returns ``(figure, panels)``; ``panels`` is a list of ``count`` axes.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figsize = columns * panel_size[0] + border[0], rows * panel_size[1] + border[1]
    figure, axes = new_axes(figsize, rows, columns, **kwargs)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def set_title(figure, text):
    """Write ``text`` above all panels of a :class:`NotebookFigure`; returns the figure.

    A figure that the caller made keeps its own title.
    """
    if isinstance(figure, NotebookFigure):
        figure.title = figure.suptitle(text, x=0.01, ha="left", fontsize=13, weight="bold")
    return figure


def class_colors(classes):
    """One colour per class, as a tuple. Raises ``ValueError`` for more than ten classes."""
    if len(classes) > len(CLASS_COLORS):
        raise ValueError(
            f"{len(classes)} things to colour, but a picture tells at most {len(CLASS_COLORS)} "
            "colours apart: draw a part of them"
        )
    return CLASS_COLORS[: len(classes)]


def line_colors(lines):
    """One colour per line, as a list. Raises ``ValueError`` for more than ten lines."""
    return [CLASS_COLORS[j] for j in LINE_ORDER[: len(class_colors(lines))]]


def badge_texts(classes):
    """What fits on a badge: the class names if all have at most two letters, else their numbers.

    Numbers too if a name has a character that the font lacks (:func:`printable`), or a dollar sign,
    which begins a formula.
    """
    fits = all(len(name) <= 2 and printable(name) == name and "$" not in name for name in classes)
    return list(classes) if fits else [str(j) for j in range(len(classes))]


def printable(text):
    """``text`` with every character that the font lacks as its code point: "猫" as "U+732B".

    The font is matplotlib's own, DejaVu Sans, which is everywhere the same. It has Latin, Greek,
    Cyrillic and Arabic letters, but neither Chinese nor emoji.
    """
    if text.isascii():
        return text
    return "".join(
        character
        if character == "\n" or ord(character) in _characters()
        else _code_point(character)
        for character in text
    )


@functools.cache
def _characters():
    """The code points that DejaVu Sans has in both weights that the pictures use."""
    regular, bold = (
        set(get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight))).get_charmap())
        for weight in ("normal", "bold")
    )
    return regular & bold


def _code_point(character):
    return f"U+{ord(character):04X}"


def draw_badge(ax, position, text, color, fontsize=11, alpha=1, zorder=4):
    """Write ``text`` at ``position`` on a disc of ``color``; returns the matplotlib ``Text``."""
    return ax.text(
        *position,
        text,
        color=contrasting_ink(color),
        fontsize=fontsize,
        weight="bold",
        ha="center",
        va="center_baseline",
        alpha=alpha,
        zorder=zorder,
        bbox={
            "boxstyle": "circle,pad=0.2",
            "facecolor": color,
            "edgecolor": "white",
            "linewidth": 0.8,
            "alpha": alpha,
        },
    )


def add_class_legend(figure, classes):
    """Under a :class:`NotebookFigure`, name the class of each numbered badge; returns the figure.

    Without effect where the badges carry the class names themselves (:func:`badge_texts`).
    """
    numbers = badge_texts(classes)
    if numbers == list(classes) or not isinstance(figure, NotebookFigure):
        return figure
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=9,
            color=color,
            label=f"{number} {printable(name)}".replace("$", r"\$"),  # no formula
        )
        for color, number, name in zip(class_colors(classes), numbers, classes)
    ]
    width, height = figure.get_size_inches()
    columns = int(width // 1.45)
    figure.set_size_inches(width, height + 0.24 * math.ceil(len(classes) / columns))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        fontsize=11,
        handletextpad=0.1,
        columnspacing=0.8,
        labelspacing=0.3,
    )
    return figure


def contrasting_ink(color):
    """White or ink, whichever is easier to read on ``color`` (WCAG relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.2 else INK


def label_ends(ax):
    """Write the label of each line right of the axes, level with its end, in place of a legend.

    Labels that would touch are moved apart. A thin lead joins each label to the end of its line.
    Lines whose label starts with an underscore have none.
    """
    lines = sorted(
        (line for line in ax.get_lines() if not line.get_label().startswith("_")),
        key=lambda line: line.get_ydata()[-1],
    )
    ax.figure.draw_without_rendering()  # the height of the axes is known only now
    low, high = ax.get_ylim()
    gap = (high - low) * 1.3 * 12 / 72 * ax.figure.dpi / ax.get_window_extent().height
    heights = np.array([line.get_ydata()[-1] for line in lines], dtype=float)
    for _ in range(200):
        push = np.maximum(gap - np.diff(heights), 0) / 2
        heights[1:] += push
        heights[:-1] -= push
    left, right = ax.get_xlim()
    for line, height in zip(lines, heights):
        end = line.get_xdata()[-1], line.get_ydata()[-1]
        # A lead across the axes, from a line that ends early, must not look like more of the line.
        if right - end[0] > 0.02 * (right - left):
            lead = {"color": GREY, "linewidth": 1, "linestyle": (0, (1, 3))}
        else:
            lead = {"color": line.get_color(), "linewidth": 1.2}
        ax.annotate(
            line.get_label(),
            xy=end,
            xytext=(1.05, height),
            textcoords=ax.get_yaxis_transform(),
            va="center",
            color=INK,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 0, **lead},
        )


def check_not_empty(name, mapping):
    """``mapping``, a dict of label -> value, unless it is empty: then raise ``ValueError``."""
    if not mapping:
        kind = {"runs": "Run", "functions": "function"}.get(name, "values")
        raise ValueError(f"{name} is empty: give a dict of label -> {kind}")
    return mapping

"""A figure once more for the width of a phone: panels one below the other, titles in several lines.

The book's build draws every figure twice (:class:`lossbook.figures.style.NotebookFigure`); a narrow
screen shows the one made here. Its lettering keeps its size.
"""

import math
import pickle
import textwrap
import warnings

from matplotlib.gridspec import GridSpec
from matplotlib.text import Text

__all__ = ["WIDTH", "narrowed"]

WIDTH = 3.8  # inches: a phone's column at 100 pixels an inch
SMALL = 2.6  # inches: of more than three panels that are no wider, two stay side by side
TILE = 1.5  # inches: panels that are no wider are pictures in rows
LEAST = 0.9  # inches: how narrow a picture may become before its row is broken
ROOM = 1.05  # inches: how narrow another panel may become
LETTERING = 0.6  # inches: of a panel's width and height, what labels and titles take
LINE = 0.23  # inches: the height of a line of a title or a legend


def narrowed(figure):
    """A copy of a figure for a narrow screen, or None if the figure itself is right for it.

    That is so if the figure is hardly wider, says so by ``figure.one_layout``, has parts with a
    grid each, or has no room for its panels beside what is written.
    """
    if figure.one_layout or figure.subfigs or figure.get_figwidth() <= 1.2 * WIDTH:
        return None
    grid = _panels(figure)[0].get_subplotspec().get_gridspec()
    width = figure.get_figwidth() / grid.ncols
    tiles = width <= TILE
    if tiles:  # rows of pictures, each broken into as few as fit
        choices = [math.ceil(grid.ncols / math.ceil(grid.ncols * LEAST / WIDTH))]
    elif len(_panels(figure)) > 3 and width <= SMALL:
        choices = [2, 1]
    else:
        choices = [1]
    for columns in choices:
        copy = pickle.loads(pickle.dumps(figure))
        with warnings.catch_warnings():  # that there is no room for the panels
            warnings.simplefilter("ignore", UserWarning)
            _lay_out(copy, columns, tiles)
        if tiles or _has_room(copy, WIDTH / columns):
            return copy
    return None


def _panels(figure):
    return [ax for ax in figure.axes if ax.get_subplotspec() is not None]


def _lay_out(figure, columns, tiles):
    panels = _panels(figure)
    _stack(figure, panels, columns, tiles)
    _fold_legend(figure)
    figure.draw_without_rendering()  # the sizes of the panels are known only now
    _wrap_lettering(figure, panels)
    figure.draw_without_rendering()


def _has_room(figure, width):
    """Whether the panels are large enough, and what is written in each within its ``width``."""
    panels = _panels(figure)
    texts = [text for ax in panels for text in ax.texts if text.get_visible()]
    return min(_size(ax)[0] for ax in panels) >= ROOM and all(
        _size(text)[0] <= width for text in texts
    )


def _stack(figure, panels, columns, tiles):
    """Put the panels into so many columns; tiles that stood in a row begin a new one."""
    grid = panels[0].get_subplotspec().get_gridspec()
    width = figure.get_figwidth() / grid.ncols
    height = figure.get_figheight() / grid.nrows
    parts = math.ceil(grid.ncols / columns)  # of a row
    rows = grid.nrows * parts if tiles else math.ceil(len(panels) / columns)
    if any(ax.get_aspect() != "auto" for ax in panels):
        scale = (WIDTH / columns - LETTERING) / (width - LETTERING)
        height = LETTERING + (height - LETTERING) * scale
    if tiles:
        height = 1.25 * WIDTH / columns  # a picture and the line below it
    figure.set_size_inches(WIDTH, rows * height)
    if columns == grid.ncols:
        return
    new_grid = GridSpec(rows, columns, figure=figure)
    for number, ax in enumerate(panels):
        row, column = divmod(number, columns)
        if tiles:
            spec = ax.get_subplotspec()
            part, column = divmod(spec.colspan.start, columns)
            row = spec.rowspan.start * parts + part
        ax.set_subplotspec(new_grid[row, column])
        if column == 0:
            ax.tick_params(labelleft=True)  # what it shared with its neighbour on the left
            ax.set_ylabel(ax.get_ylabel() or panels[0].get_ylabel())


def _fold_legend(figure):
    """Give the figure's legend as few columns as fit; the figure grows by the rows it has more."""
    if figure.legend_settings is None:
        return
    arguments, settings = figure.legend_settings
    count, columns = len(figure.legends[0].get_texts()), settings.get("ncols", 1)
    rows = math.ceil(count / columns)
    while columns > 1 and _size(figure.legends[0])[0] > WIDTH - 0.1:
        columns -= 1
        figure.legends[0].remove()
        figure.legend(*arguments, **{**settings, "ncols": columns})
    more = math.ceil(count / columns) - rows
    figure.set_figheight(figure.get_figheight() + LINE * more)


def _wrap_lettering(figure, panels):
    """Break titles and labels that are too long; the figure grows by the lines they have more."""
    more = {}
    if figure.title is not None:
        more["title"] = _wrap(figure.title, WIDTH - 0.1)
    for ax in panels:
        rows = ax.get_subplotspec().rowspan
        for title in _titles(ax):
            more[rows.start] = max(more.get(rows.start, 0), _wrap(title, _size(ax)[0] + 0.1))
        _wrap(ax.yaxis.label, _size(ax)[1])
        middle = ax.get_position().intervalx.mean()
        _wrap(ax.xaxis.label, 2 * WIDTH * min(middle, 1 - middle) - 0.1)
        _thin_ticks(ax)
    figure.set_figheight(figure.get_figheight() + LINE * sum(more.values()))


def _titles(ax):
    titles = {ax.get_title(loc=side) for side in ("left", "center", "right")} - {""}
    texts = [child for child in ax.get_children() if isinstance(child, Text)]
    return [text for text in texts if text.get_text() in titles]


def _wrap(text, length):
    """Break a text into lines of at most ``length`` inches; returns how many lines it has more."""
    before, needed = text.get_text(), max(_size(text))
    if needed <= length:
        return 0
    letters = max(map(len, before.split("\n")))
    fitting = int(letters * length / needed)
    while max(_size(text)) > length and fitting > 8:
        text.set_text("\n".join(textwrap.fill(part, fitting) for part in before.split("\n")))
        fitting -= 1
    return text.get_text().count("\n") - before.count("\n")


def _thin_ticks(ax):
    """Leave out every second tick on the x axis for as long as their labels touch."""
    while True:
        labels = [label for label in ax.get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        if not any(left.x1 > right.x0 for left, right in zip(boxes, boxes[1:])):
            return
        ticks = [label.get_position()[0] for label in labels][::2]
        ax.set_xticks(ticks, [label.get_text() for label in labels][::2])


def _size(artist):
    """The width and height of an artist in inches."""
    box = artist.get_window_extent()
    return box.width / artist.figure.dpi, box.height / artist.figure.dpi

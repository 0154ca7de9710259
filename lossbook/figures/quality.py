"""Pictures of image quality: images in the order of their lengths, and errors without the worst."""

import itertools

import numpy as np

from lossbook.figures.style import (
    GREY,
    INK,
    LINE_STYLES,
    line_colors,
    new_axes,
    new_panels,
    set_title,
    styled,
)
from lossbook.utils.validation import require

__all__ = ["images_by_length", "error_versus_discard"]


@styled
def images_by_length(images, labels, lengths, classes=(0, 2, 4, 7, 9), columns=12):
    """Images of some classes, one class in each row, from the shortest embedding to the longest.

    ``images`` ``(N, 1, H, W)`` with values in [0, 1], ``labels`` and ``lengths`` ``(N,)``. Of each
    class ``columns`` images are shown, at equal distances in its order of lengths.
    """
    images, labels, lengths = (np.asarray(part) for part in (images, labels, lengths))
    rows = []
    for j in classes:
        members = np.flatnonzero(labels == j)
        require(
            len(members) >= columns,
            f"class {j} has {len(members)} images: {columns} columns need as many",
        )
        order = members[np.argsort(lengths[members], kind="stable")]
        shown = order[np.linspace(0, len(order) - 1, columns).round().astype(int)]
        rows.append(np.concatenate([images[i][0] for i in shown], axis=1))
    mosaic = np.concatenate(rows)
    figure, axes = new_axes((7.2, 0.7 + 7.2 * len(rows) / columns))
    ax = axes[0, 0]
    ax.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1, interpolation="antialiased")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel("shortest embedding of its digit  →  longest", color=INK)
    return set_title(figure, "Each row: one digit, in the order of its embeddings' lengths")


@styled
def error_versus_discard(panels):
    """The error rate of the images that are kept, against the share that is discarded.

    Parameters
    ----------
    panels : dict, title → dict
        One panel for each title: label → ``(discarded, error)``, arrays ``(K,)`` of fractions, or
        ``(discarded, error, low, high)`` with the edges of an interval.
    """
    columns = min(len(panels), 3)
    figure, axes = new_panels(
        len(panels), columns, (7.2 / columns, 2.6), (0, 0.9), sharex=True, sharey=True
    )
    for ax, (title, curves) in zip(axes, panels.items()):
        for (label, (discarded, error, *band)), color, style in zip(
            curves.items(), line_colors(curves), itertools.cycle(LINE_STYLES)
        ):
            x = 100 * np.asarray(discarded)
            ax.plot(x, 100 * np.asarray(error), color=color, linestyle=style, label=label)
            if band:
                low, high = (100 * np.asarray(edge) for edge in band)
                ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
        ax.set_title(title)
        ax.grid(True, color=GREY, alpha=0.25)
    axes[0].set_ylim(0, None)
    figure.supxlabel("images discarded (%)", fontsize=12)
    figure.supylabel("errors among those kept (%)", fontsize=12)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure

"""Pictures of verification: scores of pairs, ROC curves, and the images behind them."""

import numpy as np

from lossbook.figures.style import (
    CLASS_COLORS,
    INK,
    LINE_STYLES,
    NotebookFigure,
    new_axes,
    new_panels,
    set_title,
    styled,
)
from lossbook.utils.validation import unit_rows

__all__ = [
    "score_histograms",
    "roc_curves",
    "against_gallery",
    "neighbours",
    "typeface_grid",
    "worst_pairs",
]

GENUINE, IMPOSTOR = CLASS_COLORS[0], CLASS_COLORS[6]


@styled
def score_histograms(panels):
    """Histograms of genuine and impostor scores, one panel per title.

    A dashed line is the threshold of the equal error rate. Each histogram is scaled to an area
    of 1. ``panels`` is a dict: title → ``(edges (B+1,), counts (2, B))``, genuine counts first, as
    ``numpy.histogram`` gives them.
    """
    columns = min(len(panels), 2)
    figure, axes = new_panels(
        len(panels), columns, (7.2 / columns, 2.2), (0, 0.5), sharex=True, sharey=True
    )
    for ax, (title, (edges, counts)) in zip(axes, panels.items()):
        genuine, impostor = counts / counts.sum(axis=1, keepdims=True)
        width = np.diff(edges)
        for share, color, label, hatch in (
            (impostor, IMPOSTOR, "impostor pairs", ""),
            (genuine, GENUINE, "genuine pairs", "//"),
        ):
            ax.stairs(share / width, edges, color=color, fill=True, alpha=0.35, hatch=hatch)
            ax.stairs(share / width, edges, color=color, linewidth=1.8, label=label)
        rejected, accepted = np.cumsum(genuine), 1 - np.cumsum(impostor)
        equal = int(np.argmin(np.abs(rejected - accepted)))
        ax.axvline(edges[equal + 1], color=INK, linestyle=LINE_STYLES[1], linewidth=1.3)
        ax.set_title(title)
    figure.supxlabel("cosine of the two embeddings", fontsize=12)
    figure.supylabel("density", fontsize=12)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


@styled
def roc_curves(curves, ax=None):
    """TAR against FAR, the latter on a logarithmic scale, with intervals where given.

    ``curves`` is a dict: label → ``(far (T,), tar (T,))`` or ``(far, tar, low, high)``.
    Raises ``ValueError`` for more than four.
    """
    if len(curves) > 4:
        raise ValueError(
            f"{len(curves)} curves: a picture of ROCs with their intervals tells at most 4 apart"
        )
    figure, axes = new_axes((6.4, 4.4), ax=ax)
    ax = axes[0, 0]
    for (label, (far, tar, *band)), color, style in zip(curves.items(), (8, 6, 0, 4), LINE_STYLES):
        ax.plot(far, tar, color=CLASS_COLORS[color], linestyle=style, label=label)
        if band:
            ax.fill_between(far, *band, color=CLASS_COLORS[color], alpha=0.2, linewidth=0)
    ax.set(
        xscale="log",
        xlabel="FAR: share of impostor pairs accepted",
        ylabel="TAR: share of genuine pairs accepted",
        ylim=(0, 1.02),
    )
    ax.grid(True)
    ax.legend(loc="upper left")
    return figure


@styled
def neighbours(images, labels, x, queries, count=6, names=None):
    """Each query image, left, with the ``count`` most similar other images.

    ``images`` ``(N, 1, H, W)``, ``labels`` ``(N,)``, ``x`` ``(N, d)``, ``queries`` a list of rows,
    ``names`` the name of each identity. Below an image stands its cosine to the query; a solid
    frame marks the query's identity, a dashed one with ✖ another.
    """
    labels, directions = np.asarray(labels), unit_rows("x", x)
    figure, axes = new_axes((7.2, 0.4 + 1.2 * len(queries)), len(queries), count + 1)
    for row, query in zip(axes, queries):
        cosines = directions @ directions[query]
        order = np.argsort(-cosines, kind="stable")
        nearest = order[order != query][:count]
        name = "query" if names is None else names[labels[query]]
        _draw_image(row[0], images[query], name, INK)
        for ax, i in zip(row[1:], nearest):
            if labels[i] == labels[query]:
                _draw_image(ax, images[i], f"{cosines[i]:.2f}", GENUINE)
            else:
                _draw_image(ax, images[i], f"{cosines[i]:.2f} ✖", IMPOSTOR, LINE_STYLES[1])
    return set_title(figure, "query, then its nearest neighbours")


@styled
def worst_pairs(images, scores, pairs, count=6):
    """The pairs whose scores are most misleading, no image twice in a row.

    Upper row: the impostor pairs with the highest scores; lower row: the genuine pairs with the
    lowest. ``images`` ``(N, 1, H, W)``; ``scores`` ``(P,)`` of ``pairs``. Below a pair stands its
    cosine.
    """
    figure = NotebookFigure(figsize=(7.2, 2.5), layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    highest_first = np.argsort(-np.asarray(scores), kind="stable")
    lowest_first = np.argsort(scores, kind="stable")
    impostors = highest_first[~pairs.same[highest_first]]
    genuine = lowest_first[pairs.same[lowest_first]]
    for part, order, title, color in (
        (upper, impostors, "two identities taken for one", IMPOSTOR),
        (lower, genuine, "one identity taken for two", GENUINE),
    ):
        shown = _without_repeats(order, pairs, count)
        row = part.subplots(1, count, squeeze=False)[0]
        for ax, p in zip(row, shown):
            both = [np.asarray(images[i])[0] for i in (pairs.first[p], pairs.second[p])]
            score = f"{scores[p]:.2f}".replace("-", "−")
            _draw_image(ax, np.concatenate(both, axis=1)[None], score, color)
        for ax in row[len(shown) :]:
            ax.remove()
        part.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


@styled
def typeface_grid(images):
    """Images of characters, one in each row, in typefaces, one in each column.

    ``images`` are ``(characters, faces, height, width)`` uint8, light on black, as
    :meth:`lossbook.data.typefaces.Typefaces.examples` returns them.
    """
    images = np.asarray(images)
    characters, faces, height, width = images.shape
    mosaic = images.transpose(0, 2, 1, 3).reshape(characters * height, faces * width)
    figure, axes = new_axes((7.2, 0.5 + 7.2 * characters / faces))
    ax = axes[0, 0]
    ax.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255, interpolation="antialiased")
    ax.axis("off")
    return set_title(figure, f"{characters} characters (rows) in {faces} typefaces (columns)")


@styled
def against_gallery(sizes, measured, independent):
    """FPIR against the number of identities in the gallery, at one threshold.

    Parameters
    ----------
    sizes : (G,) integers
        Identities enrolled.
    measured : (G,) floats
        The false positive identification rate, a fraction.
    independent : (G,) floats
        What it would be if the comparisons with the gallery were independent, drawn as a line.
    """
    figure, axes = new_axes((6.4, 3.8))
    ax = axes[0, 0]
    percent = 100 * np.asarray(independent)
    ax.plot(sizes, percent, color=INK, linestyle=LINE_STYLES[1], label="independent comparisons")
    ax.plot(sizes, 100 * np.asarray(measured), "o", color=GENUINE, markersize=8, label="measured")
    ax.set(xscale="log", xlabel="identities in the gallery", ylabel="FPIR (%)", ylim=(0, None))
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    ax.minorticks_off()
    ax.grid(True, axis="y")
    ax.legend(loc="upper left")
    return figure


def _without_repeats(order, pairs, count):
    """The first ``count`` pairs of ``order`` that share no image with one before."""
    chosen, used = [], set()
    for p in order:
        images = {int(pairs.first[p]), int(pairs.second[p])}
        if not images & used and len(chosen) < count:
            chosen.append(p)
            used |= images
    return chosen


def _draw_image(ax, image, text, color, line_style="-"):
    """An image ``(1, H, W)`` with values in [0, 1], in a frame, and ``text`` below it."""
    ax.imshow(np.asarray(image)[0], cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(text, fontsize=11, labelpad=2)
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=2.2, linestyle=line_style)

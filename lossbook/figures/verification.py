"""Pictures of pairs: how alike scores are, what a threshold makes of them, and the images themselves."""

import numpy as np

from lossbook.figures.style import CLASS_COLORS, INK, LINE_STYLES, axes, headline, styled

__all__ = ["score_histograms", "roc_curves", "neighbours", "worst_pairs"]

GENUINE, IMPOSTOR = CLASS_COLORS[0], CLASS_COLORS[6]


@styled
def score_histograms(panels):
    """Histograms of genuine and impostor scores, a panel a title, with the threshold of the equal error rate.

    ``panels`` is a dict: title → ``(edges (B+1,), counts (2, B))``, genuine counts first, as
    ``numpy.histogram`` gives them. Each histogram is scaled to an area of 1.
    """
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure, grid = axes(None, (7.2, 0.5 + 2.2 * rows), rows, columns, sharex=True, sharey=True)
    for ax, (title, (edges, counts)) in zip(grid.flat, panels.items()):
        width = np.diff(edges)
        density = counts / counts.sum(axis=1, keepdims=True) / width
        for values, color, label, hatch in zip(
            density[::-1], (IMPOSTOR, GENUINE), ("impostor pairs", "genuine pairs"), ("", "//")
        ):
            ax.stairs(values, edges, color=color, fill=True, alpha=0.35, hatch=hatch)
            ax.stairs(values, edges, color=color, linewidth=1.8, label=label)
        rejected, accepted = (
            np.cumsum(counts[0]) / counts[0].sum(),
            1 - np.cumsum(counts[1]) / counts[1].sum(),
        )
        at = int(np.argmin(np.abs(rejected - accepted)))
        ax.axvline(edges[at + 1], color=INK, linestyle=LINE_STYLES[1], linewidth=1.3)
        ax.set_title(title)
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    figure.supxlabel("cosine of the two embeddings", fontsize=12)
    figure.supylabel("density", fontsize=12)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


@styled
def roc_curves(curves, ax=None):
    """TAR against FAR, the latter on a logarithmic scale, with intervals where given.

    ``curves`` is a dict: label → ``(far (T,), tar (T,))`` or ``(far, tar, low, high)``. At most four.
    """
    figure, grid = axes(ax, (6.4, 4.4))
    ax = grid[0, 0]
    looks = zip([CLASS_COLORS[i] for i in (8, 6, 0, 4)], LINE_STYLES)
    if len(curves) > 4:
        raise ValueError(
            f"{len(curves)} curves: a picture of ROCs with their intervals tells at most 4 apart"
        )
    for (label, (far, tar, *band)), (color, style) in zip(curves.items(), looks):
        ax.plot(far, tar, color=color, linestyle=style, label=label)
        if band:
            ax.fill_between(far, *band, color=color, alpha=0.2, linewidth=0)
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
    """Each query image, left, with the ``count`` most similar other images; a frame says whose they are.

    ``images`` ``(N, 1, H, W)``, ``labels`` ``(N,)``, ``x`` ``(N, d)``, ``queries`` a list of rows. Under an image
    stands its cosine to the query; a solid frame is the query's identity, a dashed one with ✖ another's.
    """
    labels, unit = np.asarray(labels), np.asarray(x, dtype=float)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    figure, grid = axes(None, (7.2, 0.4 + 1.2 * len(queries)), len(queries), count + 1)
    for row, query in zip(grid, queries):
        cosines = unit @ unit[query]
        nearest = np.argsort(
            -np.where(np.arange(len(unit)) == query, -np.inf, cosines), kind="stable"
        )[:count]
        _picture(
            row[0], images[query], "query" if names is None else names[labels[query]], INK, "-"
        )
        for ax, i in zip(row[1:], nearest):
            same = labels[i] == labels[query]
            _picture(
                ax,
                images[i],
                f"{cosines[i]:.2f}" + ("" if same else " ✖"),
                GENUINE if same else IMPOSTOR,
                "-" if same else LINE_STYLES[1],
            )
    return headline(figure, "query, then its nearest neighbours")


@styled
def worst_pairs(images, scores, pairs, count=6):
    """The impostor pairs with the highest scores (upper row) and the genuine pairs with the lowest, no image twice.

    ``images`` ``(N, 1, H, W)``; ``scores`` ``(P,)`` of ``pairs``. Under a pair stands its cosine.
    """
    figure, grid = axes(None, (7.2, 2.7), 2, count)
    for row, wanted, title, color in (
        (grid[0], ~pairs.same, "strangers taken for one", IMPOSTOR),
        (grid[1], pairs.same, "one taken for two", GENUINE),
    ):
        order = np.flatnonzero(wanted)[
            np.argsort((scores if wanted is pairs.same else -scores)[wanted], kind="stable")
        ]
        shown, used = [], set()
        for p in order:
            couple = {int(pairs.first[p]), int(pairs.second[p])}
            if not couple & used and len(shown) < count:
                shown.append(p)
                used |= couple
        for ax, p in zip(row, shown):
            both = np.concatenate(
                [np.asarray(images[i])[0] for i in (pairs.first[p], pairs.second[p])], axis=1
            )
            _picture(ax, both[None], f"{scores[p]:.2f}", color, "-")
        for ax in row[len(shown) :]:
            ax.remove()
        row[0].set_title(title, fontsize=12, color=INK)
    return figure


def _picture(ax, image, text, color, style):
    ax.imshow(np.asarray(image)[0], cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(text, fontsize=11, labelpad=2)
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=2.2, linestyle=style)

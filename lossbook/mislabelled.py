"""A picture of what wrong labels do: accuracy against their share, a panel a loss."""

from matplotlib.ticker import MaxNLocator

from .palette import CLASS_COLORS, GREY, INK, LIGHT, axes, styled

__all__ = ["against_noise"]


@styled
def against_noise(frame, ylabel, columns=4):
    """One measure against the share of wrong labels: a panel a loss, a point a seed, a line through their means.

    Parameters
    ----------
    frame : DataFrame with columns ``loss``, ``share`` (a fraction) and ``value``, one row a training
        The other losses' means are drawn in each panel too, thin and grey.
    ylabel : str
        What ``value`` is, with its unit.
    """
    means = frame.groupby(["loss", "share"], sort=False)["value"].mean().unstack(0).sort_index()
    rows = -(-len(means.columns) // columns)
    figure, grid = axes(None, (7.2, 0.7 + 1.75 * rows), rows, columns, sharex=True, sharey=True)
    for ax, loss in zip(grid.flat, means):
        ax.plot(100 * means.index, means.drop(columns=loss), color=LIGHT, linewidth=1.3)
        ax.plot(100 * means.index, means[loss], color=CLASS_COLORS[0], linewidth=2)
        own = frame[frame.loss == loss]
        ax.plot(100 * own.share, own.value, "o", color=INK, markersize=3.5, markerfacecolor="none", markeredgewidth=1)
        ax.set_title(loss, fontsize=11)
        ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
        ax.grid(True, color=GREY, alpha=0.25)
    for above, ax in zip(grid.flat[len(means.columns) - columns:], grid.flat[len(means.columns):]):
        ax.remove()
        above.tick_params(labelbottom=True)
    figure.supxlabel("wrong labels (%)", fontsize=12)
    figure.supylabel(ylabel, fontsize=12)
    return figure

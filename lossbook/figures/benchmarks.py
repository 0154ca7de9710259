"""What heads cost, what training yields, how long a build takes: the pictures of ``benchmark``."""

from matplotlib.ticker import FuncFormatter, NullFormatter

from lossbook.figures.style import CLASS_COLORS, INK, axes, headline, styled

__all__ = ["head_costs", "training_rates", "build_times"]

MARKERS = "osD^v"
PANELS = [("time_ratio", "time"), ("memory_ratio", "peak memory")]


@styled
def head_costs(frame, title=None):
    """Time and peak memory of every contestant, as multiples of the plain linear layer's, one marker per number of classes.

    ``frame`` is what :func:`lossbook.benchmarks.heads.table` returns; the plain linear layer, whose ratios are 1, is
    the line at 1, and left of it is cheaper.
    """
    frame = frame[(frame.time_ratio != 1) & (frame.memory_ratio != 1)]
    names = list(frame.name.unique())[::-1]
    panels = [(column, title) for column, title in PANELS if frame[column].notna().any()]
    figure, grid = axes(None, (7.2, 1.9 + 0.31 * len(names)), 1, len(panels), sharey=True)
    for ax, (column, title) in zip(grid[0], panels):
        for k, (C, rows) in enumerate(frame.groupby("classes")):
            ax.scatter(
                rows[column],
                [names.index(name) + 0.18 * (1 - k) for name in rows.name],
                34,
                CLASS_COLORS[k],
                marker=MARKERS[k],
                label=f"{C:,} classes",
                zorder=3,
            )
        ax.axvline(1, color=INK, linewidth=1)
        ax.grid(True)
        ax.set(
            xscale="log",
            title=title,
            xlabel="times the plain linear layer's",
            yticks=range(len(names)),
            yticklabels=[name.replace("pytorch-metric-learning", "PML") for name in names],
        )
        ticks = [
            t for t in (0.25, 0.5, 1, 2, 4, 8, 16, 32) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]
        ]
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(ticks)
        ax.tick_params(axis="y", length=0)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        handletextpad=0.1,
    )
    return headline(figure, title) if title else figure


@styled
def training_rates(frame, title=None):
    """Images per second of every way to train, as multiples of the straightforward loop's, one marker per backbone.

    ``frame`` is what :func:`lossbook.benchmarks.training.table` returns. Right of the line at 1 is faster than that loop.
    """
    ways = list(frame.way.unique())[::-1]
    figure, grid = axes(None, (7.2, 1.8 + 0.33 * len(ways)))
    ax = grid[0, 0]
    for k, (backbone, rows) in enumerate(frame.groupby("backbone", sort=False)):
        slowest = rows.rate[rows.to_loop == 1].item()
        ax.scatter(
            rows.to_loop,
            [ways.index(way) + 0.14 * (1 - 2 * k) for way in rows.way],
            40,
            CLASS_COLORS[k],
            marker=MARKERS[k],
            label=f"{backbone} (1 is {slowest:,.0f} images/s)",
            zorder=3,
        )
    ax.axvline(1, color=INK, linewidth=1)
    ax.grid(True)
    ax.set(
        xlim=(0, 1.05 * frame.to_loop.max()),
        xlabel="times the images/s of the straightforward loop",
        yticks=range(len(ways)),
        yticklabels=ways,
    )
    ax.tick_params(axis="y", length=0)
    figure.legend(
        *ax.get_legend_handles_labels(), loc="outside lower center", ncols=1, handletextpad=0.1
    )
    return headline(figure, title) if title else figure


@styled
def build_times(seconds, title=None):
    """Minutes of a cold and of a warm build of the book, as bars of what they are spent on.

    ``seconds`` is a DataFrame, one row per kind of build, with the columns ``whole``, ``executing`` and ``writing``.
    """
    minutes = seconds / 60
    parts = {
        "executing pages": minutes.executing,
        "writing HTML": minutes.writing,
        "starting": minutes.whole - minutes.executing - minutes.writing,
    }
    figure, grid = axes(None, (7.2, 2.6))
    ax, start = grid[0, 0], 0
    for color, (label, took) in zip(CLASS_COLORS, parts.items()):
        ax.barh(minutes.index, took, left=start, color=color, label=label, height=0.6)
        start = start + took
    ax.invert_yaxis()
    ax.grid(True, axis="x")
    ax.set(xlim=(0, 1.05 * minutes.whole.max()), xlabel="minutes")
    ax.tick_params(axis="y", length=0)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return headline(figure, title) if title else figure

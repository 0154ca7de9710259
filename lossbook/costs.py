"""What heads cost, what training yields, how long a build takes: the pictures of ``benchmark``."""

from matplotlib.ticker import FuncFormatter, NullFormatter

from . import benchmark, building, contest, pace
from .palette import CLASS_COLORS, INK, axes, headline, styled

__all__ = ["head_costs", "training_rates", "build_times"]

MARKERS = "osD^v"
PANELS = [("time_ratio", "time"), ("memory_ratio", "peak memory")]


@styled
def head_costs(record):
    """Time and peak memory of every contestant, as multiples of the plain linear layer's, one marker a number of classes.

    ``record`` is what :func:`lossbook.benchmark.heads` returns. Left of the line at 1 is cheaper than plain.
    """
    frame = benchmark.table(record)
    frame = frame[frame.name != contest.PLAIN]
    names = list(frame.name.unique())[::-1]
    panels = [(column, title) for column, title in PANELS if frame[column].notna().any()]
    figure, grid = axes(None, (7.2, 1.9 + 0.31 * len(names)), 1, len(panels), sharey=True)
    for ax, (column, title) in zip(grid[0], panels):
        for k, (C, rows) in enumerate(frame.groupby("classes")):
            ax.scatter(rows[column], [names.index(name) + 0.18 * (1 - k) for name in rows.name], 34, CLASS_COLORS[k],
                       marker=MARKERS[k], label=f"{C:,} classes", zorder=3)
        ax.axvline(1, color=INK, linewidth=1)
        ax.grid(True)
        ax.set(xscale="log", title=title, xlabel="times the plain linear layer's", yticks=range(len(names)),
               yticklabels=[name.replace(contest.PEER, "PML") for name in names])
        ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8, 16, 32) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(ticks)
        ax.tick_params(axis="y", length=0)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, handletextpad=0.1)
    threads = record["machine"]["threads"]
    return headline(figure, f"N = {record['N']}, d = {record['d']}, {threads} thread{'s' * (threads != 1)}")


@styled
def training_rates(record):
    """Images a second of every way to train, as multiples of the straightforward loop's, one marker a backbone.

    ``record`` is what :func:`lossbook.pace.training` returns. Right of the line at 1 is faster than that loop.
    """
    frame = pace.table(record)
    ways = list(frame.way.unique())[::-1]
    figure, grid = axes(None, (7.2, 1.8 + 0.33 * len(ways)))
    ax = grid[0, 0]
    for k, (backbone, rows) in enumerate(frame.groupby("backbone", sort=False)):
        slowest = rows.set_index("way").rate[pace.LOOP]
        ax.scatter(rows.to_loop, [ways.index(way) + 0.14 * (1 - 2 * k) for way in rows.way], 40, CLASS_COLORS[k],
                   marker=MARKERS[k], label=f"{backbone} (1 is {slowest:,.0f} images/s)", zorder=3)
    ax.axvline(1, color=INK, linewidth=1)
    ax.grid(True)
    ax.set(xlim=(0, 1.05 * frame.to_loop.max()), xlabel="times the images/s of the straightforward loop", yticks=range(len(ways)), yticklabels=ways)
    ax.tick_params(axis="y", length=0)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1, handletextpad=0.1)
    threads = record["machine"]["threads"]
    return headline(figure, f"training, {threads} thread{'s' * (threads != 1)}")


@styled
def build_times(record):
    """Minutes of a cold and of a warm build of the book, as bars of what they are spent on.

    ``record`` is what :func:`lossbook.building.book` returns.
    """
    minutes = building.table(record) / 60
    parts = {"executing pages": minutes.executing, "writing HTML": minutes.writing,
             "starting": minutes.whole - minutes.executing - minutes.writing}
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
    return headline(figure, f"a build of the book, {record['machine']['cores']} cores")

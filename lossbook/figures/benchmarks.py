"""Pictures of benchmarks: what heads cost, how fast training is, how long a build takes."""

from matplotlib.ticker import NullFormatter

from lossbook.figures.style import CLASS_COLORS, INK, new_axes, set_title, styled

__all__ = ["head_costs", "training_rates", "build_times"]

MARKERS = "osD^v"
RATIOS = [("time_ratio", "time"), ("memory_ratio", "peak memory")]  # column -> title of its panel


@styled
def head_costs(frame, title=None):
    """Time and peak memory of every head, as multiples of the plain linear layer's.

    ``frame`` is what :func:`lossbook.benchmarks.heads.table` returns: one row per head and number
    of classes, with the columns ``name``, ``classes``, ``time_ratio`` and ``memory_ratio``. There
    is one panel for each of the two ratios that was measured and one marker per number of classes.
    The plain linear layer, whose ratios are 1, is the line at 1; left of it is cheaper.
    """
    frame = frame[(frame.time_ratio != 1) & (frame.memory_ratio != 1)]
    names = list(frame.name.unique())[::-1]
    panels = [(column, label) for column, label in RATIOS if frame[column].notna().any()]
    figsize = 7.2, 1.9 + 0.31 * len(names)
    figure, axes = new_axes(figsize, 1, len(panels), sharey=True)
    for ax, (column, label) in zip(axes[0], panels):
        for k, (classes, rows) in enumerate(frame.groupby("classes")):
            ax.scatter(
                rows[column],
                [names.index(name) + 0.18 * (1 - k) for name in rows.name],
                34,
                CLASS_COLORS[k],
                marker=MARKERS[k],
                label=f"{classes:,} classes",
                zorder=3,
            )
        ax.axvline(1, color=INK, linewidth=1)
        ax.grid(True)
        ax.set(
            xscale="log",
            title=label,
            xlabel="times the plain linear layer's",
            yticks=range(len(names)),
            yticklabels=[name.replace("pytorch-metric-learning", "PML") for name in names],
        )
        low, high = ax.get_xlim()
        ax.set_xticks([2.0**k for k in range(-2, 6) if low <= 2.0**k <= high])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="y", length=0)
    return _finish(figure, axes[0, 0], title, columns=3)


@styled
def training_rates(frame, title=None):
    """Images per second of every way to train, as multiples of the straightforward loop's.

    ``frame`` is what :func:`lossbook.benchmarks.training.table` returns: one row per backbone and
    way to train, with the columns ``backbone``, ``way``, ``rate`` (images per second) and
    ``to_loop``. There is one marker per backbone; right of the line at 1 is faster than that loop.
    """
    ways = list(frame.way.unique())[::-1]
    figure, axes = new_axes((7.2, 1.8 + 0.33 * len(ways)))
    ax = axes[0, 0]
    for k, (backbone, rows) in enumerate(frame.groupby("backbone", sort=False)):
        loop_rate = rows.rate[rows.to_loop == 1].item()
        ax.scatter(
            rows.to_loop,
            [ways.index(way) + 0.14 * (1 - 2 * k) for way in rows.way],
            40,
            CLASS_COLORS[k],
            marker=MARKERS[k],
            label=f"{backbone} (1 is {loop_rate:,.0f} images/s)",
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
    return _finish(figure, ax, title, columns=1)


@styled
def build_times(seconds, title=None):
    """Minutes of builds of the book, one bar per kind of build, in parts for what took the time.

    ``seconds`` is a DataFrame, one row per kind of build (``"cold"``, ``"warm"``), with the columns
    ``whole``, ``executing`` and ``writing``; the rest of ``whole`` is the time to start.
    """
    minutes = seconds / 60
    parts = {
        "executing pages": minutes.executing,
        "writing HTML": minutes.writing,
        "starting": minutes.whole - minutes.executing - minutes.writing,
    }
    figure, axes = new_axes((7.2, 2.6))
    ax, start = axes[0, 0], 0
    for color, (label, part) in zip(CLASS_COLORS, parts.items()):
        ax.barh(minutes.index, part, left=start, color=color, label=label, height=0.6)
        start = start + part
    ax.invert_yaxis()
    ax.grid(True, axis="x")
    ax.set(xlim=(0, 1.05 * minutes.whole.max()), xlabel="minutes")
    ax.tick_params(axis="y", length=0)
    return _finish(figure, ax, title, columns=3)


def _finish(figure, ax, title, columns):
    """Add the legend of ``ax`` below everything, and the title, if any; returns the figure."""
    handles, labels = ax.get_legend_handles_labels()
    spacing = {"handletextpad": 0.1} if ax.collections else {}  # markers are narrower than bars
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, **spacing)
    return set_title(figure, title) if title else figure

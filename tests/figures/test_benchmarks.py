"""Pictures of benchmarks: one panel per measure, one mark per row, bars as long as a build."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from lossbook import figures
from lossbook.figures.style import CLASS_COLORS
from tests.helpers.drawings import BUILD_SECONDS, HEAD_COSTS, TRAINING_RATES


@pytest.mark.parametrize(
    "measured, titles",
    [
        (["time_ratio", "memory_ratio"], ["time", "peak memory"]),
        (["time_ratio"], ["time"]),
        (["memory_ratio"], ["peak memory"]),
    ],
)
def test_head_costs_have_a_panel_for_each_measure(measured, titles):
    frame = HEAD_COSTS.copy()
    for column in {"time_ratio", "memory_ratio"} - set(measured):
        frame[column] = np.nan
    figure = figures.head_costs(frame, "two cores")
    assert [ax.get_title(loc="left") for ax in figure.axes] == titles
    assert figure.get_suptitle() == "two cores"
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "PML ArcFace",
        "ArcFace",
    ]
    for ax, column in zip(figure.axes, measured):
        for marks, classes, color in zip(ax.collections, (10, 100), CLASS_COLORS, strict=False):
            x = frame[(frame.classes == classes) & (frame.name != "linear + cross-entropy")]
            np.testing.assert_array_equal(marks.get_offsets()[:, 0], x[column])
            assert tuple(marks.get_facecolors()[0]) == to_rgba(color)


def test_training_rates_are_multiples_of_the_loop_of_the_same_backbone():
    figure = figures.training_rates(TRAINING_RATES)
    (ax,) = figure.axes
    for marks in ax.collections:
        assert marks.get_offsets()[:, 0].tolist() == [1, 2, 4]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "LeNetPP (1 is 25 images/s)",
        "LeNetPP.small (1 is 100 images/s)",
    ]
    assert figure.get_suptitle() == ""


def test_bars_of_a_build_end_where_it_ended():
    ax = figures.build_times(BUILD_SECONDS).axes[0]
    ends = [max(bars[k].get_x() + bars[k].get_width() for bars in ax.containers) for k in (0, 1)]
    assert ends == pytest.approx([481 / 60, 61 / 60])
    assert "minutes" in ax.get_xlabel()

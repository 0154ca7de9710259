"""Pictures of a training: counts and curves equal the data."""

import math

import numpy as np
import pytest

from lossbook import figures, metrics
from tests.helpers.runs import make_run


@pytest.fixture(scope="module")
def run():
    return make_run()


@pytest.mark.parametrize("dim", [2, 8])
def test_angle_histograms_count_the_angles(dim):
    run = make_run(dim=dim)
    ax = figures.angle_histograms(run, "test", 1).axes[0]
    snapshot = run.snapshots[0]
    own, other = map(np.degrees, metrics.angles(snapshot.test, snapshot.weight, run.test_labels))
    first, second, overlap = (p.get_data() for p in ax.patches if p.get_fill())
    for stairs, theta in ((first, own), (second, other)):
        np.testing.assert_array_equal(stairs.values, np.histogram(theta, stairs.edges)[0])
    assert second.values.sum() == len(other)
    np.testing.assert_array_equal(overlap.values, np.minimum(first.values, second.values))
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx(
        [np.median(own), np.median(other)]
    )
    beyond = int((own > first.edges[-1]).sum())
    assert ax.get_xlabel() == (
        "angle (degrees)"
        if beyond == 0
        else f"angle (degrees; {beyond} samples lie beyond this axis, up to {own.max():.0f}°)"
    )
    share = 100 * metrics.angular_accuracy(snapshot.test, snapshot.weight, run.test_labels)
    assert f"{share:.1f} % nearest to their own" in ax.get_title(loc="left")


def test_angle_histograms_say_what_lies_beyond_the_axis():
    run = make_run()
    last = run.snapshots[-1]
    last.test[0] = -last.weight[run.test_labels[0]]
    assert (
        "1 samples lie beyond this axis, up to 180°"
        in figures.angle_histograms(run).axes[0].get_xlabel()
    )


def test_own_angle_histogram_counts_the_angles_and_draws_the_marks(run):
    (ax,) = figures.own_angle_histogram(run, marks=(0, 90), epoch=1).axes
    snapshot = run.snapshots[0]
    counts = [0] * 60
    for x, label in zip(snapshot.test.astype(float), run.test_labels):
        vector = snapshot.weight[label].astype(float)
        cos = x @ vector / math.hypot(*x) / math.hypot(*vector)
        counts[int(math.degrees(math.acos(cos)) // 3)] += 1
    assert [bar.get_height() for bar in ax.patches] == counts and sum(counts) == 80
    assert [line.get_xdata()[0] for line in ax.lines] == [0, 90]


def test_over_epochs_draws_the_values_in_the_colours_given():
    (ax,) = figures.over_epochs({"a": [3, 1], "b": [2, 2]}, "y", colors=["red", "blue"]).axes
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(drawn["a"].get_xydata(), [[1, 3], [2, 1]])
    assert [drawn[label].get_color() for label in "ab"] == ["red", "blue"]


def test_lines_of_one_colour_have_one_style():
    curves = {"a": [3, 1], "b": [2, 2], "c": [1, 1]}
    (ax,) = figures.over_epochs(curves, "y", ["red", "grey", "red"]).axes
    drawn = {line.get_label(): line.get_linestyle() for line in ax.lines}
    assert drawn["a"] == drawn["c"] != drawn["b"]
    (ax,) = figures.over_epochs(curves, "y").axes
    assert len({line.get_color() for line in ax.lines}) == 3


def test_small_angles_are_counted_on_a_logarithmic_axis():
    theta = np.radians([0.0005, 0.05, 5, 5, 50])
    ax = figures.small_angles(theta, {"hole": np.radians(0.014)}).axes[0]
    counts = [bar.get_height() for bar in ax.patches]
    assert sum(counts) == 4 and max(counts) == 2 and ax.get_xscale() == "log"
    (line,) = ax.lines
    assert line.get_xdata()[0] == pytest.approx(0.014)


def test_training_curves_plot_the_history(run):
    loss, accuracy = figures.training_curves(run).axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), run.history["train_loss"])
    for line, column in zip(accuracy.lines, ("train_acc", "test_acc"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * run.history[column])
        np.testing.assert_array_equal(line.get_xdata(), run.history["epoch"])
    assert {text.get_text() for text in accuracy.texts} == {"train 90.0 %", "test 80.0 %"}


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda run: figures.angle_histograms(run, split="val"), ValueError, "'val'"),
        (lambda run: figures.training_curves({}), ValueError, "runs is empty"),
    ],
)
def test_bad_input_is_named(run, call, error, message):
    with pytest.raises(error, match=message):
        call(run)

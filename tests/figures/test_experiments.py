"""Pictures of saved experiments: ratios with their intervals, and one panel per loss."""

import numpy as np
import pandas as pd

from lossbook import figures
from tests.helpers.drawings import ERROR_RATIOS, GAINS, NOISY_TRAININGS, ROW_ACCURACIES


def test_each_panel_shows_its_trainings_and_their_means():
    figure = figures.against_noise(NOISY_TRAININGS, "test accuracy (%)", columns=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["softmax", "ArcFace", "sub-centres"]
    assert figure.get_supylabel() == "test accuracy (%)" and "%" in figure.get_supxlabel()
    for k, ax in enumerate(figure.axes):
        *others, mean, points = ax.lines
        assert len(others) == 2 and mean.get_xdata().tolist() == [0, 20, 40]
        np.testing.assert_allclose(
            mean.get_ydata(), [98 - 20 * share * k for share in (0, 0.2, 0.4)]
        )
        trainings = NOISY_TRAININGS[NOISY_TRAININGS.loss == ax.get_title(loc="left")]
        np.testing.assert_allclose(points.get_ydata(), trainings.value)
        np.testing.assert_allclose(points.get_xdata(), 100 * trainings.share)


def test_error_ratios_show_every_mark_with_its_interval():
    ax = figures.error_ratios(ERROR_RATIOS).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    marks = ax.containers
    assert marks[0][0].get_xdata().tolist() == [0.8, 1] and marks[1][0].get_xdata().tolist() == [
        0.9,
        1.1,
    ]
    assert ax.get_xlabel() == "error rate with the margin / without it"


def test_against_scale_shows_means_of_fixed_scales_and_where_free_ones_ended():
    fixed = [("a", s, True, value) for s, value in [(4, 80), (4, 90), (16, 70), (16, 74)]]
    free = [("AdaCos", 6, False, 88), ("AdaCos", 10, False, 90)]
    frame = pd.DataFrame(fixed + free, columns=["name", "scale", "fixed", "accuracy"])
    frame["loss"] = "norm-softmax"
    figure = figures.against_scale({"digits": (frame, {"norm-softmax": 6.2})}, "accuracy", "%")
    means, trainings, ended, rule = figure.axes[0].lines
    assert means.get_xdata().tolist() == [4, 16] and means.get_ydata().tolist() == [85, 72]
    assert trainings.get_ydata().tolist() == [80, 90, 70, 74]
    assert (ended.get_xdata()[0], ended.get_ydata()[0]) == (8, 89)
    assert set(rule.get_xdata()) == {6.2}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["norm-softmax", "AdaCos"]


def test_row_accuracies_draw_a_twin_beside_its_row():
    ax = figures.row_accuracies(ROW_ACCURACIES, {"ArcFace_v1": "ArcFace_v1_s16"}).axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["softmax", "ArcFace_v1", "L-softmax_v1"]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [95, np.nan, 94])
    rows, twin = ax.containers
    np.testing.assert_allclose(rows[0].get_xdata(), [98, 97, 96])
    np.testing.assert_allclose(twin[0].get_xdata(), [99])
    (height,) = twin[0].get_ydata()
    assert round(height) == names.index("ArcFace_v1")
    (ends,) = twin[2][0].get_segments()
    np.testing.assert_allclose(ends[:, 0], [98.7, 99.3])


def test_margin_gains_draw_a_line_with_its_band_for_every_loss():
    panels = {"EER": GAINS, "FRR": GAINS.assign(ratio=GAINS.ratio / 2)}
    figure = figures.margin_gains(panels, "classes", "identities")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["EER", "FRR"]
    assert figure.axes[0].get_ylabel() == "error rate / that of norm-softmax"
    _, arcface, cosface = figure.axes[0].lines
    assert arcface.get_xdata().tolist() == [100, 400] and arcface.get_label() == "ArcFace"
    assert arcface.get_ydata().tolist() == [0.9, 0.8]
    assert cosface.get_ydata().tolist() == [1.1, 0.7]
    assert figure.axes[1].lines[1].get_ydata().tolist() == [0.45, 0.4]
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.7, 1.1)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["100", "400"]

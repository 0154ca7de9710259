"""Figures for narrow screens: nothing is cut off, nothing is lost, and the wide figure stays."""

import base64
import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from lossbook import figures
from lossbook.figures import narrow, style
from lossbook.metrics import verification
from tests.helpers.drawings import make_faces
from tests.helpers.runs import make_run


@pytest.fixture(scope="module")
def run():
    return make_run()


def of_errors():
    frame = pd.DataFrame(
        {
            "classes": [100, 400] * 2,
            "loss": ["ArcFace"] * 2 + ["CosFace"] * 2,
            "ratio": [0.8, 0.9, 1.1, 1.2],
            "low": 0.7,
            "high": 1.3,
        }
    )
    return figures.margin_gains({"EER": frame, "FRR": frame}, "classes", "training identities")


FIGURES = {
    "comparison of four": lambda run: figures.comparison({str(k): run for k in range(4)}),
    "comparison of ten": lambda run: figures.comparison({f"loss {k}": run for k in range(10)}),
    "filmstrip": lambda run: figures.filmstrip(run, epochs=[1, 2, 3, 4]),
    "train and test": lambda run: figures.train_test(run, view="circle"),
    "training curves": lambda run: figures.training_curves({"one": run, "another": run}),
    "angles": lambda run: figures.angle_histograms(run, epoch=1),
    "error ratios": lambda run: of_errors(),
    "schemes": lambda run: figures.comparison_schemes(),
}


def written(figure):
    """The texts of a figure, ticks aside."""
    others = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            others.update(axis.findobj(Text))
            others -= {axis.label} if ax.axison else set()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    return [text for text in texts if text not in others]


def words(figure):
    """What is written, whatever the line breaks."""
    return {" ".join(text.get_text().split()) for text in written(figure)}


@pytest.mark.parametrize("name", FIGURES)
def test_all_that_is_written_is_there_and_inside(name, run):
    wide = FIGURES[name](run)
    size = wide.get_size_inches().tolist()
    positions = [ax.get_position().bounds for ax in wide.axes]
    copy = narrow.narrowed(wide)
    assert wide.get_size_inches().tolist() == size
    assert [ax.get_position().bounds for ax in wide.axes] == positions
    assert copy.get_figwidth() == narrow.WIDTH
    assert words(wide) <= words(copy)
    assert len(copy.axes) == len(wide.axes)
    for text in written(copy):
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= copy.bbox.x1 + 1, text.get_text()
        assert box.y0 >= -1 and box.y1 <= copy.bbox.y1 + 1, text.get_text()


@pytest.mark.parametrize("name, columns", [("comparison of four", 1), ("comparison of ten", 2)])
def test_panels_stand_below_each_other_in_their_order(name, columns, run):
    wide = FIGURES[name](run)
    boxes = [ax.get_position() for ax in narrow.narrowed(wide).axes]
    rows = [boxes[k : k + columns] for k in range(0, len(boxes), columns)]
    assert all(upper[0].y0 > lower[0].y1 for upper, lower in zip(rows, rows[1:]))
    assert all(np.isclose(row[0].y0, each.y0) for row in rows for each in row)
    assert all(left.x1 < right.x0 for left, right in (row for row in rows if columns == 2))


def test_a_row_of_pictures_is_broken_and_the_next_begins_a_new_one():
    images = np.random.default_rng(0).random((20, 1, 8, 8))
    figure = figures.neighbours(images, np.arange(20) % 4, images.reshape(20, -1), [0, 1], count=6)
    boxes = [ax.get_position() for ax in narrow.narrowed(figure).axes]
    assert len({round(box.x0, 3) for box in boxes}) == 4  # seven in a row before
    tops = [round(box.y1, 3) for box in boxes]
    assert len(set(tops)) == 4 and tops == sorted(tops, reverse=True)
    assert [tops.count(top) for top in sorted(set(tops), reverse=True)] == [4, 3, 4, 3]


def test_a_figure_without_room_for_its_panels_stays_as_it_is():
    curves = {f"a name of a curve that is long, {k}": lambda cos: cos for k in range(3)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert narrow.narrowed(figures.rival_curves(curves, target=0.5)) is None


def test_ticks_that_would_touch_are_left_out(run):
    wide = figures.own_angle_histogram(run)
    copy = narrow.narrowed(wide)
    ticks = wide.axes[0].get_xticks().tolist()
    shown = [label for label in copy.axes[0].get_xticklabels() if label.get_text()]
    boxes = [label.get_window_extent() for label in shown]
    assert all(one.x1 <= next.x0 for one, next in zip(boxes, boxes[1:]))
    assert {label.get_position()[0] for label in shown} <= set(ticks) and len(shown) > 1


def test_a_figure_that_is_right_as_it_is_has_no_second_one(run):
    assert narrow.narrowed(figures.embeddings(run)) is None
    assert narrow.narrowed(figures.network_scheme()) is None
    images, x, pairs = make_faces()
    scores = verification.similarity(x, pairs)
    assert narrow.narrowed(figures.worst_pairs(images, scores, pairs)) is None


def test_the_second_figure_is_in_the_output_only_where_it_is_asked_for(run, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    monkeypatch.delenv("LOSSBOOK_NARROW_FIGURES", raising=False)
    wide = figures.train_test(run)
    wide._ipython_display_()
    monkeypatch.setenv("LOSSBOOK_NARROW_FIGURES", "yes")
    wide._ipython_display_()
    figures.embeddings(run)._ipython_display_()
    assert [style.NARROW in data for data in shown] == [False, True, False]
    assert shown[0]["image/png"] == shown[1]["image/png"]
    png = Image.open(io.BytesIO(base64.b64decode(shown[1][style.NARROW])))
    assert png.format == "PNG" and png.width == round(150 * narrow.WIDTH)

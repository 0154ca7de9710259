"""The animation: a frame for each moment, on fixed axes, with words for those who do not see it."""

import base64

import numpy as np
import pytest
from PIL import Image

from lossbook import figures
from tests.helpers.drawings import part
from tests.helpers.runs import make_run, mistakes


@pytest.fixture(scope="module")
def run():
    made = make_run()
    assert 0 < mistakes(made, "test", 1).sum() < 80, "the pictures below need some mistakes"
    return made


@pytest.mark.parametrize(
    "split, view, between", [("both", "plane", 2), ("test", "circle", 1), ("train", "plane", 0)]
)
def test_animation_has_a_frame_for_each_moment(run, tmp_path, split, view, between):
    animation = figures.animate(run, split, view, between, seconds=0.4)
    animation.save(tmp_path / "moving.gif")
    assert (tmp_path / "moving.gif").read_bytes() == animation.data and len(
        animation.data
    ) < 300_000
    with Image.open(tmp_path / "moving.gif") as gif:
        assert gif.format == "GIF" and gif.n_frames == 4 + 3 * between and gif.info["loop"] == 0
        shown = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            shown.append(gif.info["duration"])
            assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        if between == 0:
            assert shown == [400, 400, 400, 2400]
        assert sum(shown) == pytest.approx(4 * 400 + 2000, abs=10 * gif.n_frames)
        assert gif.width == (648 if split == "both" else 333)


def test_animation_moves_in_straight_lines_on_fixed_axes(run, monkeypatch):
    seen = []

    def look(self, snapshot, title=None):
        shown = plane_show(self, snapshot, title)
        seen.append(
            (
                title,
                part(self.ax, "points").get_offsets()[np.argsort(self.order)],
                len(part(self.ax, "mistakes").get_offsets()),
                self.ax.get_xlim(),
                self.ax.get_position().bounds,
            )
        )
        return shown

    from lossbook.figures.views import Plane

    plane_show = Plane.show
    monkeypatch.setattr(Plane, "show", look)
    figures.animate(run, "test", "plane", between=2)
    titles, places, crosses, limits, boxes = zip(*seen)
    assert titles == tuple(
        f"test, epoch {e}"
        for e in (1, "1 → 2", "1 → 2", 2, "2 → 3", "2 → 3", 3, "3 → 4", "3 → 4", 4)
    )
    for j in (0, 3, 6):
        for step in (1, 2):
            np.testing.assert_allclose(
                places[j + step], ((3 - step) * places[j] + step * places[j + 3]) / 3, atol=1e-5
            )
            assert crosses[j + step] == crosses[j] == mistakes(run, "test", j // 3 + 1).sum()
    np.testing.assert_allclose(places[-1], run.snapshots[-1].test, atol=1e-6)
    assert len(set(limits)) == 1 and len(set(boxes[1:])) == 1
    assert limits[0][1] > max(abs(s.test).max() for s in run.snapshots)


def test_animation_shows_itself_with_words(run):
    animation = figures.animate(run, "both", between=0)
    data, about = animation._repr_mimebundle_()
    assert base64.b64decode(data["image/gif"]) == animation.data
    words = "ArcFace(scale=16, margin=0.3): train and test embeddings (plane), epoch 1 to 4"
    assert data["text/plain"] == about["image/gif"]["alt"] == repr(animation) == words


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda run: figures.animate(make_run(dim=3)), ValueError, "3-D embeddings"),
        (lambda run: figures.animate(run, split="all"), ValueError, "'all'"),
        (lambda run: figures.animate(make_run(epochs=0)), ValueError, r"epochs \[\]"),
        (lambda run: figures.animate(run, between=-1), ValueError, "between = -1"),
        (lambda run: figures.animate(run, seconds=0), ValueError, "seconds = 0"),
    ],
)
def test_bad_input_is_named(run, call, error, message):
    with pytest.raises(error, match=message):
        call(run)

"""The rotating sphere: what its HTML holds are the directions and regions of the runs."""

import numpy as np
import pytest

from lossbook import heads, interactive
from lossbook.interactive.epoch_slider import subsample
from lossbook.metrics import winning_regions
from tests.helpers.runs import make_3d_run, make_run
from tests.helpers.widgets import decode, read_data

RUN = make_3d_run(epochs=3)


def vectors_of(text, epochs):
    polar, azimuth = decode(text, "<u2").reshape(2, epochs, -1)
    polar, azimuth = polar * np.pi / 65535, azimuth * 2 * np.pi / 65536
    return np.stack(
        [np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=-1
    )


def apart(a, b):
    """Degrees between the directions of two arrays (…, 3)."""
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    return np.degrees(2 * np.arcsin(np.linalg.norm(a - b, axis=-1) / 2))


def test_directions_on_the_sphere_come_back_within_a_hundredth_of_a_degree():
    decoded, shown = read_data(interactive.sphere(RUN)), subsample(RUN, 400, 8)[0]
    (view,) = decoded["views"]
    assert (
        decoded["epochs"] == [1, 2, 3] and view["title"] == RUN.name and decoded["split"] == "test"
    )
    assert (
        apart(vectors_of(view["vectors"], 3), np.stack([s.weight for s in shown.snapshots])).max()
        < 0.01
    )
    for split in ("train", "test"):
        assert (
            apart(
                vectors_of(view[split]["directions"], 3),
                np.stack([getattr(s, split) for s in shown.snapshots]),
            ).max()
            < 0.01
        )
        assert np.array_equal(
            decode(view[split]["labels"], np.uint8), getattr(shown, f"{split}_labels")
        )
        predictions = decode(view[split]["predicted"], np.uint8).reshape(3, -1)
        assert all(
            np.array_equal(row, getattr(s, f"{split}_pred"))
            for row, s in zip(predictions, shown.snapshots)
        )


def test_the_caps_are_those_of_every_epoch_or_left_out():
    (view,) = read_data(interactive.sphere(RUN))["views"]
    rims = vectors_of(view["rims"], 3).reshape(3, 10, view["around"], 3)
    for k, snapshot in enumerate(RUN.snapshots):
        won = winning_regions.on_sphere(heads.ArcFace(3, 10, scale=16, margin=0.1), snapshot.weight)
        assert view["share"][k] == pytest.approx(won.share.sum(), abs=0.01)
        for drawn, rim in zip(rims[k], won.rims):
            if np.ptp(rim, axis=0).max() > 0:  # from another first point, but the same curve
                assert max(apart(drawn, point).min() for point in rim) < 8
    (bare,) = read_data(interactive.sphere(make_run(dim=3), caps=False))["views"]
    assert "rims" not in bare


def test_long_runs_side_by_side_fit_the_limit():
    runs = {f"loss {j}": make_3d_run(seed=j, epochs=20, n=1000, m=1000) for j in range(4)}
    widget = interactive.sphere(runs)
    decoded = read_data(widget)
    assert len(widget.html.encode()) <= 500_000 and [
        view["title"] for view in decoded["views"]
    ] == list(runs)
    assert len(decoded["epochs"]) == 8 and decoded["epochs"][0] == 1 and decoded["epochs"][-1] == 20


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: interactive.sphere(make_run()), "2-D embeddings: a sphere needs 3-D ones"),
        (lambda: interactive.sphere(RUN, points=0), "points = 0"),
        (lambda: interactive.sphere(RUN, split="all"), "split = 'all'"),
        (
            lambda: interactive.sphere({"a": RUN, "b": make_3d_run(epochs=2)}),
            "'b' has snapshots of the epochs",
        ),
        (
            lambda: interactive.sphere(
                {str(j): make_3d_run(seed=j, m=9000) for j in range(4)}, points=9000
            ),
            "fewer points",
        ),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()

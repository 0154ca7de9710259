"""The tinted plane: every point of the ground in the colour of the class that the head says there."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from lossbook import figures
from lossbook.figures.style import CLASS_COLORS
from lossbook.heads import euclidean
from tests.helpers.runs import make_run, mistakes, nearest_spoke


def test_the_ground_is_the_heads_word_and_the_points_are_the_runs():
    run = make_run()
    figure = figures.regions({"spokes": run}, {"spokes": nearest_spoke}, points=41)
    (ax,) = figure.axes
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    tints = np.array([0.28 * np.array(to_rgb(color)) + 0.72 for color in CLASS_COLORS])
    shown = np.asarray(image.get_array())
    for row, up in enumerate(np.linspace(bottom, top, 41)):
        for column, across in enumerate(np.linspace(left, right, 41)):
            said = int(nearest_spoke(torch.tensor([[across, up]]).float()).argmax())
            np.testing.assert_allclose(shown[row, column], tints[said])
    x = run.snapshots[-1].test
    points, wrong = ax.collections[:2]
    np.testing.assert_allclose(
        np.sort(np.asarray(points.get_offsets()), axis=0), np.sort(x, axis=0), rtol=1e-6
    )
    assert len(wrong.get_offsets()) == mistakes(run, "test", 4).sum()
    badges = {
        text.get_text(): text.get_position() for text in ax.texts if len(text.get_text()) == 1
    }
    for j in range(10):
        np.testing.assert_allclose(badges[str(j)], x[run.test_labels == j].mean(axis=0), rtol=1e-6)


def test_a_nearest_mean_head_and_its_centers():
    run, head = make_run(), euclidean.Contrastive(2, 10)
    centers = torch.tensor([[90.0, 0.0], [0.0, 0.0]])
    figure = figures.regions({"a": run}, {"a": head}, centers={"a": centers}, points=20)
    ax = figure.axes[0]
    np.testing.assert_allclose(np.asarray(ax.collections[2].get_offsets()), centers.numpy())
    assert ax.get_xlim()[1] > 90, "every center is inside"


@pytest.mark.parametrize("runs, heads", [({}, {}), ({"a": 1}, {"b": 1})])
def test_every_run_has_its_head(runs, heads):
    with pytest.raises(ValueError, match="same title"):
        figures.regions(runs, heads)


def test_only_the_plane_has_a_plane():
    run = make_run(dim=3)
    with pytest.raises(ValueError, match="3-D embeddings"):
        figures.regions({"a": run}, {"a": lambda x: x})

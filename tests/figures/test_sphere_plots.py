"""The drawn sphere: points, pins and regions are where the camera sees those of the data."""

import math
from dataclasses import replace

import matplotlib.patches
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from scipy.spatial.transform import Rotation

from lossbook import figures, heads, metrics
from lossbook.figures import sphere_plots
from lossbook.figures.style import CLASS_COLORS
from lossbook.metrics import winning_regions
from tests.helpers.drawings import sort_points
from tests.helpers.runs import FASHION, make_3d_run, make_run

ARC = heads.ArcFace(3, 10, scale=11, margin=0.1)


@pytest.fixture
def run():
    return make_3d_run(ARC)


def turned(vectors, east, down):
    """An independent camera: first about the upright axis, then about the level one."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return Rotation.from_euler("yx", [east, down], degrees=True).apply(unit)


def scatters(ax):
    """Points behind, crosses behind, points in front, crosses in front; in data coordinates."""
    return [
        np.asarray(c.get_offsets()) for c in ax.collections if not isinstance(c, LineCollection)
    ]


@pytest.mark.parametrize(
    "split, epoch, view", [("test", 1, (30.0, 20.0)), ("train", 2, (-100.0, -50.0))]
)
def test_points_and_mistakes_are_drawn_where_they_are_seen(run, split, epoch, view):
    ax = figures.sphere(run, split, epoch, turned=view).axes[0]
    snapshot = run.snapshots[epoch - 1]
    labels, wrong = (
        getattr(run, f"{split}_labels"),
        getattr(snapshot, f"{split}_pred") != getattr(run, f"{split}_labels"),
    )
    seen = turned(getattr(snapshot, split), *view)
    front = seen[:, 2] >= 0
    expected = [seen[~front], seen[wrong & ~front], seen[front], seen[wrong & front]]
    assert min(map(len, expected)) > 0
    for drawn, points in zip(scatters(ax), expected, strict=True):
        np.testing.assert_allclose(sort_points(drawn), sort_points(points[:, :2]), atol=1e-6)
    assert f"✖ {wrong.sum()} of {len(labels)}" in [t.get_text() for t in ax.texts][-1]


def test_pins_stand_on_their_class_vectors(run):
    ax = figures.sphere(run).axes[0]
    for name, vector, color in zip(
        run.classes, turned(run.snapshots[-1].weight, *sphere_plots.HOME), CLASS_COLORS
    ):
        (text,) = [t for t in ax.texts if t.get_text() == name]
        np.testing.assert_allclose(text.get_position(), sphere_plots.REACH * vector[:2], atol=1e-6)
        assert text.get_bbox_patch().get_facecolor()[:3] == to_rgba(color)[:3]
        assert (text.get_alpha() == 1) == (vector[2] >= 0)


def test_behind_is_the_other_side(run):
    front, behind = figures.sphere(run).axes
    assert (
        front.get_title(loc="left") == "from the front"
        and behind.get_title(loc="left") == "from behind"
    )
    east, down = sphere_plots.HOME
    seen = turned(run.snapshots[-1].test, east + 180, down)
    np.testing.assert_allclose(
        sort_points(scatters(behind)[2]), sort_points(seen[seen[:, 2] >= 0, :2]), atol=1e-6
    )


def areas(ax):
    patches = [p.get_xy() for p in ax.patches if isinstance(p, matplotlib.patches.Polygon)]
    return sum(
        abs(np.sum(p[:, 0] * np.roll(p[:, 1], 1) - p[:, 1] * np.roll(p[:, 0], 1))) / 2
        for p in patches
    )


@pytest.mark.parametrize("east", [0, 77, 200])
def test_without_a_margin_the_caps_cover_the_disc_from_every_side(run, east):
    """Front and back together: twice the disc, however many regions cross its edge."""
    ax = figures.spherical_regions(
        {"plain": heads.NormSoftmax(3, 10)}, run.snapshots[-1].weight, turned=(east, 15.0)
    ).axes[0]
    assert areas(ax) == pytest.approx(2 * math.pi, rel=0.02)


def test_a_cap_that_crosses_the_edge_has_the_area_of_its_visible_part():
    """A half-sphere seen at 60° covers (1 + cos 60°) / 2 of the disc.

    It is what one class wins against its opposite without a margin.
    """
    (ax,) = figures.spherical_regions(
        {"two": heads.NormSoftmax(3, 2)}, np.array([[0, 0, 1.0], [0, 0, -1.0]]), turned=(60.0, 0.0)
    ).axes
    own = [p.get_xy() for p in ax.patches if isinstance(p, matplotlib.patches.Polygon)]
    assert len(own) == 4  # two classes, in front and behind
    assert areas(ax) == pytest.approx(2 * math.pi, rel=0.01)
    assert max(len(p) for p in own) > 100


def test_the_caps_drawn_are_those_of_the_runs_own_margin(run):
    won = winning_regions.on_sphere(ARC, run.snapshots[-1].weight, sphere_plots.RIM_POINTS)
    rims = turned(won.rims.reshape(-1, 3), *sphere_plots.HOME).reshape(won.rims.shape)
    lines = [c for c in figures.sphere(run).axes[0].collections if isinstance(c, LineCollection)]
    drawn = np.concatenate([s for c in lines for s in c.get_segments() if len(s)])
    for point in rims[won.share > 0][:, ::20].reshape(-1, 3):
        assert np.linalg.norm(drawn - point[:2], axis=1).min() < 0.03


def rotated(run, rotation):
    snapshots = [
        replace(
            s,
            train=rotation.apply(s.train),
            test=rotation.apply(s.test),
            weight=rotation.apply(s.weight),
        )
        for s in run.snapshots
    ]
    return replace(run, snapshots=snapshots)


def test_several_runs_are_turned_to_match_the_first():
    first, spin = make_3d_run(ARC), Rotation.from_euler("xyz", [40, 80, -30], degrees=True)
    other = rotated(first, spin)
    (_, _), (back, _) = sphere_plots.align_runs({"one": first, "two": other}).values()
    np.testing.assert_allclose(back.snapshots[0].train, first.snapshots[0].train, atol=1e-5)
    one, two = figures.sphere({"one": first, "two": other}).axes
    np.testing.assert_allclose(scatters(one)[2], scatters(two)[2], atol=1e-5)


def misfit(first, second):
    """How far apart the last class vectors of two runs are, as directions."""
    units = [
        run.snapshots[-1].weight / np.linalg.norm(run.snapshots[-1].weight, axis=1, keepdims=True)
        for run in (first, second)
    ]
    return np.linalg.norm(units[0] - units[1])


def test_no_rotation_fits_better():
    first, second = make_3d_run(ARC), make_run(dim=3, seed=3)
    (_, _), (best, _) = sphere_plots.align_runs({"a": first, "b": second}, caps=False).values()
    random = np.random.default_rng(0)
    for size in (0.01, 0.1, 1, 3):
        for vector in size * random.normal(size=(50, 3)):
            other = rotated(best, Rotation.from_rotvec(vector))
            assert misfit(first, best) <= misfit(first, other) + 1e-12


def test_a_mirrored_run_is_rotated_and_not_mirrored_back():
    first = make_3d_run(ARC)
    mirror = np.diag([1.0, 1.0, -1.0])
    mirrored = replace(
        first,
        snapshots=[
            replace(s, train=s.train @ mirror, test=s.test @ mirror, weight=s.weight @ mirror)
            for s in first.snapshots
        ],
    )
    (_, _), (aligned, _) = sphere_plots.align_runs({"a": first, "b": mirrored}).values()
    before, after = mirrored.snapshots[-1].weight, aligned.snapshots[-1].weight
    rotation, *_ = np.linalg.lstsq(before, after, rcond=None)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)
    assert 0.1 < misfit(first, aligned) < misfit(first, mirrored) + 1e-9


def test_turning_changes_no_angle():
    runs = {"one": make_3d_run(ARC), "two": make_run(dim=3, seed=3)}
    (_, _), (turned_run, _) = sphere_plots.align_runs(runs, caps=False).values()
    for before, after in zip(runs["two"].snapshots, turned_run.snapshots):
        np.testing.assert_allclose(
            np.stack(metrics.angles(after.test, after.weight, runs["two"].test_labels)),
            np.stack(metrics.angles(before.test, before.weight, runs["two"].test_labels)),
            atol=1e-6,
        )


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: figures.sphere(make_run(dim=2)),
            "2-D embeddings: a sphere needs 3-D ones.*interactive.scrub",
        ),
        (
            lambda: figures.sphere(make_run(dim=8)),
            "8-D embeddings: a sphere needs 3-D ones; train with embedding_dim=3$",
        ),
        (lambda: figures.sphere({}), "0 runs were given"),
        (
            lambda: figures.sphere({str(j): make_run(dim=3) for j in range(5)}),
            "5 runs were given, expected 1 to 4",
        ),
        (
            lambda: figures.sphere(
                {"a": make_run(dim=3), "b": make_run(dim=3, classes=FASHION)}, caps=False
            ),
            "different classes",
        ),
        (lambda: figures.sphere(make_run(dim=3, name="Mine")), "does not record its margin"),
        (
            lambda: figures.sphere({"a": make_run(dim=3)}, heads={"b": ARC}),
            "heads are given for 'b', but the runs are 'a'",
        ),
        (lambda: figures.sphere(make_run(dim=3), epoch=9, caps=False), "epoch = 9"),
        (lambda: figures.sphere(make_run(dim=3), split="all", caps=False), "split = 'all'"),
        (lambda: figures.spherical_regions({}, np.eye(3)), "0 spheres to draw"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "draw",
    [
        figures.embeddings,
        figures.circle,
        figures.train_test,
        figures.filmstrip,
        figures.animate,
        lambda run: figures.comparison({"one": run}),
    ],
)
def test_figures_of_the_plane_name_the_sphere(draw):
    with pytest.raises(
        ValueError, match="3-D embeddings: this picture needs 2-D ones.*figures.sphere"
    ):
        draw(make_run(dim=3))
    with pytest.raises(ValueError, match="8-D embeddings.*angle_histograms"):
        draw(make_run(dim=8))

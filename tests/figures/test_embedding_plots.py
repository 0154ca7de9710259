"""Pictures of 2-D embeddings: what is drawn equals the data."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from lossbook import figures
from lossbook.figures.style import CLASS_COLORS
from lossbook.figures.views import Circle
from tests.helpers.drawings import part, sort_points
from tests.helpers.runs import FASHION, make_run, mistakes


@pytest.fixture(scope="module")
def run():
    made = make_run()
    assert 0 < mistakes(made, "test", 1).sum() < 80, "the pictures below need some mistakes"
    return made


@pytest.mark.parametrize("split, epoch", [("test", -1), ("test", 1), ("train", 2), ("train", -4)])
def test_embeddings_are_drawn_where_they_are(run, split, epoch):
    ax = figures.embeddings(run, split, epoch).axes[0]
    number = epoch if epoch > 0 else len(run.snapshots) + 1 + epoch
    snapshot, labels = run.snapshots[number - 1], getattr(run, f"{split}_labels")
    x, wrong = getattr(snapshot, split), mistakes(run, split, number)
    np.testing.assert_allclose(sort_points(part(ax, "points").get_offsets()), sort_points(x))
    np.testing.assert_allclose(part(ax, "mistakes").get_offsets(), x[wrong])
    place = {tuple(point): y for point, y in zip(x.astype(float), labels)}
    for point, color in zip(part(ax, "points").get_offsets(), part(ax, "points").get_facecolors()):
        assert tuple(color) == to_rgba(CLASS_COLORS[place[tuple(point)]])
    for color, y in zip(part(ax, "mistakes").get_facecolors(), labels[wrong]):
        assert tuple(color) == to_rgba(CLASS_COLORS[y])
    assert ax.get_title(loc="left") == f"{split}, epoch {number}"
    score = [text.get_text() for text in ax.texts if "✖" in text.get_text()]
    assert score == [f"{100 * (~wrong).mean():.1f} % right, ✖ {wrong.sum()} of {len(wrong)} wrong"]
    assert (
        ax.get_aspect() == 1
        and abs(x).max() < ax.get_xlim()[1] == ax.get_ylim()[1] == -ax.get_xlim()[0]
    )


@pytest.mark.parametrize("draw", [figures.embeddings, figures.circle])
def test_class_vectors_end_at_their_own_label(run, draw):
    ax = draw(run).axes[0]
    tips = np.array([segment[1] for segment in part(ax, "rays").get_segments()])
    weight = run.snapshots[-1].weight
    np.testing.assert_allclose(np.arctan2(*tips.T), np.arctan2(*weight.T), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(tips, axis=1), np.linalg.norm(tips[0]))
    badges = {text.get_text(): text for text in ax.texts if text.get_text() in run.classes}
    for name, tip, color in zip(run.classes, tips, CLASS_COLORS, strict=True):
        np.testing.assert_allclose(badges[name].get_position(), tip)
        assert badges[name].get_bbox_patch().get_facecolor() == to_rgba(color)


def test_mistakes_lie_on_top_of_everything(run):
    ax = figures.embeddings(run, epoch=1).axes[0]
    assert part(ax, "mistakes").get_zorder() > max(
        a.get_zorder() for a in [*ax.texts[:10], part(ax, "points")]
    )
    assert tuple(part(ax, "mistakes").get_edgecolors()[0]) == to_rgba("black")


def test_circle_keeps_directions_and_counts(run):
    ax = figures.circle(run, epoch=1).axes[0]
    x, wrong = run.snapshots[0].test, mistakes(run, "test", 1)
    drawn = np.asarray(part(ax, "points").get_offsets())
    radius = np.linalg.norm(drawn, axis=1)
    assert 0.86 <= radius.min() and radius.max() < 1
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(sort_points(drawn / radius[:, None]), sort_points(unit), atol=1e-6)
    crosses = np.asarray(part(ax, "mistakes").get_offsets())
    np.testing.assert_allclose(np.arctan2(*crosses.T), np.arctan2(*x[wrong].T), atol=1e-6)
    # The bars are stacked, so the square of the outermost rim's height in a bin is its count.
    rims = [path.vertices for path in part(ax, "bars").get_paths()]
    middles = [np.hypot(*rim[0 : 2 * Circle.bins].T)[::2] for rim in rims]
    counts = ((middles[-1] - 1.015) / Circle.tallest) ** 2 * len(x) / 10
    expected = np.histogram(np.arctan2(x[:, 1], x[:, 0]), Circle.bins, (-np.pi, np.pi))[0]
    np.testing.assert_allclose(counts, expected, atol=1e-9)
    assert len(rims) == 10 and expected.max() > 1


def test_train_and_test_share_one_scale(run):
    train, test = figures.train_test(run, epoch=2).axes
    assert train.get_xlim() == test.get_xlim() and train.get_ylim() == test.get_ylim()
    for ax, split in ((train, "train"), (test, "test")):
        x = getattr(run.snapshots[1], split)
        np.testing.assert_allclose(sort_points(part(ax, "points").get_offsets()), sort_points(x))


@pytest.mark.parametrize("epochs, expected", [(None, [1, 2, 3, 4]), ((4, 1), [4, 1])])
def test_filmstrip_shows_the_epochs_on_one_scale(run, epochs, expected):
    panels = figures.filmstrip(run, "train", epochs).axes
    assert [ax.get_title(loc="left") for ax in panels] == [f"epoch {e}" for e in expected]
    for ax, epoch in zip(panels, expected):
        x = run.snapshots[epoch - 1].train
        np.testing.assert_allclose(sort_points(part(ax, "points").get_offsets()), sort_points(x))
    assert len({ax.get_xlim() for ax in panels}) == 1


def test_filmstrip_of_a_long_run_looks_closer_at_the_start():
    titles = [
        ax.get_title(loc="left") for ax in figures.filmstrip(make_run(epochs=15, n=20, m=20)).axes
    ]
    assert titles == [f"epoch {e}" for e in (1, 2, 3, 5, 9, 15)]


def test_comparison_has_a_panel_for_each_run(run):
    other = make_run(seed=1)
    panels = figures.comparison(
        {"one": run, "two": other}, split="train", epoch=2, view="plane"
    ).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["one", "two"]
    for ax, made in zip(panels, (run, other)):
        np.testing.assert_allclose(
            sort_points(part(ax, "points").get_offsets()), sort_points(made.snapshots[1].train)
        )


def test_long_class_names_become_numbers_with_a_key():
    figure = figures.circle(make_run(classes=FASHION))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"{j} {name}" for j, name in enumerate(FASHION)
    ]
    assert {str(j) for j in range(10)} <= {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda run: figures.embeddings(make_run(dim=3)),
            ValueError,
            "3-D embeddings.*needs 2-D.*embedding_dim=2",
        ),
        (lambda run: figures.circle(make_run(dim=64)), ValueError, "64-D embeddings"),
        (lambda run: figures.embeddings(run, split="val"), ValueError, "'val'.*'train' or 'test'"),
        (lambda run: figures.embeddings(run, epoch=0), ValueError, r"epoch = 0.*\[1, 2, 3, 4\]"),
        (lambda run: figures.embeddings(run, epoch=5), ValueError, "epoch = 5"),
        (lambda run: figures.embeddings(run, epoch=-5), ValueError, "epoch = -5"),
        (
            lambda run: figures.train_test(run, view="sphere"),
            ValueError,
            "'sphere'.*'plane' or 'circle'",
        ),
        (
            lambda run: figures.embeddings(make_run(classes=tuple("abcdefghijk"))),
            ValueError,
            "11 things.*at most 10",
        ),
        (lambda run: figures.comparison({}), ValueError, "0 runs"),
        (
            lambda run: figures.comparison({"a": run, "b": make_run(classes=FASHION)}),
            ValueError,
            "same classes",
        ),
    ],
)
def test_bad_input_is_named(run, call, error, message):
    with pytest.raises(error, match=message):
        call(run)


def test_a_zero_embedding_has_no_place_on_the_circle():
    run = make_run()
    run.snapshots[-1].test[3] = 0
    with pytest.raises(ValueError, match="row 3 of the embeddings is the zero vector"):
        figures.circle(run)


def test_badges_of_classes_in_one_direction_stand_behind_each_other():
    run = make_run()
    run.snapshots[-1].weight[:3] = [[1, 0], [1, 0.02], [1, -0.02]]
    figure = figures.circle(run)
    badges = {
        text.get_text(): np.array(text.get_position())
        for text in figure.axes[0].texts
        if text.get_text() in run.classes
    }
    assert len(badges) == 10
    apart = [np.linalg.norm(badges[a] - badges[b]) for a in badges for b in badges if a < b]
    assert min(apart) >= 0.2
    for label, position in badges.items():  # each on the ray of its class vector
        vector = run.snapshots[-1].weight[int(label)]
        np.testing.assert_allclose(
            position / np.linalg.norm(position), vector / np.linalg.norm(vector), atol=1e-6
        )


def test_a_circle_holds_its_highest_bar():
    run = make_run()
    run.snapshots[-1].test[:] = [1, 0]  # everything in one direction
    low, high = figures.circle(run).axes[0].get_xlim()
    assert high == -low > 1 + 0.5 * np.sqrt(10)

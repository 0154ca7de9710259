"""Pictures of quality: what they show is what was given."""

import numpy as np
import pytest

from lossbook import figures


def test_a_row_is_a_class_from_the_shortest_embedding_to_the_longest():
    rng = np.random.default_rng(0)
    images = rng.random((40, 1, 5, 6))
    labels, lengths = np.arange(40) % 2, rng.random(40)
    figure = figures.images_by_length(images, labels, lengths, classes=(1, 0), columns=4)
    mosaic = np.asarray(figure.axes[0].images[0].get_array())
    assert mosaic.shape == (10, 24)
    for row, j in enumerate((1, 0)):
        order = sorted((i for i in range(40) if labels[i] == j), key=lambda i: lengths[i])
        for column, place in enumerate((0, 6, 13, 19)):
            shown = mosaic[5 * row : 5 * row + 5, 6 * column : 6 * column + 6]
            assert np.array_equal(shown, images[order[place], 0])
    with pytest.raises(ValueError, match="class 1 has 20 images: 21 columns"):
        figures.images_by_length(images, labels, lengths, classes=(1,), columns=21)


def test_errors_are_drawn_in_percent_with_their_bands():
    shares, error = np.array([0, 0.5]), np.array([0.2, 0.1])
    panels = {
        "A": {"length": (shares, error), "cosine": (shares, error / 2, error / 4, error)},
        "B": {"length": (shares, error)},
    }
    first, second = figures.error_versus_discard(panels).axes
    assert [ax.get_title(loc="left") for ax in (first, second)] == ["A", "B"]
    length, cosine = first.lines
    assert length.get_xdata() == pytest.approx([0, 50])
    assert cosine.get_ydata() == pytest.approx([10, 5])
    corners = first.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(2.5) and corners[:, 1].max() == pytest.approx(20)
    assert not second.collections

"""The cards of the front page: a picture that fits, the facts of a page."""

import numpy as np
from PIL import Image

from tools import toc
from tools.book import cards


def test_a_wide_figure_is_cut_and_another_is_whole():
    wide = Image.fromarray(np.full((200, 900, 3), 90, np.uint8))
    assert (np.asarray(cards.on_card(wide)) == 90).all()
    square = Image.fromarray(np.full((400, 400, 3), 90, np.uint8))
    drawn = np.asarray(cards.on_card(square))[..., 0]
    assert drawn.shape == cards.SIZE[::-1]
    assert (drawn[:, 90:390] == 90).all() and (drawn[:, [0, -1]] == 255).all()


def test_a_card_says_how_long_and_whether_something_moves():
    card = cards.card("notebooks/01_softmax", "1")
    assert "1. Softmax" in card and 'href="../notebooks/01_softmax.html"' in card
    assert toc.description("notebooks/01_softmax") in card
    assert "30 min · interactive" in card
    assert "min" not in cards.card("book/notation", "").split("card-facts")[1]

"""The picture of wrong labels: a panel a loss, its own trainings and its own means."""

import numpy as np
import pandas as pd

from lossbook import figures

FLIPPED = pd.DataFrame(
    [
        {"loss": loss, "share": share, "value": 97 - 20 * share * k + seed}
        for k, loss in enumerate(("softmax", "ArcFace", "sub-centres"))
        for share in (0.4, 0, 0.2)
        for seed in range(3)
    ]
)


def test_each_panel_shows_its_trainings_and_their_means():
    figure = figures.against_noise(FLIPPED, "test accuracy (%)", columns=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["softmax", "ArcFace", "sub-centres"]
    assert figure.get_supylabel() == "test accuracy (%)" and "%" in figure.get_supxlabel()
    for k, ax in enumerate(figure.axes):
        *others, mean, points = ax.lines
        assert len(others) == 2 and mean.get_xdata().tolist() == [0, 20, 40]
        np.testing.assert_allclose(
            mean.get_ydata(), [98 - 20 * share * k for share in (0, 0.2, 0.4)]
        )
        own = FLIPPED[FLIPPED.loss == ax.get_title(loc="left")]
        np.testing.assert_allclose(points.get_ydata(), own.value)
        np.testing.assert_allclose(points.get_xdata(), 100 * own.share)

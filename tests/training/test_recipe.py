"""The settings of a training, of Recipe and of fit: which are refused, and how."""

import math

import numpy as np
import pytest
import torch

from tests.helpers.toys import assert_same_run, train


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"learning_rate": 0}, "learning_rate = 0"),
        ({"learning_rate": math.nan}, "learning_rate = nan"),
        ({"optimizer": "adam"}, "'adamw' or 'sgd'"),
        ({"precision": "half"}, "precision = 'half'"),
        ({"max_shift": -1}, "max_shift = -1"),
        ({"epochs": True}, "epochs = True"),
        ({"clip_norm": math.inf}, "clip_norm = inf"),
        ({"weight_decay": -1}, "weight_decay = -1"),
        ({"learning_rate": "3"}, "learning_rate = '3'"),
        ({"snapshot_size": 0}, "snapshot_size = 0"),
        ({"device": "gpu"}, "device = 'gpu'"),
        pytest.param(
            {"device": "cuda"},
            "device = 'cuda'",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is available"),
        ),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        train(**settings)


def test_numpys_integers_are_integers_and_no_clip_is_no_clip():
    assert_same_run(train(epochs=np.int64(1), clip_norm=1e9), train(epochs=1, clip_norm=None))

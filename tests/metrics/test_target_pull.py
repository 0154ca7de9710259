"""The pull of a target against its derivative on paper."""

import doctest
import math

import pytest
import torch

from lossbook.metrics import target_pull as module
from lossbook.metrics.target_pull import target_pull


def arcface(x, w):
    return torch.cos(torch.arccos(x @ w.to(x.dtype)) + 0.3)


@pytest.mark.parametrize("direction", [0.0, 0.7, -2.0])
def test_pull_is_the_derivative_on_paper(direction):
    theta = torch.tensor([0.1, 0.5, 1.0, 2.0])
    pull = target_pull(arcface, theta, direction=direction)
    torch.testing.assert_close(pull, torch.sin(theta.double() + 0.3), rtol=1e-4, atol=1e-5)


def test_pull_has_the_sign_of_the_way_to_the_class_vector():
    theta = torch.tensor([-0.5, 0.5])
    pull = target_pull(lambda x, w: x @ w, theta)
    assert pull[0] == pytest.approx(-math.sin(0.5), abs=1e-6) and pull[1] == -pull[0]


def test_embeddings_come_in_the_precision_asked_for():
    seen = []

    def cosine(x, w):
        seen.append((x.dtype, w.dtype))
        return x.float() @ w

    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert target_pull(cosine, torch.tensor([0.3]), dtype).dtype == torch.float64
    assert seen == [
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
    ]


def test_no_gradient_is_nan():
    assert target_pull(arcface, torch.tensor([1e-4, 0.5])).isfinite().tolist() == [False, True]


def test_examples():
    result = doctest.testmod(module)
    assert result.attempted == 2 and not result.failed

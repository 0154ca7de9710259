"""The contestants compute what their names say, on the same class vectors."""

import sys

import pytest
import torch
from torch.nn import functional as F

from lossbook.benchmarks import contestants

X, LABELS, WEIGHT = contestants.make_inputs(8, 6, 40)
PEERS = [name for name in contestants.CONTESTANTS if name.startswith(contestants.PEER)]


def value(name):
    loss, parameter = contestants.build_contestant(name, WEIGHT.clone())
    found = loss(X, LABELS)
    found.backward()
    assert parameter.grad.any()
    return found


def test_the_plain_one_is_a_linear_layer():
    torch.testing.assert_close(value(contestants.PLAIN), F.cross_entropy(X @ WEIGHT.T, LABELS))
    for name in ("Softmax", contestants.FUSED_PLAIN):
        if name in contestants.CONTESTANTS:  # the second is new in PyTorch 2.13
            torch.testing.assert_close(value(name), value(contestants.PLAIN))


@pytest.mark.parametrize("other", [contestants.IN_CHUNKS, "ArcFace as it is read"])
def test_the_ways_of_one_loss_agree(other):
    torch.testing.assert_close(value(other), value("ArcFace"))


@pytest.mark.parametrize("name", [name for name in PEERS if not name.endswith("ArcFace")])
def test_the_peer_computes_the_same_loss(name):
    """Not ArcFace: past π − m the peer takes another branch, see the tests of the heads."""
    torch.testing.assert_close(
        value(name), value(name.removeprefix(contestants.PEER + " ")), rtol=1e-4, atol=1e-4
    )


def test_without_the_peer_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(
        ModuleNotFoundError, match="pip install pytorch-metric-learning, or .*--without-peers"
    ):
        contestants.build_contestant(PEERS[0], WEIGHT)


def test_an_unknown_contestant():
    with pytest.raises(ValueError, match="'Arcface' is not compared"):
        contestants.build_contestant("Arcface", WEIGHT)

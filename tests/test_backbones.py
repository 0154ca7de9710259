"""Backbones: shapes, parameter counts from the papers, and gradients that reach every weight."""

import re

import pytest
import torch
from torch import nn

from lossbook import backbones

BUILD = {
    "LeNetPP": backbones.LeNetPP,
    "LeNetPP.small": backbones.LeNetPP.small,
    "MiniResNet18": backbones.MiniResNet18,
    "ConvNet": backbones.ConvNet,
    "Dense": backbones.Dense,
}


def weights_of(model, *kinds):
    return sum(
        p.numel()
        for layer in model.modules()
        if isinstance(layer, kinds)
        for p in layer.parameters()
    )


def test_lenetpp_is_table_1_of_the_center_loss_paper():
    model = backbones.LeNetPP(2)
    assert weights_of(model, nn.Conv2d, nn.Linear) == 797_154
    convolutions = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    assert [(c.kernel_size, c.out_channels, c.stride, c.padding) for c in convolutions] == [
        ((5, 5), width, (1, 1), (2, 2)) for width in (32, 32, 64, 64, 128, 128)
    ]
    assert sum(isinstance(layer, nn.PReLU) for layer in model) == 6
    assert model[-1].in_features == 1152


def test_small_is_small():
    assert weights_of(backbones.LeNetPP.small(2), nn.Conv2d, nn.Linear) < 80_000


@pytest.mark.parametrize("dimension", [2, 3, 64])
@pytest.mark.parametrize("name", BUILD)
def test_images_become_embeddings(name, dimension):
    torch.manual_seed(0)
    model = BUILD[name](dimension)
    x = model(torch.rand(4, 1, 28, 28))
    assert x.shape == (4, dimension)
    assert isinstance(model[-1], nn.Linear)  # no activation on the embedding
    x.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_mini_resnet_adds_the_identity():
    block = backbones.MiniResNet18(2)[1]
    nn.init.zeros_(block.block[-1].weight)  # the last batch norm scales the block away
    x = torch.rand(2, 32, 8, 8)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("name", ["LeNetPP", "MiniResNet18", "ConvNet", "Dense"])
@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (28, 28), (2, 1, 112, 112), (2, 1, 3, 3)])
def test_other_images_are_refused_by_name(name, shape):
    backbone = getattr(backbones, name)(2).eval()
    if name == "MiniResNet18" and shape == (2, 1, 112, 112):
        assert backbone(torch.rand(shape)).shape == (2, 2)  # averaged over any size
        return
    with pytest.raises(ValueError, match=rf"{name} takes grey images.*got {re.escape(str(shape))}"):
        backbone(torch.rand(shape))


@pytest.mark.parametrize("name, sizes", [("LeNetPP", (24, 31)), ("ConvNet", (28, 43))])
def test_the_sizes_that_are_accepted_are_those_that_the_layers_take(name, sizes):
    backbone = getattr(backbones, name)(2).eval()
    for size in sizes:
        assert backbone(torch.rand(1, 1, size, size)).shape == (1, 2)
    for size in (sizes[0] - 1, sizes[1] + 1):
        with pytest.raises(RuntimeError):
            torch.nn.Sequential.forward(backbone, torch.rand(1, 1, size, size))
        with pytest.raises(ValueError, match="takes grey images"):
            backbone(torch.rand(1, 1, size, size))

"""A trained network as an ONNX file, read back by onnxruntime, another program."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lossbook import heads
from lossbook.backbones import LeNetPP

D, C = 16, 7
HEADS = {
    "Softmax": heads.Softmax,
    "LSoftmax": heads.LSoftmax,
    "CosFace": lambda d, c: heads.CosFace(d, c, scale=16),
    "ArcFace": lambda d, c: heads.ArcFace(d, c, scale=16),
    "SubCenterArcFace": lambda d, c: heads.SubCenterArcFace(d, c, scale=16),
    "AdaFace": lambda d, c: heads.AdaFace(d, c, scale=16),
    "SphereFace2": lambda d, c: heads.SphereFace2(d, c, scale=16),
}


def read_back(module, images, path):
    """A function that computes what ``module`` does, from the ONNX file in ``path``."""
    any_batch = ({0: torch.export.Dim("N", min=2)},)
    torch.onnx.export(module, (images,), path, dynamo=True, dynamic_shapes=any_batch, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x.numpy()})[0]


def images_and_backbone():
    torch.manual_seed(0)
    images = torch.rand(5, 1, 28, 28)
    backbone = LeNetPP(D, widths=(4, 8, 8), kernel_size=3, batch_norm=True)
    backbone(images)  # batch norm has seen a batch
    return images, backbone.eval()


def test_embeddings_of_an_onnx_file_are_the_network_s(tmp_path):
    images, backbone = images_and_backbone()
    embed = read_back(backbone, images, tmp_path / "backbone.onnx")
    for x in (images, images[:2], torch.cat([images, images])):
        expected = backbone(x).detach().numpy()
        np.testing.assert_allclose(embed(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_predictions_of_an_onnx_file_are_the_head_s(name, tmp_path):
    images, backbone = images_and_backbone()
    network = nn.Sequential(backbone, HEADS[name](D, C)).eval()
    predict = read_back(network, images, tmp_path / "network.onnx")
    for x in (images, images[:3]):
        expected = network(x).detach().numpy()
        np.testing.assert_allclose(predict(x), expected, rtol=1e-4, atol=1e-4)

"""torch.set_default_device, as notebooks call it, changes nothing that is computed on the CPU.

"meta" stands for another device: a tensor that went there by mistake cannot be read.
"""

import pytest
import torch

from lossbook import heads
from lossbook.data import corruption, image_folder, samplers
from lossbook.metrics import winning_regions
from tests.helpers.image_folders import write_images
from tests.helpers.toys import toy_dataset


def draw_head(head):
    torch.manual_seed(1)
    head.reset_parameters()
    return head.weight


def read_folder(folder):
    split = image_folder.images_in(folder)
    parts = image_folder.hold_out(split, 2)
    return split.labels, parts.train.labels, parts.test.labels


@pytest.fixture
def calls(tmp_path):
    """The functions, with all that they are given made on the CPU."""
    torch.manual_seed(0)
    x, labels, digits = torch.randn(12, 2), torch.arange(12) % 4, toy_dataset()
    triplets = heads.Triplet(2, 4, mining="random").eval()
    plane, sphere = heads.ArcFace(2, 4, scale=8), heads.CosFace(3, 4, scale=8)
    binary, redrawn = heads.SphereFace2(2, 4), heads.ArcFace(2, 4)
    write_images(tmp_path / "images", ("a", "b"))
    return {
        "ArcFace": lambda: plane.loss(x, labels),
        "SphereFace2": lambda: binary.loss(x, labels),
        "random triplets": lambda: triplets.loss(x, labels),
        "reset_parameters": lambda: draw_head(redrawn),
        "flip_labels": lambda: corruption.flip_labels(digits, 0.5)[0].train.labels,
        "imbalance": lambda: corruption.imbalance(digits, 4).train.labels,
        "blur": lambda: corruption.blur(digits.test.images, 1.0),
        "add_noise": lambda: corruption.add_noise(digits.test.images, 0.1),
        "lower_resolution": lambda: corruption.lower_resolution(digits.test.images, 5),
        "SupCon": lambda: heads.SupCon(2, 4).eval().loss(x, labels),
        "sampler": lambda: torch.tensor(
            list(samplers.MPerClassSampler(labels, 2, 4, torch.Generator().manual_seed(0))),
            device="cpu",
        ),
        "folder": lambda: read_folder(tmp_path / "images"),
        "winning regions": lambda: winning_regions.on_sphere(sphere, sphere.weight.detach()).rims,
    }


def test_nothing_depends_on_the_default_device(calls):
    expected = {name: call() for name, call in calls.items()}
    torch.set_default_device("meta")
    try:
        results = {name: call() for name, call in calls.items()}
    finally:
        torch.set_default_device(None)
    for name, result in results.items():
        torch.testing.assert_close(result, expected[name], rtol=0, atol=0)

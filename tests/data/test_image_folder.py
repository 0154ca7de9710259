"""Folders of images: read in order, at any depth, or refused with a reason."""

import numpy as np
import pytest
import torch
from PIL import Image

from lossbook import data
from lossbook.data import image_folder
from lossbook.utils.torchvision_compat import import_torchvision
from tests.helpers.image_folders import write_images

datasets = import_torchvision().datasets


@pytest.mark.parametrize("names", [("a", "b", "c"), ("one/a", "one/b", "two/a")])
def test_a_class_is_a_folder_that_holds_images(names, tmp_path):
    split = image_folder.images_in(write_images(tmp_path, names), size=20)
    assert split.classes == names and split.images.shape == (15, 1, 20, 20)
    for image, label, number in zip(split.images[:, 0], split.labels.tolist(), list(range(5)) * 3):
        assert image.sum() == image[number, label] == 1


def test_colour_becomes_grey_size_and_ink_are_as_asked(tmp_path):
    write_images(tmp_path, ("a", "b"), mode="RGB")
    small, inverted = (
        image_folder.images_in(tmp_path, size=10),
        image_folder.images_in(tmp_path, size=10, invert=True),
    )
    assert small.images.shape == (10, 1, 10, 10) and torch.allclose(
        inverted.images, 1 - small.images
    )
    assert small.images.sum(dim=(1, 2, 3)).tolist() == pytest.approx(
        [0.25] * 10, abs=0.01
    )  # averaged, not picked


def test_sixteen_bits_of_grey_are_read_in_full(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(np.linspace(0, 65535, 28 * 28).astype(np.uint16).reshape(28, 28)).save(
            tmp_path / name / "1.png"
        )
    pixels = image_folder.images_in(tmp_path).images[0].flatten()
    np.testing.assert_allclose(pixels, np.linspace(0, 1, 28 * 28), atol=1 / 255)


def test_files_that_are_no_images_are_left_alone_and_a_broken_one_is_named(tmp_path):
    write_images(tmp_path, ("a", "b"))
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert len(image_folder.images_in(tmp_path)) == 10
    (tmp_path / "a" / "03.png").write_bytes(b"no image")
    with pytest.raises(data.DataError, match=r"a/03.png cannot be read as an image"):
        image_folder.images_in(tmp_path)


def test_hold_out_takes_every_nth_image_of_each_class(tmp_path):
    dataset = image_folder.hold_out(
        image_folder.images_in(write_images(tmp_path, ("a", "b", "c"), images=11), size=20), every=5
    )
    for j in range(3):
        rows = [
            image.nonzero()[0, 0].item()
            for image in dataset.test.images[dataset.test.labels == j, 0]
        ]
        assert rows == [4, 9]
        assert (dataset.train.labels == j).sum() == 9
    assert not {i.numpy().tobytes() for i in dataset.train.images} & {
        i.numpy().tobytes() for i in dataset.test.images
    }


def test_hold_out_of_a_split_in_any_order():
    labels = torch.tensor([1, 0, 1, 0, 1, 0])
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 2, 2) / 6
    dataset = image_folder.hold_out(data.Split(images.contiguous(), labels, ("a", "b")), every=3)
    assert dataset.test.images[:, 0, 0, 0].mul(6).round().tolist() == [
        4,
        5,
    ]  # the third of class b, the third of a


@pytest.mark.parametrize(
    "prepare, call, error, message",
    [
        (
            lambda root: None,
            lambda root: image_folder.images_in(root / "none"),
            data.DataError,
            "none is not a folder",
        ),
        (lambda root: None, image_folder.images_in, data.DataError, "has no folder with images"),
        (
            lambda root: write_images(root, ("a", "a/b")),
            image_folder.images_in,
            data.DataError,
            "folder 'a' holds images and folders",
        ),
        (
            lambda root: write_images(root, ("a", "a (b)", "a-b", "a/b/c")),
            image_folder.images_in,
            data.DataError,
            "folder 'a' holds images and folders",
        ),
        (
            lambda root: Image.new("F", (20, 20)).save(write_images(root, ("a", "b")) / "a/0.tif"),
            image_folder.images_in,
            data.DataError,
            "more than 16 bits a pixel",
        ),
        (
            lambda root: write_images(root, ("a", "b")),
            lambda root: image_folder.images_in(root, size=0),
            ValueError,
            "size = 0",
        ),
        (
            lambda root: write_images(root, ("a", "b")),
            lambda root: image_folder.hold_out(image_folder.images_in(root), every=6),
            ValueError,
            "class 'a' has 5 images",
        ),
        (
            lambda root: write_images(root, ("a", "b")),
            lambda root: image_folder.hold_out(image_folder.images_in(root), every=1),
            ValueError,
            "every = 1",
        ),
    ],
)
def test_bad_input_is_named(prepare, call, error, message, tmp_path):
    prepare(tmp_path)
    with pytest.raises(error, match=message):
        call(tmp_path)


def test_reads_what_torchvisions_image_folder_reads(tmp_path):
    """The same classes and images in the same order, whatever the case of their names."""
    write_images(tmp_path, ("b", "B", "a", "_"), images=3)
    for folder, old, new in (
        ("b", "00.png", "Z.PNG"),
        ("a", "01.png", "a.Jpg"),
        ("B", "02.png", "_.png"),
    ):
        (tmp_path / folder / old).rename(tmp_path / folder / new)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    (tmp_path / "a" / "folder.png").mkdir()
    split = image_folder.images_in(tmp_path, size=20)
    expected = datasets.ImageFolder(tmp_path, loader=lambda path: image_folder.read_grey(path, 20))
    assert split.classes == tuple(expected.classes)
    assert split.labels.tolist() == expected.targets
    pixels = np.stack([pixels for pixels, _ in expected])
    assert torch.equal(split.images[:, 0], torch.from_numpy(pixels).float() / 255)
    assert image_folder.EXTENSIONS == datasets.folder.IMG_EXTENSIONS

"""Folders of images: read in order, whatever their depth, or refused with a reason; Omniglot's download and layout."""

import functools
import hashlib
import http.server
import threading
import zipfile

import numpy as np
import pytest
import torch
from lossbook import data
from lossbook.data import image_folder
from lossbook.data.omniglot import omniglot
from PIL import Image
from lossbook.utils.torchvision_compat import import_torchvision


datasets = import_torchvision().datasets

def write(root, names, images=5, size=20, mode="L"):
    """One bright square an image, whose column says the class and whose row says the number of the image."""
    for column, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for row in range(images):
            pixels = np.zeros((size, size), np.uint8)
            pixels[row::size, column::size] = 255
            Image.fromarray(pixels).convert(mode).save(root / name / f"{row:02}.png")
    return root


@pytest.mark.parametrize("names", [("a", "b", "c"), ("one/a", "one/b", "two/a")])
def test_a_class_is_a_folder_that_holds_images(names, tmp_path):
    split = image_folder.images_in(write(tmp_path, names), size=20)
    assert split.classes == names and split.images.shape == (15, 1, 20, 20)
    for image, label, number in zip(split.images[:, 0], split.labels.tolist(), list(range(5)) * 3):
        assert image.sum() == image[number, label] == 1


def test_colour_becomes_grey_size_and_ink_are_as_asked(tmp_path):
    write(tmp_path, ("a", "b"), mode="RGB")
    small, inverted = image_folder.images_in(tmp_path, size=10), image_folder.images_in(tmp_path, size=10, invert=True)
    assert small.images.shape == (10, 1, 10, 10) and torch.allclose(inverted.images, 1 - small.images)
    assert small.images.sum(dim=(1, 2, 3)).tolist() == pytest.approx([0.25] * 10, abs=0.01)     # averaged, not picked


def test_sixteen_bits_of_grey_are_read_in_full(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(np.linspace(0, 65535, 28 * 28).astype(np.uint16).reshape(28, 28)).save(tmp_path / name / "1.png")
    pixels = image_folder.images_in(tmp_path).images[0].flatten()
    np.testing.assert_allclose(pixels, np.linspace(0, 1, 28 * 28), atol=1 / 255)


def test_files_that_are_no_images_are_left_alone_and_a_broken_one_is_named(tmp_path):
    write(tmp_path, ("a", "b"))
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert len(image_folder.images_in(tmp_path)) == 10
    (tmp_path / "a" / "03.png").write_bytes(b"no image")
    with pytest.raises(data.DataError, match=r"a/03.png cannot be read as an image"):
        image_folder.images_in(tmp_path)


def test_hold_out_takes_every_nth_image_of_each_class(tmp_path):
    dataset = image_folder.hold_out(image_folder.images_in(write(tmp_path, ("a", "b", "c"), images=11), size=20), every=5)
    for j in range(3):
        rows = [image.nonzero()[0, 0].item() for image in dataset.test.images[dataset.test.labels == j, 0]]
        assert rows == [4, 9]
        assert (dataset.train.labels == j).sum() == 9
    assert not {i.numpy().tobytes() for i in dataset.train.images} & {i.numpy().tobytes() for i in dataset.test.images}


def test_hold_out_of_a_split_in_any_order():
    labels = torch.tensor([1, 0, 1, 0, 1, 0])
    images = torch.arange(6.)[:, None, None, None].expand(6, 1, 2, 2) / 6
    dataset = image_folder.hold_out(data.Split(images.contiguous(), labels, ("a", "b")), every=3)
    assert dataset.test.images[:, 0, 0, 0].mul(6).round().tolist() == [4, 5]    # the third of class b, the third of a


@pytest.fixture
def characters(tmp_path, monkeypatch):
    """A small Omniglot in its real layout, and a server that offers it as torchvision's zip."""
    write(tmp_path / "served" / "images_background", ("Greek/character01", "Greek/character02", "Latin/character01"))
    archive = tmp_path / "served" / "images_background.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "served" / "images_background").rglob("*.png")):
            packed.write(path, path.relative_to(tmp_path / "served"))
    monkeypatch.setitem(datasets.Omniglot.zips_md5, "images_background",
                        hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=tmp_path / "served"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", f"http://127.0.0.1:{server.server_port}")
    yield tmp_path / "served" / "images_background"
    server.shutdown()
    server.server_close()


def test_omniglot_downloaded_once_or_from_a_folder_is_the_same(characters, monkeypatch):
    loaded = omniglot()
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", "http://127.0.0.1:9")
    for other in (omniglot(), omniglot(characters)):
        assert torch.equal(other.train.images, loaded.train.images) and other.classes == loaded.classes
    assert loaded.classes == ("Greek/character01", "Greek/character02", "Latin/character01")
    assert loaded.train.images.mean() > 0.9                                     # dark squares on white: inverted


def test_omniglot_out_of_reach_says_what_to_do(characters, monkeypatch):
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", "http://127.0.0.1:9")
    with pytest.raises(data.DataError, match="could not be downloaded.*(?s:.)*give that folder's path"):
        omniglot()


@pytest.mark.parametrize("prepare, call, error, says", [
    (lambda root: None, lambda root: image_folder.images_in(root / "none"), data.DataError, "none is not a folder"),
    (lambda root: None, image_folder.images_in, data.DataError, "has no folder with images"),
    (lambda root: write(root, ("a", "a/b")), image_folder.images_in, data.DataError, "folder 'a' holds images and folders"),
    (lambda root: write(root, ("a", "a (b)", "a-b", "a/b/c")), image_folder.images_in, data.DataError, "folder 'a' holds images and folders"),
    (lambda root: Image.new("F", (20, 20)).save(write(root, ("a", "b")) / "a/0.tif"), image_folder.images_in, data.DataError, "more than 16 bits a pixel"),
    (lambda root: write(root, ("a", "b")), lambda root: image_folder.images_in(root, size=0), ValueError, "size = 0"),
    (lambda root: write(root, ("a", "b")), lambda root: image_folder.hold_out(image_folder.images_in(root), every=6), ValueError,
     "class 'a' has 5 images"),
    (lambda root: write(root, ("a", "b")), lambda root: image_folder.hold_out(image_folder.images_in(root), every=1), ValueError,
     "every = 1"),
])
def test_bad_input_is_named(prepare, call, error, says, tmp_path):
    prepare(tmp_path)
    with pytest.raises(error, match=says):
        call(tmp_path)

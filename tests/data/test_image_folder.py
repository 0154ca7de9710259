"""Folders of images: read in order, at any depth, or refused with a reason."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
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


def test_sixteen_bits_of_a_pgm_file_are_read_in_full(tmp_path):
    pixels = np.linspace(0, 65535, 28 * 28).astype(">u2")
    (tmp_path / "1.pgm").write_bytes(b"P5\n28 28\n65535\n" + pixels.tobytes())
    expected = pixels.reshape(28, 28) / 257
    np.testing.assert_allclose(image_folder.read_grey(tmp_path / "1.pgm", 28), expected, atol=1)


def test_files_that_are_no_images_are_left_alone_and_a_broken_one_is_named(tmp_path):
    write_images(tmp_path, ("a", "b"))
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.warns(UserWarning, match="left out with another ending: a/notes.txt$"):
        assert len(image_folder.images_in(tmp_path)) == 10
    (tmp_path / "a" / "notes.txt").unlink()
    (tmp_path / "a" / "03.png").write_bytes(b"no image")
    with pytest.raises(data.DataError, match=r"a/03.png cannot be read as an image"):
        image_folder.images_in(tmp_path)
    (tmp_path / "b" / "01.png").write_bytes(b"none either")
    with pytest.raises(data.DataError, match=r"(?s)^2 of 10 images .*a/03\.png .*b/01\.png "):
        image_folder.images_in(tmp_path)


@pytest.mark.parametrize(
    "path, warning",
    [
        (".ipynb_checkpoints/1-checkpoint.png", "hidden: .ipynb_checkpoints$"),
        ("a/.ipynb_checkpoints/1-checkpoint.png", "hidden: a/.ipynb_checkpoints$"),
        ("a/._01.png", "hidden: a/._01.png$"),
        ("__MACOSX/a/._01.png", "hidden: __MACOSX$"),
        ("b/@eaDir/01.png/thumbnail.jpg", "hidden: b/@eaDir$"),
        ("01.png", "in no class folder: 01.png$"),
        ("c/d/01.gif", "with another ending: c/d/01.gif; empty: c/d$"),
    ],
)
def test_what_is_left_out_is_named_and_is_no_class(path, warning, tmp_path):
    expected = image_folder.images_in(write_images(tmp_path, ("a", "b")), size=20)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"not read")
    with pytest.warns(UserWarning, match=warning):
        split = image_folder.images_in(tmp_path, size=20)
    assert split.classes == ("a", "b") and torch.equal(split.images, expected.images)


def test_a_root_below_a_hidden_folder_is_read_and_links_are_followed(tmp_path):
    root = write_images(tmp_path / ".cache", ("a", "b"))
    outside = write_images(tmp_path / "outside", ("images",))
    (root / "c").symlink_to(outside / "images")
    (root / "c" / "loop").symlink_to(outside)
    assert image_folder.images_in(root).classes == ("a", "b", "c")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["01.png", "01.tif", "01.webp"])
def test_an_image_is_turned_as_its_exif_data_says(orientation, name, tmp_path):
    stored = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, :4].repeat(2, 0).repeat(2, 1) * 10
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / name, exif=exif, lossless=True)
    # Where the first row and column of the stored image are to be shown, by the EXIF standard.
    shown = {
        1: stored,  # top, left
        2: stored[:, ::-1],  # top, right
        3: stored[::-1, ::-1],  # bottom, right
        4: stored[::-1],  # bottom, left
        5: stored.T,  # left, top
        6: stored.T[:, ::-1],  # right, top
        7: stored.T[::-1, ::-1],  # right, bottom
        8: stored.T[::-1],  # left, bottom
    }[orientation]
    assert np.array_equal(image_folder.read_grey(tmp_path / name, 8), shown)


def _png(width, height, header_length=13):
    """A PNG file whose header announces a size, with a few bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)[:header_length]
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("1.png", b"", "cannot be read as an image"),
        ("1.png", _png(60_000, 60_000), "is too large"),
        ("1.png", _png(40, 40, header_length=5), "cannot be read as an image"),
        ("1.png", _png(40, 40), "cannot be read as an image"),
        ("1.pgm", b"P5\n4x 40\n255\n" + bytes(1600), "cannot be read as an image"),
        ("1.bmp", b"BM" + bytes(60), "cannot be read as an image"),
    ],
)
def test_a_damaged_or_huge_file_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(data.DataError, match=rf"{name} {message}.*replace or remove it"):
        image_folder.read_grey(tmp_path / name, 28)


@given(cut=st.integers(0, 200), changes=st.dictionaries(st.integers(0, 3000), st.integers(0, 255)))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "PPM", "WEBP"])
def test_no_damage_ends_in_another_error(kind, cut, changes):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    content = bytearray(stream.getvalue())
    for position, byte in changes.items():
        content[position % len(content)] = byte
    damaged = io.BytesIO(bytes(content[: len(content) - cut]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about sizes and metadata
        try:
            assert image_folder.read_grey(damaged, 8).shape == (8, 8)
        except data.DataError:
            pass


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
    with pytest.warns(UserWarning, match="a/notes.txt; empty: a/folder.png"):
        split = image_folder.images_in(tmp_path, size=20)
    expected = datasets.ImageFolder(tmp_path, loader=lambda path: image_folder.read_grey(path, 20))
    assert split.classes == tuple(expected.classes)
    assert split.labels.tolist() == expected.targets
    pixels = np.stack([pixels for pixels, _ in expected])
    assert torch.equal(split.images[:, 0], torch.from_numpy(pixels).float() / 255)
    assert image_folder.EXTENSIONS == datasets.folder.IMG_EXTENSIONS

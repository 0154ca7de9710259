"""Split and Dataset: bad input is refused, classes are selected, positions are stratified."""

from dataclasses import FrozenInstanceError

import pytest
import torch
from torch.utils.data import DataLoader

from lossbook import data
from lossbook.data.dataset import checksums, stratified_positions


@pytest.fixture(scope="module")
def mnist5k():
    return data.load("mnist5k")


IMAGES, LABELS, CLASSES = torch.rand(6, 3, 8, 8), torch.arange(6) % 2, ("circle", "square")


def test_own_dataset():
    train, test = data.Split(IMAGES, LABELS, CLASSES), data.Split(IMAGES[:1], LABELS[:1], CLASSES)
    dataset = data.Dataset("shapes", train, test)
    assert dataset.classes == CLASSES and len(dataset.train) == 6
    assert dataset.train.images is IMAGES
    assert repr(dataset) == (
        "Dataset(name='shapes', train=Split(6 images of 3×8×8, 2 classes), "
        "test=Split(1 images of 3×8×8, 2 classes))"
    )
    with pytest.raises(FrozenInstanceError):
        dataset.train.labels = LABELS


def test_a_data_loader_takes_a_split():
    split = data.Split(IMAGES, LABELS, CLASSES)
    batches = list(DataLoader(split, batch_size=4))
    assert [len(labels) for _, labels in batches] == [4, 2]
    assert torch.equal(torch.cat([images for images, _ in batches]), IMAGES)
    assert torch.equal(torch.cat([labels for _, labels in batches]), LABELS)
    assert [label.item() for _, label in split] == LABELS.tolist()


def spoilt(value):
    images = IMAGES.clone()
    images[3, 1, 4, 4] = value
    return images


@pytest.mark.parametrize(
    "error, message, images, labels, classes",
    [
        (
            TypeError,
            "labels must be a tensor of torch.int64, got torch.float32",
            IMAGES,
            LABELS.float(),
            CLASSES,
        ),
        (TypeError, "labels .* got torch.int32", IMAGES, LABELS.int(), CLASSES),
        (TypeError, "labels .* got list", IMAGES, LABELS.tolist(), CLASSES),
        (
            TypeError,
            "images must be a tensor of torch.float32 or torch.uint8, got torch.float64",
            IMAGES.double(),
            LABELS,
            CLASSES,
        ),
        (TypeError, "images .* got float32", IMAGES.numpy(), LABELS, CLASSES),
        (TypeError, "classes must be a tuple of strings, got 2", IMAGES, LABELS, 2),
        (TypeError, "classes must be a tuple of strings, got 'ab'", IMAGES, LABELS, "ab"),
        (TypeError, r"classes must be a tuple of strings, got \(0, 1\)", IMAGES, LABELS, (0, 1)),
        (ValueError, r"got \(6, 64\) and \(6,\)", IMAGES[:, 0].flatten(1), LABELS, CLASSES),
        (ValueError, r"got \(6, 3, 8, 8\) and \(5,\)", IMAGES, LABELS[:5], CLASSES),
        (ValueError, r"got \(6, 3, 8, 8\) and \(6, 1\)", IMAGES, LABELS[:, None], CLASSES),
        (ValueError, "are empty", IMAGES[:0], LABELS[:0], CLASSES),
        (ValueError, "finite.* nan", spoilt(float("nan")), LABELS, CLASSES),
        (ValueError, "finite.* inf", spoilt(float("inf")), LABELS, CLASSES),
        (ValueError, "finite.* -inf", spoilt(float("-inf")), LABELS, CLASSES),
        (ValueError, r"in \[0, 1\].*to 255.0", spoilt(255.0), LABELS, CLASSES),
        (ValueError, "below 2, the number of classes, got 1 to 2", IMAGES, LABELS + 1, CLASSES),
        (ValueError, "at least 0 .* got -1 to 0", IMAGES, LABELS - 1, CLASSES),
    ],
)
def test_bad_split(error, message, images, labels, classes):
    with pytest.raises(error, match=message):
        data.Split(images, labels, classes)


def test_halves_that_do_not_belong_together():
    train = data.Split(IMAGES, LABELS, CLASSES)
    with pytest.raises(ValueError, match="same classes.*circle.*disc"):
        data.Dataset("shapes", train, data.Split(IMAGES, LABELS, ("disc", "square")))
    with pytest.raises(ValueError, match=r"same shape, got \(3, 8, 8\) and \(1, 8, 8\)"):
        data.Dataset("shapes", train, data.Split(IMAGES[:, :1], LABELS, CLASSES))


def test_the_first_classes_alone():
    whole = data.load("mnist5k")
    few = whole.first_classes(8)
    assert few.classes == whole.classes[:8] and few.name == "mnist5k, first 8 classes"
    for half, kept in ((whole.train, few.train), (whole.test, few.test)):
        first = half.labels < 8
        assert torch.equal(kept.labels, half.labels[first]) and torch.equal(
            kept.images, half.images[first]
        )
    assert whole.first_classes(10) is whole


@pytest.mark.parametrize("count", [0, 1, 11])
def test_there_must_be_classes_left(count):
    with pytest.raises(ValueError, match=f"num_classes = {count}"):
        data.load("mnist5k").first_classes(count)


def test_split_classes_parts_the_classes_and_keeps_the_images(mnist5k):
    known, strangers = mnist5k.split_classes("975")
    assert known.classes == tuple("0123468") and strangers.classes == tuple("975")
    for part in (known, strangers):
        for half, whole in ((part.train, mnist5k.train), (part.test, mnist5k.test)):
            for j, name in enumerate(part.classes):
                assert torch.equal(
                    half.images[half.labels == j], whole.images[whole.labels == int(name)]
                )
    assert (known.name, strangers.name) == ("mnist5k, 7 known classes", "mnist5k, 3 strangers")
    assert mnist5k.select_classes("01").name == "mnist5k" and mnist5k.train.select_classes(
        "10"
    ).labels[:2].tolist() == [1, 0]


@pytest.mark.parametrize(
    "held_out, message",
    [
        ("7", "1 of 10 classes held out"),
        ("012345678", "9 of 10 classes held out"),
        ("7x", "no class is called 'x'"),
    ],
)
def test_split_classes_refuses_what_cannot_be_split(mnist5k, held_out, message):
    with pytest.raises(ValueError, match=message):
        mnist5k.split_classes(held_out)
    with pytest.raises(ValueError, match="each once"):
        mnist5k.train.select_classes("00")


def test_stratified_positions_hold_each_class_in_its_share():
    labels = torch.tensor([0, 1, 0, 1, 1, 1, 0, 1, 1, 1] * 10)  # 30 of class 0, 70 of class 1
    positions = stratified_positions(labels, 20)
    assert torch.bincount(labels[positions]).tolist() == [6, 14]
    assert (positions.diff() > 0).all() and torch.equal(positions, stratified_positions(labels, 20))
    assert stratified_positions(labels, 1000).tolist() == list(range(100))
    with pytest.raises(ValueError, match="size = 0"):
        stratified_positions(labels, 0)


def test_checksums_differ_with_any_pixel_or_label():
    split = data.Split(IMAGES, LABELS, CLASSES)
    other_image = data.Split(spoilt(0.5), LABELS, CLASSES)
    other_label = data.Split(IMAGES, 1 - LABELS, CLASSES)
    expected = checksums(data.Dataset("shapes", split, split))
    assert expected["train"] == expected["test"] and len(bytes.fromhex(expected["test"])) == 32
    for other in (other_image, other_label):
        changed = checksums(data.Dataset("shapes", split, other))
        assert changed["train"] == expected["train"] and changed["test"] != expected["test"]

"""Corrupted training halves: as many wrong labels as asked, sizes as asked, tests untouched."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.data import corruption
from tests.helpers.toys import toy_dataset


@given(st.floats(0, 0.99), st.integers(0, 50))
def test_exactly_the_share_is_wrong_and_marked(share, seed):
    dataset = toy_dataset()
    noisy, flipped = corruption.flip_labels(dataset, share, seed)
    assert torch.equal(noisy.train.labels != dataset.train.labels, flipped)
    assert flipped.sum() == round(share * len(dataset.train))
    assert noisy.test is dataset.test and torch.equal(noisy.train.images, dataset.train.images)
    assert torch.equal(
        noisy.train.labels, corruption.flip_labels(dataset, share, seed)[0].train.labels
    )


def test_wrong_labels_go_to_all_other_classes_evenly():
    dataset = toy_dataset(n=4000)
    noisy, flipped = corruption.flip_labels(dataset, 0.5)
    away = (noisy.train.labels - dataset.train.labels)[flipped] % 4
    counts = torch.bincount(away, minlength=4)
    assert counts[0] == 0 and counts[1:].min() > 420  # 500 each, 18 of deviation


def test_class_sizes_fall_geometrically():
    sizes = torch.bincount(corruption.imbalance(toy_dataset(n=1600), 8).train.labels)
    assert sizes.tolist() == [300, 150, 75, 38]
    assert torch.equal(
        corruption.imbalance(toy_dataset(), 1).train.labels, toy_dataset().train.labels
    )


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="share = 1"):
        corruption.flip_labels(toy_dataset(), 1)
    with pytest.raises(ValueError, match="ratio = 0.5"):
        corruption.imbalance(toy_dataset(), 0.5)

"""P×K batches: what every batch and every epoch holds, for data sets of any shape."""

import doctest
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Sampler, TensorDataset

from lossbook.data import samplers
from lossbook.data.samplers import MPerClassSampler


@st.composite
def data_sets(draw):
    """(labels, K, P): classes of unequal size, in mixed order, with gaps in their numbers."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    labels = [3 * label for label, size in enumerate(sizes) for _ in range(size)]
    labels = torch.tensor(draw(st.permutations(labels)))
    return labels, draw(st.integers(1, 5)), draw(st.integers(1, len(sizes)))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None)
@given(data_sets())
def test_every_batch_holds_p_classes_with_k_images_each(case):
    labels, per_class, num_classes = case
    sampler = MPerClassSampler(labels, per_class, per_class * num_classes, seeded())
    indices = list(sampler)
    assert len(indices) == len(sampler) == len(sampler) // sampler.batch_size * sampler.batch_size
    assert len(sampler) <= max(len(labels), sampler.batch_size)
    assert len(sampler) > len(labels) - sampler.batch_size
    sizes = Counter(labels.tolist())
    for batch in torch.tensor(indices).split(sampler.batch_size):
        assert Counter(labels[batch].tolist()) == dict.fromkeys(
            labels[batch].unique().tolist(), per_class
        )
        times = Counter(batch.tolist())
        for row, count in times.items():
            size = sizes[int(labels[row])]
            assert per_class // size <= count <= -(-per_class // size)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_an_epoch_of_equal_classes_visits_every_image_once(per_class, rounds, in_batch, batches):
    labels = torch.arange(in_batch * batches).repeat(per_class * rounds)
    sampler = MPerClassSampler(labels, per_class, per_class * in_batch, seeded())
    assert sorted(sampler) == list(range(len(labels)))


@settings(deadline=None)
@given(data_sets())
def test_classes_take_turns_whatever_their_size(case):
    labels, per_class, _ = case
    sampler = MPerClassSampler(labels, per_class, batch_size=per_class, generator=seeded())
    images = Counter(dict.fromkeys(labels.tolist(), 0))
    images.update(labels[list(sampler)].tolist())
    assert max(images.values()) - min(images.values()) <= per_class


def test_the_generator_decides_the_order():
    labels = torch.arange(10).repeat(20)
    generator = seeded(7)
    sampler = MPerClassSampler(labels, 4, 20, generator)
    first, second = list(sampler), list(sampler)
    assert first != second
    generator.manual_seed(7)
    assert list(sampler) == first
    torch.manual_seed(7)
    assert list(MPerClassSampler(labels, 4, 20)) == first


def test_a_data_loader_gives_the_batches():
    labels = torch.arange(6).repeat(8)
    sampler = MPerClassSampler(labels.numpy(), 4, 12, seeded())
    assert isinstance(sampler, Sampler)
    loader = DataLoader(TensorDataset(labels), batch_size=12, sampler=sampler)
    assert len(loader) == 4
    for (batch,) in loader:
        assert batch.bincount(minlength=6).sort().values.tolist() == [0, 0, 0, 4, 4, 4]


@pytest.mark.parametrize(
    ("labels", "per_class", "batch_size", "message"),
    [
        ([0, 1, 0, 1], 3, 4, "batch_size = 4: expected a multiple of per_class = 3, such as 6"),
        ([0, 1, 0, 1], 2, 6, "holds 3 classes, and there are 2: expected a batch_size of at"),
        ([0, 1], 0, 4, "per_class = 0: expected a whole number of at least 1"),
        ([0, 1], 2, 2.5, "batch_size = 2.5: expected a whole number of at least 1"),
        ([], 2, 4, "labels are empty"),
        ([0, -1], 1, 2, "label -1 is outside"),
    ],
)
def test_bad_settings_are_refused(labels, per_class, batch_size, message):
    labels = torch.tensor(labels, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        MPerClassSampler(labels, per_class, batch_size)


def test_labels_that_are_no_class_numbers_are_refused():
    with pytest.raises(TypeError, match="labels are float32: expected integers"):
        MPerClassSampler(torch.tensor([0.0, 1.0]), 1, 2)


def test_docstring_example():
    results = doctest.testmod(samplers)
    assert results.attempted > 0 and results.failed == 0

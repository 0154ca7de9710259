"""Corrupted training halves: as many wrong labels as asked, sizes as asked, tests untouched."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

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


def test_blur_is_that_of_scipy():
    images = torch.rand(3, 2, 12, 9, generator=torch.Generator().manual_seed(0))
    sigma = 1.3
    expected = ndimage.gaussian_filter(
        images.double().numpy(), (0, 0, sigma, sigma), mode="constant", truncate=4
    )
    blurred = corruption.blur(images, sigma)
    assert blurred.dtype == torch.float32 and torch.equal(corruption.blur(images, 0), images)
    torch.testing.assert_close(blurred.double(), torch.from_numpy(expected), atol=1e-6, rtol=0)


def test_bytes_are_degraded_as_their_fractions():
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    for degrade, strength in (
        (corruption.blur, 1),
        (corruption.add_noise, 0.1),
        (corruption.lower_resolution, 4),
    ):
        assert torch.equal(degrade(images, strength), degrade(images / 255, strength))


def test_each_image_is_blurred_by_its_own_standard_deviation():
    images = torch.rand(200, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    blurred, sigma = corruption.blur_at_random(images, 3.0)
    assert blurred.shape == images.shape and sigma.shape == (200,)
    assert sigma.unique().tolist() == pytest.approx([step / 4 for step in range(13)])
    for i in (0, 50, 199):
        torch.testing.assert_close(blurred[i], corruption.blur(images[i : i + 1], sigma[i])[0])
    again, other = (corruption.blur_at_random(images, 3.0, seed)[1] for seed in (0, 1))
    assert torch.equal(again, sigma) and not torch.equal(other, sigma)


def test_noise_has_its_standard_deviation_and_stays_in_range():
    grey = torch.full((10, 1, 28, 28), 0.5)
    noisy = corruption.add_noise(grey, 0.1)
    assert (noisy - grey).std().item() == pytest.approx(0.1, rel=0.03)
    assert torch.equal(noisy, corruption.add_noise(grey, 0.1))
    assert not torch.equal(noisy, corruption.add_noise(grey, 0.1, seed=1))
    assert corruption.add_noise(grey, 5.0).aminmax() == (0, 1)


def test_lower_resolution_keeps_the_means_of_blocks():
    images = torch.zeros(1, 1, 8, 8)
    images[..., :4] = 1.0
    lower = corruption.lower_resolution(images, 2)
    assert lower.shape == images.shape and lower.mean().item() == pytest.approx(0.5)
    assert lower[0, 0, 0, 0] == 1 and lower[0, 0, 0, -1] == 0
    # Bilinear: the middle of a block of 4 pixels has its mean, between them the value changes.
    torch.testing.assert_close(lower[0, 0, 0, 2:6], torch.tensor([0.875, 0.625, 0.375, 0.125]))
    assert torch.equal(corruption.lower_resolution(images, 8), images)


def test_bad_input_is_named():
    images = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="sigma = -1: expected pixels"):
        corruption.blur(images, -1)
    with pytest.raises(ValueError, match="sigma = -0.25"):
        corruption.blur_at_random(images.repeat(50, 1, 1, 1), -3.0)
    with pytest.raises(ValueError, match="std = nan"):
        corruption.add_noise(images, float("nan"))
    with pytest.raises(ValueError, match="size = 0"):
        corruption.lower_resolution(images, 0)
    with pytest.raises(ValueError, match="share = 1"):
        corruption.flip_labels(toy_dataset(), 1)
    with pytest.raises(ValueError, match="ratio = 0.5"):
        corruption.imbalance(toy_dataset(), 0.5)

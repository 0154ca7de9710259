"""The experiment on blurred digits: what a cell measures, and the saved one."""

import pytest
import torch
import torch.nn.functional as F

from lossbook import data, heads, training
from lossbook.data import corruption
from lossbook.experiments import degraded_digits
from tests.helpers.toys import tiny_backbone, toy_dataset

RECIPE = {"epochs": 3, "batch_size": 20, "learning_rate": 3e-3}


def test_a_cell_is_measured_on_every_condition(tmp_path, monkeypatch):
    monkeypatch.setattr(degraded_digits, "EMBEDDING_DIM", 2)
    cell = degraded_digits.Cell("AdaFace_s16_m0.3", 1)
    record, arrays = degraded_digits.run(
        [cell], tmp_path, dataset=toy_dataset(), backbone=lambda d: tiny_backbone(), **RECIPE
    )
    changed, sigma = degraded_digits.blurred(toy_dataset(), 1)
    model, head = tiny_backbone(), heads.AdaFace(2, 4, scale=16, margin=0.3)
    again = training.fit(model, head, changed, seed=1, progress=False, **RECIPE)
    measured = record["cells"][cell.name]
    assert measured["loss"] == again.name
    assert measured["conditions"].keys() == degraded_digits.CONDITIONS.keys()
    split = toy_dataset().test
    noisy = corruption.add_noise(split.images, 0.4)
    assert measured["conditions"]["noise, σ = 0.4"] == pytest.approx(of_each(model, head, noisy))
    saved = arrays[cell.name]
    assert saved["right"].mean() == again.history.test_acc.iloc[-1]
    torch.testing.assert_close(torch.from_numpy(saved["sigma"]), sigma)
    x = training.embed(model, changed.test.images)
    torch.testing.assert_close(torch.from_numpy(saved["length"]), x.norm(dim=1))


def of_each(model, head, images):
    """Accuracy, mean length and mean cosine, one image after the other."""
    right, lengths, cosines = 0, 0, 0
    for image, label in zip(images, toy_dataset().test.labels):
        x = training.embed(model, image[None])[0].double()
        cos = [F.cosine_similarity(x, w, dim=0).item() for w in head.weight.detach().double()]
        right += cos.index(max(cos)) == label.item()
        lengths += x.norm().item()
        cosines += max(cos)
    return {key: value / len(images) for key, value in zip(KEYS, (right, lengths, cosines))}


KEYS = ("accuracy", "length", "cosine")


def test_training_images_differ_by_seed_and_test_images_do_not():
    dataset = toy_dataset()
    first, sigma = degraded_digits.blurred(dataset, 0)
    second, again = degraded_digits.blurred(dataset, 1)
    assert torch.equal(first.test.images, second.test.images) and torch.equal(sigma, again)
    assert not torch.equal(first.train.images, second.train.images)
    torch.testing.assert_close(
        first.test.images[0], corruption.blur(dataset.test.images[:1], sigma[0])[0]
    )


def test_the_saved_experiment_is_the_plan():
    record, arrays = degraded_digits.load()
    assert set(record["cells"]) == {cell.name for cell in degraded_digits.PLAN} == set(arrays)
    assert record["made_by"] == {"command": "lossbook degraded-digits"}
    assert record["asked"] == degraded_digits.RECIPE
    digits = data.load("mnist5k").test
    assert all(len(saved["right"]) == len(digits) for saved in arrays.values())

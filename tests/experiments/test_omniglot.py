"""The saved experiment on Omniglot: cells trained once, resumed, measured on held-out classes."""

import numpy as np
import pytest
import torch

from lossbook import data, training
from lossbook.experiments import omniglot
from lossbook.heads import euclidean
from lossbook.metrics import verification
from lossbook.metrics.bootstrap import percentile_interval
from lossbook.utils.records import FORMAT
from tests.helpers.toys import tiny_backbone

RECIPE = {"epochs": 2, "batch_size": 20, "learning_rate": 3e-3}


def characters(alphabets=(*omniglot.KNOWN, *omniglot.HELD_OUT), each=2, images=10):
    """A toy Omniglot: a bright square, somewhere else for every character."""
    names = tuple(sorted(f"{a}/{j}" for a in alphabets for j in range(each)))
    labels = torch.arange(len(names) * images) % len(names)
    pixels = 0.2 * torch.rand(len(labels), 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for i, y in enumerate(labels.tolist()):
        pixels[i, 0, 2 + 6 * (y // 4) : 8 + 6 * (y // 4), 2 + 6 * (y % 4) : 8 + 6 * (y % 4)] += 0.8
    cut = len(labels) * 6 // 10
    return data.Dataset(
        "toy",
        *(data.Split(pixels[half], labels[half], names) for half in (slice(cut), slice(cut, None))),
    )


CELLS = [omniglot.Cell("softmax", 2, 10), omniglot.Cell("ArcFace_s16_m0.3", 2, 5, seed=1)]


def run(folder, cells=CELLS, **options):
    known, unseen = omniglot.known_and_strangers(characters())
    return omniglot.run(
        cells, known, unseen, folder, lambda d: tiny_backbone(), **{**RECIPE, **options}
    )


def test_known_and_strangers_share_no_class():
    known, unseen = omniglot.known_and_strangers(
        characters(("Arcadian", *omniglot.KNOWN, *omniglot.HELD_OUT))
    )
    assert len(known.classes) == 10 and len(unseen.classes) == 6
    assert {name.split("/")[0] for name in known.classes} == set(omniglot.KNOWN)
    assert {name.split("/")[0] for name in unseen.classes} == set(omniglot.HELD_OUT)
    images, labels = omniglot.all_images(unseen)
    assert len(images) == len(labels) == 60 and set(labels) == set(range(6))
    with pytest.raises(ValueError, match="no alphabet Sanskrit"):
        omniglot.known_and_strangers(
            characters(omniglot.KNOWN + omniglot.HELD_OUT[:1] + ("Tagalog",))
        )


def test_fewer_classes_come_from_everywhere():
    known, _ = omniglot.known_and_strangers(characters())
    kept = omniglot.fewer_classes(known, 5)
    assert len({name.split("/")[0] for name in kept.classes}) == 5
    assert len(kept.train) == len(known.train) // 2
    with pytest.raises(ValueError, match="count = 1"):
        omniglot.fewer_classes(known, 1)


def test_a_cell_is_the_training_it_names(tmp_path):
    record, arrays = run(tmp_path)
    cell = record["cells"]["ArcFace_s16_m0.3-2d-5c-seed1"]
    assert (
        cell["loss"] == "ArcFace(scale=16, margin=0.3)" and cell["epochs"] == 4
    )  # half the classes, as many steps
    known, unseen = omniglot.known_and_strangers(characters())
    chosen = omniglot.fewer_classes(known, 5)
    model, (head, _) = tiny_backbone(), omniglot.build_head("ArcFace_s16_m0.3", 2, 5)
    again = training.fit(model, head, chosen, seed=1, progress=False, **{**RECIPE, "epochs": 4})
    assert cell["accuracy"] == pytest.approx(again.history.test_acc.iloc[-1])
    images, labels = omniglot.all_images(unseen)
    x = training.embed(model, images).numpy()
    report = verification.report(x, labels, max_per_kind=omniglot.MOST)
    assert cell["strangers"]["eer"][0] == pytest.approx(report["eer"], abs=1e-5)
    assert cell["strangers"]["eer"][1:] == pytest.approx(report["intervals"]["eer"], abs=1e-5)
    assert cell["strangers"]["rank_1"] == report["rank"]["1"]
    mine = arrays["ArcFace_s16_m0.3-2d-5c-seed1"]
    assert (
        mine["right"].mean() == pytest.approx(cell["accuracy"])
        and mine["histogram"].sum() == 60 * 59 // 2
    )
    assert mine["resampled"].shape[0] == omniglot.RESAMPLES and mine["band"].shape == (
        3,
        len(omniglot.GRID),
    )
    low, high = percentile_interval(mine["resampled"][:, 0])
    assert (low, high) == pytest.approx(cell["strangers"]["eer"][1:], abs=1e-4)


def test_it_goes_on_where_it_was_and_refuses_another_experiment(tmp_path, monkeypatch):
    first, arrays = run(tmp_path, CELLS[:1])
    trained, fit = [], omniglot.fit
    monkeypatch.setattr(omniglot, "fit", lambda *a, **k: trained.append(k["seed"]) or fit(*a, **k))
    record, more = run(tmp_path)
    assert (
        trained == [1]
        and record["cells"]["softmax-2d-10c-seed0"] == first["cells"]["softmax-2d-10c-seed0"]
    )
    assert np.array_equal(
        more["softmax-2d-10c-seed0"]["resampled"], arrays["softmax-2d-10c-seed0"]["resampled"]
    )
    with pytest.raises(ValueError, match="whose asked is"):
        run(tmp_path, epochs=3)


def test_losses_that_are_no_rows_have_a_name_too():
    head, kind = omniglot.build_head("triplet", 8, 5)
    assert isinstance(head, euclidean.Triplet) and kind == "distance" and head.embedding_dim == 8
    with pytest.raises(KeyError, match="did you mean"):
        omniglot.build_head("ArcFac_v1", 8, 5)


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook strangers"):
        omniglot.load(tmp_path / "strangers")


def test_the_plan_is_feasible_and_has_three_seeds_each():
    for cell in omniglot.PLAN:
        omniglot.build_head(cell.row, cell.embedding_dim, cell.classes)
    names = [cell.name for cell in omniglot.PLAN]
    assert len(set(names)) == len(names)
    assert all(
        cell._replace(seed=seed) in omniglot.PLAN for cell in omniglot.PLAN for seed in range(3)
    )


def test_the_saved_experiment_is_the_plan():
    record, arrays = omniglot.load()
    assert set(record["cells"]) == {cell.name for cell in omniglot.PLAN} == set(arrays)
    assert record["made_by"]["command"] == "python -m lossbook strangers"
    assert record["asked"] == omniglot.RECIPE and record["format"] == FORMAT

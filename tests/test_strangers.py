"""The saved experiment: cells trained once, gone on with after a stop, measured on classes no training saw."""

import numpy as np
import pytest
import torch
from lossbook import data, euclidean, results, strangers, training, verification
from test_training import tiny

RECIPE = {"epochs": 2, "batch_size": 20, "learning_rate": 3e-3}


def characters(alphabets=(*strangers.KNOWN, *strangers.HELD_OUT), each=2, images=10):
    """A toy Omniglot: a bright square, somewhere else for every character."""
    names = tuple(sorted(f"{a}/{j}" for a in alphabets for j in range(each)))
    labels = torch.arange(len(names) * images) % len(names)
    pixels = 0.2 * torch.rand(len(labels), 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for i, y in enumerate(labels.tolist()):
        pixels[i, 0, 2 + 6 * (y // 4):8 + 6 * (y // 4), 2 + 6 * (y % 4):8 + 6 * (y % 4)] += 0.8
    cut = len(labels) * 6 // 10
    return data.Dataset("toy", *(data.Split(pixels[half], labels[half], names)
                                 for half in (slice(cut), slice(cut, None))))


CELLS = [strangers.Cell("softmax", 2, 10), strangers.Cell("ArcFace_s16_m0.3", 2, 5, seed=1)]


def run(folder, cells=CELLS, **options):
    known, unseen = strangers.known_and_strangers(characters())
    return strangers.run(cells, known, unseen, folder, lambda d: tiny(), **{**RECIPE, **options})


def test_known_and_strangers_share_no_class():
    known, unseen = strangers.known_and_strangers(characters(("Arcadian", *strangers.KNOWN, *strangers.HELD_OUT)))
    assert len(known.classes) == 10 and len(unseen.classes) == 6
    assert {name.split("/")[0] for name in known.classes} == set(strangers.KNOWN)
    assert {name.split("/")[0] for name in unseen.classes} == set(strangers.HELD_OUT)
    images, labels = strangers.everyone(unseen)
    assert len(images) == len(labels) == 60 and set(labels) == set(range(6))
    with pytest.raises(ValueError, match="no alphabet Sanskrit"):
        strangers.known_and_strangers(characters(strangers.KNOWN + strangers.HELD_OUT[:1] + ("Tagalog",)))


def test_fewer_classes_come_from_everywhere():
    known, _ = strangers.known_and_strangers(characters())
    kept = strangers.fewer_classes(known, 5)
    assert len({name.split("/")[0] for name in kept.classes}) == 5
    assert len(kept.train) == len(known.train) // 2
    with pytest.raises(ValueError, match="count = 1"):
        strangers.fewer_classes(known, 1)


def test_a_cell_is_the_training_it_names(tmp_path):
    record, arrays = run(tmp_path)
    cell = record["cells"]["ArcFace_s16_m0.3-2d-5c-seed1"]
    assert cell["loss"] == "ArcFace(scale=16, margin=0.3)" and cell["epochs"] == 4   # half the classes, as many steps
    known, unseen = strangers.known_and_strangers(characters())
    chosen = strangers.fewer_classes(known, 5)
    model, (head, _) = tiny(), strangers.head_named("ArcFace_s16_m0.3", 2, 5)
    again = training.fit(model, head, chosen, seed=1, progress=False, **{**RECIPE, "epochs": 4})
    assert cell["accuracy"] == pytest.approx(again.history.test_acc.iloc[-1])
    images, labels = strangers.everyone(unseen)
    report = verification.report(training.embed(model, images).numpy(), labels, most=strangers.MOST)
    assert cell["strangers"]["eer"][0] == pytest.approx(report["eer"], abs=1e-5)
    assert cell["strangers"]["eer"][1:] == pytest.approx(report["intervals"]["eer"], abs=1e-5)
    assert cell["strangers"]["rank_1"] == report["rank"]["1"]
    mine = arrays["ArcFace_s16_m0.3-2d-5c-seed1"]
    assert mine["right"].mean() == pytest.approx(cell["accuracy"]) and mine["histogram"].sum() == 60 * 59 // 2
    assert mine["resampled"].shape[0] == strangers.RESAMPLES and mine["band"].shape == (3, len(strangers.GRID))
    low, high = verification.interval_of(mine["resampled"][:, 0])
    assert (low, high) == pytest.approx(cell["strangers"]["eer"][1:], abs=1e-4)


def test_it_goes_on_where_it_was_and_refuses_another_experiment(tmp_path, monkeypatch):
    first, arrays = run(tmp_path, CELLS[:1])
    trained, fit = [], strangers.fit
    monkeypatch.setattr(strangers, "fit", lambda *a, **k: trained.append(k["seed"]) or fit(*a, **k))
    record, more = run(tmp_path)
    assert trained == [1] and record["cells"]["softmax-2d-10c-seed0"] == first["cells"]["softmax-2d-10c-seed0"]
    assert np.array_equal(more["softmax-2d-10c-seed0"]["resampled"], arrays["softmax-2d-10c-seed0"]["resampled"])
    with pytest.raises(ValueError, match="whose asked is"):
        run(tmp_path, epochs=3)


def test_losses_that_are_no_rows_have_a_name_too():
    head, kind = strangers.head_named("triplet", 8, 5)
    assert isinstance(head, euclidean.Triplet) and kind == "distance" and head.embedding_dim == 8
    with pytest.raises(KeyError, match="did you mean"):
        strangers.head_named("ArcFac_v1", 8, 5)


def test_none_saved_is_a_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m lossbook strangers"):
        strangers.load(tmp_path / "strangers")


def test_the_plan_is_feasible_and_has_three_seeds_each():
    for cell in strangers.PLAN:
        strangers.head_named(cell.row, cell.embedding_dim, cell.classes)
    names = [cell.name for cell in strangers.PLAN]
    assert len(set(names)) == len(names)
    assert all(cell._replace(seed=seed) in strangers.PLAN for cell in strangers.PLAN for seed in range(3))


def test_the_saved_experiment_is_the_plan():
    record, arrays = strangers.load()
    assert set(record["cells"]) == {cell.name for cell in strangers.PLAN} == set(arrays)
    assert record["made_by"]["command"] == "python -m lossbook strangers"
    assert record["asked"] == strangers.RECIPE and record["format"] == results.FORMAT

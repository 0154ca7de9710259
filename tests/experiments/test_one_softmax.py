"""The saved experiment on class vectors and pairs: its heads, its batches, its plan."""

import pytest

from lossbook.experiments import omniglot, one_softmax
from lossbook.heads import ArcFace
from lossbook.heads.pairs_and_proxies import Circle, ProxyAnchor, SupCon
from tests.experiments.test_omniglot import characters
from tests.helpers.toys import tiny_backbone

RECIPE = {"epochs": 1, "batch_size": 20, "learning_rate": 3e-3}


def test_a_row_names_its_head():
    head, kind = one_softmax.build_head("SupCon_s16", 8, 5)
    assert type(head) is SupCon and head.temperature == 1 / 16 and kind == "cosine"
    assert type(one_softmax.build_head("Proxy-Anchor", 8, 5)[0]) is ProxyAnchor
    assert type(one_softmax.build_head("Circle", 8, 5)[0]) is Circle
    head, _ = one_softmax.build_head("ArcFace_s16_m0.3", 8, 5)
    assert type(head) is ArcFace and (head.num_classes, head.margin) == (5, 0.3)
    with pytest.raises(KeyError, match="did you mean"):
        one_softmax.build_head("ArcFac_v1", 8, 5)


def test_every_loss_gets_the_same_batches_of_several_images_a_class(tmp_path, monkeypatch):
    recipes, fit = [], omniglot.fit

    def recorded(*parts, **options):
        recipes.append({name: options[name] for name in (*RECIPE, "per_class")})
        return fit(*parts, **options)

    monkeypatch.setattr(omniglot, "fit", recorded)
    known, strangers = omniglot.known_and_strangers(characters())
    cells = [omniglot.Cell(row, 2, 10) for row in ("SupCon_s16", "Proxy-Anchor", "softmax")]
    record, arrays = one_softmax.run(
        cells, known, strangers, tmp_path, lambda d: tiny_backbone(), **RECIPE
    )
    assert recipes == 3 * [{**RECIPE, "per_class": 4}]
    assert record["asked"]["per_class"] == 4
    assert record["cells"]["SupCon_s16-2d-10c-seed0"]["loss"] == "SupCon(temperature=0.0625)"
    assert set(arrays) == {cell.name for cell in cells}


def test_the_plan_is_feasible_and_has_three_seeds_each():
    for cell in one_softmax.PLAN:
        one_softmax.build_head(cell.row, cell.embedding_dim, cell.classes)
    names = {cell.name for cell in one_softmax.PLAN}
    assert len(names) == len(one_softmax.PLAN)
    assert names == {
        cell._replace(seed=seed).name for cell in one_softmax.PLAN for seed in range(3)
    }


def test_the_saved_experiment_is_the_plan_on_the_data_of_the_other_one():
    record, arrays = one_softmax.load()
    assert set(record["cells"]) == {cell.name for cell in one_softmax.PLAN} == set(arrays)
    assert record["made_by"]["command"] == "lossbook one-softmax"
    other, _ = omniglot.load()
    assert record["data_sha256"] == other["data_sha256"]
    assert record["asked"] == {**other["asked"], **one_softmax.RECIPE}

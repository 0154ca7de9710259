"""What the playground is given: its data are the library's, its script is its modules."""

import re
from inspect import signature

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lossbook import heads
from lossbook.experiments import scale_margin_grid
from tools.web import playground


def test_the_digits_come_back_out_of_their_text():
    digits, data = load_digits(), playground.data()
    pixels = np.array([int(pixel, 17) for pixel in data["pixels"]]).reshape(-1, 64)
    assert (pixels == digits.data).all()
    assert [int(label) for label in data["labels"]] == digits.target.tolist()


def test_the_presets_and_the_annealing_are_those_of_the_heads():
    data = playground.data()
    assert list(data["presets"]) == list(heads.PRESETS)
    for name, row in heads.PRESETS.items():
        preset, head = data["presets"][name], heads.from_preset(name, 2, 10)
        assert preset["unit_weight"] == head.unit_weight
        assert preset["unit_embedding"] == head.unit_embedding
        assert [preset[field] for field in ("s", "m1", "m2", "m3")] == list(row[2:])
        assert preset["anneal"] == hasattr(head, "lambda_start")
    for kind, head in [("unit", heads.SphereFace(2, 10)), ("free", heads.LSoftmax(2, 10))]:
        assert data["annealing"][kind] == {"start": head.lambda_start, "until": head.anneal_until}


def test_the_losses_to_compare_with_are_the_heads_of_their_names():
    values = {"s": 16, "m1": 4, "m2": 0.3, "m3": 0.2}
    for name, loss in playground.data()["losses"].items():
        setting = loss | {field: values[field] for field in loss["chosen"]}
        row = heads.Preset(*(setting[field] for field in playground.FIELDS))
        kind = type(heads.head_from_preset(row, 2, 10))
        assert kind.__name__.lower() == name.replace("-", "").lower()
        assert ("s" in loss["chosen"]) == ("scale" in signature(kind).parameters)
        margins = [field for field in loss["chosen"] if field != "s"]
        assert len(margins) == ("margin" in signature(kind).parameters)


def test_the_maps_are_the_means_of_the_saved_grids():
    for loss, field in [("ArcFace", "m2"), ("CosFace", "m3")]:
        drawn = playground.data()["maps"][loss]
        cells = scale_margin_grid.load(loss)["cells"].values()
        assert drawn["field"] == field
        for margin, row in zip(drawn["margins"], drawn["accuracies"], strict=True):
            for scale, accuracy in zip(drawn["scales"], row, strict=True):
                seeds = [
                    cell["accuracy"]
                    for cell in cells
                    if cell["scale"] == scale and cell["margin"] == margin
                ]
                assert len(seeds) == 3
                assert accuracy == pytest.approx(np.mean(seeds), abs=6e-4)


def test_the_script_holds_every_module_once_and_no_import():
    script = playground.script()
    for path in playground.SOURCE.glob("*.js"):
        purpose = path.read_text(encoding="utf-8").splitlines()[0]
        assert script.count(purpose) == 1, path.name
    assert not re.search(r"^(import|export) ", script, re.M)
    declared = re.findall(r"^(?:class|function|const|let) (\w+)", script, re.M)
    assert len(declared) == len(set(declared)) > 30, "two modules define the same name"


def test_the_folder_is_complete(tmp_path):
    playground.build(tmp_path / "playground")
    assert sorted(path.name for path in (tmp_path / "playground").iterdir()) == [
        "playground.css",
        "playground.js",
    ]


@pytest.mark.parametrize("path", sorted(playground.SOURCE.glob("*.js")), ids=lambda path: path.name)
def test_a_module_fits_in_a_head(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250 and max(map(len, lines)) <= 100
    assert lines[0].startswith("// "), "its first line says what it is for"

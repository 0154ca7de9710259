"""The training benchmark's bookkeeping, and that its ways train on the same images.

No test depends on a duration.
"""

import json
import re

import pytest
import torch

from lossbook import data
from lossbook.benchmarks import training
from lossbook.cli import main as cli
from lossbook.utils.records import load_benchmark

# torch.compile takes half a minute of a C++ compiler, for the model of every other way.
QUICK = [way for way, settings in training.WAYS.items() if not settings.compiled]


def split(n=24):
    random = torch.Generator().manual_seed(0)
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 8:20, 8:20] = torch.randint(0, 256, (n, 1, 12, 12), generator=random) / 255
    return data.Split(images, torch.arange(n) % 3, ("a", "b", "c"))


def record():
    seconds = {
        training.LOOP: 4.0,
        training.TENSORS: 2.0,
        training.FIT: 1.0,
    }
    return {
        "format": 1,
        "rounds": 2,
        "machine": {"threads": 2},
        "rows": [
            {
                "backbone": backbone,
                "way": way,
                "images": 100 * n,
                "first": 9.0,
                "seconds": [n * took] * 2,
                "median": n * took,
            }
            for n, backbone in enumerate(training.BACKBONES, start=1)
            for way, took in seconds.items()
        ],
    }


def test_a_small_run_time_passes_every_way_in_every_round(monkeypatch):
    visited, visits = [], training._time_passes

    def watched(way, *rest):
        for seconds in visits(way, *rest):
            visited.append(way)
            yield seconds

    monkeypatch.setattr(training, "_time_passes", watched)
    result = training.measure_training(
        split(), rounds=2, ways=QUICK, sizes={"LeNetPP.small": 24}, progress=lambda line: None
    )
    assert visited == [training.WAYS[way] for way in QUICK] * 3
    assert [row["way"] for row in result["rows"]] == QUICK
    assert all(
        row["first"] > 0 < min(row["seconds"]) and len(row["seconds"]) == 2
        for row in result["rows"]
    )
    json.dumps(result, allow_nan=False)


def test_both_loaders_give_every_image_once_shifted_within_the_frame(monkeypatch):
    """Two loaders, one set of images, whatever the shift: the sum of an image tells it apart."""
    given = split()
    expected = {
        (int(y), round(float(image.sum()), 3)) for image, y in zip(given.images, given.labels)
    }
    for loader in (training._load_one_by_one, training._gather_batches):
        torch.manual_seed(0)
        images, labels = map(torch.cat, zip(*loader(given, 10, torch.device("cpu"))))
        assert {
            (int(y), round(float(image.sum()), 3)) for image, y in zip(images, labels)
        } == expected
        assert len(images) == len(expected) == 24 and images.dtype == torch.float32
    monkeypatch.setattr(training, "SHIFT", 0)
    torch.testing.assert_close(training.OneByOne(given.images, given.labels)[5][0], given.images[5])


@pytest.mark.parametrize("way", [training.LOOP, training.TENSORS, training.FIT])
def test_a_way_trains(way, monkeypatch):
    made = []
    monkeypatch.setattr(
        training.heads,
        "ArcFace",
        lambda *args, kind=training.heads.ArcFace, **kw: made.append(kind(*args, **kw)) or made[-1],
    )
    visits = training._time_passes(
        training.WAYS[way],
        training.BACKBONES["LeNetPP.small"][0],
        split(),
        torch.device("cpu"),
    )
    next(visits)
    before = made[0].weight.detach().clone()
    next(visits)
    assert not torch.equal(made[0].weight.detach(), before)


def test_ratios_are_to_the_loops_of_the_same_backbone():
    frame = training.table(record())
    assert frame.rate.tolist() == [25, 50, 100] * 2 and frame["first"].tolist() == [9.0] * 6
    assert frame.to_loop.tolist() == [1, 2, 4] * 2 and frame.to_tensors.tolist() == [0.5, 1, 2] * 2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ways": ["fast"]}, "expected ways among straightforward loop"),
        ({"rounds": 0}, "rounds = 0"),
        ({"sizes": {"LeNetPP": 25}}, "25 images per pass, but the data set has 24"),
    ],
)
def test_what_cannot_be_measured(options, message):
    with pytest.raises(ValueError, match=message):
        training.measure_training(split(), **options)


def test_the_command_writes_a_record_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        training, "measure_training", lambda split, rounds, device, made_by: record()
    )
    assert cli.main(["benchmark", "training", "--out", str(tmp_path / "a.json")]) == 0
    assert (
        json.loads((tmp_path / "a.json").read_text()) == record()
        and (tmp_path / "a.png").stat().st_size > 1000
    )
    assert re.search(r"lossbook.fit +100.0 +9.0 +4.0 +2.0", capsys.readouterr().out)


def test_the_saved_record_is_the_whole_comparison():
    result = load_benchmark("training-cpu")
    assert [(row["backbone"], row["way"]) for row in result["rows"]] == [
        (b, way) for b in training.BACKBONES for way in training.WAYS
    ]
    assert all(len(row["seconds"]) == result["rounds"] for row in result["rows"])

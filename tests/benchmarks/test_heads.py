"""The benchmark's bookkeeping: rounds, medians, ratios, files. No test here depends on a duration."""

import json

import pytest
import torch

from lossbook import __main__, figures
from lossbook.benchmarks import contestants, heads
from lossbook.benchmarks import heads as head_benchmark
from lossbook.benchmarks.timing import most_allocated
from lossbook.utils import records
from lossbook.utils.records import load_benchmark

ROW = {"seconds": [1.0]}


def record(**more):
    rows = [
        {**ROW, "classes": C, "name": name, "median": C * factor, "peak": C * factor * 10}
        for C in (10, 100)
        for name, factor in (
            (contestants.PLAIN, 2.0),
            ("ArcFace", 3.0),
            (f"{contestants.PEER} ArcFace", 8.0),
        )
    ]
    return {
        "format": 1,
        "N": 4,
        "d": 8,
        "rounds": 1,
        "rates": {"flops": 100.0, "bytes": 50.0},
        "machine": {"threads": 1},
        "rows": rows,
        **more,
    }


def test_a_small_run_visits_every_contestant_in_every_round(monkeypatch):
    visits, step = [], head_benchmark._step
    monkeypatch.setattr(heads, "N", 4)
    monkeypatch.setattr(heads, "D", 8)
    monkeypatch.setattr(heads, "rates", lambda device: {"flops": 1.0, "bytes": 1.0})
    monkeypatch.setattr(
        heads, "_step", lambda loss, *rest: visits.append(loss) or step(loss, *rest)
    )
    found = head_benchmark.heads([20], rounds=3, memory=False, progress=lambda line: None)
    names = len(contestants.CONTESTANTS)
    assert [row["name"] for row in found["rows"]] == list(contestants.CONTESTANTS)
    assert all(
        len(row["seconds"]) == 3 and row["median"] == sorted(row["seconds"])[1]
        for row in found["rows"]
    )
    assert len(visits) == 4 * names and len(set(visits[:names])) == names == len(
        set(visits[-names:])
    )
    json.dumps(found, allow_nan=False)


def test_some_contestants_and_memory_alone(monkeypatch):
    monkeypatch.setattr(heads, "N", 4)
    monkeypatch.setattr(heads, "D", 8)
    monkeypatch.setattr(heads, "rates", lambda device: {"flops": 1.0, "bytes": 1.0})
    names = [contestants.PLAIN, contestants.IN_CHUNKS]
    found = head_benchmark.heads([20, 30], rounds=0, only=names, progress=lambda line: None)
    assert [(row["classes"], row["name"]) for row in found["rows"]] == [
        (C, name) for C in (20, 30) for name in names
    ]
    assert all(row["peak"] > 4 * 20 * 8 and "median" not in row for row in found["rows"])
    frame = head_benchmark.table(found)
    assert frame.time_ratio.isna().all() and frame.memory_ratio.notna().all()
    assert len(figures.head_costs(found).axes) == 1
    with pytest.raises(ValueError, match="rounds = 0, .*memory = False"):
        head_benchmark.heads([20], rounds=0, memory=False)


def test_ratios_are_to_the_plain_layer_of_the_same_size():
    frame = head_benchmark.table(record())
    assert frame.time_ratio.tolist() == frame.memory_ratio.tolist() == [1.0, 1.5, 4.0] * 2


def test_the_estimate_counts_products_and_bytes():
    products, moved = head_benchmark.estimate(record(), 10)
    assert products == 3 * 2 * 4 * 8 * 10 / 100 and moved == 4 * (3 * 10 * 8 + 2 * 4 * 10) / 50


def test_the_most_allocated_is_what_was_held_at_a_time():
    def work():
        first = torch.zeros(1000)
        second = first + 1  # two at a time
        del first
        return second + 1  # and again two

    assert 2 * 4000 <= most_allocated(work) < 2 * 4000 + 100  # and a few numbers beside them


def test_peak_memory_sees_what_a_step_holds():
    """Logits of 256 × 20,000, their softmax, its gradient, and a gradient of 20,000 × 512: at least two and one of them."""
    logits, gradient = 4 * 256 * 20_000, 4 * 20_000 * 512
    assert (
        gradient + logits
        < head_benchmark.peak_memory(contestants.PLAIN, 20_000)
        < gradient + 4 * logits
    )


@pytest.mark.parametrize(
    "name",
    ["LSoftmax", "SphereFace", "CosFace", "ArcFace", "CombinedMargin", contestants.IN_CHUNKS],
)
def test_a_margin_costs_hardly_any_memory(name):
    """A tenth more than a plain linear layer at 10,000 classes, counted in bytes that do not depend on the machine."""
    assert head_benchmark.peak_memory(name, 10_000) < 1.1 * head_benchmark.peak_memory(
        contestants.PLAIN, 10_000
    )


def test_save_and_load(tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="lossbook benchmark heads"):
        load_benchmark("heads-cpu")
    records.save(record(), tmp_path / "benchmarks" / "heads-cpu.json")
    assert load_benchmark("heads-cpu") == record()


@pytest.mark.parametrize("panels, strip", [(2, ()), (1, ("peak",))])
def test_the_figure_has_a_panel_for_each_measure(panels, strip):
    rows = [
        {key: value for key, value in row.items() if key not in strip} for row in record()["rows"]
    ]
    figure = figures.head_costs(record(rows=rows))
    assert len(figure.axes) == panels
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "PML ArcFace",
        "ArcFace",
    ]


def test_the_command_writes_a_record_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(heads, "heads", lambda classes, *_, **__: record())
    assert (
        __main__.main(
            ["benchmark", "heads", "--classes", "10", "100", "--out", str(tmp_path / "a.json")]
        )
        == 0
    )
    assert (
        json.loads((tmp_path / "a.json").read_text()) == record()
        and (tmp_path / "a.png").stat().st_size > 1000
    )
    assert "10 classes: the three products take" in capsys.readouterr().out


def test_the_saved_record_is_the_whole_comparison():
    found = load_benchmark("heads-cpu")
    assert {row["name"] for row in found["rows"]} == set(contestants.CONTESTANTS)
    assert {row["classes"] for row in found["rows"]} >= {1_000, 10_000, 100_000}
    assert all(len(row["seconds"]) == found["rounds"] and row["peak"] >= 0 for row in found["rows"])

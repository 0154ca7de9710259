"""The benchmark's bookkeeping: rounds, medians, ratios, files. No test depends on a duration."""

import json

import pytest
import torch

from lossbook.benchmarks import contestants, heads
from lossbook.benchmarks.timing import peak_bytes
from lossbook.cli import main as cli
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
    visits, time_step = [], heads._time_step
    monkeypatch.setattr(heads, "N", 4)
    monkeypatch.setattr(heads, "D", 8)
    monkeypatch.setattr(heads, "measure_rates", lambda device: {"flops": 1.0, "bytes": 1.0})
    monkeypatch.setattr(
        heads, "_time_step", lambda loss, *rest: visits.append(loss) or time_step(loss, *rest)
    )
    result = heads.measure_heads([20], rounds=3, memory=False, progress=lambda line: None)
    names = len(contestants.CONTESTANTS)
    assert [row["name"] for row in result["rows"]] == list(contestants.CONTESTANTS)
    assert all(
        len(row["seconds"]) == 3 and row["median"] == sorted(row["seconds"])[1]
        for row in result["rows"]
    )
    assert len(visits) == 4 * names and len(set(visits[:names])) == names == len(
        set(visits[-names:])
    )
    json.dumps(result, allow_nan=False)


def test_some_contestants_and_memory_alone(monkeypatch):
    monkeypatch.setattr(heads, "N", 4)
    monkeypatch.setattr(heads, "D", 8)
    monkeypatch.setattr(heads, "measure_rates", lambda device: {"flops": 1.0, "bytes": 1.0})
    names = [contestants.PLAIN, contestants.IN_CHUNKS]
    result = heads.measure_heads([20, 30], rounds=0, only=names, progress=lambda line: None)
    assert [(row["classes"], row["name"]) for row in result["rows"]] == [
        (C, name) for C in (20, 30) for name in names
    ]
    assert all(row["peak"] > 4 * 20 * 8 and "median" not in row for row in result["rows"])
    frame = heads.table(result)
    assert frame.time_ratio.isna().all() and frame.memory_ratio.notna().all()
    with pytest.raises(ValueError, match="rounds = 0, .*memory = False"):
        heads.measure_heads([20], rounds=0, memory=False)


def test_ratios_are_to_the_plain_layer_of_the_same_size():
    frame = heads.table(record())
    assert frame.time_ratio.tolist() == frame.memory_ratio.tolist() == [1.0, 1.5, 4.0] * 2


def test_the_estimate_counts_products_and_bytes():
    products, moved = heads.estimate(record(), 10)
    assert products == 3 * 2 * 4 * 8 * 10 / 100 and moved == 4 * (3 * 10 * 8 + 2 * 4 * 10) / 50


def test_peak_bytes_are_those_held_at_a_time():
    def work():
        first = torch.zeros(1000)
        second = first + 1  # two at a time
        del first
        return second + 1  # and again two

    assert 2 * 4000 <= peak_bytes(work) < 2 * 4000 + 100  # and a few numbers beside them


def test_peak_memory_sees_what_a_step_holds():
    """Logits of 256 × 20,000, their gradient, and a gradient of 20,000 × 512."""
    tenth = heads.peak_memory(contestants.PLAIN, 20_000, N=25)
    logits, gradient = 4 * 256 * 20_000, 4 * 20_000 * 512
    assert gradient + logits < heads.peak_memory(contestants.PLAIN, 20_000) < gradient + 4 * logits
    assert gradient + logits / 11 < tenth < gradient + 4 * logits / 10


@pytest.mark.parametrize(
    "name",
    ["LSoftmax", "SphereFace", "CosFace", "ArcFace", "CombinedMargin", contestants.IN_CHUNKS],
)
def test_a_margin_costs_hardly_any_memory(name):
    """At most a tenth more than a plain linear layer at 10,000 classes, on any machine."""
    assert heads.peak_memory(name, 10_000) < 1.1 * heads.peak_memory(contestants.PLAIN, 10_000)


def test_save_and_load(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="lossbook benchmark heads"):
        load_benchmark("heads-cpu")
    records.save(record(), tmp_path / "benchmarks" / "heads-cpu.json")
    assert load_benchmark("heads-cpu") == record()


def test_the_command_writes_a_record_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(heads, "measure_heads", lambda classes, *_, **__: record())
    assert (
        cli.main(
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
    result = load_benchmark("heads-cpu")
    assert {row["name"] for row in result["rows"]} == set(contestants.CONTESTANTS)


@pytest.mark.parametrize("name, N", [("heads64", 64), ("heads", 256), ("heads1024", 1024)])
def test_the_saved_records_hold_times_and_memory_at_every_size(name, N):
    result = load_benchmark(f"{name}-cpu")
    assert result["N"] == N
    names = {
        contestants.PLAIN,
        contestants.FUSED_PLAIN,
        "ArcFace",
        f"{contestants.PEER} ArcFace",
    }
    sizes = {(row["classes"], row["name"]) for row in result["rows"]}
    assert sizes >= {(C, name) for C in (1_000, 10_000, 100_000) for name in names}
    assert all(
        len(row["seconds"]) == result["rounds"] and row["peak"] >= 0 for row in result["rows"]
    )

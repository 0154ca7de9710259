"""Saved records: written and read back, or refused with the command that makes them."""

import json
import math

import pytest

from lossbook.utils import records


def test_what_is_saved_is_read(tmp_path):
    record = {"format": records.FORMAT, "loss": "cos(θ + m)", "values": [1, 0.1, None]}
    path = tmp_path / "new" / "softmax-seed0.json"
    records.save(record, path)
    assert records.read(path) == record and "θ" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_never_written(value, tmp_path):
    with pytest.raises(ValueError):
        records.save({"format": records.FORMAT, "accuracy": value}, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content, message",
    [
        (b'{"format": 1', "is damaged"),
        (b"[1]", "is damaged"),
        (b"{}", "not a result"),
        (b"\xff", "is damaged"),
        (b'{"format": 2}', "format 2, but this version of lossbook reads format 1"),
    ],
)
def test_damaged_records_are_refused(content, message, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    path = tmp_path / "benchmarks" / "heads-cpu.json"
    path.parent.mkdir()
    path.write_bytes(content)
    for read in (lambda: records.read(path), lambda: records.load_benchmark("heads-cpu")):
        with pytest.raises(records.ResultError, match=message) as raised:
            read()
        assert str(path) in str(raised.value)
        assert "lossbook benchmark heads" in str(raised.value)


def test_a_missing_record_names_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="make it with lossbook benchmark train"):
        records.load_benchmark("training-cpu")
    with pytest.raises(FileNotFoundError, match="lossbook reproduce ArcFace_v1"):
        records.read(tmp_path / "mnist-2d" / "ArcFace_v1-seed0.json")


SAVED = sorted(records.FOLDER.rglob("*.json"))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_saved_record_is_read_and_its_command_is_the_one_that_made_it(path):
    """The options of a training are in its record, not in the command."""
    made_by = records.read(path)["made_by"].get("command", "")
    named = records.command_for(path)
    if named == "make time":
        return
    command, *words = named.removeprefix("lossbook ").split()
    assert made_by.removeprefix("python -m ").startswith(f"lossbook {command}")
    assert all(word in made_by.split() for word in words) or "--all" in made_by


def test_records_are_json_on_their_own_lines(tmp_path):
    records.save({"format": records.FORMAT}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"format": records.FORMAT}
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")

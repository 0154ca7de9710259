"""Experiments: a cell is measured once, whatever stops it, and arrays come back as they were."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from lossbook.experiments import resumable
from lossbook.utils import records
from lossbook.utils.records import FORMAT, ResultError


class Cell(NamedTuple):
    number: int

    @property
    def name(self):
        return f"cell {self.number}/of many"


CELLS = [Cell(number) for number in range(3)]


def measured(cell):
    return {"twice": 2 * cell.number}, {"range": np.arange(cell.number), "two/words": np.eye(2)}


def test_cells_and_arrays_come_back(tmp_path):
    record, arrays = resumable.run(
        CELLS, measured, tmp_path, {"what": [1, 2.5]}, made_by={"command": "x"}
    )
    assert record["cells"] == {cell.name: {"twice": 2 * cell.number} for cell in CELLS}
    assert (record["what"], record["made_by"], record["format"]) == (
        [1, 2.5],
        {"command": "x"},
        FORMAT,
    )
    assert arrays[CELLS[2].name]["range"].tolist() == [0, 1] and set(arrays) == set(record["cells"])


def test_stopped_it_goes_on_and_never_measures_twice(tmp_path):
    done = []

    def stopping(cell):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(cell.number)
        return measured(cell)

    with pytest.raises(KeyboardInterrupt):
        resumable.run(CELLS, stopping, tmp_path, {})
    record, arrays = resumable.run(CELLS, measured, tmp_path, {})
    assert (
        done == [0, 1]
        and len(record["cells"]) == 3
        and arrays[CELLS[1].name]["range"].tolist() == [0]
    )
    again = resumable.run(CELLS, lambda cell: pytest.fail("measured again"), tmp_path, {})
    assert again[0] == record


def test_arrays_of_a_cell_that_the_record_lacks_are_left_out(tmp_path):
    """Killed between the two files: the record lacks the cell, so that it is measured again."""
    resumable.run(CELLS, measured, tmp_path, {})
    record = json.loads((tmp_path / "record.json").read_text())
    del record["cells"][CELLS[1].name]
    records.save(record, tmp_path / "record.json")
    assert set(resumable.load(tmp_path)[1]) == {CELLS[0].name, CELLS[2].name}
    assert resumable.run(CELLS, measured, tmp_path, {})[0]["cells"][CELLS[1].name] == {"twice": 2}


def test_without_arrays_there_is_no_second_file(tmp_path):
    record, arrays = resumable.run(
        CELLS, lambda cell: ({"twice": 2 * cell.number}, {}), tmp_path, {}
    )
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"] and record[
        "arrays"
    ] is False
    assert arrays == {cell.name: {} for cell in CELLS}


def test_a_lost_second_file_is_named(tmp_path):
    resumable.run(CELLS[:1], measured, tmp_path, {})
    (tmp_path / "record.npz").unlink()
    with pytest.raises(ResultError, match="lost its record.npz, the arrays of 1 cells"):
        resumable.run(CELLS, measured, tmp_path, {})


def test_another_experiment_is_refused(tmp_path):
    resumable.run(CELLS[:1], measured, tmp_path, {"epochs": 3})
    with pytest.raises(ValueError, match="whose epochs is 3, expected 4: give another folder"):
        resumable.run(CELLS, measured, tmp_path, {"epochs": 4})


def test_what_json_writes_otherwise_is_the_same(tmp_path):
    resumable.run(CELLS, measured, tmp_path, {"alphabets": ("a", "b")})
    assert resumable.run(CELLS, measured, tmp_path, {"alphabets": ("a", "b")})[0]["alphabets"] == [
        "a",
        "b",
    ]
    with pytest.raises(TypeError):
        resumable.run(
            CELLS, lambda cell: pytest.fail("trained"), tmp_path / "new", {"what": object()}
        )


def test_damaged_arrays_are_named(tmp_path):
    resumable.run(CELLS, measured, tmp_path, {})
    whole = (tmp_path / "record.npz").read_bytes()
    (tmp_path / "record.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ResultError, match="record.npz is damaged"):
        resumable.load(tmp_path)


ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from lossbook.experiments import resumable
from tests.experiments.test_resumable import CELLS, measured

def slowly(cell):
    (Path(sys.argv[1]) / f"{cell.number} is begun").touch()
    while not (Path(sys.argv[1]) / "go on").exists():
        time.sleep(0.01)
    return measured(cell)

resumable.run(CELLS[:1], slowly, Path(sys.argv[1]) / "folder", {})
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which is measuring the first cell, until there is a file "go on"."""
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, tmp_path], cwd=Path(__file__).parents[2]
    )
    for _ in range(3000):
        if (tmp_path / "0 is begun").exists():
            break
        time.sleep(0.02)
    else:
        pytest.fail("the other process has not begun within a minute")
    yield process
    process.kill()
    process.wait()


def test_two_processes_share_the_cells(tmp_path, other):
    """The first cell is being measured elsewhere: it is waited for, after the others are done."""
    done = []

    def finishing_last(cell):
        done.append(cell.number)
        if len(done) == 2:
            (tmp_path / "go on").touch()
        return measured(cell)

    record, arrays = resumable.run(CELLS, finishing_last, tmp_path / "folder", {})
    assert other.wait(60) == 0
    assert done == [1, 2] and set(record["cells"]) == {cell.name for cell in CELLS}
    assert all(arrays[cell.name]["range"].tolist() == [*range(cell.number)] for cell in CELLS)


def test_a_cell_that_another_process_gave_up_is_measured(tmp_path, other):
    done = []

    def killing(cell):
        done.append(cell.number)
        other.kill()
        return measured(cell)

    record, _ = resumable.run(CELLS, killing, tmp_path / "folder", {})
    assert done == [1, 2, 0] and len(record["cells"]) == 3

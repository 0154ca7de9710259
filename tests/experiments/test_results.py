"""Result files and their tables: every number recomputed from the files by other means."""

import json
import math
import statistics

import numpy as np
import pytest

from lossbook import training
from lossbook.experiments import results
from lossbook.utils import records
from lossbook.utils.records import FOLDER, ResultError
from tests.helpers.records import reproduce_on_toys
from tests.helpers.toys import toy_dataset


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return reproduce_on_toys(folder, ["softmax", "ArcFace_v1"], seeds=2), folder


def test_a_record_holds_what_the_run_measured(saved):
    records, folder = saved
    assert results.load(folder) == sorted(records, key=lambda r: (r["row"], r["seed"]))
    for record in records:
        assert record["history"]["test_acc"][-1] == record["test"]["accuracy"]
        assert record["test"]["images"] == len(toy_dataset().test)
        assert len(record["history"]["epoch"]) == record["recipe"]["epochs"]
        assert set(record["versions"]) == {"lossbook", "torch", "python"} and record["device"]
        assert record["seconds"] == pytest.approx(sum(record["history"]["seconds"]))


def test_the_table_says_what_the_files_say(saved):
    records, _ = saved
    table = results.table(records)
    for row in ("softmax", "ArcFace_v1"):
        files = [record["test"]["accuracy"] for record in records if record["row"] == row]
        mean = sum(files) / 2
        assert table.test[row] == pytest.approx(mean) and table.seeds[row] == 2
        # Student's 97.5 % quantile for one degree of freedom is tan(.475 π).
        assert table.test_interval[row] == pytest.approx(
            math.tan(0.475 * math.pi) * statistics.stdev(files) / math.sqrt(2)
        )
    assert table.source_test.isna().all() and table.difference.isna().all(), (
        "the source's figures are MNIST's"
    )


def test_a_reader_gets_percent_and_degrees(saved):
    table = results.table(saved[0])
    shown = results.with_units(table, "seeds", "test", "gap_median", "loss")
    assert list(shown) == ["seeds", "test (%)", "gap median (°)", "loss"] and list(
        shown.index
    ) == list(table.index)
    for row in table.index:
        assert shown["test (%)"][row] == pytest.approx(100 * table.test[row], abs=0.005)
        assert shown["gap median (°)"][row] == pytest.approx(
            math.degrees(table.gap_median[row]), abs=0.05
        )


def test_a_table_is_of_one_setting(saved):
    first, second = saved[0][0], {**saved[0][1], "embedding_dim": 3}
    with pytest.raises(ValueError, match="records of 2 settings"):
        results.table([first, second])


def test_one_seed_has_no_interval_over_seeds(saved):
    alone = results.table([record for record in saved[0] if record["seed"] == 0])
    assert alone.test_interval.isna().all() and (alone.seeds == 1).all()


def test_spread_covers_two_runs_of_the_same_quality():
    """Of pairs of test scores drawn with the same true accuracy, 95 % differ by less."""
    random = np.random.default_rng(0)
    scores = random.binomial(10_000, 0.98, size=(20_000, 2)) / 10_000
    inside = np.abs(scores[:, 0] - scores[:, 1]) <= results.prediction_half_width([0.98], 10_000)
    assert 0.94 < inside.mean() < 0.96
    assert results.prediction_half_width(
        [0.97, 0.99, 0.98], 10_000
    ) > results.prediction_half_width([0.98], 10_000)


@pytest.mark.parametrize(
    "content, says",
    [
        ("{", "is damaged"),
        ("[]", "not a result"),
        ("{}", "not a result"),
        ('{"format": 99}', "format 99"),
    ],
)
def test_a_file_that_is_no_result_is_named(content, says, tmp_path):
    (tmp_path / "mnist-2d").mkdir()
    (tmp_path / "mnist-2d" / "softmax-seed0.json").write_text(content)
    with pytest.raises(ResultError, match=says) as error:
        results.load(tmp_path)
    assert "softmax-seed0.json" in str(error.value)


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="lossbook reproduce"):
        results.load(tmp_path)


def test_not_a_number_is_never_written(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(ValueError):
        records.save({"format": 1, "accuracy": math.nan}, path)
    assert not path.exists()


def book_files():
    return sorted(FOLDER.glob("*/*-seed*.json"))


def book_settings():
    return sorted({path.parent.name for path in book_files()})


def test_all_rows_of_the_first_table_are_there():
    assert set(results.table(results.load(setting="mnist-2d")).index) >= set(results.REPORTED)


@pytest.mark.parametrize("setting", book_settings())
def test_every_number_of_the_books_tables_is_in_its_files(setting):
    """A table of the results page, worked out again with nothing but json and arithmetic."""
    files = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in book_files()
        if path.parent.name == setting
    ]
    table = results.table(results.load(setting=setting))
    assert set(table.index) == {file["row"] for file in files}
    for row, line in table.iterrows():
        mine = [file for file in files if file["row"] == row]
        average = {
            key: sum(file["test"][key] for file in mine) / len(mine)
            for key in ("accuracy", "accuracy_by_angle")
        }
        assert line.seeds == len(mine) and line.loss == mine[0]["loss"]
        assert [line.epochs] * len(mine) == [file["recipe"]["epochs"] for file in mine]
        assert line.test == pytest.approx(average["accuracy"]) and 0.5 < line.test <= 1
        assert line.test_by_angle == pytest.approx(average["accuracy_by_angle"])
        assert line.train == pytest.approx(
            sum(file["train"]["accuracy"] for file in mine) / len(mine)
        )
        angles = set(mine[0]["test"]) - {"images", "accuracy", "accuracy_by_angle"}
        assert angles >= {"median_angle_own", "median_angle_other", "within", "between_min"}
        assert ("gap_median" in angles) == (mine[0]["embedding_dim"] == 2)
        for key in angles:
            assert line[key] == pytest.approx(
                statistics.median(file["test"][key] for file in mine)
            ), (row, key)
        printed = results.REPORTED.get(row) if setting == "mnist-2d" else None
        assert line.difference == pytest.approx(
            line.test - printed[1] if printed else math.nan, nan_ok=True
        )


def test_results_in_the_book_are_whole():
    """Every saved run of the book agrees with its own history, and its Run with its record."""
    assert book_files()
    for path in book_files():
        record = json.loads(path.read_text(encoding="utf-8"))
        run = training.Run.load(path.with_suffix(".npz"))
        assert run.history.test_acc.tolist() == record["history"]["test_acc"]
        assert run.history.test_acc.iloc[-1] == pytest.approx(record["test"]["accuracy"], abs=1e-12)
        assert (
            run.config["data_sha256"] == record["data_sha256"]
            and run.config["seed"] == record["seed"]
        )
        last = run.snapshots[-1]
        sampled = (last.test_pred == run.test_labels).mean()
        deviation = math.sqrt(0.25 / len(run.test_labels))
        assert abs(sampled - record["test"]["accuracy"]) < 4 * deviation, path.name

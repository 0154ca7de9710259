"""Result files and their tables: every number recomputed from the files by other means."""

import copy
import json
import math
import statistics

import numpy as np
import pandas as pd
import pytest

from lossbook import training
from lossbook.experiments import results, rows
from lossbook.utils import records
from lossbook.utils.records import FOLDER, ResultError
from tests.helpers.records import reproduce_on_toys
from tests.helpers.toys import toy_dataset


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return reproduce_on_toys(folder, ["softmax", "ArcFace_v1"], seeds=3), folder


# Student's 97.5 % quantiles for one and for two degrees of freedom, in closed form.
QUANTILES = {2: math.tan(0.475 * math.pi), 3: 0.95 / math.sqrt(2 * 0.975 * 0.025)}


def half_width(values):
    return QUANTILES[len(values)] * statistics.stdev(values) / math.sqrt(len(values))


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
        files = [record["test"] for record in records if record["row"] == row]
        assert table.seeds[row] == 3
        for column, key in (("test", "accuracy"), ("gap_median", "gap_median")):
            values = [file[key] for file in files]
            assert table[column][row] == pytest.approx(sum(values) / 3)
            assert table[f"{column}_interval"][row] == pytest.approx(half_width(values))
    assert table.source_test.isna().all() and table.difference.isna().all(), (
        "the source's figures are MNIST's"
    )


def test_differences_are_taken_seed_by_seed(saved):
    records, _ = saved
    shuffled = [records[position] for position in (4, 1, 0, 5, 2, 3)]
    line = results.differences(shuffled, {"ArcFace_v1": "softmax"}).loc["ArcFace_v1"]
    assert line["minus"] == "softmax" and line["seeds"] == 3
    for column, key in (("test", "accuracy"), ("within", "within")):
        value = {(record["row"], record["seed"]): record["test"][key] for record in records}
        changes = [value["ArcFace_v1", seed] - value["softmax", seed] for seed in range(3)]
        assert line[column] == pytest.approx(sum(changes) / 3)
        assert line[f"{column}_interval"] == pytest.approx(half_width(changes))


def test_differences_use_the_seeds_that_both_rows_have(saved):
    records = [r for r in saved[0] if (r["row"], r["seed"]) != ("softmax", 1)]
    pairs = {"ArcFace_v1": "softmax", "softmax": "ArcFace_v1"}
    table = results.differences(records, pairs)
    assert table.seeds.tolist() == [2, 2] and list(table.index) == list(pairs)
    assert table.test["softmax"] == pytest.approx(-table.test["ArcFace_v1"])
    alone = [r for r in records if r["row"] == "softmax" or r["seed"] == 1]
    for row in ("softmax", "CosFace_v1"):
        with pytest.raises(ValueError, match=f"no seed for which both ArcFace_v1 and {row}"):
            results.differences(alone, {"ArcFace_v1": row})


@pytest.mark.parametrize(
    "key, other", [("recipe", {"epochs": 9}), ("precision", "float16"), ("weights", 1)]
)
def test_trainings_that_are_not_alike_have_no_difference_and_no_mean(saved, key, other):
    records = copy.deepcopy(saved[0])
    for record in records:
        if record["row"] == "softmax":
            record[key] = other
    results.table(records)  # two rows may differ, as the column epochs shows
    with pytest.raises(ValueError, match=rf"trained differently, {key}: .*\(softmax\).*ArcFace_v1"):
        results.differences(records, {"ArcFace_v1": "softmax"})
    records[0][key] = {"epochs": 8}
    with pytest.raises(ValueError, match=f"trained differently, {key}"):
        results.table(records)


def test_the_sources_accuracies_are_shown_as_it_prints_them():
    shown = {row: results.as_reported(row) for row in results.REPORTED}
    assert shown["softmax"] == "93.34 / 94.65" and shown["CosFace_v1"] == "95.52 / 96.32"
    assert [row for row in shown if shown[row] == "blank"] == ["A-softmax_v2", "CosFace_v2"]
    assert [row[:7] for row in shown if shown[row] == "prints NaN"] == ["ArcFace"] * 3


def test_a_reader_gets_percent_and_degrees(saved):
    table = results.table(saved[0])
    shown = results.with_units(table, "seeds", "test", "gap_median", "loss", "source_test")
    assert list(shown) == ["seeds", "test (%)", "gap median (°)", "loss", "source test (%)"]
    assert list(shown.index) == list(table.index)
    for row in table.index:
        mean, spread = map(float, shown["test (%)"][row].split(" ± "))
        assert mean == pytest.approx(100 * table.test[row], abs=0.0051)
        assert spread == pytest.approx(100 * table.test_interval[row], abs=0.0051)
        mean, spread = map(float, shown["gap median (°)"][row].replace("−", "-").split(" ± "))
        assert mean == pytest.approx(math.degrees(table.gap_median[row]), abs=0.051)
        assert spread == pytest.approx(math.degrees(table.gap_median_interval[row]), abs=0.051)
        assert shown["source test (%)"][row] == "–"


def test_differences_have_signs_and_points():
    table = pd.DataFrame(
        {"minus": "b", "test": [0.0123, -0.5], "test_interval": [0.002, math.nan]}, index=["a", "c"]
    )
    shown = results.with_units(table, "minus", "test")
    assert shown["test (points)"].tolist() == ["+1.23 ± 0.20", "−50.00"]
    assert shown["minus"].tolist() == ["b", "b"]


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
    return sorted(FOLDER.glob("**/*-seed*.json"))


def book_settings():
    return sorted({path.parent.relative_to(FOLDER).as_posix() for path in book_files()})


@pytest.mark.parametrize("folder, seeds", [(FOLDER, 1), (FOLDER / "fast", 5)])
def test_the_books_tables_have_every_row_and_equal_training(folder, seeds):
    table = results.table(results.load(folder, "mnist-2d"))
    assert set(table.index) == {*rows.all_rows(10), "A-softmax_m4"}
    assert set(table.seeds) == {seeds} and table.epochs.nunique() == 1


@pytest.mark.parametrize("setting", book_settings())
def test_every_number_of_the_books_tables_is_in_its_files(setting):
    """A table of the results page, worked out again with nothing but json and arithmetic."""
    files = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in book_files()
        if path.parent == FOLDER / setting
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
                statistics.fmean(file["test"][key] for file in mine)
            ), (row, key)
        printed = results.REPORTED.get(row) if setting.endswith("mnist-2d") else None
        assert line.difference == pytest.approx(
            line.test - printed[1] if printed else math.nan, nan_ok=True
        )


def test_results_in_the_book_are_whole():
    """Every saved run of the book agrees with its own history, and its Run with its record."""
    assert book_files()
    for path in book_files():
        record = json.loads(path.read_text(encoding="utf-8"))
        assert record["history"]["test_acc"][-1] == pytest.approx(record["test"]["accuracy"])
        if record["seed"] > 0:  # figures need one seed
            continue
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

"""The build benchmark, on a book of one line. No test depends on a duration."""

import json
import subprocess

import pytest

from lossbook.utils.records import load_benchmark
from tools.exports import build_minutes

BUILD = """
import json, pathlib, sys
folder = pathlib.Path("_build")
cold = not folder.exists()
folder.mkdir(exist_ok=True)
assert pathlib.Path("page.md").read_text() == "changed" and not pathlib.Path("ignored").exists()
assert not pathlib.Path("deleted.md").exists() and str(pathlib.Path.cwd()) in sys.path
(folder / "seconds.json").write_text(json.dumps({"executing": 0.5 * cold, "writing": 0.25}))
"""


def made_up_record():
    whole = {"cold": 480.0, "warm": 60.0}
    return {
        "format": 1,
        "rounds": 2,
        "machine": {"cores": 2},
        "rows": [
            {"build": build, "whole": took + turn, "executing": took - 50, "writing": 45.0}
            for turn in (0, 2)
            for build, took in whole.items()
        ],
    }


@pytest.fixture
def repository(tmp_path):
    """A clone with a page changed, another one deleted, and an ignored file."""
    files = {
        "tools/__init__.py": "",
        "tools/book/build.py": BUILD,
        "page.md": "as it was",
        "deleted.md": "",
        ".gitignore": "ignored\n_build/\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "page.md").write_text("changed")
    (tmp_path / "deleted.md").unlink()
    (tmp_path / "ignored").write_text("")
    (tmp_path / "_build").mkdir()  # the reader's own build, which must stay as it is
    return tmp_path


def test_every_round_is_cold_and_then_warm_in_a_copy_of_what_git_does_not_ignore(repository):
    record = build_minutes.measure_builds(rounds=2, root=repository, progress=lambda line: None)
    assert [(row["build"], row["executing"]) for row in record["rows"]] == [
        ("cold", 0.5),
        ("warm", 0),
    ] * 2
    assert all(row["whole"] > 0 and row["writing"] == 0.25 for row in record["rows"])
    assert not list((repository / "_build").iterdir())
    json.dumps(record, allow_nan=False)


def test_the_table_holds_medians_of_the_rounds():
    table = build_minutes.table(made_up_record())
    assert table.to_dict("index") == {
        "cold": {"whole": 481, "executing": 430, "writing": 45},
        "warm": {"whole": 61, "executing": 10, "writing": 45},
    }


def test_a_failing_build_says_where(repository):
    (repository / "tools/book/build.py").write_text("raise SystemExit('a page failed in cell 3')")
    with pytest.raises(ChildProcessError, match="tools.book.build failed in .*\n.*cell 3"):
        build_minutes.measure_builds(root=repository)


def test_there_must_be_a_book_in_a_clone(tmp_path):
    with pytest.raises(ValueError, match="no book in .*clone"):
        build_minutes.measure_builds(root=tmp_path)
    with pytest.raises(ValueError, match="rounds = 0"):
        build_minutes.measure_builds(rounds=0)
    (tmp_path / "tools/book").mkdir(parents=True)
    (tmp_path / "tools/book/build.py").write_text(BUILD)
    with pytest.raises(ChildProcessError, match="git ls-files .* failed.*\n.*not a git repository"):
        build_minutes.measure_builds(root=tmp_path)


def test_the_command_saves_draws_and_prints(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    build_minutes.main(["--out", "times.json"])
    saved = json.loads((repository / "times.json").read_text())
    assert saved["made_by"]["command"] == ("python -m tools.exports.build_minutes --out times.json")
    assert len(saved["rows"]) == 2
    assert (repository / "times.png").exists() and "warm" in capsys.readouterr().out


def test_the_saved_record_is_of_both_builds():
    table = build_minutes.table(load_benchmark("book-cpu"))
    assert table.index.tolist() == ["cold", "warm"]
    assert table.executing["warm"] < 5 < table.executing["cold"]

"""The build benchmark, on a book of one line that notes what it found. No test depends on a duration."""

import json
import subprocess

import pytest

from lossbook import figures
from lossbook.utils.records import load_benchmark
from tools.exports import build_minutes as building

BUILD = """
import json, pathlib, sys
folder = pathlib.Path("_build")
cold = not folder.exists()
folder.mkdir(exist_ok=True)
assert pathlib.Path("page.md").read_text() == "changed" and not pathlib.Path("ignored").exists()
assert not pathlib.Path("deleted.md").exists() and str(pathlib.Path.cwd()) in sys.path
(folder / "seconds.json").write_text(json.dumps({"executing": 0.5 * cold, "writing": 0.25}))
"""


def record():
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
    """A clone with a page changed, one deleted, one new and not yet known to git, and something ignored."""
    files = {
        "tools/__init__.py": "",
        "tools/book/build.py": BUILD,
        "page.md": "as it was",
        "deleted.md": "",
        ".gitignore": "ignored\n_build/\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "page.md").write_text("changed")
    (tmp_path / "deleted.md").unlink()
    (tmp_path / "ignored").write_text("")
    (tmp_path / "_build").mkdir()  # the reader's own build, which must stay as it is
    return tmp_path


def test_every_round_is_cold_and_then_warm_in_a_copy_of_what_git_does_not_ignore(repository):
    found = building.book(rounds=2, root=repository, progress=lambda line: None)
    assert [(row["build"], row["executing"]) for row in found["rows"]] == [
        ("cold", 0.5),
        ("warm", 0),
    ] * 2
    assert all(row["whole"] > 0 and row["writing"] == 0.25 for row in found["rows"])
    assert not list((repository / "_build").iterdir())
    json.dumps(found, allow_nan=False)


def test_the_table_holds_medians_of_the_rounds():
    table = building.table(record())
    assert table.to_dict("index") == {
        "cold": {"whole": 481, "executing": 430, "writing": 45},
        "warm": {"whole": 61, "executing": 10, "writing": 45},
    }


def test_a_failing_build_says_where(repository):
    (repository / "tools/book/build.py").write_text("raise SystemExit('a page failed in cell 3')")
    with pytest.raises(ChildProcessError, match="tools.book.build failed in .*\n.*cell 3"):
        building.book(root=repository)


def test_there_must_be_a_book_in_a_clone(tmp_path):
    with pytest.raises(ValueError, match="no book in .*clone"):
        building.book(root=tmp_path)
    with pytest.raises(ValueError, match="rounds = 0"):
        building.book(rounds=0)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/book/build.py").write_text(BUILD)
    with pytest.raises(ChildProcessError, match="git ls-files .* failed.*\n.*not a git repository"):
        building.book(root=tmp_path)


def test_the_command_saves_draws_and_prints(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert __main__.main(["benchmark", "book", "--out", "times.json"]) == 0
    saved = json.loads((repository / "times.json").read_text())
    assert (
        saved["made_by"]["command"] == "python -m lossbook benchmark book --out times.json"
        and len(saved["rows"]) == 2
    )
    assert (repository / "times.png").exists() and "warm" in capsys.readouterr().out


def test_bars_of_a_build_end_where_it_ended():
    ax = figures.build_times(record()).axes[0]
    ends = [
        max(bar.get_x() + bar.get_width() for bars in ax.containers for bar in [bars[k]])
        for k in (0, 1)
    ]
    assert ends == pytest.approx([481 / 60, 61 / 60])


def test_the_saved_record_is_of_both_builds():
    table = building.table(load_benchmark("book-cpu"))
    assert (table.index == ["cold", "warm"]).all() and table.executing[
        "warm"
    ] < 5 < table.executing["cold"]

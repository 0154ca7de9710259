"""The times the book states follow from the record of measurements."""

import json

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import myst_nb_reader_plugin

from tools import toc
from tools.book.execute import source
from tools.exports import chapter_minutes, full_profile

RECORD = json.loads(chapter_minutes.RECORD.read_text())


def test_guide_and_chapters_follow_the_records():
    on_mnist = chapter_minutes.measured_on_mnist(full_profile.load())
    for path, text in chapter_minutes.current(RECORD, on_mnist).items():
        assert path.read_text() == text, "run python -m tools.exports.chapter_minutes"
    assert set(RECORD) == set(chapter_minutes.PLACES)
    assert {page for times in RECORD.values() for page in times} <= set(toc.chapters())


def test_the_table_has_a_column_for_what_was_measured_and_no_other():
    first, second = toc.chapters()[:2]
    times = {"cpu": {first: 31, second: 200}, "colab": {}, "gpu": {}, "mnist": {second: 61}}
    rows = chapter_minutes.table(times, [first, second], {first: 25, second: 20})
    header, _, *rows = [row.split(" | ") for row in rows.strip().splitlines()]
    assert header == ["| chapter", "reading", "two CPU cores", "all of MNIST, one CPU core |"]
    assert [row[1:] for row in rows] == [["25 min", "40 s", "– |"], ["20 min", "4 min", "70 s |"]]


def test_only_what_passed_on_a_cpu_counts_as_measured_on_mnist():
    def row(passed, kind):
        return {"passed": passed, "processor_seconds": 9, "machine": {"kind": kind}}

    pages = {"a": row(True, "cpu"), "b": row(False, "cpu"), "c": row(True, "cuda")}
    assert chapter_minutes.measured_on_mnist({"pages": pages}) == {"a": 9}


@pytest.mark.parametrize(
    "seconds, words",
    [
        (3, "10 s"),
        (61, "70 s"),
        (110, "110 s"),
        (111, "2 min"),
        (180, "3 min"),
        (181, "4 min"),
        (79.4, "80 s"),
        (109.7, "110 s"),
        (360.4, "7 min"),
    ],
)
def test_in_words(seconds, words):
    assert chapter_minutes.in_words(seconds) == words


@pytest.mark.parametrize(
    "header",
    [
        "*Reading 20 min*",
        "*Reading 20 min · CPU 90 s*",
        "*Reading 20 min · CPU 90 s · all of MNIST 3 min*",
        "*Reading 20 min · all of MNIST 3 min*",
    ],
)
def test_a_header_states_what_was_measured(header):
    def after(quick, fast):
        return chapter_minutes.headed(f"# A\n\n{header}\n", quick, fast).splitlines()[2]

    assert after(130, 700) == "*Reading 20 min · CPU 3 min · all of MNIST 12 min*"
    assert after(130, None) == "*Reading 20 min · CPU 3 min*"
    assert after(None, 61) == "*Reading 20 min · all of MNIST 70 s*"
    assert after(None, None) == "*Reading 20 min*"


def test_measured_reads_the_builds_cache(tmp_path):
    first, second = toc.chapters()[:2]
    cache = get_cache(tmp_path)
    notebook = nbformat.from_dict(myst_nb_reader_plugin(source(first)))
    cache.cache_notebook_bundle(
        CacheBundleIn(notebook, source(first), data={"execution_seconds": 41.6}),
        check_validity=False,
    )
    assert chapter_minutes.measured([first, second], tmp_path) == {first: 42}


def test_nothing_built_yet():
    with pytest.raises(SystemExit, match="make book"):
        chapter_minutes.measured([], chapter_minutes.ROOT / "_build/no-cache-here")
    with pytest.raises(SystemExit, match="expected a place"):
        chapter_minutes.main("moon")

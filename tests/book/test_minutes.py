"""The times the book states follow from the record of measurements."""

import json

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import myst_nb_reader_plugin

from tools import toc
from tools.book.execute import source
from tools.exports import chapter_minutes

RECORD = json.loads(chapter_minutes.RECORD.read_text())


def test_guide_and_chapters_follow_the_record():
    for path, text in chapter_minutes.current(RECORD).items():
        assert path.read_text() == text, "run python -m tools.exports.chapter_minutes"
    assert set(RECORD) == set(chapter_minutes.PLACES)
    assert {page for times in RECORD.values() for page in times} <= set(toc.chapters())


def test_the_guide_lists_each_chapter_and_says_what_is_not_measured():
    table = chapter_minutes.TABLE.search(chapter_minutes.GUIDE.read_text())[0]
    rows = table.strip().splitlines()[2:]
    assert len(rows) == len(toc.chapters())
    unknown = sum(
        page not in RECORD[place] for place in chapter_minutes.PLACES for page in toc.chapters()
    )
    assert table.count(chapter_minutes.UNKNOWN) == unknown


@pytest.mark.parametrize(
    "seconds, words",
    [
        (None, "not yet measured"),
        (3, "10 s"),
        (61, "70 s"),
        (110, "110 s"),
        (111, "2 min"),
        (180, "3 min"),
        (181, "4 min"),
    ],
)
def test_in_words(seconds, words):
    assert chapter_minutes.in_words(seconds) == words


def test_header():
    text = "# A\n\n*Reading 20 min · CPU 90 s · GPU not yet measured*\n"
    assert (
        chapter_minutes.headed(text, {"cpu": 130, "gpu": 12})
        == "# A\n\n*Reading 20 min · CPU 3 min · GPU 20 s*\n"
    )
    assert chapter_minutes.headed(text, {"cpu": None, "gpu": None}) == text


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

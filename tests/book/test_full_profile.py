"""The run of all pages on all of MNIST, tried on small pages. Needs kernels, and no data."""

import ast

import pytest

from lossbook.utils import records
from tools import toc
from tools.book import execute
from tools.exports import full_profile

HEADER = """---
file_format: mystnb
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A page
"""
LIBRARY = toc.ROOT / "lossbook/__init__.py"
CELL = "```{code-cell}\n%s\n```\n"
PASSING = [
    "import importlib.util\nimport os",
    "assert os.environ['LOSSBOOK_PROFILE'] == 'fast' and os.environ['OMP_NUM_THREADS'] == '1'",
    f"assert importlib.util.find_spec('lossbook').origin == {str(LIBRARY)!r}",
    "print(len(range(3_000_000)), sum(range(3_000_000)))",
    ":tags: [raises-exception]\n1 / 0",
]
FAILING = [
    "margin = 0.3",
    "# a claim\nassert margin > 0.5, 'small\\nmargin'",
    "margin",
    "undefined",
]


@pytest.fixture
def make_page(tmp_path, monkeypatch):
    """Writes a page of the given cells and returns its name, as far as the tools know it."""
    for name in ("LOSSBOOK_PROFILE", "PYTHONPATH", "PYDEVD_DISABLE_FILE_VALIDATION"):
        monkeypatch.setenv(name, "")  # so that what the tool sets is taken back after the test
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def write(name, cells, prose="Prose.\n"):
        text = HEADER + prose + "".join(CELL % cell for cell in cells)
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_a_failing_page_stops_no_other_and_what_passed_is_not_run_again(
    make_page, tmp_path, capsys
):
    chosen = [make_page("01_failing", FAILING), make_page("02_passing", PASSING)]
    path = tmp_path / "full-profile.json"
    full_profile.execute_pages(chosen, path, jobs=2)
    failed, passed = (records.read(path)["pages"][page] for page in chosen)
    assert passed["passed"] and passed["failures"] == [] and passed["cells"] == 5
    assert passed["machine"]["threads"] == 1 and passed["machine"]["kind"] == "cpu"
    assert passed["processor_seconds"] > 0 and passed["versions"]["lossbook"]
    assert not failed["passed"] and failed["failures"] == [
        {
            "cell": 2,
            "line": 11,
            "begins": "# a claim",
            "raised_by": "assert margin > 0.5, 'small\\nmargin'",
            "error": "AssertionError: small",
        },
        {
            "cell": 4,
            "line": 18,
            "begins": "undefined",
            "raised_by": "undefined",
            "error": "NameError: name 'undefined' is not defined",
        },
    ]
    shown = full_profile.table(records.read(path), [*chosen, "03_new"])
    assert shown.result.tolist() == ["failed", "passed", "not run"]
    assert shown.failed.tolist() == [2, 0, "–"]

    make_page("01_failing", ["margin = 0.6", *FAILING[1:3]])
    make_page("02_passing", PASSING, prose="Other prose.\n")
    capsys.readouterr()
    full_profile.execute_pages(chosen, path)
    assert "Executing 1 of 2 pages" in capsys.readouterr().out
    assert records.read(path)["pages"][chosen[0]]["passed"]
    assert records.read(path)["pages"][chosen[1]] == passed


@pytest.mark.parametrize(
    "last, error",
    [
        ("import os\nos._exit(1)", "DeadKernelError: Kernel died"),
        ("import time\ntime.sleep(60)", "CellTimeoutError: A cell timed out"),
    ],
)
def test_a_cell_that_never_ends_is_the_one_that_failed(last, error, make_page):
    page = make_page("page", ["assert 1 == 2", last, "never = 'executed'"])
    row = full_profile.execute_page(page, timeout=2)
    assert not row["passed"]
    assert [failure["cell"] for failure in row["failures"]] == [1, 2]
    assert row["failures"][1]["error"].startswith(error)
    complaint = execute.execute_page(make_page("page", [last, "never"]), timeout=2)[2]
    assert complaint.startswith("FAILED in code cell 1, line 8\n")


def row_of(page, **changes):
    return {"passed": True, "failures": [], **full_profile.digests(page), **changes}


def test_a_change_of_code_or_library_makes_a_page_outdated(make_page, monkeypatch):
    page = make_page("page", PASSING)
    record = {"pages": {page: row_of(page)}}
    assert full_profile.state(record, page) == "passed"
    assert full_profile.state({"pages": {page: row_of(page, passed=False)}}, page) == "failed"
    assert full_profile.state({"pages": {page: row_of(page, library="old")}}, page) == "outdated"
    make_page("page", PASSING[:4])
    assert full_profile.state(record, page) == "outdated"
    make_page("page", [*PASSING[:4], "1 / 0"])  # a tag less
    assert full_profile.state(record, page) == "outdated"


def test_a_page_depends_on_what_it_imports_and_on_what_that_imports():
    def used(code):
        paths = full_profile.modules_used([code])
        return {str(path.relative_to(toc.ROOT / "lossbook")) for path in paths}

    assert used("import numpy\nfrom pathlib import Path") == set()
    assert used("from lossbook import margins") == used("import lossbook.margins as m")
    assert {"margins.py", "utils/validation.py"} <= used("from lossbook.margins import arcface")
    of_omniglot = used("from lossbook.experiments import omniglot")
    assert {"experiments/omniglot.py", "training/loop.py"} <= of_omniglot
    assert "experiments/typefaces.py" not in of_omniglot
    assert used("from lossbook import figures, interactive") == set()
    assert {"heads/adaptive.py", "margins.py"} <= used("from lossbook import heads")


def test_pages_are_chosen_by_number_or_name():
    available = ["notebooks/05_cosface", "notebooks/11_many", "book/faq"]
    assert full_profile.select(["11", "faq", "05_cosface"], available) == [
        "notebooks/11_many",
        "book/faq",
        "notebooks/05_cosface",
    ]
    for name in ("1", "cosface", "fa"):
        with pytest.raises(SystemExit, match=f"--chapters {name}: expected .* 05_cosface, 11_many"):
            full_profile.select([name], available)


def test_a_missing_record_is_empty_and_a_damaged_one_names_the_command(tmp_path):
    path = tmp_path / "full-profile.json"
    assert full_profile.load(path)["pages"] == {}
    path.write_text("{")
    with pytest.raises(records.ResultError, match="make full"):
        full_profile.load(path)


def test_the_saved_record_is_read():
    """It may be older than the pages, which a change of the library makes at once."""
    record = full_profile.load()
    assert record["profile"] == full_profile.PROFILE
    for row in record["pages"].values():
        assert row["passed"] == (row["failures"] == []) and row["seconds"] >= 0 < row["cells"]


@pytest.mark.parametrize("page", execute.with_code(toc.pages()))
def test_no_page_computes_with_what_a_figure_returns(page):
    for _, _, cell in execute.code_cells(full_profile.myst_nb_reader_plugin(execute.source(page))):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                assert not ast.unparse(node.value.func).startswith(full_profile.DRAWING)


def test_every_page_has_passed_on_all_of_mnist():
    rows = full_profile.load()["pages"]
    assert list(rows) == execute.with_code(toc.pages())
    assert [page for page, row in rows.items() if not row["passed"]] == []

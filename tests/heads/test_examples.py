"""The examples in the docstrings of the heads do what they show."""

import doctest
import importlib

import pytest

MODULES = ["base", "margin_heads", "euclidean", "subcenter", "partial_fc", "presets"]
MODULES += ["distributed", "per_sample"]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(f"lossbook.heads.{name}")
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 0 and results.failed == 0

"""Input checks: what is accepted comes back in one form, everything else is named."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.utils.validation import (
    check_2d_embeddings,
    check_int,
    check_labels,
    check_matrix,
    require,
    unit_rows,
)


def test_require():
    require(True, "never raised")
    with pytest.raises(TypeError, match="the message"):
        require(False, "the message", TypeError)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_become_int(value):
    assert type(check_int("n", value)) is int and check_int("n", value, least=3) == 3


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, None, np.float64(2)])
def test_everything_else_is_refused(value):
    with pytest.raises(ValueError, match="n = .*: expected a whole number of at least 1"):
        check_int("n", value)


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], dtype=np.float16),
        torch.tensor([[1, 2], [3, 4]]),
        torch.tensor([[1.0, 2], [3, 4]], dtype=torch.bfloat16, requires_grad=True),
    ],
)
def test_matrices_become_float64(values):
    matrix = check_matrix("x", values)
    assert matrix.dtype == np.float64 and matrix.tolist() == [[1, 2], [3, 4]]
    assert np.array_equal(check_2d_embeddings("x", values), matrix)


@pytest.mark.parametrize(
    "check, values, message",
    [
        (check_matrix, [1.0, 2.0], r"x has shape \(2,\): expected two dimensions"),
        (check_matrix, np.zeros((0, 2)), r"x has shape \(0, 2\)"),
        (check_matrix, [[1.0, 2.0], [np.nan, 0.0]], "row 1 of x is not finite"),
        (check_matrix, [[1.0, 2.0], [np.inf, 0.0]], "row 1 of x is not finite"),
        (check_2d_embeddings, np.zeros((3, 4)), r"x has shape \(3, 4\): expected 2-D embeddings"),
    ],
)
def test_bad_matrices_are_named(check, values, message):
    with pytest.raises(ValueError, match=message):
        check("x", values)


@pytest.mark.parametrize(
    "labels", [[0, 2, 1], np.array([0, 2, 1], np.uint8), torch.tensor([0, 2, 1])]
)
def test_labels_become_integers(labels):
    checked = check_labels(labels, 3, classes=3)
    assert checked.tolist() == [0, 2, 1] and np.issubdtype(checked.dtype, np.integer)


@pytest.mark.parametrize(
    "labels, error, message",
    [
        ([0.0, 1.0, 2.0], TypeError, "labels are float64: expected integers"),
        ([0, 1], ValueError, r"labels have shape \(2,\): expected \(3,\)"),
        ([0, 1, 3], ValueError, r"label 3 is outside \[0, 3\)"),
        ([0, -1, 2], ValueError, r"label -1 is outside \[0, 3\)"),
    ],
)
def test_bad_labels_are_named(labels, error, message):
    with pytest.raises(error, match=message):
        check_labels(labels, 3, classes=3)


def test_without_a_number_of_classes_any_label_from_zero_is_accepted():
    assert check_labels([10**6], 1).tolist() == [10**6]
    with pytest.raises(ValueError, match="label -1"):
        check_labels([-1], 1)


@given(st.integers(0, 10**6), st.floats(-300, 300))
def test_unit_rows_have_length_one_whatever_their_scale(seed, exponent):
    rows = np.random.default_rng(seed).normal(size=(4, 3))
    unit = unit_rows("x", rows * 10**exponent)
    np.testing.assert_allclose(unit, rows / np.sqrt((rows**2).sum(axis=1))[:, None], rtol=1e-9)


def test_unit_rows_of_many_sets_of_vectors():
    vectors = np.random.default_rng(0).normal(size=(5, 4, 3))
    unit = unit_rows("vectors", vectors)
    for one_set, expected in zip(unit, vectors):
        assert np.array_equal(one_set, unit_rows("vectors", expected))


def test_a_zero_row_has_no_direction():
    with pytest.raises(ValueError, match="row 1 of weight is the zero vector"):
        unit_rows("weight", [[1.0, 0.0], [0.0, 0.0]])


def test_the_module_does_not_import_torch():
    code = (
        "import sys, types; sys.modules['lossbook'] = package = types.ModuleType('lossbook'); "
        "package.__path__ = ['lossbook']; import lossbook.utils.validation; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

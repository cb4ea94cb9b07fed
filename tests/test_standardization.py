"""Standardized rows have mean 0 and length 1; the shift moves the commonest value to 0."""

import numpy as np
import pytest
from columns import kinds, matrix

from gsnn_edges import backends
from gsnn_edges.ranks import key_rows
from gsnn_edges.standardization import in_range, row_sum, standardize_drawn, standardize_rows

METHODS = ("spearman", "pearson")


def standardized(library, x, **options):
    ops = backends.of(library.array(x))
    options = {
        "method": "spearman",
        "ties": "average",
        "shift": False,
        "dtype": "float32",
    } | options
    if library.jit:
        pytest.skip("compiled inside cross_correlation, which is tested")
    return ops.to_numpy(standardize_rows(library.array(x), ops=ops, **options)).astype(float)


@pytest.mark.parametrize("method", METHODS)
def test_rows_have_mean_zero_and_length_one_and_constant_rows_are_zero(library, method):
    *varying, constant = kinds(5000)
    rows = standardized(library, matrix(*varying, constant).T, method=method)
    lengths = np.repeat([1.0, 0.0], [sum(map(len, varying)), len(constant)])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), lengths, rtol=0, atol=2e-6)
    np.testing.assert_allclose(rows.sum(axis=1), 0, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_shift_moves_zeros_to_exactly_zero_and_nothing_else(library, method):
    x = np.stack([column for name, column in kinds(4000)[0].items() if "zeros" in name])
    plain = standardized(library, x, method=method)
    moved = standardized(library, x, method=method, shift=True)
    mostly = (x == 0).mean(axis=1) > 0.5
    assert mostly.sum() == 3
    np.testing.assert_array_equal(moved[mostly] == 0, x[mostly] == 0)
    np.testing.assert_allclose(np.diff(moved), np.diff(plain), rtol=0, atol=1e-6)


@pytest.mark.parametrize("exponent", [-120, -60, 0, 60, 120])
def test_extreme_rows_are_brought_into_range_exactly(library, exponent):
    x = np.float32(2.0**exponent) * np.array([[1.0, -1.5, 0.0, 1.25]], np.float32)
    ops = backends.of(library.array(x))
    found = ops.to_numpy(in_range(library.array(x), ops.xp))
    assert 2.0**-96 < np.abs(found).max() < 2.0**97
    np.testing.assert_array_equal(found / found[0, 0], x / x[0, 0])


@pytest.mark.parametrize("length", [1, 31, 32, 33, 20_000, 1_000_000])
def test_sums_do_not_lose_digits_with_length(library, length):
    x = np.full((2, length), 0.1, np.float32)
    ops = backends.of(library.array(x))
    found = ops.to_numpy(row_sum(library.array(x), ops.xp))
    np.testing.assert_allclose(found[:, 0], length * float(np.float32(0.1)), rtol=1e-6)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_drawn_rows_are_the_rows_of_the_draw(library, method, shift):
    if library.jit:
        pytest.skip("compiled inside resampled_correlations, which is tested")
    x = np.ascontiguousarray(matrix(*kinds(300)).T)
    weights = np.random.default_rng(5).integers(1, 4, 300)
    ops = backends.of(library.array(x))
    rows = library.array(x)
    if method == "spearman":
        rows = key_rows(rows, ops=ops, dtype="int32", rank_dtype="float32")
    options = {"method": method, "dtype": "float32", "shift": shift, "length": 300}
    found = standardize_drawn(rows, ops.adopt(weights.astype(np.float32)), ops=ops, **options)
    found = ops.to_numpy(found) / (1 if shift else weights)
    drawn = np.repeat(x, weights, axis=1)
    expected = standardized(library, drawn, method=method, shift=shift)
    np.testing.assert_allclose(np.repeat(found, weights, axis=1), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("offset", [-(10**9), 0, 10**9])
def test_whole_numbers_far_from_zero_keep_their_differences(library, offset):
    x = (offset + np.random.default_rng(6).integers(0, 50, (3, 400))).astype(np.int32)
    rows = standardized(library, x, method="pearson")
    np.testing.assert_allclose(rows, standard(x - float(offset)), rtol=0, atol=3e-7)


@pytest.mark.parametrize("offset", [-(1 << 62), 1 << 62])
def test_int64_beyond_float64_keeps_its_differences(library, offset):
    if not library.has_float64:
        pytest.skip("JAX has no int64 unless it is switched on")
    x = offset + np.random.default_rng(7).integers(0, 50, (3, 400))
    rows = standardized(library, x, method="pearson")
    np.testing.assert_allclose(rows, standard((x - offset).astype(float)), rtol=0, atol=3e-7)


def standard(x):
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)

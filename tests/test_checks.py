"""Checks let good values through, and say what is wrong with the others."""

import array_api_strict
import ml_dtypes
import numpy as np
import pytest

from gsnn_edges import _validation


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_come_back_as_int(value):
    found = _validation.whole_number("n", value, least=0)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(("least", "fits", "too_few"), [(3, 3, 2), (5, np.int8(5), 4)])
def test_samples_below_the_least_are_refused(least, fits, too_few):
    assert _validation.samples("B", fits, least=least) == fits
    message = f"B must be at least {least}; got {too_few}: any two columns of so few .*; take more"
    with pytest.raises(ValueError, match=message):
        _validation.samples("B", too_few, least=least)


@pytest.mark.parametrize("value", [0, 0.5, "0.25", np.float32(0.0)])
def test_fractions_come_back_as_float(value):
    assert _validation.fraction("p", value) == float(value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, float("nan"), float("inf")])
def test_a_fraction_outside_is_refused(value):
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\), 0 for none; got"):
        _validation.fraction("p", value)


@pytest.mark.parametrize("value", [None, "much", [0.5, 0.5]])
def test_what_is_no_number_is_no_fraction(value):
    with pytest.raises(TypeError, match=r"p must be a number in \[0, 1\)"):
        _validation.fraction("p", value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_finite_arrays_pass_however_large_their_sum(library, dtype):
    if dtype == "float64" and not library.has_float64:
        pytest.skip("JAX has no float64 unless it is switched on")
    if dtype == "float16" and library.name == "strict":
        pytest.skip("the standard has no float16")
    largest = np.finfo(dtype).max if dtype[0] == "f" else 7
    x = library.array(np.full((300, 2), largest, dtype))
    assert _validation.finite("x", x) is None


def test_non_finite_values_are_counted_and_placed():
    x = np.zeros((4, 30), np.float32)
    x[1, 3], x[2, 3], x[0, 20] = np.nan, np.inf, -np.inf
    message = "x must be finite; got 3 NaN or infinite values in node 3, 20: drop or impute"
    with pytest.raises(ValueError, match=message):
        _validation.finite("x", x, axis_meaning="node")


def test_long_lists_of_places_are_cut():
    assert _validation.listing(range(3)) == "0, 1, 2"
    assert _validation.listing(range(30)).endswith("8, 9, ... (30 in all)")


@pytest.mark.parametrize("edges", [[[0, 1], [1, 2]], np.array([[0, 1], [1, 2]], np.uint8)])
def test_edges_come_back_as_int64(edges):
    found = _validation.edge_index("edges", edges, (3, 3))
    np.testing.assert_array_equal(found, [[0, 1], [1, 2]])
    assert found.dtype == np.int64


@pytest.mark.parametrize("edges", [[], [[], []], np.zeros((2, 0))])
def test_no_edges_are_no_mistake(edges):
    assert _validation.edge_index("edges", edges).shape == (2, 0)


def test_a_namespace_without_float64_is_told_apart():
    jnp = pytest.importorskip("jax.numpy")
    assert _validation.has_float64(array_api_strict)
    assert not _validation.has_float64(jnp)


@pytest.mark.parametrize(("axis", "expected"), [(0, 0), (2, 2), (-1, 2), (-3, 0)])
def test_axes_are_counted_from_the_front(axis, expected):
    assert _validation.axis("axis", axis, 3) == expected


def test_whole_numbers_that_floats_would_merge_are_refused(library):
    if library.jit:
        pytest.skip("values cannot be looked at")
    bits = 53 if library.has_float64 else 24
    dtype = np.int64 if library.has_float64 else np.int32
    for most, least in ((1 << bits, -(1 << bits)), (0, 0)):
        _validation.exact_as_float("A", library.array(np.array([[most, least]], dtype)))
    for value in ((1 << bits) + 1, -(1 << bits) - 1):
        with pytest.raises(ValueError, match=rf"A must hold .* at most 2\*\*{bits}.*rank the"):
            _validation.exact_as_float("A", library.array(np.array([[value, 0]], dtype)))


def test_a_bfloat16_that_numpy_cannot_compute_with_is_refused():
    x = np.zeros(3, ml_dtypes.bfloat16)
    with pytest.raises(TypeError, match=r"x must hold real numbers; got dtype bfloat16: cast"):
        _validation.array("x", x)


def test_a_number_may_be_left_out_where_it_is_optional():
    assert _validation.whole_number_or_none("n", None, least=1) is None
    assert _validation.whole_number_or_none("n", np.int64(2), least=1) == 2
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        _validation.whole_number_or_none("n", 0, least=1)


def test_a_library_that_is_missing_says_what_to_install():
    assert _validation.imported("numpy", "this needs NumPy", "none") is np
    with pytest.raises(ImportError, match=r"this needs it, which is not .*'gsnn-edges\[frames\]'"):
        _validation.imported("there_is_no_such_library", "this needs it", "frames")

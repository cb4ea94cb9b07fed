"""Ranks equal SciPy's, exactly, and standardized rows have mean 0 and length 1."""

import sys

import numpy as np
import pytest
import scipy.stats
from columns import kinds, matrix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from libraries import Library, each_library, require

from gsnn_edges import backends, channel_correlation, cross_correlation, rankdata
from gsnn_edges.ranks import (
    key_rows,
    on_ranker,
    rank_dtype,
    rank_rows,
    standardize_drawn,
    standardize_rows,
)

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
METHODS = ("spearman", "pearson")


@each_library("observations", [1, 2, 3, 17, 1000, 20_000], fixed=1000)
@pytest.mark.parametrize("ties", ["average", "ordinal"])
def test_ranks_of_awkward_columns_equal_scipy(library, observations, ties):
    x = matrix(*kinds(observations))
    ranks = library.numpy(library.call(rankdata, library.array(x), ties=ties))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=0, method=ties))
    assert ranks.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["average", "ordinal"])
def test_ranks_of_a_million_observations_equal_scipy(library, ties):
    x = matrix(*kinds(1_000_000))
    ranks = library.numpy(library.call(rankdata, library.array(x), ties=ties))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=0, method=ties))


@each_library("axis", [0, 1, 2, -1], fixed=1)
def test_any_axis_of_any_shape(library, axis):
    x = np.random.default_rng(3).integers(0, 4, (5, 6, 7)).astype(np.float32)
    ranks = library.numpy(library.call(rankdata, library.array(x), axis=axis))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=axis))


@each_library("shape", [(0,), (0, 3), (3, 0), (1,)], fixed=(0, 3))
def test_an_empty_array_has_empty_ranks(library, shape):
    ranks = library.numpy(library.call(rankdata, library.array(np.zeros(shape, np.float32))))
    np.testing.assert_array_equal(ranks, np.ones(shape, np.float32))


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-4, 4, width=16)))
def test_ordinal_ranks_are_a_permutation_and_average_ranks_have_its_sum(x):
    count = np.arange(1, len(x) + 1, dtype=np.float32)
    np.testing.assert_array_equal(np.sort(rankdata(x, ties="ordinal")), count)
    assert rankdata(x).sum() == count.sum()


def test_ranks_become_float64_where_float32_cannot_hold_them():
    assert rank_dtype(np, np.float32, 2**23 - 1) == "float32"
    assert rank_dtype(np, np.float32, 2**23) == "float64"
    jnp = pytest.importorskip("jax.numpy")
    with pytest.raises(ValueError, match="jax_enable_x64"):
        rank_dtype(jnp, jnp.float32, 2**23)


@pytest.mark.parametrize(
    ("x", "options", "error", "phrase"),
    [
        (np.array([True, False]), {}, TypeError, "real numbers"),
        (np.array([1j]), {}, TypeError, "real numbers"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), {}, ValueError, "column 1"),
        (np.zeros(3), {"ties": None}, ValueError, "got None"),
        (np.zeros(3), {"axis": 1}, ValueError, "axis must lie in -1 .. 0"),
        (np.zeros(3), {"axis": -2}, ValueError, "axis must be at least -1"),
        (np.zeros(3), {"axis": 0.5}, TypeError, "whole number"),
        (np.float64(3.0), {}, ValueError, "axis"),
    ],
)
def test_bad_input_is_explained(x, options, error, phrase):
    with pytest.raises(error, match=phrase.replace("(", r"\(")):
        rankdata(x, **options)


# The compiled kernels of NumPy's backend.


def awkward_rows(dtype):
    """Rows with few and many ties, both zeros, subnormals, one value, neighbouring values."""
    rng = np.random.default_rng(0)
    x = 30 * rng.standard_normal((6, 777))
    x[1] = x[1].round()
    x[2, rng.random(777) < 0.5] = 0
    x[2, ::2] *= -1
    x[3] = 3
    if dtype.startswith("float"):
        x[4] = x[4].round() * float(np.finfo(dtype).smallest_subnormal)
        x[5] = 1e4 + x[5].round() * 1e4 * float(np.finfo(dtype).eps)
    return (abs(x) if dtype.startswith("u") else x).astype(dtype)


@pytest.fixture
def both_paths(monkeypatch):
    """Call a function by NumPy alone, then by the kernels."""
    require("numba")

    def both(call):
        results = []
        for path in ("plain", "kernel"):
            monkeypatch.setenv("GSNN_EDGES_PATH", path)
            results.append(call())
        return results

    return both


@pytest.mark.parametrize("ties", ["average", "ordinal"])
@pytest.mark.parametrize("dtype", [*INTEGERS, "float16", "float32", "float64"])
def test_kernels_give_the_ranks_of_numpy(both_paths, dtype, ties):
    x, ops = awkward_rows(dtype), backends.load("numpy")
    if dtype == "int64":
        x += 1 << 61
    options = {"ties": ties, "dtype": "float64" if dtype == "float64" else "float32"}
    plain, kernel = both_paths(lambda: rank_rows(x, ops, **options))
    np.testing.assert_array_equal(kernel, plain)
    np.testing.assert_array_equal(kernel, scipy.stats.rankdata(x, axis=1, method=ties))
    for shift in (False, True):
        more = {**options, "standardize": True, "shift": shift}
        plain, kernel = both_paths(lambda more=more: rank_rows(x, ops, **more))
        np.testing.assert_array_max_ulp(kernel, plain, 2)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.just(2), st.integers(1, 50)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_kernels_rank_any_values(x):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GSNN_EDGES_PATH", "kernel")
        found = rank_rows(x, backends.load("numpy"), "float32", ties="average")
    np.testing.assert_array_equal(found, scipy.stats.rankdata(x, axis=1))


def test_kernels_name_the_columns_that_are_not_finite(both_paths):
    a, g = np.random.default_rng(0).standard_normal((2, 40, 8))
    a[3, 5] = a[4, 5] = np.nan
    g[1, 2] = -np.inf
    nodes = np.arange(8)

    def messages():
        for call in (
            lambda: rankdata(a),
            lambda: cross_correlation(a, g, row_chunk=2),
            lambda: cross_correlation(abs(g), g),
            lambda: channel_correlation(a, g, nodes, nodes),
        ):
            with pytest.raises(ValueError, match="finite") as error:
                call()
            yield str(error.value)

    plain, kernel = both_paths(lambda: list(messages()))
    assert kernel == plain
    assert "a must be finite; got 2 NaN or infinite values in column 5:" in kernel[1]


def test_few_values_load_no_kernel_and_without_numba_none_is_needed(monkeypatch):
    monkeypatch.delenv("GSNN_EDGES_PATH", raising=False)
    monkeypatch.delitem(sys.modules, "gsnn_edges.backends.cpu_kernels", raising=False)
    x = np.random.default_rng(0).standard_normal((2000, 2100), np.float32)
    few = rankdata(x[:, :300])
    assert "gsnn_edges.backends.cpu_kernels" not in sys.modules
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        np.testing.assert_array_equal(rankdata(x)[:, :300], few)
    require("numba")
    np.testing.assert_array_equal(rankdata(x)[:, :300], few)
    assert "gsnn_edges.backends.cpu_kernels" in sys.modules


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch):
    numba = pytest.importorskip("numba")
    compiled = numba.njit

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compiled(**options)

    monkeypatch.setattr(numba, "njit", njit)
    monkeypatch.delitem(sys.modules, "gsnn_edges.backends.cpu_kernels", raising=False)
    monkeypatch.setenv("GSNN_EDGES_PATH", "kernel")
    np.testing.assert_array_equal(rankdata(np.float32([3, 1, 2])), [3, 1, 2])


@pytest.fixture
def ops(library):
    if library.jit:
        pytest.skip("compiled inside the functions that use it, which are tested")
    return backends.of(library.array(np.zeros(1, np.float32)))


def standardized(ops, x, method="spearman", *, shift=False):
    options = {"ties": "average", "shift": shift}
    if method == "spearman":
        rows = rank_rows(ops.adopt(x), ops, "float32", standardize=True, **options)
    else:
        rows = on_ranker(standardize_rows, ops.adopt(x), ops, "float32", method=method, **options)
    return ops.to_numpy(rows).astype(float)


def standard(x):
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("method", METHODS)
def test_rows_have_mean_zero_and_length_one_and_constant_rows_are_zero(ops, method):
    *varying, constant = kinds(5000)
    rows = standardized(ops, matrix(*varying, constant).T, method)
    lengths = np.repeat([1.0, 0.0], [sum(map(len, varying)), len(constant)])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), lengths, rtol=0, atol=2e-6)
    np.testing.assert_allclose(rows.sum(axis=1), 0, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_shift_moves_zeros_to_exactly_zero_and_nothing_else(ops, method):
    x = np.stack([column for name, column in kinds(4000)[0].items() if "zeros" in name])
    plain, moved = (standardized(ops, x, method, shift=shift) for shift in (False, True))
    mostly = (x == 0).mean(axis=1) > 0.5
    assert mostly.sum() == 3
    np.testing.assert_array_equal(moved[mostly] == 0, x[mostly] == 0)
    np.testing.assert_allclose(np.diff(moved), np.diff(plain), rtol=0, atol=1e-6)


@each_library("exponent", [-140, -60, 0, 60, 120], fixed=120)
def test_a_power_of_two_leaves_standardized_values_unchanged(ops, exponent):
    x = np.array([[1.0, -1.5, 0.0, 1.25], [3.0, 2.0, 1.0, 7.0]], np.float32)
    found = standardized(ops, np.float32(2.0**exponent) * x, "pearson")
    np.testing.assert_array_equal(found, standardized(ops, x, "pearson"))
    np.testing.assert_allclose(found, standard(x.astype(float)), rtol=0, atol=1e-7)


@each_library("length", [31, 64, 65, 20_000, 1_000_000], fixed=1_000_000)
def test_sums_do_not_lose_digits_with_length(ops, length):
    x = np.abs(np.random.default_rng(0).standard_normal((1, length), np.float32))
    found = standardized(ops, x, "pearson")
    np.testing.assert_allclose(np.linalg.norm(found), 1, rtol=0, atol=3e-7)
    np.testing.assert_allclose(found, standard(x.astype(float)), rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_drawn_rows_are_the_rows_of_the_draw(ops, method, shift):
    x = np.ascontiguousarray(matrix(*kinds(300)).T)
    weights = np.random.default_rng(5).integers(0, 4, 300)
    here = np.flatnonzero(weights)
    engine = ops.ranker()
    rows = engine.adopt(x)
    if method == "spearman":
        rows = key_rows(rows, engine)
    drawn, counts = engine.xp.take(rows, engine.adopt(here), axis=1), weights[here]
    options = {"method": method, "shift": shift, "length": 300}
    shared = engine.adopt(counts.astype(np.float32))
    found = on_ranker(standardize_drawn, drawn, ops, "float32", shared, **options)
    found = ops.to_numpy(found) / (1 if shift else counts)
    expected = standardized(ops, np.repeat(x, weights, axis=1), method, shift=shift)
    np.testing.assert_allclose(np.repeat(found, counts, axis=1), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "offset"), [("int32", 10**9), ("int64", -(1 << 62)), ("int64", 1 << 62)]
)
def test_whole_numbers_far_from_zero_keep_their_differences(ops, library, dtype, offset):
    if dtype == "int64" and not library.has_float64:
        pytest.skip("JAX has no int64 unless it is switched on")
    x = (offset + np.random.default_rng(6).integers(0, 50, (3, 400))).astype(dtype)
    rows = standardized(ops, x, "pearson")
    np.testing.assert_allclose(rows, standard((x - offset).astype(float)), rtol=0, atol=3e-7)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("library", [Library("numpy"), Library("torch")], ids=str)
def test_int64_over_its_whole_range_does_not_overflow(library, precision):
    x = np.random.default_rng(8).integers(-(2**63), 2**63 - 1, (40, 4), endpoint=True)
    x[0], x[1] = -(2**63), 2**63 - 1
    found = library.run(cross_correlation, x, x, method="pearson", precision=precision)
    atol = 1e-6 if precision == "float32" else 1e-9
    np.testing.assert_allclose(found, np.corrcoef(x.astype(float).T), rtol=0, atol=atol)

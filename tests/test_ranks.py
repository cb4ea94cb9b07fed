"""Ranks equal SciPy's, exactly, in every library."""

import numpy as np
import pytest
import scipy.stats
from columns import kinds, matrix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from libraries import DTYPES_64

from gsnn_edges import backends, rankdata
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS, key_rows, rank_dtype, weighted_ranks


@pytest.mark.parametrize("observations", [1, 2, 3, 17, 1000, 20_000])
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


@pytest.mark.parametrize(
    "dtype", ["float16", "float64", "int8", "uint8", "int32", "uint32", "int64"]
)
def test_every_real_dtype_is_ranked_as_it_is(library, dtype):
    if dtype == "float16" and library.name == "strict":
        pytest.skip("the standard has no float16")
    if dtype in DTYPES_64 and not library.has_float64:
        pytest.skip("JAX has no 64-bit dtypes unless they are switched on")
    rng = np.random.default_rng(1)
    x = (100 * rng.standard_normal((500, 3))).astype(np.int64).astype(dtype)
    ranks = library.numpy(library.call(rankdata, library.array(x)))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=0))
    assert ranks.dtype == (np.float64 if dtype == "float64" else np.float32)


def test_float64_values_that_float32_would_merge_keep_their_order(library):
    if not library.has_float64:
        pytest.skip("JAX has no float64 unless it is switched on")
    x = 1e8 + np.random.default_rng(2).permutation(1000)[:, None] * 1e-3
    ranks = library.numpy(library.call(rankdata, library.array(x)))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=0))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_any_axis_of_any_shape(library, axis):
    x = np.random.default_rng(3).integers(0, 4, (5, 6, 7)).astype(np.float32)
    ranks = library.numpy(library.call(rankdata, library.array(x), axis=axis))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=axis))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1,)])
def test_an_empty_array_has_empty_ranks(library, shape):
    ranks = library.numpy(library.call(rankdata, library.array(np.zeros(shape, np.float32))))
    np.testing.assert_array_equal(ranks, np.ones(shape, np.float32))


@pytest.mark.parametrize("view", ["transposed", "backwards", "every second", "expanded"])
def test_views_of_numpy_and_torch_arrays_are_ranked_in_place(view):
    x = np.random.default_rng(4).integers(0, 9, (40, 30)).astype(np.float32)
    x = {
        "transposed": x.T,
        "backwards": x[::-1, ::-1],
        "every second": x[::2, ::2],
        "expanded": np.broadcast_to(x[:, :1], (40, 30)),
    }[view]
    np.testing.assert_array_equal(rankdata(x), scipy.stats.rankdata(x, axis=0))


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-4, 4, width=16)))
def test_ordinal_ranks_are_a_permutation_and_average_ranks_have_its_sum(x):
    count = np.arange(1, len(x) + 1, dtype=np.float32)
    np.testing.assert_array_equal(np.sort(rankdata(x, ties="ordinal")), count)
    assert rankdata(x).sum() == count.sum()


@given(
    hnp.arrays(np.float32, st.integers(2, 60), elements=st.floats(-100, 100, width=16)),
    st.integers(-20, 20),
)
def test_a_power_of_two_and_a_permutation_leave_ranks_unchanged(x, exponent):
    np.testing.assert_array_equal(rankdata(x * np.float32(2.0**exponent)), rankdata(x))
    order = np.random.default_rng(len(x)).permutation(len(x))
    np.testing.assert_array_equal(rankdata(x[order]), rankdata(x)[order])


def test_ranks_become_float64_where_float32_cannot_hold_them():
    assert rank_dtype(np, np.float32, FLOAT32_OBSERVATIONS - 1) == "float32"
    assert rank_dtype(np, np.float32, FLOAT32_OBSERVATIONS) == "float64"


def test_more_observations_than_float32_ranks_need_float64():
    jnp = pytest.importorskip("jax.numpy")
    with pytest.raises(ValueError, match="jax_enable_x64"):
        rank_dtype(jnp, jnp.float32, FLOAT32_OBSERVATIONS)


@pytest.mark.parametrize(
    ("x", "options", "error", "phrase"),
    [
        ([1.0, 2.0], {}, TypeError, "x must be an array"),
        (np.array([True, False]), {}, TypeError, "real numbers"),
        (np.array([1j]), {}, TypeError, "real numbers"),
        (np.array(["a"]), {}, TypeError, "real numbers"),
        (np.array([1.0, np.nan]), {}, ValueError, "x must be finite; got 1 NaN"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), {}, ValueError, "column 1"),
        (np.zeros(3), {"ties": "min"}, ValueError, "ties must be one of"),
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


def test_weighted_ranks_are_those_of_repeated_values(library):
    if library.jit:
        pytest.skip("compiled inside resampled_correlations, which is tested")
    rows = np.ascontiguousarray(matrix(*kinds(200)).T)
    rng = np.random.default_rng(4)
    weights = rng.integers(0, 5, 200)
    here = np.flatnonzero(weights)
    ops = backends.of(library.array(rows))
    keys = key_rows(library.array(rows), ops=ops, dtype="int32", rank_dtype="float32")
    ranks, commonest = weighted_ranks(
        ops.xp.take(keys, ops.adopt(here), axis=1),
        ops.adopt(weights[here].astype(np.float32)),
        ops=ops,
        dtype="float32",
        length=200,
    )
    repeated = np.repeat(rows, weights, axis=1)
    expected = scipy.stats.rankdata(repeated, axis=1)
    np.testing.assert_array_equal(np.repeat(ops.to_numpy(ranks), weights[here], axis=1), expected)
    for row, rank in zip(expected, ops.to_numpy(commonest)[:, 0], strict=True):
        values, counts = np.unique(row, return_counts=True)
        assert counts[values == rank] == [counts.max()]

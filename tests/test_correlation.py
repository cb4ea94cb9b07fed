"""W equals SciPy's in float64, in every library, for every kind of column."""

import sys
import tracemalloc

import numpy as np
import oracles
import pytest
import scipy.stats
from benchmarks.measuring import peak_resident, reset_peak
from columns import kinds, matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from libraries import DTYPES_64, LIBRARIES, require

from gsnn_edges import correlation, cross_correlation

# Law 3: continuous columns and one large tied value, columns of few distinct values, float64.
FEW_TIES, MANY_TIES, DOUBLE = 1e-6, 4e-6, 1e-9
METHODS = ("spearman", "pearson")


def pair(observations, groups=slice(None)):
    """Two matrices of every kind of column, some of them correlated."""
    a = matrix(*kinds(observations, seed=0)[groups])
    g = matrix(*kinds(observations, seed=1)[groups])
    # Every second column is itself again: errors are largest where the correlation is 1.
    g[:, ::2] = a[:, ::2]
    return a, g


def assert_within_bounds(found, expected):
    """Hold the first nine kinds of column to the closer bound."""
    easy = np.ix_(range(9), range(9))
    np.testing.assert_allclose(found[easy], expected[easy], rtol=0, atol=FEW_TIES)
    np.testing.assert_allclose(found, expected, rtol=0, atol=MANY_TIES)


@pytest.mark.parametrize("ties", ["average", "ordinal"])
@pytest.mark.parametrize("observations", [2, 3, 10, 1000, 20_000])
def test_spearman_of_awkward_columns_equals_scipy(library, observations, ties):
    a, g = pair(observations)
    arrays = library.array(a), library.array(g)
    found = library.numpy(library.call(cross_correlation, *arrays, ties=ties))
    expected = oracles.correlation(a, g, ties=ties)
    assert_within_bounds(found, expected)
    assert found.dtype == np.float32


@pytest.mark.parametrize("observations", [2, 3, 10, 1000, 20_000])
def test_pearson_of_awkward_columns_equals_numpy_in_float64(library, observations):
    a, g = pair(observations)
    arrays = library.array(a), library.array(g)
    found = library.numpy(library.call(cross_correlation, *arrays, method="pearson"))
    expected = oracles.correlation(a, g, "pearson")
    assert_within_bounds(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("observations", [200_000, 1_000_000])
def test_long_columns_keep_the_bounds(library, observations, method):
    a, g = pair(observations)
    arrays = library.array(a), library.array(g)
    found = library.numpy(library.call(cross_correlation, *arrays, method=method))
    expected = oracles.correlation(a, g, method)
    assert_within_bounds(found, expected)


@pytest.mark.parametrize("method", METHODS)
def test_float64_is_a_thousand_times_closer(library, method):
    if not library.has_float64:
        pytest.skip("JAX has no float64 unless it is switched on")
    a, g = pair(3000)
    arrays = library.array(a), library.array(g)
    found = cross_correlation(*arrays, method=method, precision="float64")
    expected = oracles.correlation(a, g, method)
    np.testing.assert_allclose(library.numpy(found), expected, rtol=0, atol=DOUBLE)


def test_from_2_to_the_23_observations_on_all_is_float64(monkeypatch):
    monkeypatch.setattr(correlation, "FLOAT32_OBSERVATIONS", 100)
    a, g = pair(100)
    found = cross_correlation(a, g)
    np.testing.assert_allclose(found, oracles.correlation(a, g), rtol=0, atol=DOUBLE)


def test_spearman_equals_spearmanr_itself():
    a, g = (np.random.default_rng(s).standard_normal((100, 5)) for s in (0, 1))
    expected = scipy.stats.spearmanr(a, g).statistic[:5, 5:]
    np.testing.assert_allclose(cross_correlation(a, g), expected, rtol=0, atol=FEW_TIES)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("method", METHODS)
def test_every_real_dtype_gives_float32(library, dtype, method):
    if dtype == "float16" and library.name == "strict":
        pytest.skip("the standard has no float16")
    if dtype in DTYPES_64 and not library.has_float64:
        pytest.skip("JAX has no 64-bit dtypes unless they are switched on")
    a, g = (np.random.default_rng(s).integers(0, 50, (300, 4)).astype(dtype) for s in (0, 1))
    arrays = library.array(a), library.array(g)
    found = library.numpy(library.call(cross_correlation, *arrays, method=method))
    np.testing.assert_allclose(found, oracles.correlation(a, g, method), rtol=0, atol=MANY_TIES)
    assert found.dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_an_offset_of_1e8_costs_float64_columns_nothing(library, method):
    if not library.has_float64:
        pytest.skip("JAX has no float64 unless it is switched on")
    a, g = (1e8 + np.random.default_rng(s).standard_normal((500, 3)) for s in (0, 1))
    found = cross_correlation(library.array(a), library.array(g), method=method)
    expected = oracles.correlation(a, g, method)
    np.testing.assert_allclose(library.numpy(found), expected, rtol=0, atol=FEW_TIES)


def test_bfloat16_is_ranked_without_loss():
    torch = pytest.importorskip("torch")
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = oracles.correlation(x[:, :3].float().numpy(), x[:, 3:].float().numpy())
    found = cross_correlation(x[:, :3], x[:, 3:])
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=FEW_TIES)


@pytest.mark.parametrize("row_chunk", [1, 2, 5, 13, 1000])
@pytest.mark.parametrize("method", METHODS)
def test_row_chunk_changes_nothing_beyond_rounding(library, row_chunk, method):
    a, g = pair(300)
    arrays = library.array(a), library.array(g)
    whole = library.numpy(library.call(cross_correlation, *arrays, method=method))
    chunks = library.call(cross_correlation, *arrays, method=method, row_chunk=row_chunk)
    assert_within_bounds(library.numpy(chunks), whole)


@pytest.mark.parametrize(("sources", "targets"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 7), (7, 1)])
def test_any_rectangle(library, sources, targets):
    rng = np.random.default_rng(0)
    a, g = (rng.standard_normal((50, n)).astype(np.float32) for n in (sources, targets))
    found = library.numpy(library.call(cross_correlation, library.array(a), library.array(g)))
    np.testing.assert_allclose(found, oracles.correlation(a, g), rtol=0, atol=FEW_TIES)


def test_results_stay_within_one(library):
    x = matrix(*kinds(5000)[:2])
    found = library.numpy(library.call(cross_correlation, library.array(x), library.array(x)))
    assert np.abs(found).max() <= 1
    np.testing.assert_allclose(np.diagonal(found), 1, rtol=0, atol=MANY_TIES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-80, -40, 40, 80])
def test_powers_of_two_change_nothing(library, method, exponent):
    a, g = (np.random.default_rng(s).standard_normal((400, 4)).astype(np.float32) for s in (0, 1))
    first = library.call(cross_correlation, library.array(a), library.array(g), method=method)
    scaled = library.array(a * np.float32(2.0**exponent))
    second = library.call(cross_correlation, scaled, library.array(g), method=method)
    atol = 0 if method == "spearman" else FEW_TIES
    np.testing.assert_allclose(library.numpy(second), library.numpy(first), rtol=0, atol=atol)


columns = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 40), st.integers(1, 4)),
    elements=st.floats(-100, 100, width=16),
)


@settings(deadline=None)
@given(columns, st.sampled_from(METHODS))
def test_swapping_the_sides_transposes(x, method):
    g = x[::-1, ::-1] ** 2
    there, back = cross_correlation(x, g, method=method), cross_correlation(g, x, method=method)
    np.testing.assert_allclose(there, back.T, rtol=0, atol=2 * MANY_TIES)


@settings(deadline=None)
@given(columns, st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_order_of_observations_does_not_matter(x, method, random):
    order = random.sample(range(len(x)), len(x))
    g = np.roll(x, 1, axis=0)
    first = cross_correlation(x, g, method=method)
    second = cross_correlation(x[order], g[order], method=method)
    np.testing.assert_allclose(second, first, rtol=0, atol=2 * MANY_TIES)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("path", ["auto", "device"])
def test_arrays_of_any_library_go_to_any_backend(library, backend, path, monkeypatch):
    if library.jit:
        pytest.skip("a traced array cannot leave JAX")
    if library.name == "strict" and backend != "numpy":
        pytest.skip("strict arrays come to the others through NumPy, which is tested")
    require(backend)
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    a, g = pair(400)
    found = cross_correlation(library.array(a), library.array(g), backend=backend, row_chunk=5)
    module = {"jax": "jaxlib"}.get(backend, backend)
    assert type(found).__module__.partition(".")[0] == module
    expected = oracles.correlation(a, g)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=MANY_TIES)


def test_inputs_are_left_alone(library):
    a, g = pair(100)
    arrays = library.array(a), library.array(g)
    for method in METHODS:
        library.call(cross_correlation, *arrays, method=method)
    np.testing.assert_array_equal(library.numpy(arrays[0]), a)
    np.testing.assert_array_equal(library.numpy(arrays[1]), g)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_later_write_to_the_input_does_not_reach_the_result(name):
    require(name)
    a, g = (np.random.default_rng(s).standard_normal((2000, 50)).astype(np.float32) for s in (0, 1))
    expected = oracles.correlation(a, g)
    for _ in range(8):
        x = a.copy()
        found = cross_correlation(x, g, backend=name)
        x[:] = 0
        np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=FEW_TIES)


def peak_bytes(a, g, row_chunk):
    tracemalloc.start()
    cross_correlation(a, g, row_chunk=row_chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_falls_with_row_chunk(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    a, g = (np.random.default_rng(s).standard_normal((8000, n)) for s, n in ((0, 1500), (1, 8)))
    a, g = a.astype(np.float32), g.astype(np.float32)
    block = 4 * len(a)
    whole, half, least = (peak_bytes(a, g, chunk) for chunk in (1500, 750, 1))
    # What is held beside a chunk is the same, so that halving it frees half of its sources.
    assert whole - half >= 0.95 * block * 750
    assert least <= whole - 0.95 * block * 1450


def test_peak_memory_with_the_inputs_is_what_the_docstring_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    a, g = (np.random.default_rng(s).standard_normal((9000, 3000), np.float32) for s in (0, 1))
    inputs, result = a.nbytes + g.nbytes, 4 * 3000 * 3000
    assert inputs + peak_bytes(a, g, None) <= 2.2 * inputs + 1.1 * result


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_peak_resident_memory_is_what_the_docstring_says(name):
    require(name)
    library = next(library for library in LIBRARIES if str(library) == name)
    a, g = (
        library.array(np.random.default_rng(s).standard_normal((9000, 2000), np.float32))
        for s in (0, 1)
    )
    inputs, result = 2 * 4 * 9000 * 2000, 4 * 2000 * 2000
    library.numpy(cross_correlation(a, g))
    before = reset_peak()
    library.numpy(cross_correlation(a, g))
    assert inputs + peak_resident() - before <= 2.2 * inputs + 1.1 * result


GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("a", "g", "options", "error", "phrase"),
    [
        (GOOD.tolist(), GOOD, {}, TypeError, "a must be an array"),
        (GOOD, GOOD.tolist(), {}, TypeError, "g must be an array"),
        (GOOD > 0, GOOD, {}, TypeError, "a must hold real numbers; got dtype bool"),
        (GOOD[0], GOOD, {}, ValueError, "a must have 2 dimensions"),
        (GOOD, GOOD[None], {}, ValueError, "g must have 2 dimensions"),
        (GOOD, GOOD[:3], {}, ValueError, "same number of observations"),
        (GOOD[:1], GOOD[:1], {}, ValueError, "at least 2 observations"),
        (GOOD[:0], GOOD[:0], {}, ValueError, "at least 2 observations"),
        (GOOD * np.nan, GOOD, {}, ValueError, "a must be finite; got 12 NaN or infinite values"),
        (GOOD, GOOD + np.inf, {}, ValueError, "g must be finite"),
        (GOOD, GOOD, {"method": "kendall"}, ValueError, "method must be one of 'spearman'"),
        (GOOD, GOOD, {"ties": "dense"}, ValueError, "ties must be one of 'average'"),
        (GOOD, GOOD, {"precision": "bf16"}, ValueError, "precision must be one of 'float32'"),
        (GOOD, GOOD, {"row_chunk": 0}, ValueError, "row_chunk must be at least 1; got 0"),
        (GOOD, GOOD, {"row_chunk": 1.5}, TypeError, "row_chunk must be a whole number"),
        (GOOD, GOOD, {"row_chunk": True}, TypeError, "row_chunk must be a whole number"),
        (GOOD, GOOD, {"backend": "tensorflow"}, ValueError, "backend must be one of 'numpy'"),
        (GOOD, GOOD, {"backend": "generic"}, ValueError, "backend must be one of 'numpy'"),
        (GOOD, GOOD, {"device": "cpu"}, ValueError, "needs backend= beside it"),
        (GOOD, GOOD, {"backend": "numpy", "device": "cuda"}, ValueError, "device must be None"),
    ],
)
def test_bad_input_is_explained(a, g, options, error, phrase):
    with pytest.raises(error, match=phrase):
        cross_correlation(a, g, **options)


def test_two_libraries_in_one_call_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="a and g must be of one library; got numpy and torch"):
        cross_correlation(GOOD, torch.from_numpy(GOOD))


def test_nan_in_any_library_is_named_by_its_column(library):
    if library.jit:
        pytest.skip("values cannot be looked at under jit")
    bad = GOOD.astype(np.float32)
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"a must be finite; got 1 NaN .* column 2"):
        cross_correlation(library.array(bad), library.array(GOOD.astype(np.float32)))


@pytest.mark.parametrize("dtype", DTYPES_64)
def test_jax_without_x64_refuses_what_it_would_round(dtype):
    require("jax")
    with pytest.raises(ValueError, match="set jax_enable_x64"):
        cross_correlation(GOOD.astype(dtype), GOOD.astype(dtype), backend="jax")


def test_jax_with_x64_is_as_close_as_the_others():
    jax = pytest.importorskip("jax")
    a, g = pair(500)
    with jax.enable_x64(True):
        found = cross_correlation(
            a.astype(float), g.astype(float), backend="jax", precision="float64"
        )
    np.testing.assert_allclose(found, oracles.correlation(a, g), rtol=0, atol=DOUBLE)


def test_a_float64_result_needs_a_library_with_float64():
    jnp = pytest.importorskip("jax.numpy")
    x = jnp.asarray(GOOD.astype(np.float32))
    with pytest.raises(ValueError, match="this correlation must be computed in float64"):
        cross_correlation(x, x, precision="float64")

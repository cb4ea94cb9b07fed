"""W equals SciPy's in float64, in every library, for every kind of column."""

import subprocess
import sys

import numpy as np
import oracles
import pytest
import scipy.stats
from columns import kinds, matrix
from libraries import DTYPES_64, each_library, require
from watching import peak_bytes

from gsnn_edges import cross_correlation, ranks
from gsnn_edges.options import CorrelationOptions

# Law 3: continuous columns and one large tied value, columns of few distinct values, float64.
FEW_TIES, MANY_TIES, DOUBLE = 1e-6, 4e-6, 1e-9
METHODS = ("spearman", "pearson")
SIZES = (2, 3, 10, 1000, 20_000)
in_sizes = each_library("observations", SIZES, fixed=1000)


def pair(observations):
    """Two matrices of every kind of column, some of them correlated."""
    a = matrix(*kinds(observations, seed=0))
    g = matrix(*kinds(observations, seed=1))
    # Every second column is itself again: errors are largest where the correlation is 1.
    g[:, ::2] = a[:, ::2]
    return a, g


def normal(rows, *columns):
    """Independent normal columns, float32."""
    rngs = map(np.random.default_rng, range(len(columns)))
    return [
        rng.standard_normal((rows, n)).astype(np.float32)
        for rng, n in zip(rngs, columns, strict=True)
    ]


def close(found, expected, atol):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def assert_within_bounds(found, expected):
    """Hold the first nine kinds of column to the closer bound."""
    easy = np.ix_(range(9), range(9))
    close(found[easy], expected[easy], FEW_TIES)
    close(found, expected, MANY_TIES)


@in_sizes
@pytest.mark.parametrize("options", [{}, {"ties": "ordinal"}, {"method": "pearson"}], ids=str)
def test_awkward_columns_equal_scipy_in_float64(library, observations, options):
    a, g = pair(observations)
    found = library.run(cross_correlation, a, g, **options)
    assert_within_bounds(found, oracles.correlation(a, g, **options))
    assert found.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("observations", [200_000, 1_000_000])
def test_long_columns_keep_the_bounds(library, observations, method):
    a, g = pair(observations)
    found = library.run(cross_correlation, a, g, method=method)
    assert_within_bounds(found, oracles.correlation(a, g, method))


def test_from_2_to_the_23_observations_on_all_is_float64(monkeypatch):
    monkeypatch.setattr(ranks, "FLOAT32_OBSERVATIONS", 100)
    a, g = pair(100)
    close(cross_correlation(a, g), oracles.correlation(a, g), DOUBLE)


def test_spearman_equals_spearmanr_itself():
    a, g = normal(100, 5, 5)
    expected = scipy.stats.spearmanr(a, g).statistic[:5, 5:]
    close(cross_correlation(a, g), expected, FEW_TIES)


@pytest.mark.parametrize("method", METHODS)
def test_an_offset_of_1e8_costs_float64_columns_nothing(library, method):
    if not library.has_float64:
        pytest.skip("JAX has no float64 unless it is switched on")
    a, g = (1e8 + np.random.default_rng(s).standard_normal((500, 3)) for s in (0, 1))
    found = library.run(cross_correlation, a, g, method=method)
    close(found, oracles.correlation(a, g, method), FEW_TIES)


def test_results_stay_within_one(library):
    x = matrix(*kinds(5000)[:2])
    found = library.run(cross_correlation, x, x)
    assert np.abs(found).max() <= 1
    close(np.diagonal(found), 1, MANY_TIES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-80, -40, 40, 80])
def test_powers_of_two_change_nothing(library, method, exponent):
    a, g = normal(400, 4, 4)
    first = library.run(cross_correlation, a, g, method=method)
    second = library.run(cross_correlation, a * np.float32(2.0**exponent), g, method=method)
    close(second, first, 0 if method == "spearman" else FEW_TIES)


def test_inputs_are_left_alone(library):
    a, g = pair(1000)
    arrays = library.array(a), library.array(g)
    for method in METHODS:
        library.call(cross_correlation, *arrays, method=method)
    np.testing.assert_array_equal(library.numpy(arrays[0]), a)
    np.testing.assert_array_equal(library.numpy(arrays[1]), g)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_later_write_to_the_input_does_not_reach_the_result(name):
    require(name)
    a, g = normal(2000, 50, 50)
    expected = oracles.correlation(a, g)
    for _ in range(8):
        x = a.copy()
        found = cross_correlation(x, g, backend=name)
        x[:] = 0
        close(np.asarray(found), expected, FEW_TIES)


def test_memory_falls_with_row_chunk(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    a, g = normal(8000, 1500, 8)
    block = 4 * len(a)
    whole, half, least = (peak_bytes(cross_correlation, a, g, row_chunk=n) for n in (1500, 750, 1))
    # What is held beside a chunk is the same, so that halving it frees half of its sources.
    assert whole - half >= 0.95 * block * 750
    assert least <= whole - 0.95 * block * 1450


def test_peak_memory_with_the_inputs_is_what_the_docstring_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    a, g = normal(6000, 2000, 2000)
    inputs, result = a.nbytes + g.nbytes, 4 * 2000 * 2000
    assert inputs + peak_bytes(cross_correlation, a, g) <= 2.2 * inputs + 1.1 * result


RESIDENT = """
import numpy as np
from gsnn_edges import backends, cross_correlation

def peak():
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))

rng = np.random.default_rng(0)
for name in ("torch", "jax"):
    ops = backends.load(name)
    a, g = (ops.adopt(rng.standard_normal((9000, 2000), np.float32)) for _ in "ag")
    ops.to_numpy(cross_correlation(a, g))
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = peak()
    ops.to_numpy(cross_correlation(a, g))
    inputs, result = 2 * 4 * 9000 * 2000, 4 * 2000**2
    print(name, (inputs + peak() - before) / (2.2 * inputs + 1.1 * result))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
def test_peak_resident_memory_is_what_the_docstring_says():
    command = [sys.executable, "-c", RESIDENT]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["torch", "jax"]
    for line in lines:
        assert float(line.split()[1]) <= 1, line


GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("a", "g", "options", "error", "phrase"),
    [
        (GOOD.tolist(), GOOD, {}, TypeError, "a must be an array"),
        (GOOD > 0, GOOD, {}, TypeError, "a must hold real numbers; got dtype bool"),
        (GOOD[0], GOOD, {}, ValueError, r"a must have 2 dimensions \(observations, nodes\)"),
        (GOOD, GOOD[None], {}, ValueError, "g must have 2 dimensions"),
        (GOOD[:0], GOOD[:0], {}, ValueError, "at least 2 observations"),
        (GOOD, GOOD, {"ties": "dense"}, ValueError, "ties must be one of 'average'"),
        (GOOD, GOOD, {"row_chunk": True}, TypeError, "row_chunk must be a whole number"),
        (GOOD, GOOD, {"backend": "generic"}, ValueError, "backend must be one of 'numpy'"),
        (GOOD, GOOD, {"backend": "torch", "devices": 2}, ValueError, "backend='jax'; got 'torch'"),
    ],
)
def test_bad_input_is_explained(a, g, options, error, phrase):
    with pytest.raises(error, match=phrase):
        cross_correlation(a, g, **options)


def test_several_devices_share_the_work_when_named():
    jnp, torch = pytest.importorskip("jax.numpy"), pytest.importorskip("torch")
    x = GOOD.astype(np.float32)
    for array, options, expected in (
        (x, {}, False),
        (x, {"backend": "jax"}, False),
        (jnp.asarray(x), {}, False),
        (jnp.asarray(x), {"devices": 1}, True),
        (torch.from_numpy(x), {"backend": "jax", "devices": 1}, True),
    ):
        assert CorrelationOptions(**options).shared(array, array) is expected


def test_nan_in_any_library_is_named_by_its_column(library):
    if library.jit:
        pytest.skip("values cannot be looked at under jit")
    bad = GOOD.astype(np.float32)
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"a must be finite; got 1 NaN .* column 2"):
        library.run(cross_correlation, bad, GOOD.astype(np.float32))


@pytest.mark.parametrize("dtype", DTYPES_64)
def test_jax_without_x64_refuses_what_it_would_round(dtype):
    require("jax")
    with pytest.raises(ValueError, match="set jax_enable_x64"):
        cross_correlation(GOOD.astype(dtype), GOOD.astype(dtype), backend="jax")


def test_jax_with_x64_is_as_close_as_the_others():
    jax = pytest.importorskip("jax")
    a, g = (x.astype(float) for x in pair(500))
    with jax.enable_x64(True):
        found = cross_correlation(a, g, backend="jax", precision="float64")
    close(found, oracles.correlation(a, g), DOUBLE)


def test_a_float64_result_needs_a_library_with_float64():
    jnp = pytest.importorskip("jax.numpy")
    x = jnp.asarray(GOOD.astype(np.float32))
    with pytest.raises(ValueError, match="this correlation must be computed in float64"):
        cross_correlation(x, x, precision="float64")

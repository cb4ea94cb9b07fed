"""Resampled correlations equal those of the resampled rows."""

import numpy as np
import pytest
import scipy.stats
from columns import kinds, matrix
from oracles import correlation

from gsnn_edges import backends
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import _picked as picked
from gsnn_edges.resampling import _sorted_once, resampled_correlations

BACKENDS = ["numpy", "torch", "jax"]
ROWS = 300


def drawn(draws=3, rows=ROWS, seed=0):
    """How often each row stands in each draw."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [np.bincount(rng.integers(0, ROWS, rows), minlength=ROWS) for _ in range(draws)]
    )


def observations():
    return matrix(*kinds(ROWS)), matrix(*kinds(ROWS, seed=1))


@pytest.mark.parametrize("rows", [2, 150, 300, 2000])
@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_each_draw_equals_scipy_on_its_rows(method, backend, path, rows, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    (a, g), counts = observations(), drawn(rows=rows)
    found = resampled_correlations(a, g, counts, CorrelationOptions(method=method, backend=backend))
    for count, W in zip(counts, found, strict=True):
        pick = np.repeat(np.arange(ROWS), count)
        assert backends.of(W).name == backend
        expected = correlation(a[pick], g[pick], method)
        np.testing.assert_allclose(backends.of(W).to_numpy(W), expected, rtol=0, atol=4e-6)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_precision_float64_is_within_1e_9(backend):
    (a, g), counts = observations(), drawn(draws=1)
    options = {"precision": "float64", "backend": backend}
    W = next(
        resampled_correlations(
            a.astype(float), g.astype(float), counts, CorrelationOptions(**options)
        )
    )
    pick = np.repeat(np.arange(ROWS), counts[0])
    np.testing.assert_allclose(np.asarray(W), correlation(a[pick], g[pick]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("row_chunk", [1, 5, 1000])
def test_row_chunk_does_not_change_the_answer(row_chunk):
    (a, g), counts = observations(), drawn(draws=1)
    W = next(resampled_correlations(a, g, counts, CorrelationOptions(row_chunk=row_chunk)))
    expected = next(resampled_correlations(a, g, counts, CorrelationOptions()))
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)


def test_values_that_are_not_finite_are_an_error():
    a, g = observations()
    g[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"g must be finite; got 1 NaN .* column 2"):
        next(resampled_correlations(a, g, drawn(), CorrelationOptions()))


def test_prepared_keys_order_as_the_values_do():
    a, _ = observations()
    keys = _sorted_once(a, backends.load("numpy"), "spearman").T
    assert keys.dtype == np.int32
    np.testing.assert_array_equal(
        scipy.stats.rankdata(keys, axis=1), scipy.stats.rankdata(a.T, axis=1)
    )


def test_what_pads_a_draw_was_drawn_and_weighs_nothing():
    pick, weights = picked(np.array([0, 2, 0, 1]), 4)
    np.testing.assert_array_equal(pick, [1, 3, 1, 1])
    np.testing.assert_array_equal(weights, [2, 1, 0, 0])

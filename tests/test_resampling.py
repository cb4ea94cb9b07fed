"""Draws are those of the generator, W of a draw is that of its rows, and moments are NumPy's."""

from collections import Counter

import numpy as np
import pytest
from columns import kinds, matrix
from libraries import require
from oracles import correlation

from gsnn_edges import backends
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import Moments, drawn_counts, resampled_correlations

ROWS = 300


@pytest.mark.parametrize("size", [None, 1, 4, 50])
def test_counts_equal_a_loop(size):
    counts = drawn_counts(7, 5, np.random.default_rng(3), size=size)
    rng = np.random.default_rng(3)
    for row in counts:
        counted = Counter(rng.integers(0, 7, size or 7).tolist())
        np.testing.assert_array_equal(row, [counted[thing] for thing in range(7)])


def test_draws_at_once_are_draws_one_by_one():
    # Callers that draw in blocks and callers that draw one at a time mean the same draws.
    rng = np.random.default_rng(0)
    pieces = [drawn_counts(6, 2, rng), drawn_counts(6, 3, rng)]
    whole = drawn_counts(6, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def drawn(draws=3, rows=ROWS):
    """How often each row stands in each draw."""
    return drawn_counts(ROWS, draws, np.random.default_rng(0), size=rows)


def observations(dtype=np.float32):
    return [matrix(*kinds(ROWS, seed)).astype(dtype) for seed in (0, 1)]


def draws(a, g, counts, **options):
    return list(resampled_correlations(a, g, counts, CorrelationOptions(**options)))


def assert_those_of_rows(a, g, counts, found, method="spearman", atol=4e-6):
    for count, W in zip(counts, found, strict=True):
        pick = np.repeat(np.arange(ROWS), count)
        expected = correlation(a[pick], g[pick], method)
        np.testing.assert_allclose(backends.of(W).to_numpy(W), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize(
    ("backend", "rows"),
    [("numpy", 2), ("numpy", 150), ("torch", 300), ("torch", 2000), ("jax", 300)],
)
def test_each_draw_equals_scipy_on_its_rows(method, backend, path, rows, monkeypatch):
    require(backend)
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    (a, g), counts = observations(), drawn(rows=rows)
    found = draws(a, g, counts, method=method, backend=backend)
    assert {backends.of(W).name for W in found} == {backend}
    assert_those_of_rows(a, g, counts, found, method)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_precision_float64_is_within_1e_9(backend):
    (a, g), counts = observations(float), drawn(draws=1)
    found = draws(a, g, counts, precision="float64", backend=backend)
    assert_those_of_rows(a, g, counts, found, atol=1e-9)


def test_draws_of_different_widths_are_padded_by_what_weighs_nothing():
    # The second draw has two distinct rows, and is padded to the width of the first.
    (a, g), counts = observations(), np.zeros((2, ROWS), int)
    counts[0], counts[1, [3, 5]] = 1, (2, 7)
    for method in ("spearman", "pearson"):
        found = draws(a, g, counts, method=method)
        assert_those_of_rows(a, g, counts, found, method)


def test_values_that_are_not_finite_are_an_error():
    a, g = observations()
    g[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"g must be finite; got 1 NaN .* column 2"):
        draws(a, g, drawn())


@pytest.mark.parametrize("count", [1, 2, 7])
def test_moments_equal_those_of_numpy(eager, count):
    # A large mean, of which a sum of squares would leave no digit of the deviation.
    arrays = 1000 + np.random.default_rng(0).standard_normal((count, 4, 3)).astype(np.float32)
    first, *rest = (eager.array(x) for x in arrays)
    moments = Moments(backends.of(first).xp.asarray(first, copy=True))
    for x in rest:
        moments.add(x)
    exact = arrays.astype(np.float64)
    np.testing.assert_allclose(eager.numpy(moments.mean), exact.mean(axis=0), rtol=2e-7)
    if count == 1:
        assert moments.variance is None
    else:
        expected = exact.var(axis=0, ddof=1)
        np.testing.assert_allclose(eager.numpy(moments.variance), expected, rtol=0.01)


def test_moments_keep_the_digits_of_float64_and_what_is_added():
    arrays = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    before = arrays.copy()
    moments = Moments(arrays[0].astype(np.float64))
    for x in arrays[1:]:
        moments.add(x)
    np.testing.assert_allclose(moments.mean, arrays.mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert moments.variance.dtype == np.float64
    np.testing.assert_array_equal(arrays, before)

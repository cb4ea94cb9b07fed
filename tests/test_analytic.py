"""p-values by formulas equal SciPy's, and moments those of all permutations, one by one."""

import sys
from functools import partial
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from oracles import correlation, layered

from gsnn_edges.layer_pairs import layer_parts
from gsnn_edges.significance import (
    adjust_pvalues,
    bootstrap_interval,
    correlation_pvalue,
    effective_sample_size,
    null_moments,
    permutation_test,
)

P = np.random.default_rng(0).beta(0.4, 1, (5, 8))
CANDIDATES = np.random.default_rng(1).random(P.shape) < 0.6


@pytest.mark.parametrize("method", ["bh", "by"])
@pytest.mark.parametrize("some", [False, True])
def test_adjusted_pvalues_equal_scipy_and_a_loop(eager, some, method):
    p = P.astype(np.float32)
    mask = CANDIDATES if some else np.ones(P.shape, bool)
    given = {"candidates": eager.array(mask)} if some else {}
    found = eager.numpy(adjust_pvalues(eager.array(p), method=method, **given))
    tested = p[mask].astype(float)
    expected = scipy.stats.false_discovery_control(tested, method=method)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[mask], expected, rtol=1e-6)
    assert np.isnan(found[~mask]).all()


def test_float64_stays_and_what_is_no_candidate_is_not_looked_at():
    p = np.where(CANDIDATES, P, np.nan)
    found = adjust_pvalues(p, candidates=CANDIDATES)
    expected = scipy.stats.false_discovery_control(P[CANDIDATES])
    np.testing.assert_allclose(found[CANDIDATES], expected, rtol=1e-14)
    assert np.isnan(adjust_pvalues(p, candidates=np.zeros(P.shape, bool))).all()


W = np.array([[0.0, 0.2, -0.4], [0.9, -0.99, 0.01]], dtype=np.float32)
COUNTS = np.array([[10, 50, 200], [5, 30, 1000]], dtype=np.float32)
GOOD = {"W": W, "n": 30}


def tail(z, alternative):
    if alternative == "two-sided":
        return 2 * scipy.stats.norm.sf(np.abs(z))
    return scipy.stats.norm.sf(z) if alternative == "greater" else scipy.stats.norm.cdf(z)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("n", [50, COUNTS], ids=["one count", "a count for each"])
def test_fishers_z_equals_the_textbook(eager, n, alternative):
    counts = n if isinstance(n, int) else eager.array(n)
    found = eager.numpy(correlation_pvalue(eager.array(W), counts, alternative=alternative))
    z = np.arctanh(W.astype(float)) * np.sqrt(n - 3.0)
    assert found.dtype == np.float32
    # A relative error of z of 1e-7 is one of z^2 times that in a tail.
    np.testing.assert_allclose(found, tail(z, alternative), rtol=1e-4, atol=1e-30)


def test_fishers_z_agrees_with_the_interval_of_scipy():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(60)
    y = 0.3 * x + rng.standard_normal(60)
    found = scipy.stats.pearsonr(x, y)
    p = float(correlation_pvalue(np.array(found.statistic), 60))
    # The interval by Fisher's z whose confidence is 1 - p ends at 0.
    ends = found.confidence_interval(1 - p)
    np.testing.assert_allclose(ends.low, 0, atol=1e-9)


def test_null_mean_moves_the_test():
    W64, mean = W.astype(float), np.full(W.shape, 0.3)
    z = (np.arctanh(W64) - np.arctanh(mean)) * (1 - mean**2) * np.sqrt(37)
    np.testing.assert_allclose(
        correlation_pvalue(W64, 40, null_mean=mean), tail(z, "two-sided"), rtol=1e-9
    )


@pytest.mark.parametrize("null_mean", [0.0, 0.25, 1.0])
def test_no_deviation_has_p_1(null_mean):
    np.testing.assert_array_equal(
        correlation_pvalue(np.full((2, 2), null_mean), 20, null_mean=null_mean), 1.0
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_perfect_correlations_have_a_p_of_their_own(dtype):
    found = correlation_pvalue(np.array([1.0, -1.0], dtype=dtype), 50, alternative="greater")
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": [0.5]}, TypeError, "p must be an array"),
        ({"p": np.array([0.5, np.nan])}, ValueError, "1 values outside or NaN"),
        ({"p": P, "method": "holm"}, ValueError, "method must be one of 'bh', 'by'"),
        ({"p": P, "candidates": "A -> B"}, TypeError, "candidates must be an array"),
        ({"W": [0.1]}, TypeError, "W must be an array"),
        ({"W": np.array([np.nan])}, ValueError, "1 values outside or NaN"),
        ({"n": np.inf}, ValueError, "n must be finite"),
        ({"n": True}, TypeError, "n must be a number or an array"),
        ({"null_mean": -2.0}, ValueError, "null_mean must hold correlations"),
        ({"alternative": "both"}, ValueError, "alternative must be one of"),
    ],
    ids=str,
)
def test_wrong_calls_say_what_is_wrong(arguments, error, message):
    function, usual = (adjust_pvalues, {}) if "p" in arguments else (correlation_pvalue, GOOD)
    with pytest.raises(error, match=message):
        function(**usual | arguments)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[stats\]'"):
        correlation_pvalue(W, 30)


LAYERS, SAMPLES, COLUMNS = 3, 5, 6


def observations(layers=LAYERS, samples=SAMPLES, columns=COLUMNS):
    """Layers that resemble each other, at different levels, with ties; the last is constant."""
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        x = rng.standard_normal((1, samples, columns)) + rng.standard_normal((layers, 1, columns))
        x = (x + rng.standard_normal((layers, samples, columns))).reshape(-1, columns)
        x[:, 0] = np.round(x[:, 0])
        x[:, -1] = 3
        sides.append(x.astype(np.float32))
    return sides


def all_null_correlations(a, g, method="spearman", layers="pooled"):
    """W of every order of the samples."""
    shuffled = g.reshape(LAYERS, SAMPLES, -1)
    null = []
    for order in permutations(range(SAMPLES)):
        moved = shuffled[:, order].reshape(g.shape)
        null.append(layered(partial(correlation, method=method), a, moved, LAYERS, layers))
    return np.stack(null)


@pytest.mark.parametrize("layers", ["pooled", "mean", "last", 1])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_moments_equal_those_of_all_permutations(eager, method, layers):
    a, g = observations()
    sides = [eager.array(x) for x in (a, g)]
    options = {"layers": layers, "method": method}
    null = all_null_correlations(a, g, **options)
    mean, variance = null.mean(axis=0), null.var(axis=0)
    for name, atol in {"float32": 1e-6, "float64": 1e-9}.items():
        if name == "float32" or eager.has_float64:
            found = null_moments(*sides, SAMPLES, precision=name, **options)
            np.testing.assert_allclose(eager.numpy(found.mean), mean, rtol=0, atol=atol)
            np.testing.assert_allclose(eager.numpy(found.variance), variance, rtol=0, atol=atol)
            assert layers == "pooled" or not eager.numpy(found.mean).any()


def test_effective_sample_size_is_one_and_one_over_the_variance(eager):
    a, g = observations()
    found = eager.numpy(effective_sample_size(eager.array(a), eager.array(g), SAMPLES))
    variance = all_null_correlations(a, g).var(axis=0)
    expected = np.full((COLUMNS, COLUMNS), float(SAMPLES))  # constant columns: the last
    expected[:-1, :-1] = 1 + 1 / variance[:-1, :-1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("layers", ["pooled", "mean"])
def test_layers_that_repeat_each_other_count_once(layers):
    x = np.tile(np.random.default_rng(0).standard_normal((80, 4)), (6, 1))
    found = effective_sample_size(x, x[:, ::-1], 80, layers=layers)
    np.testing.assert_allclose(found, 80, rtol=1e-5)


def test_independent_layers_count_all():
    a, g = np.random.default_rng(0).standard_normal((2, 6 * 400, 40))
    # Of 15 products of two sample correlations, each of variance 1 / 400^2, each counted twice.
    np.testing.assert_allclose(effective_sample_size(a, g, 400).mean(), 6 * 400, rtol=0.02)


def test_columns_that_vary_between_layers_only_have_no_variance():
    a, g = observations()
    a[:, 1] = np.repeat([1, 5, 2], SAMPLES)
    found = null_moments(a, g, SAMPLES)
    np.testing.assert_array_equal(found.variance[1], 0)
    np.testing.assert_array_equal(found.effective_sample_size[1], SAMPLES)
    np.testing.assert_allclose(found.mean[1], correlation(a, g)[1], rtol=0, atol=1e-6)


def test_mean_is_the_part_of_the_correlation_between_layers():
    a, g = observations()
    expected = layer_parts(a, g, SAMPLES).between
    np.testing.assert_allclose(null_moments(a, g, SAMPLES).mean, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "function", [permutation_test, null_moments, effective_sample_size, bootstrap_interval]
)
@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (5, ValueError, "samples must divide the number of observations, 12,"),
        (2, ValueError, "samples must be at least 3; got 2: any two columns of so few"),
        (2.5, TypeError, "samples must be a whole number"),
    ],
)
def test_samples_are_checked_before_any_value_is_read(function, samples, error, message):
    x = np.full((12, 2), np.nan)
    with pytest.raises(error, match=message):
        function(x, x, samples)

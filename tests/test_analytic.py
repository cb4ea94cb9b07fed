"""p-values by formulas equal SciPy's, and moments those of all permutations, one by one."""

import sys
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from oracles import correlation

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


def step_up(p, method):
    """Step up, one p-value at a time."""
    order, m = np.argsort(p), len(p)
    factor = sum(1 / k for k in range(1, m + 1)) if method == "by" else 1
    out, least = np.empty(m), 1.0
    for rank in range(m, 0, -1):
        least = min(least, p[order[rank - 1]] * m * factor / rank)
        out[order[rank - 1]] = least
    return out


@pytest.mark.parametrize("method", ["bh", "by"])
@pytest.mark.parametrize("some", [False, True])
def test_adjusted_pvalues_equal_scipy_and_a_loop(eager, some, method):
    p = P.astype(np.float32)
    mask = CANDIDATES if some else np.ones(P.shape, bool)
    given = {"candidates": eager.array(mask)} if some else {}
    found = eager.numpy(adjust_pvalues(eager.array(p), method=method, **given))
    tested = p[mask].astype(float)
    expected = scipy.stats.false_discovery_control(tested, method=method)
    np.testing.assert_allclose(expected, step_up(tested, method), rtol=1e-12)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[mask], expected, rtol=1e-6)
    assert np.isnan(found[~mask]).all()


def test_adjusted_float64_stays():
    found = adjust_pvalues(P)
    expected = scipy.stats.false_discovery_control(P.ravel()).reshape(P.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_nan_outside_the_candidates_is_not_looked_at():
    p = np.where(CANDIDATES, P, np.nan)
    np.testing.assert_array_equal(
        adjust_pvalues(p, candidates=CANDIDATES), adjust_pvalues(P, candidates=CANDIDATES)
    )


def test_no_candidate_gives_no_value():
    assert np.isnan(adjust_pvalues(P, candidates=np.zeros(P.shape, bool))).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": [0.5]}, TypeError, "p must be an array"),
        ({"p": np.array([0.5, np.nan])}, ValueError, "1 values outside or NaN"),
        ({"p": np.array([-0.1, 1.1])}, ValueError, "2 values outside or NaN"),
        ({"method": "holm"}, ValueError, "method must be one of 'bh', 'by'"),
        ({"candidates": CANDIDATES[0]}, ValueError, "candidates must have a value for each pair"),
        ({"candidates": CANDIDATES * 1}, TypeError, "candidates must hold bools"),
        ({"candidates": "A -> B"}, TypeError, "candidates must be an array"),
    ],
    ids=str,
)
def test_wrong_calls_of_adjust_pvalues(arguments, error, message):
    with pytest.raises(error, match=message):
        adjust_pvalues(**{"p": P, **arguments})


W = np.array([[0.0, 0.2, -0.4], [0.9, -0.99, 0.01]], dtype=np.float32)
COUNTS = np.array([[10, 50, 200], [5, 30, 1000]], dtype=np.float32)


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
        ({"W": [0.1]}, TypeError, "W must be an array"),
        ({"W": np.array([np.nan])}, ValueError, "1 values outside or NaN"),
        ({"W": np.array([1.5])}, ValueError, "before any penalty"),
        ({"n": 3}, ValueError, r"n must be finite and above 3 everywhere; got 3 at least"),
        ({"n": np.inf}, ValueError, "n must be finite"),
        ({"n": "many"}, TypeError, "n must be a number or an array"),
        ({"n": True}, TypeError, "n must be a number or an array"),
        ({"n": np.ones(3)}, ValueError, "n must be a number or have the shape of W"),
        ({"null_mean": -2.0}, ValueError, "null_mean must hold correlations"),
        ({"alternative": "both"}, ValueError, "alternative must be one of"),
    ],
    ids=str,
)
def test_wrong_calls_of_correlation_pvalue(arguments, error, message):
    with pytest.raises(error, match=message):
        correlation_pvalue(**{"W": W, "n": 30, **arguments})


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


EACH = [slice(k * SAMPLES, (k + 1) * SAMPLES) for k in range(LAYERS)]
ROWS = {"pooled": [slice(None)], "mean": EACH, "last": EACH[-1:], 1: EACH[1:2]}


def all_null_correlations(a, g, method="spearman", layers="pooled"):
    """W of every order of the samples."""
    shuffled = g.reshape(LAYERS, SAMPLES, -1)
    null = []
    for order in permutations(range(SAMPLES)):
        moved = shuffled[:, order].reshape(g.shape)
        each = [correlation(a[rows], moved[rows], method) for rows in ROWS[layers]]
        null.append(np.mean(each, axis=0))
    return np.stack(null)


@pytest.mark.parametrize("layers", ROWS)
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_moments_equal_those_of_all_permutations(eager, method, layers):
    a, g = observations()
    sides = (eager.array(x) for x in (a, g))
    found = null_moments(*sides, SAMPLES, layers=layers, method=method)
    null = all_null_correlations(a, g, method, layers)
    mean, variance = eager.numpy(found.mean), eager.numpy(found.variance)
    np.testing.assert_allclose(mean, null.mean(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(variance, null.var(axis=0), rtol=0, atol=1e-6)
    if layers != "pooled":
        np.testing.assert_array_equal(mean, 0)


def test_moments_in_float64_are_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    found = null_moments(a, g, SAMPLES, precision="float64")
    null = all_null_correlations(a, g)
    np.testing.assert_allclose(found.mean, null.mean(axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.variance, null.var(axis=0), rtol=0, atol=1e-9)


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

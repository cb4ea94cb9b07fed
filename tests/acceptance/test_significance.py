"""p-values and intervals beside all permutations, and beside a bootstrap by loops."""

import itertools

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import bootstrap_interval, permutation_test, significance

from . import slow
from .arrays import as_numpy

LAYERS, SAMPLES = 3, 6
NODES_OF = [0, 0, 1, 2]


def observations(samples=SAMPLES, seed=0):
    """Layers at different levels, of which two go together; the last column is constant."""
    rng = np.random.default_rng(seed)
    a, g = rng.standard_normal((2, LAYERS, samples, 4)) + np.arange(LAYERS)[:, None, None]
    g[..., 1] += 2 * a[..., 0]
    g[..., 2] = np.round(g[..., 2])
    g[..., 3] = 1
    return [x.reshape(-1, 4).astype(np.float32) for x in (a, g)]


def score(layers="pooled", channels=False):
    """W by loops."""

    def one(a, g):
        if channels:
            return slow.channel_score(a, g, NODES_OF, NODES_OF, 3)
        return slow.correlation(a, g)

    return lambda a, g: slow.layered(one, a, g, LAYERS, layers)


def every_order(a, g, of):
    """W of all orders of the samples of g, the same order in each layer."""
    rows = np.arange(LAYERS)[:, None] * SAMPLES
    orders = [list(order) for order in itertools.permutations(range(SAMPLES))]
    return np.array([of(a, g[(rows + order).reshape(-1)]) for order in orders])


@pytest.mark.parametrize("layers", ["pooled", "mean"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_permutations(layers, alternative):
    a, g = observations()
    drawn = 1000
    found = permutation_test(
        a, g, SAMPLES, layers=layers, alternative=alternative, n_resamples=drawn, seed=0
    )
    whole = every_order(a, g, score(layers))
    W, null = score(layers)(a, g), whole.mean(axis=0)
    assert_allclose(found.statistic, W, rtol=0, atol=4e-6)
    assert_allclose(found.null_mean, null, rtol=0, atol=4e-6)
    deviation, others = W - null, whole - null
    if alternative == "two-sided":
        deviation, others = abs(deviation), abs(others)
    exact = (others >= deviation - 2e-6).mean(axis=0)
    maxima = others.max(axis=(1, 2))
    familywise = (maxima[:, None, None] >= deviation - 2e-6).mean(axis=0)
    for mine, truth in ((found.p, exact), (found.p_familywise, familywise)):
        # Four standard errors of a share of so many draws.
        error = 4 * np.sqrt(truth * (1 - truth) / drawn) + 1 / drawn
        assert (abs(mine - truth) <= error).all()
    assert found.p[0, 1] < 0.05
    assert_array_equal(found.p[:, 3], 1)
    assert_allclose(found.p, (1 + found.exceedances) / (1 + drawn), rtol=1e-6)


def test_permutations_of_channels_among_candidates():
    a, g = observations()
    candidates = np.array([[False, True, True], [True, False, True], [True, True, False]])
    found = permutation_test(
        a,
        g,
        SAMPLES,
        a_nodes=NODES_OF,
        g_nodes=NODES_OF,
        candidates=candidates,
        alternative="greater",
        n_resamples=300,
        seed=0,
    )
    of = score("mean", channels=True)
    assert_allclose(found.statistic, of(a, g), rtol=0, atol=2e-5)
    whole = every_order(a, g, of)[::6]
    exact = (whole >= of(a, g) - 2e-6).mean(axis=0)
    assert_allclose(found.p, exact, rtol=0, atol=0.15)
    assert np.isnan(found.p_familywise[~candidates]).all()
    assert (found.p_familywise[candidates] >= found.p[candidates]).all()


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_permutations_are_the_same_on_every_backend(backend):
    a, g = observations()
    found, expected = (
        permutation_test(a, g, SAMPLES, n_resamples=50, seed=2, backend=name)
        for name in (backend, "numpy")
    )
    assert type(found.p).__module__.startswith(backend)
    assert_array_equal(as_numpy(found.exceedances), expected.exceedances)
    assert_allclose(as_numpy(found.p_familywise), expected.p_familywise, rtol=1e-6)


@pytest.mark.parametrize("layers", ["pooled", "mean"])
def test_moments_are_those_of_all_orders(layers):
    a, g = observations()
    found = significance.null_moments(a, g, SAMPLES, layers=layers)
    whole = every_order(a, g, score(layers))
    assert_allclose(found.mean, whole.mean(axis=0), rtol=0, atol=4e-6)
    assert_allclose(found.variance, whole.var(axis=0), rtol=1e-4, atol=1e-6)
    size = significance.effective_sample_size(a, g, SAMPLES, layers=layers)
    assert_allclose(size[:, :3], 1 + 1 / whole.var(axis=0)[:, :3], rtol=1e-3)
    assert_array_equal(size[:, 3], SAMPLES)


@pytest.mark.parametrize("channels", [False, True])
def test_bootstrap(channels):
    a, g = observations(samples=80)
    nodes = {"a_nodes": NODES_OF, "g_nodes": NODES_OF} if channels else {}
    layers = "mean" if channels else "pooled"
    draws = 100 if channels else 200
    found = bootstrap_interval(a, g, 80, n_resamples=draws, seed=0, **nodes)
    of = score(layers, channels)
    assert_allclose(found.statistic, of(a, g), rtol=0, atol=2e-5)
    rng = np.random.default_rng(1)
    rows = np.arange(LAYERS)[:, None] * 80
    picks = [(rows + rng.integers(0, 80, 80)).reshape(-1) for _ in range(draws)]
    values = np.array([of(a[pick], g[pick]) for pick in picks])
    # Of 100 draws a standard deviation is known to 7%.
    assert_allclose(found.standard_error, values.std(axis=0, ddof=1), rtol=0.4, atol=1e-6)
    moves = found.statistic > 0 if channels else np.broadcast_to([True] * 3 + [False], (4, 4))
    assert (found.low[moves] < found.statistic[moves]).all()
    assert (found.high[moves] > found.statistic[moves]).all()
    assert_array_equal(found.low[~moves], 0)
    if not channels:
        width = np.arctanh(found.high) - np.arctanh(found.low)
        expected = 2 * scipy.stats.norm.ppf(0.975) * np.arctanh(values).std(axis=0, ddof=1)
        assert_allclose(width, expected, rtol=0.3, atol=1e-5)
        narrow = bootstrap_interval(a, g, 80, n_resamples=200, seed=0, confidence=0.5)
        assert_allclose(narrow.standard_error, found.standard_error, rtol=1e-6)
        assert (narrow.low[moves] > found.low[moves]).all()
        again = bootstrap_interval(a, g, 80, n_resamples=200, seed=0)
        assert_array_equal(again.low, found.low)


def test_p_values_of_correlations():
    W = np.array([0.0, 0.3, -0.3, 1.0])
    z = np.arctanh(np.minimum(W, 1 - 1e-15)) * np.sqrt(97)
    for alternative, expected in (
        ("two-sided", 2 * scipy.stats.norm.sf(abs(z))),
        ("greater", scipy.stats.norm.sf(z)),
        ("less", scipy.stats.norm.cdf(z)),
    ):
        found = significance.correlation_pvalue(W, 100, alternative=alternative)
        assert_allclose(found, expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("method", ["bh", "by"])
def test_adjusted_p_values(method):
    p = np.random.default_rng(0).random((4, 5))
    found = significance.adjust_pvalues(p, method=method)
    expected = scipy.stats.false_discovery_control(p.reshape(-1), method=method)
    assert_allclose(found.reshape(-1), expected, rtol=1e-12)
    mask = p < 0.8
    found = significance.adjust_pvalues(p, method=method, candidates=mask)
    assert_allclose(
        found[mask], scipy.stats.false_discovery_control(p[mask], method=method), rtol=1e-12
    )
    assert np.isnan(found[~mask]).all()

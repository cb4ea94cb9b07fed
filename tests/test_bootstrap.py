"""Bootstrap intervals equal those of a loop over draws of whole samples."""

from functools import partial

import numpy as np
import pytest
import scipy.stats
from oracles import channel_score, correlation, layered

from gsnn_edges import bootstrap_interval

LAYERS, SAMPLES, DRAWS, SEED = 3, 40, 12, 5
TABLES = ("statistic", "standard_error", "low", "high")


def observations():
    """Layers that resemble each other; ties; the last column of each side is constant."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1, SAMPLES, 5)) + rng.standard_normal((LAYERS, SAMPLES, 5))
    g = 0.5 * a + rng.standard_normal((LAYERS, SAMPLES, 5))
    a, g = (x.reshape(-1, 5).astype(np.float32) for x in (a, g))
    a[:, 1], a[:, -1], g[:, -1] = np.maximum(a[:, 1], 0), 0, 1
    return a, g


def slow(a, g, score, confidence, largest=1.0):
    """W, its standard error, and the interval on the scale of atanh."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        pick = rng.integers(0, SAMPLES, SAMPLES)
        rows = np.concatenate([layer * SAMPLES + pick for layer in range(LAYERS)])
        drawn.append(score(a[rows], g[rows]))
    W, error = score(a, g), np.std(drawn, axis=0, ddof=1)
    spread = np.std(np.arctanh(np.array(drawn) / largest), axis=0, ddof=1)
    q = scipy.stats.norm.ppf((1 + confidence) / 2)
    z = np.arctanh(W / largest)
    return W, error, *(np.tanh(z + side * q * spread) * largest for side in (-1, 1))


def assert_equals_a_loop(eager, found, score, confidence=0.95, largest=1.0, atol=8e-6):
    expected = dict(zip(TABLES, slow(*observations(), score, confidence, largest), strict=True))
    if np.ndim(largest):  # norms are never negative
        expected["low"] = np.maximum(expected["low"], 0)
    for name, values in expected.items():
        table = eager.numpy(getattr(found, name))
        np.testing.assert_allclose(table, values, rtol=0, atol=atol, err_msg=name)


def run(eager, **options):
    a, g = (eager.array(x) for x in observations())
    return bootstrap_interval(a, g, SAMPLES, n_resamples=DRAWS, seed=SEED, **options)


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_equals_a_loop(eager, method, confidence):
    found = run(eager, confidence=confidence, method=method)
    assert_equals_a_loop(eager, found, partial(correlation, method=method), confidence)
    assert (found.layers, found.samples, found.n_resamples) == (LAYERS, SAMPLES, DRAWS)


NODES = np.array([0, 1, 1, 2, 0])


@pytest.mark.parametrize("n_components", [None, 1])
@pytest.mark.parametrize("layers", ["pooled", "mean", "last", 1])
@pytest.mark.parametrize("channels", [False, True], ids=["columns", "nodes"])
def test_every_w_equals_a_loop(eager, channels, layers, n_components):
    if n_components and not channels:
        pytest.skip("columns have no components")
    nodes = {"a_nodes": NODES, "g_nodes": NODES, "n_components": n_components} if channels else {}
    found = run(eager, layers=None if channels and layers == "mean" else layers, **nodes)

    def each(a, g):
        return channel_score(a, g, NODES, NODES, 3, n_components) if channels else correlation(a, g)

    def score(a, g):
        return layered(each, a, g, LAYERS, layers)

    widths = np.bincount(NODES)
    largest = np.sqrt(np.outer(widths, widths)) if channels else 1.0
    assert_equals_a_loop(eager, found, score, largest=largest, atol=2e-5)
    assert (found.layers, found.choice) == (LAYERS, layers)


def test_float64_is_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    options = {"n_resamples": DRAWS, "seed": SEED, "precision": "float64"}
    found = bootstrap_interval(a, g, SAMPLES, **options)
    expected = slow(a, g, correlation, 0.95)
    np.testing.assert_allclose(found.low, expected[2], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.high, expected[3], rtol=0, atol=1e-9)


def test_perfect_correlations_have_no_spread():
    a, _ = observations()
    found = bootstrap_interval(a, a, SAMPLES, n_resamples=3, seed=0)
    perfect = np.diagonal(found.statistic)[:-1]
    np.testing.assert_allclose(perfect, 1, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(found.low)[:-1], 1, atol=1e-6)


def test_seed_repeats_and_chunks_and_backends_change_nothing(capfd):
    options = {"n_resamples": 3, "verbose": True, "row_chunk": 2}
    low, again, other = (
        bootstrap_interval(*observations(), SAMPLES, seed=seed, **options).low for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(low, again)
    assert (low != other).any()
    assert "resamples" in capfd.readouterr().err
    there = bootstrap_interval(*observations(), SAMPLES, n_resamples=3, seed=1, backend="torch")
    np.testing.assert_allclose(there.low.numpy(), low, rtol=0, atol=8e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 41}, "samples must divide the number of observations, 120,"),
        ({"n_resamples": 1}, "n_resamples must be at least 2"),
        ({"layers": 3}, r"layers must be .* in 0 \.\. 2; got 3"),
        ({"g_nodes": NODES}, "a_nodes and g_nodes must be given together; got a_nodes=None"),
        ({"n_components": 1}, "n_components=1 needs a_nodes and g_nodes"),
        ({"confidence": 0}, "confidence must be above 0"),
        ({"confidence": 1}, "confidence must lie in"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"row_chunk": 0}, "row_chunk must be at least 1"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(*observations(), **{"samples": SAMPLES, **options})

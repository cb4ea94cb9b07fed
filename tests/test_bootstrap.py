"""Bootstrap intervals equal those of a loop over draws of whole samples."""

from functools import partial

import numpy as np
import pytest
import scipy.stats
from oracles import correlation

from gsnn_edges import bootstrap_interval, channel_correlation
from gsnn_edges.layer_pairs import layer_pairs

LAYERS, SAMPLES, DRAWS, SEED = 3, 40, 12, 5


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


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_equals_a_loop(eager, method, confidence):
    a, g = observations()
    found = bootstrap_interval(
        *(eager.array(x) for x in (a, g)),
        SAMPLES,
        n_resamples=DRAWS,
        confidence=confidence,
        seed=SEED,
        method=method,
    )
    names = ("statistic", "standard_error", "low", "high")
    score = partial(correlation, method=method)
    for name, expected in zip(names, slow(a, g, score, confidence), strict=True):
        value = eager.numpy(getattr(found, name))
        np.testing.assert_allclose(value, expected, rtol=0, atol=8e-6, err_msg=name)
    assert (found.layers, found.samples, found.n_resamples) == (LAYERS, SAMPLES, DRAWS)


NODES = np.array([0, 1, 1, 2, 0])


def norms(a, g):
    """Norms of blocks, pair by pair of nodes."""
    R = correlation(a, g)
    pairs = np.ndindex(3, 3)
    return np.reshape([np.linalg.norm(R[np.ix_(i == NODES, j == NODES)]) for i, j in pairs], (3, 3))


def over_layers(score, layers):
    """The mean of a score over the chosen layer pairs."""
    each = [slice(k * SAMPLES, (k + 1) * SAMPLES) for k in range(LAYERS)]
    chosen = {"pooled": [slice(None)], "mean": each, "last": each[-1:], 1: each[1:2]}[layers]
    return lambda a, g: np.mean([score(a[rows], g[rows]) for rows in chosen], axis=0)


@pytest.mark.parametrize("layers", ["pooled", "mean", "last", 1])
@pytest.mark.parametrize("channels", [False, True], ids=["columns", "nodes"])
def test_every_w_equals_a_loop(eager, channels, layers):
    a, g = observations()
    nodes = {"a_nodes": NODES, "g_nodes": NODES} if channels else {}
    sides = (eager.array(x) for x in (a, g))
    found = bootstrap_interval(
        *sides, SAMPLES, layers=layers, n_resamples=DRAWS, seed=SEED, **nodes
    )
    score = over_layers(norms if channels else correlation, layers)
    widths = np.bincount(NODES)
    largest = np.sqrt(np.outer(widths, widths)) if channels else 1.0
    names = ("statistic", "standard_error", "low", "high")
    for name, expected in zip(names, slow(a, g, score, 0.95, largest), strict=True):
        if channels and name == "low":
            expected = np.maximum(expected, 0)
        value = eager.numpy(getattr(found, name))
        np.testing.assert_allclose(value, expected, rtol=0, atol=2e-5, err_msg=name)
    assert (found.layers, found.choice) == (LAYERS, layers)


@pytest.mark.parametrize("n_components", [None, 1])
def test_nodes_average_over_layer_pairs_as_infer_does(n_components):
    a, g = observations()
    options = {"a_nodes": NODES, "g_nodes": NODES, "n_components": n_components}
    found = bootstrap_interval(a, g, SAMPLES, n_resamples=2, seed=0, **options)
    parts = layer_pairs(a, g, SAMPLES)
    own = [channel_correlation(*part, NODES, NODES, n_components=n_components) for part in parts]
    assert found.choice == "mean"
    np.testing.assert_allclose(found.statistic, np.mean(own, axis=0), rtol=0, atol=1e-6)


def test_float64_is_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    options = {"n_resamples": DRAWS, "seed": SEED, "precision": "float64"}
    found = bootstrap_interval(a, g, SAMPLES, **options)
    expected = slow(a, g, correlation, 0.95)
    np.testing.assert_allclose(found.low, expected[2], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.high, expected[3], rtol=0, atol=1e-9)


def test_row_chunk_does_not_change_the_answer():
    options = {"n_resamples": 3, "seed": 0}
    expected = bootstrap_interval(*observations(), SAMPLES, **options)
    found = bootstrap_interval(*observations(), SAMPLES, row_chunk=2, **options)
    np.testing.assert_allclose(found.low, expected.low, rtol=0, atol=4e-6)


def test_constant_columns_have_no_spread():
    found = bootstrap_interval(*observations(), SAMPLES, n_resamples=3, seed=0)
    for array in (found.statistic, found.standard_error, found.low, found.high):
        np.testing.assert_array_equal(array[-1], 0)


def test_perfect_correlations_have_no_spread():
    a, _ = observations()
    found = bootstrap_interval(a, a, SAMPLES, n_resamples=3, seed=0)
    perfect = np.diagonal(found.statistic)[:-1]
    np.testing.assert_allclose(perfect, 1, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(found.low)[:-1], 1, atol=1e-6)


def test_backend_by_name_takes_arrays_of_another_eager():
    a, g = observations()
    options = {"n_resamples": 3, "seed": 0}
    found = bootstrap_interval(a, g, SAMPLES, backend="torch", device="cpu", **options)
    expected = bootstrap_interval(a, g, SAMPLES, **options)
    np.testing.assert_allclose(found.high.numpy(), expected.high, rtol=0, atol=8e-6)


def test_seed_repeats():
    low = [
        bootstrap_interval(*observations(), SAMPLES, n_resamples=3, seed=seed).low
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(low[0], low[1])
    assert (low[0] != low[2]).any()


def test_verbose_shows_progress(capfd):
    bootstrap_interval(*observations(), SAMPLES, n_resamples=3, seed=0, verbose=True)
    assert "resamples" in capfd.readouterr().err


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

"""Bootstrap intervals equal those of a loop over draws of whole samples."""

import numpy as np
import pytest
import scipy.stats
from oracles import correlation

from gsnn_edges.significance import bootstrap_interval
from gsnn_edges.significance.intervals import counts_of_observations, deviations

LAYERS, SAMPLES, DRAWS, SEED = 3, 40, 12, 5


def observations():
    """Layers that resemble each other; ties; the last column of each side is constant."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1, SAMPLES, 5)) + rng.standard_normal((LAYERS, SAMPLES, 5))
    g = 0.5 * a + rng.standard_normal((LAYERS, SAMPLES, 5))
    a, g = (x.reshape(-1, 5).astype(np.float32) for x in (a, g))
    a[:, 1], a[:, -1], g[:, -1] = np.maximum(a[:, 1], 0), 0, 1
    return a, g


def slow(a, g, method, confidence):
    """Standard error of W, and the interval on the scale of atanh."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        pick = rng.integers(0, SAMPLES, SAMPLES)
        rows = np.concatenate([layer * SAMPLES + pick for layer in range(LAYERS)])
        drawn.append(correlation(a[rows], g[rows], method))
    W, error = correlation(a, g, method), np.std(drawn, axis=0, ddof=1)
    spread = np.std(np.arctanh(drawn), axis=0, ddof=1)
    q = scipy.stats.norm.ppf((1 + confidence) / 2)
    return W, error, *(np.tanh(np.arctanh(W) + side * q * spread) for side in (-1, 1))


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_equals_a_loop(library, method, confidence):
    if library.jit:
        pytest.skip("eager only, as the docstring says")
    a, g = observations()
    found = bootstrap_interval(
        *(library.array(x) for x in (a, g)),
        SAMPLES,
        draws=DRAWS,
        confidence=confidence,
        seed=SEED,
        method=method,
    )
    names = ("statistic", "standard_error", "low", "high")
    for name, expected in zip(names, slow(a, g, method, confidence), strict=True):
        value = library.numpy(getattr(found, name))
        np.testing.assert_allclose(value, expected, rtol=0, atol=8e-6, err_msg=name)
    assert (found.layers, found.samples, found.draws) == (LAYERS, SAMPLES, DRAWS)


def test_float64_is_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    options = {"draws": DRAWS, "seed": SEED, "precision": "float64"}
    found = bootstrap_interval(a, g, SAMPLES, **options)
    expected = slow(a, g, "spearman", 0.95)
    np.testing.assert_allclose(found.low, expected[2], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.high, expected[3], rtol=0, atol=1e-9)


def test_row_chunk_does_not_change_the_answer():
    options = {"draws": 3, "seed": 0}
    expected = bootstrap_interval(*observations(), SAMPLES, **options)
    found = bootstrap_interval(*observations(), SAMPLES, row_chunk=2, **options)
    np.testing.assert_allclose(found.low, expected.low, rtol=0, atol=4e-6)


def test_constant_columns_have_no_spread():
    found = bootstrap_interval(*observations(), SAMPLES, draws=3, seed=0)
    for array in (found.statistic, found.standard_error, found.low, found.high):
        np.testing.assert_array_equal(array[-1], 0)


def test_perfect_correlations_have_no_spread():
    a, _ = observations()
    found = bootstrap_interval(a, a, SAMPLES, draws=3, seed=0)
    perfect = np.diagonal(found.statistic)[:-1]
    np.testing.assert_allclose(perfect, 1, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(found.low)[:-1], 1, atol=1e-6)


def test_backend_by_name_takes_arrays_of_another_library():
    a, g = observations()
    options = {"draws": 3, "seed": 0}
    found = bootstrap_interval(a, g, SAMPLES, backend="torch", device="cpu", **options)
    expected = bootstrap_interval(a, g, SAMPLES, **options)
    np.testing.assert_allclose(found.high.numpy(), expected.high, rtol=0, atol=8e-6)


def test_seed_repeats():
    low = [
        bootstrap_interval(*observations(), SAMPLES, draws=3, seed=seed).low for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(low[0], low[1])
    assert (low[0] != low[2]).any()


def test_counts_are_of_samples_and_the_same_in_all_layers():
    counts = counts_of_observations(SAMPLES, LAYERS, DRAWS, SEED).reshape(DRAWS, LAYERS, SAMPLES)
    np.testing.assert_array_equal(counts.sum(axis=2), SAMPLES)
    np.testing.assert_array_equal(counts, counts[:, :1] + np.zeros_like(counts))
    assert counts.dtype == np.uint8


def test_deviations_equal_those_of_numpy():
    drawn = 0.9 + 0.02 * np.random.default_rng(0).uniform(-1, 1, (50, 3, 2))
    error, spread = deviations(iter(drawn.copy()), np)
    np.testing.assert_allclose(error, drawn.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(spread, np.arctanh(drawn).std(axis=0, ddof=1), rtol=1e-12)


def test_verbose_shows_progress(capfd):
    bootstrap_interval(*observations(), SAMPLES, draws=3, seed=0, verbose=True)
    assert "resamples" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 41}, "samples must divide the number of observations, 120,"),
        ({"draws": 1}, "draws must be at least 2"),
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

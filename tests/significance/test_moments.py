"""Moments of the permutation null equal those of all permutations, one by one."""

from itertools import permutations

import numpy as np
import pytest
from oracles import correlation

from gsnn_edges.layer_pairs import layer_parts
from gsnn_edges.significance import effective_sample_size, null_moments

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


def all_null_correlations(a, g, method):
    """W of every order of the samples."""
    layers = g.reshape(LAYERS, SAMPLES, -1)
    orders = permutations(range(SAMPLES))
    return np.stack([correlation(a, layers[:, o].reshape(g.shape), method) for o in orders])


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_moments_equal_those_of_all_permutations(library, method):
    if library.jit:
        pytest.skip("eager only")
    a, g = observations()
    found = null_moments(library.array(a), library.array(g), SAMPLES, method=method)
    null = all_null_correlations(a, g, method)
    np.testing.assert_allclose(library.numpy(found.mean), null.mean(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(library.numpy(found.variance), null.var(axis=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layers", ["mean", "last", 1])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_moments_of_layers_by_themselves_equal_those_of_all_permutations(library, method, layers):
    if library.jit:
        pytest.skip("eager only")
    a, g = observations()
    sides = (library.array(x) for x in (a, g))
    found = null_moments(*sides, SAMPLES, layers=layers, method=method)
    each = [slice(k * SAMPLES, (k + 1) * SAMPLES) for k in range(LAYERS)]
    chosen = {"mean": each, "last": each[-1:], 1: each[1:2]}[layers]
    orders = [list(order) for order in permutations(range(SAMPLES))]
    null = np.stack(
        [
            np.mean([correlation(a[rows], g[rows][order], method) for rows in chosen], axis=0)
            for order in orders
        ]
    )
    np.testing.assert_array_equal(library.numpy(found.mean), 0)
    np.testing.assert_allclose(null.mean(axis=0), 0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(library.numpy(found.variance), null.var(axis=0), rtol=0, atol=1e-6)


def test_float64_is_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    found = null_moments(a, g, SAMPLES, precision="float64")
    null = all_null_correlations(a, g, "spearman")
    np.testing.assert_allclose(found.mean, null.mean(axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.variance, null.var(axis=0), rtol=0, atol=1e-9)


def test_effective_count_is_one_and_one_over_the_variance(library):
    if library.jit:
        pytest.skip("eager only")
    a, g = observations()
    found = library.numpy(effective_sample_size(library.array(a), library.array(g), SAMPLES))
    variance = all_null_correlations(a, g, "spearman").var(axis=0)
    expected = np.full((COLUMNS, COLUMNS), float(SAMPLES))  # constant columns: the last
    expected[:-1, :-1] = 1 + 1 / variance[:-1, :-1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_layers_that_repeat_each_other_count_once():
    x = np.tile(np.random.default_rng(0).standard_normal((80, 4)), (6, 1))
    np.testing.assert_allclose(effective_sample_size(x, x[:, ::-1], 80), 80, rtol=1e-5)


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


def test_the_mean_of_layers_that_repeat_each_other_counts_once():
    x = np.tile(np.random.default_rng(0).standard_normal((80, 4)), (6, 1))
    found = effective_sample_size(x, x[:, ::-1], 80, layers="mean")
    np.testing.assert_allclose(found, 80, rtol=1e-5)


def test_samples_must_divide_the_rows():
    with pytest.raises(ValueError, match="samples must divide the number of observations, 15,"):
        null_moments(*observations(), 4)


def test_mean_is_the_part_of_the_correlation_between_layers():
    a, g = observations()
    expected = layer_parts(a, g, SAMPLES).between
    np.testing.assert_allclose(null_moments(a, g, SAMPLES).mean, expected, rtol=0, atol=1e-6)

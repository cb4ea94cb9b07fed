"""W of a draw is W of the rows that were drawn."""

import numpy as np
import pytest
from oracles import correlation

from gsnn_edges import backends
from gsnn_edges.channels import channel_correlation
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import drawn_counts
from gsnn_edges.significance.resamples import average, resamples_of

LAYERS, SAMPLES = 2, 20
OWN = np.array([0, 0, 1, 1])


def observations():
    a, g = np.random.default_rng(0).standard_normal((2, LAYERS * SAMPLES, 4)).astype(np.float32)
    return np.maximum(a, 0), g


@pytest.mark.parametrize("channels", [False, True], ids=["columns", "nodes"])
def test_draws_equal_those_of_repeated_rows(library, channels):
    if library.jit:
        pytest.skip("eager only")
    a, g = observations()
    sides = [library.array(x) for x in (a, g)]
    nodes = {"a_nodes": OWN, "g_nodes": OWN} if channels else None
    resamples = resamples_of(
        *sides, SAMPLES, "pooled", backends.of(sides[0]), nodes, CorrelationOptions()
    )
    counts = drawn_counts(SAMPLES, 3, np.random.default_rng(1))

    def score(a, g):
        if channels:
            return channel_correlation(a, g, OWN, OWN, precision="float64")
        return correlation(a, g)

    np.testing.assert_allclose(library.numpy(resamples.observed()), score(a, g), rtol=0, atol=4e-6)
    for count, W in zip(counts, resamples.drawn(counts), strict=True):
        pick = np.repeat(np.arange(SAMPLES), count)
        rows = np.concatenate([pick + layer * SAMPLES for layer in range(LAYERS)])
        np.testing.assert_allclose(library.numpy(W), score(a[rows], g[rows]), rtol=0, atol=4e-6)


def test_average_is_the_mean():
    matrices = [np.full((2, 2), float(k)) for k in range(4)]
    np.testing.assert_array_equal(average(matrices), np.full((2, 2), 1.5))

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.bench.data import nodes_of, observations, scored_edges


def test_observations_have_the_shares_of_zeros():
    a, g = observations(5000, 20)
    assert a.dtype == g.dtype == np.float32
    assert_allclose([(a == 0).mean(), (g == 0).mean()], [0.2, 0.4], atol=0.01)
    assert_allclose([a.mean(), g.mean()], 0, atol=0.02)


def test_edges_are_different_and_inside():
    scores, edges = scored_edges(20, 100)
    assert scores.shape == (20, 20)
    assert np.unique(edges, axis=1).shape == (2, 100)
    assert edges.min() >= 0
    assert edges.max() < 20


def test_seed_decides():
    assert_array_equal(observations(5, 3, seed=1), observations(5, 3, seed=1))
    assert_array_equal(scored_edges(5, 3, seed=1)[1], scored_edges(5, 3, seed=1)[1])


def test_channels_of_a_node_lie_side_by_side():
    assert_array_equal(nodes_of(3, 2), [0, 0, 1, 1, 2, 2])

"""The order of nodes, against what SciPy makes of the same profiles and against planted groups."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.cluster.hierarchy import leaves_list, ward

from gsnn_edges.plots import cluster_order, clustering


def planted(groups, size, noise, seed=0):
    """Nodes of a group send to the same ones; numbered at random."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.repeat(np.arange(groups), size))
    strength = rng.standard_normal((groups, groups))
    W = strength[member][:, member] + noise * rng.standard_normal((groups * size,) * 2)
    return W, member


def test_groups_stand_together():
    W, member = planted(4, 6, noise=0.1)
    found = member[cluster_order(W)]
    assert np.count_nonzero(np.diff(found)) == 3


def test_scipy_gives_the_same_order(monkeypatch):
    monkeypatch.setattr(clustering, "BEST_ORDER_UP_TO", 0)
    W, _ = planted(3, 5, noise=1.0)
    without_self = W - np.diag(np.diag(W))
    profiles = np.hstack([without_self, without_self.T])
    assert_array_equal(cluster_order(W), leaves_list(ward(profiles)))


def test_self_edges_count_for_nothing():
    W, _ = planted(3, 5, noise=1.0)
    assert_array_equal(cluster_order(W + 100 * np.diag(np.arange(15.0))), cluster_order(W))


@pytest.mark.parametrize("nodes", [1, 2])
def test_few_nodes_stay_as_they_are(nodes):
    assert_array_equal(cluster_order(np.eye(nodes)), np.arange(nodes))


def test_matrix_stays_as_it_was():
    W, _ = planted(2, 3, noise=1.0)
    before = W.copy()
    cluster_order(W)
    assert_array_equal(W, before)

"""Every reference computes what it is compared with."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import backends, cross_correlation
from gsnn_edges.bench import references
from gsnn_edges.bench.data import observations
from gsnn_edges.bench.libraries import installed


def test_products_of_all_libraries_agree():
    a, g = observations(300, 7)
    libraries = installed("cpu")
    found = references.products(a, g[:, :5], libraries)
    assert len(found) == sum({"numpy": 1, "torch": 2, "jax": 2}[name] for name in libraries)
    for contestant in found.values():
        product = contestant.call()
        assert_allclose(backends.of(product).to_numpy(product), a.T @ g[:, :5], atol=1e-3)


def test_key_sort_sorts_fresh_keys_each_time(monkeypatch):
    monkeypatch.setattr(references, "SORT_BLOCK", 1000)  # three rows at a time
    a, g = observations(300, 7)
    sort = references.key_sort(a, g, "cpu")
    (rows,) = sort.call.args
    for _ in range(2):
        sort.before()
        assert_array_equal(rows, [a.T, g.T])
        sort.call()
        assert_array_equal(rows, np.sort([a.T, g.T], axis=2))


def test_device_sort_sorts():
    pytest.importorskip("torch")
    rows = [x.T.copy() for x in observations(30, 7)]
    assert_array_equal(references.device_sort(rows, "cpu")(), np.sort(rows, axis=2))


@pytest.mark.parametrize(
    ("package", "peer"),
    [("scipy", references.scipy_spearman), ("pandas", references.pandas_spearman)],
)
def test_peer_equals_ours(package, peer):
    pytest.importorskip(package)
    a, g = observations(200, 6)
    assert_allclose(peer(a, g[:, :4]), cross_correlation(a, g[:, :4]), atol=1e-6)

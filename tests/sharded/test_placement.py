"""Observations on the devices: what is filled up, and what is not copied."""

import jax
import numpy as np
import oracles
import pytest
import shards
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.sharded import HostObservations, JaxObservations, device_mesh, one_column_each

X = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
# Of three nodes the second has one column, the third none, and columns are not in order.
MEMBERS = np.array([[4, 1], [0, -1], [-1, -1]])


def expected(low, high):
    """Fill up column by column."""
    out = np.zeros((4, 2 * (high - low)), np.float32)
    for node in range(low, min(high, len(MEMBERS))):
        for slot, column in enumerate(MEMBERS[node]):
            if column >= 0:
                out[:, 2 * (node - low) + slot] = X[0, :, column]
    return out


def on_host(reads=None):
    def read(samples, columns):
        if reads is not None:
            reads.append((samples, columns))
        return X[:, slice(*samples), slice(*columns)]

    return HostObservations(read, MEMBERS, 1, 4, X.dtype)


def on_jax():
    return JaxObservations(jax.numpy.asarray(X[0]), MEMBERS)


@pytest.mark.parametrize("side", [on_host(), on_jax()], ids=["host", "jax"])
@pytest.mark.parametrize(("low", "high"), [(0, 3), (1, 2), (0, 5), (2, 3), (3, 4)])
def test_nodes_are_filled_up_with_zeros(side, low, high):
    found = side.placed(low, high, device_mesh(1))
    assert_array_equal(np.asarray(found).reshape(4, -1), expected(low, high))


def test_only_columns_of_the_chunk_are_read():
    reads = []
    on_host(reads).placed(1, 2, device_mesh(1))
    assert reads == [((0, 4), (0, 1))]


def test_an_array_that_fits_is_not_copied():
    x = jax.numpy.asarray(X[0])
    found = JaxObservations(x, one_column_each(6)).placed(0, 6, device_mesh(1))
    assert found.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()


@pytest.mark.parametrize(("name", "count"), [("sharded by rows", 296), ("sharded by columns", 301)])
def test_sharded_arrays_are_taken_as_they_lie(eight, name, count):
    a, g = (x[:count] for x in shards.inputs())
    assert_allclose(eight.arrays[name], oracles.correlation(a, g), atol=8e-6, rtol=0)

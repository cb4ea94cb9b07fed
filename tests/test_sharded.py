"""The sharded correlation on one device; wrong calls; and `eight_devices` in a child process."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from columns import kinds, matrix
from jax.sharding import Mesh
from numpy.testing import assert_allclose, assert_array_equal
from oracles import correlation

from gsnn_edges import cross_correlation
from gsnn_edges.sharded import (
    HostObservations,
    JaxObservations,
    device_mesh,
    is_sharded,
    one_column_each,
    sharded_blocks,
    sharded_correlation,
)

close = partial(assert_allclose, atol=8e-6, rtol=0)


def test_on_eight_virtual_devices():
    # Most of the time goes into compilation.
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    file = Path(__file__).with_name("eight_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    run = subprocess.run(
        command, env=environment, cwd=file.parents[1], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def observations():
    return [matrix(*kinds(301, seed)) for seed in (0, 1)]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_places_are_of_one_kind_under_x64(precision):
    a, g = (x.astype(precision) for x in observations())
    with jax.enable_x64(True):
        options = {"backend": "jax", "devices": 1, "precision": precision, "row_chunk": 4}
        close(cross_correlation(a, g, **options), correlation(a, g))


def test_no_columns_give_no_numbers():
    a, g = np.zeros((5, 0), np.float32), np.ones((5, 3), np.float32)
    assert sharded_correlation(a, g, devices=1).shape == (0, 3)
    assert list(sharded_blocks(g, a, devices=1)) == []


def test_inputs_of_any_library_are_placed():
    a = observations()[0][:, :4]
    close(sharded_correlation(jnp.asarray(a), a, devices=1), correlation(a, a))


def test_blocks_of_a_few_sources_keep_their_targets_in_batches():
    a, g = observations()
    W = np.full((16, 16), np.nan, np.float32)
    for top, block in sharded_blocks(a, g, devices=1, row_chunk=5):
        assert block.shape == (5, 16)
        W[top : top + 5] = block
    close(W, correlation(a, g))


def test_devices_are_a_number_a_list_a_mesh_or_all():
    devices = jax.devices()[:1]
    mesh = Mesh(np.array(devices).reshape(1, 1), ("data", "model"))
    for wanted in (1, devices, tuple(devices), mesh):
        found = device_mesh(wanted)
        assert (list(found.devices), found.axis_names) == (devices, ("shards",))
    assert list(device_mesh().devices) == jax.devices()


def test_only_arrays_on_several_devices_are_sharded():
    assert [is_sharded(x) for x in (np.ones(3), jnp.ones(3), None)] == [False] * 3


X = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
# Of three nodes the second has one column, the third none, and columns are not in order.
MEMBERS = np.array([[4, 1], [0, -1], [-1, -1]])


def read(reads, samples, columns):
    reads.append((samples, columns))
    return X[:, slice(*samples), slice(*columns)]


@pytest.mark.parametrize(("low", "high"), [(0, 3), (1, 2), (0, 5), (2, 3), (3, 4)])
def test_nodes_are_filled_up_with_zeros(low, high):
    expected = np.zeros((4, 2 * (high - low)), np.float32)
    for node, slot in np.ndindex(MEMBERS.shape):
        if low <= node < high and MEMBERS[node, slot] >= 0:
            expected[:, 2 * (node - low) + slot] = X[0, :, MEMBERS[node, slot]]
    on_host = HostObservations(partial(read, []), MEMBERS, 1, 4, X.dtype)
    on_jax = JaxObservations(jnp.asarray(X[0]), MEMBERS)
    for side in (on_host, on_jax):
        placed = side.placed(low, high, device_mesh(1))
        assert_array_equal(np.asarray(placed).reshape(4, -1), expected)


def test_only_columns_of_the_chunk_are_read_and_whole_arrays_not_copied():
    reads = []
    HostObservations(partial(read, reads), MEMBERS, 1, 4, X.dtype).placed(1, 2, device_mesh(1))
    assert reads == [((0, 4), (0, 1))]
    x = jnp.asarray(X[0])
    placed = JaxObservations(x, one_column_each(6)).placed(0, 6, device_mesh(1))
    assert placed.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()


GOOD = np.random.default_rng(0).random((5, 3), dtype=np.float32)


@pytest.mark.parametrize("function", [sharded_correlation, sharded_blocks])
@pytest.mark.parametrize(
    ("changed", "error", "phrase"),
    [
        ({"g": GOOD[:4]}, ValueError, "same number of observations"),
        ({"a": GOOD[0]}, ValueError, "a must have 2 dimensions"),
        ({"a": GOOD * np.nan}, ValueError, "a must be finite; got 15 NaN"),
        ({"g": jnp.asarray(GOOD) / 0}, ValueError, "g must be finite"),
        ({"a": GOOD.astype("f8")}, ValueError, "a of dtype float64 must be computed in float64"),
        ({"precision": "float64"}, ValueError, "jax_enable_x64"),
        ({"devices": 0}, ValueError, "devices must be at least 1; got 0"),
        ({"devices": 10_000}, ValueError, "xla_force_host_platform_device_count=10000"),
        ({"devices": 2.5}, TypeError, "devices must be a whole number; got 2.5"),
        ({"devices": "cpu"}, TypeError, "devices must be a whole number; got 'cpu'"),
        ({"devices": ["cpu:0"]}, TypeError, "take them from jax.devices"),
        ({"devices": []}, ValueError, "at least one device"),
    ],
)
def test_wrong_calls(function, changed, error, phrase):
    with pytest.raises(error, match=phrase):
        function(**{"a": GOOD, "g": GOOD, "devices": 1} | changed)


def test_traced_arrays_are_refused():
    with pytest.raises(TypeError, match="must not be traced"):
        jax.jit(sharded_correlation)(GOOD, GOOD)

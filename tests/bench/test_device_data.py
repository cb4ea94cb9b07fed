"""What is drawn on a device has the shape, the zeros and the seed that were asked for."""

import numpy as np
import pytest
from libraries import require

from gsnn_edges import backends
from gsnn_edges.bench import device_data
from gsnn_edges.bench.data import ZEROS_IN_A, ZEROS_IN_G
from gsnn_edges.bench.device_data import observations_on, observations_on_host


def drawn(name, seed=0):
    require(name)
    ops = backends.load(name)
    return [ops.to_numpy(x) for x in observations_on(ops, 500, 40, seed=seed)]


@pytest.mark.parametrize("name", ["torch", "jax"])
@pytest.mark.parametrize("at_a_time", [1 << 28, 1000])
def test_draws_are_normal_but_for_the_zeros(name, at_a_time, monkeypatch):
    monkeypatch.setattr(device_data, "VALUES_AT_A_TIME", at_a_time)
    for x, zeros in zip(drawn(name), (ZEROS_IN_A, ZEROS_IN_G), strict=True):
        assert (x.shape, x.dtype) == ((500, 40), np.float32)
        np.testing.assert_allclose((x == 0).mean(), zeros, atol=0.02)
        np.testing.assert_allclose([x[x != 0].mean(), x[x != 0].std()], [0, 1], atol=0.04)
        # No block repeats another.
        assert len(np.unique(x[x != 0])) > 0.99 * np.count_nonzero(x)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_seed_repeats_and_another_differs(name):
    first, again, other = drawn(name), drawn(name), drawn(name, seed=1)
    np.testing.assert_array_equal(first, again)
    assert np.mean(first[0] == other[0]) < 0.2
    assert np.mean(first[0] == first[1]) < 0.2


@pytest.mark.parametrize(("name", "pinned"), [("torch", False), ("torch", True), ("jax", False)])
def test_draws_that_go_to_the_host_are_drawn_alike(name, pinned, monkeypatch):
    require(name)
    monkeypatch.setattr(device_data, "VALUES_AT_A_TIME", 3000)
    made = observations_on_host(backends.load(name), 500, 40, pinned=pinned)
    assert {type(x).__module__.partition(".")[0] for x in made} == {"torch" if pinned else "numpy"}
    for x, zeros in zip(map(np.asarray, made), (ZEROS_IN_A, ZEROS_IN_G), strict=True):
        assert (x.shape, x.dtype) == ((500, 40), np.float32)
        np.testing.assert_allclose((x == 0).mean(), zeros, atol=0.02)
        assert len(np.unique(x[x != 0])) > 0.99 * np.count_nonzero(x)

"""Which devices share the work, and what is said of those that cannot."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from gsnn_edges.sharded import device_mesh, is_sharded


def test_a_mesh_of_any_axes_becomes_one_axis():
    mesh = Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("data", "model"))
    assert device_mesh(mesh).axis_names == ("shards",)
    assert list(device_mesh(mesh).devices) == jax.devices()[:1]


def test_a_number_a_list_and_nothing():
    wanted = jax.devices()[:1]
    for devices in (1, wanted, tuple(wanted)):
        assert list(device_mesh(devices).devices) == wanted
    assert list(device_mesh().devices) == jax.devices()


def test_only_arrays_on_several_devices_are_sharded():
    assert [is_sharded(x) for x in (np.ones(3), jax.numpy.ones(3), None)] == [False] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ({"devices": 0}, ValueError, "devices must be at least 1; got 0"),
        ({"devices": 10_000}, ValueError, "xla_force_host_platform_device_count=10000"),
        ({"devices": 2.5}, TypeError, "devices must be a whole number; got 2.5"),
        ({"devices": "cpu"}, TypeError, "devices must be a whole number; got 'cpu'"),
        ({"devices": ["cpu:0"]}, TypeError, "take them from jax.devices"),
        ({"devices": []}, ValueError, "at least one device"),
    ],
)
def test_what_is_no_device_is_refused(arguments, error, phrase):
    with pytest.raises(error, match=phrase):
        device_mesh(**arguments)


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("too many", "devices must be at most the 8 that JAX finds .cpu.; got 9: ask for fewer"),
        ("twice", "each once"),
    ],
)
def test_errors_of_several_devices(eight, name, phrase):
    assert phrase.replace(".cpu.", "(cpu)") in eight.facts["errors"][name]

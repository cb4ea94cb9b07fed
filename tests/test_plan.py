"""Bytes and operations of a correlation, before it is begun."""

import json

import numpy as np
import pytest

from gsnn_edges import backends
from gsnn_edges.chunks import chunk_sizes
from gsnn_edges.scale import plan


def planned(nodes=1_000, observations=10_000, **options):
    return plan(nodes, observations, **({"memory": "24GB"} | options))


def test_bytes_are_those_of_the_arrays():
    a = np.empty((10_000, 1_000), np.float32)
    W = np.empty((1_000, 1_000), np.float32)
    found = planned()
    assert (found.input_bytes, found.target_bytes) == (2 * a.nbytes, a.nbytes)
    assert (found.result_bytes, found.scratch_bytes) == (W.nbytes, 2 * a.nbytes)
    assert (found.ranked_values, found.flops) == (2 * a.size, 2 * W.size * 10_000)
    parts = found.input_bytes, found.target_bytes, found.result_bytes, found.chunk_bytes
    assert found.total_bytes == sum(parts)


def test_the_chunk_is_that_of_the_kernel(monkeypatch):
    ops = backends.load("numpy")
    monkeypatch.setattr(type(ops), "free_bytes", lambda self: 24 * 10**9 - 2 * 40 * 10**6)
    kernel = chunk_sizes(ops, (10_000, 1_000, 1_000), 4, None)
    assert planned().row_chunk == kernel.sources


@pytest.mark.parametrize("devices", [2, 3, 8])
def test_devices_share_the_work(devices):
    one, each = planned(nodes=2_400), planned(nodes=2_400, devices=devices)
    for name in ("input_bytes", "result_bytes", "ranked_values", "flops"):
        assert getattr(each, name) * devices == getattr(one, name)
    # A device's own targets, and twice as many that pass by.
    assert each.target_bytes * devices == 3 * one.target_bytes
    assert f"on each of {devices} devices" in str(each)


def test_channels_layers_and_precision():
    one, many = planned(), planned(channels=4, layers=5)
    assert (many.input_bytes, many.flops) == (4 * one.input_bytes, 16 * one.flops)
    assert many.target_bytes == 4 * one.target_bytes // 5
    assert planned(precision="float64").input_bytes == 2 * one.input_bytes


def test_the_fewest_devices_that_fit():
    sizes = {"nodes": 20_000, "observations": 200_000, "memory": "8GB"}
    found = planned(**sizes)
    assert found.fits is False
    enough = planned(**sizes, devices=found.devices_needed)
    fewer = planned(**sizes, devices=found.devices_needed - 1)
    assert (enough.fits, fewer.fits) == (True, False)
    assert f"{found.devices_needed} devices of that memory hold it" in str(found)


def test_what_no_number_of_devices_holds():
    found = planned(observations=10**9, memory="1GB")
    assert found.devices_needed is None
    assert "no number of devices of that memory holds it" in str(found)


def test_a_plan_is_ready_for_json():
    values = json.loads(json.dumps(planned().to_dict()))
    assert (values["nodes"], values["fits"], values["memory"]) == (1_000, True, 24 * 10**9)


def test_memory_is_by_default_what_is_free_here():
    assert plan(20, 100).fits is True


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"nodes": 0}, "nodes must be"),
        ({"memory": "24 loaves"}, "memory must be bytes"),
        ({"precision": "float16"}, "precision must be"),
        ({"backend": "cupy"}, "backend must be"),
    ],
)
def test_wrong_calls(change, phrase):
    with pytest.raises(ValueError, match=phrase):
        planned(**change)

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gsnn_edges import backends
from gsnn_edges.chunks import chunk_sizes
from gsnn_edges.scale import Calibration, plan

RATES = Calibration(
    ranked_values=1e8, rank_length=10_000, flops=1e11, copied_bytes=1e10, network_bytes=1e10
)


def planned(nodes=1_000, observations=10_000, **options):
    return plan(nodes, observations, **({"memory": "24GB", "calibration": RATES} | options))


def test_bytes_are_those_of_the_arrays():
    a = np.empty((10_000, 1_000), np.float32)
    W = np.empty((1_000, 1_000), np.float32)
    found = planned()
    assert (found.input_bytes, found.target_bytes) == (2 * a.nbytes, a.nbytes)
    assert (found.result_bytes, found.scratch_bytes) == (W.nbytes, 2 * a.nbytes)
    assert (found.ranked_values, found.flops) == (2 * a.size, 2 * W.size * 10_000)
    assert (found.all_to_all_bytes, found.ring_bytes) == (0, 0)
    parts = found.input_bytes, found.target_bytes, found.result_bytes, found.chunk_bytes
    assert found.total_bytes == sum(parts)


def test_seconds_are_ranks_and_products_and_traffic():
    found = planned(observations=10_000, devices=4)
    expected = found.ranked_values / 1e8 + found.flops / 1e11 + 2 * found.result_bytes / 1e10
    expected += (found.all_to_all_bytes + found.ring_bytes) / 1e10
    assert_allclose(found.seconds, expected)


def test_the_chunk_is_the_kernels_own(monkeypatch):
    ops = backends.load("numpy")
    monkeypatch.setattr(type(ops), "free_bytes", lambda self: 24 * 10**9 - 2 * 40 * 10**6)
    kernel = chunk_sizes(ops, (10_000, 1_000, 1_000), 4, None)
    assert planned().row_chunk == kernel.sources


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_devices_share_the_work(devices):
    one, each = planned(nodes=2_400), planned(nodes=2_400, devices=devices)
    for name in ("input_bytes", "result_bytes", "ranked_values", "flops"):
        assert getattr(each, name) * devices == getattr(one, name)
    assert each.all_to_all_bytes == one.input_bytes // devices * (devices - 1) // devices


def test_targets_go_round_once_where_w_stays_and_in_each_round_where_it_leaves():
    stays, leaves = planned(nodes=2_400, devices=8), planned(nodes=2_400, devices=8, memory="60MB")
    assert (stays.rounds, leaves.rounds) == (1, 8)
    shard = 300 * 10_000 * 4
    assert (stays.ring_bytes, leaves.ring_bytes) == (7 * shard, 8 * 7 * shard)
    assert leaves.total_bytes < stays.total_bytes
    assert leaves.row_chunk == 8 * 38
    assert "8: W leaves in 8 blocks" in str(leaves)
    assert "1: W stays" in str(stays)


def test_a_network_that_is_given_counts():
    without = planned(devices=4, calibration=replace(RATES, network_bytes=None))
    assert "not in the time: give network=" in str(without)
    given = planned(devices=4, calibration=replace(RATES, network_bytes=None), network="10GB")
    assert given == planned(devices=4)


def test_channels_and_layers():
    one, many = planned(), planned(channels=4, layers=5)
    assert (many.input_bytes, many.flops) == (4 * one.input_bytes, 16 * one.flops)
    assert many.target_bytes == 4 * one.target_bytes // 5


def test_the_fewest_devices_that_fit():
    found = planned(nodes=20_000, observations=200_000, memory="8GB")
    assert found.fits is False
    enough = planned(nodes=20_000, observations=200_000, memory="8GB", devices=found.devices_needed)
    fewer = planned(
        nodes=20_000, observations=200_000, memory="8GB", devices=found.devices_needed - 1
    )
    assert (enough.fits, fewer.fits) == (True, False)
    assert f"{found.devices_needed} devices of that memory hold it" in str(found)


def test_what_no_number_of_devices_holds():
    found = planned(observations=10**9, memory="1GB")
    assert found.devices_needed is None
    assert "no number of devices of that memory holds it" in str(found)


def test_a_plan_is_ready_for_json():
    facts = json.loads(json.dumps(planned().to_dict()))
    assert (facts["nodes"], facts["fits"], facts["calibration"]["flops"]) == (1_000, True, 1e11)


def test_rates_from_a_file_and_from_here(tmp_path):
    RATES.save(tmp_path / "rates.json")
    assert planned(calibration=str(tmp_path / "rates.json")) == planned()
    measured = plan(20, 100)
    assert measured.calibration.source == "measured on numpy cpu"
    assert measured.fits is True


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"nodes": 0}, "nodes must be"),
        ({"observations": 1}, "observations must be"),
        ({"devices": 0}, "devices must be"),
        ({"channels": 0}, "channels must be"),
        ({"layers": 0}, "layers must be"),
        ({"memory": "24 loaves"}, "memory must be bytes"),
        ({"network": "fast"}, "network must be bytes"),
        ({"precision": "float16"}, "precision must be"),
        ({"backend": "cupy"}, "backend must be"),
    ],
)
def test_bad_calls(change, phrase):
    with pytest.raises(ValueError, match=phrase):
        planned(**change)

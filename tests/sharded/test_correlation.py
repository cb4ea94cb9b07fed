"""The same answer on any number of devices, whatever does not divide."""

import jax
import numpy as np
import oracles
import pytest
import shards
from numpy.testing import assert_allclose

from gsnn_edges.channels import channel_correlation
from gsnn_edges.correlation import cross_correlation
from gsnn_edges.sharded import sharded_blocks, sharded_correlation

# Within twice the bound of law 3 for columns of few distinct values, which are among these.
WITHIN = 8e-6


@pytest.mark.parametrize("name", shards.PLAIN)
def test_any_number_of_devices_gives_the_oracle(eight, name):
    options = {k: v for k, v in shards.PLAIN[name][1].items() if k in ("method", "ties")}
    expected = oracles.correlation(*shards.inputs(), **options)
    assert_allclose(eight.arrays[name], expected, atol=WITHIN, rtol=0)


@pytest.mark.parametrize("name", shards.BLOCKS)
def test_blocks_cover_the_matrix(eight, name):
    assert_allclose(eight.arrays[name], oracles.correlation(*shards.inputs()), atol=WITHIN, rtol=0)


@pytest.mark.parametrize("name", shards.CHANNELS)
def test_channels_are_those_of_one_device(eight, name):
    n_components = shards.CHANNELS[name][1].get("n_components")
    expected = channel_correlation(*shards.inputs(), *shards.nodes(), n_components=n_components)
    assert_allclose(eight.arrays[name], expected, atol=WITHIN, rtol=0)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_places_are_of_one_kind_under_x64(precision):
    a, g = (side.astype(precision) for side in shards.inputs())
    with jax.enable_x64(True):
        found = np.asarray(
            cross_correlation(a, g, backend="jax", devices=1, precision=precision, row_chunk=4)
        )
    assert_allclose(found, oracles.correlation(a, g), atol=WITHIN, rtol=0)


def test_matrix_lies_by_rows_where_the_devices_divide_them(eight):
    assert eight.facts["shards"]["4 devices"] == [[4, 13]] * 4
    assert eight.facts["shards"]["3 devices"] == [[16, 13]] * 3


def test_public_functions_share_the_work(eight):
    a, g = shards.inputs()
    found = {name: W for name, W in eight.arrays.items() if name.startswith("asked")}
    expected = {
        "asked, number": oracles.correlation(a, g, method="pearson"),
        "asked, mesh": oracles.correlation(a, g),
        "asked, sharded": oracles.correlation(a[:300], g[:300]),
        "asked, channels": channel_correlation(a, g, *shards.nodes(), nodes=9, n_components=2),
    }
    assert found.keys() == expected.keys()
    for name, W in found.items():
        assert_allclose(W, expected[name], atol=WITHIN, rtol=0, err_msg=name)
    for name in ("asked, mesh", "asked, sharded"):
        assert eight.facts["shards"][name] == [[8, 13]] * 2


def test_no_columns_give_no_numbers():
    a, g = np.zeros((5, 0), np.float32), np.ones((5, 3), np.float32)
    assert sharded_correlation(a, g, devices=1).shape == (0, 3)
    assert list(sharded_blocks(g, a, devices=1)) == []


def test_inputs_of_any_library_are_placed():
    a = shards.inputs()[0][:, :4]
    found = sharded_correlation(jax.numpy.asarray(a), a, devices=1)
    assert_allclose(found, oracles.correlation(a, a), atol=WITHIN, rtol=0)

"""Layer pairs, pooled and averaged; targets that come in batches."""

import numpy as np
import oracles
import shards
from numpy.testing import assert_allclose

from gsnn_edges.options import CorrelationOptions
from gsnn_edges.sharded import _pair_task, check_evenness, local_rows


def layers():
    """Three layer pairs of 43 samples."""
    return [x[:129].reshape(3, 43, -1) for x in shards.inputs()]


def test_pooled_layers_keep_the_order_of_observations(eight):
    a, g = (x.reshape(129, -1) for x in layers())
    # Ordinal ranks depend on that order.
    expected = oracles.correlation(a, g, ties="ordinal")
    assert_allclose(eight.arrays["pooled"], expected, atol=8e-6, rtol=0)


def test_mean_of_layers(eight):
    pairs = zip(*layers(), strict=True)
    expected = np.mean([oracles.correlation(a, g, ties="ordinal") for a, g in pairs], axis=0)
    assert_allclose(eight.arrays["mean"], expected, atol=8e-6, rtol=0)


def test_targets_in_batches_keep_their_places():
    a, g = shards.inputs()
    rows_of = _pair_task(a, g, CorrelationOptions(devices=1)).resident(5)  # 13 in three batches
    found = np.zeros((20, 13), np.float32)
    for first, rows in local_rows(rows_of(0, 20)):
        found[first : first + len(rows)] = rows
    assert_allclose(found[:16], oracles.correlation(a, g), atol=8e-6, rtol=0)
    assert_allclose(found[16:], 0, atol=0)


def test_a_large_w_is_not_gathered(eight):
    check_evenness(50_000, 50_000, "float32", 8)
    check_evenness(1_001, 1_001, "float32", 8)
    said = eight.facts["errors"]["uneven"]
    assert said.startswith(
        "ValueError: devices=8 must divide the 50001 sources where W is as large"
    )
    assert "take 7 devices, add columns of zeros up to 50008, or take W by" in said

"""Runs and sums of the standard alone, against loops."""

import numpy as np
import pytest
from libraries import require

from gsnn_edges.backends.keys import first_of_runs, run_bounds, sum_by_key


@pytest.fixture
def xp():
    require("strict")
    import array_api_strict

    return array_api_strict


def loop_bounds(row):
    starts = [k for k, begins in enumerate(row) if begins]
    stops = [*starts[1:], len(row)]
    run = np.cumsum(row) - 1
    return [starts[r] for r in run], [stops[r] for r in run]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_run_bounds_equal_a_loop(xp, share):
    first = np.random.default_rng(0).random((5, 60)) < share
    first[:, 0] = True
    keys = np.cumsum(first, axis=1) * 0.5
    np.testing.assert_array_equal(np.from_dlpack(first_of_runs(xp.asarray(keys), xp)), first)
    start, stop = run_bounds(xp.asarray(keys), xp, None)
    expected = [loop_bounds(row) for row in first]
    np.testing.assert_array_equal(np.from_dlpack(start), [bounds[0] for bounds in expected])
    np.testing.assert_array_equal(np.from_dlpack(stop), [bounds[1] for bounds in expected])


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_sums_by_key_equal_a_loop(xp, dtype):
    rng = np.random.default_rng(0)
    keys, weights = rng.integers(0, 9, (4, 30)), rng.integers(0, 5, 30).astype(dtype)
    expected = np.zeros((4, 11), dtype)
    for row, column in np.ndindex(keys.shape):
        expected[row, keys[row, column]] += weights[column]
    found = sum_by_key(xp.asarray(keys), xp.asarray(weights), 11, xp, None)
    np.testing.assert_array_equal(np.from_dlpack(found), expected)
    assert np.from_dlpack(found).dtype == dtype

"""The sorts that are compared give one order."""

import numpy as np
import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")
require("jax")
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_sorts as module  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.device_sorts import compiled_key_sort, packed_sort, sorts  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200, SORT_BYTES  # noqa: E402

NAMES = {"torch": (module.SORT, module.PACKED), "jax": (module.JAX_SORT, module.JAX_KEYS)}


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_both_sorts_are_the_stable_argsort(library):
    x = np.random.default_rng(0).standard_normal((6, 500)).astype(np.float32)
    x[:, ::3] = 0
    x[:, ::9] = -0.0
    x[:, 1::5] *= 1e-30
    sort, given = (
        (packed_sort, torch.from_numpy(x))
        if library == "torch"
        else (compiled_key_sort(), jnp.asarray(x))
    )
    keys, order = (np.asarray(found) for found in sort(given))
    expected = np.argsort(x, axis=1, stable=True)
    np.testing.assert_array_equal(order, expected)
    ties = np.diff(np.take_along_axis(x, expected, axis=1), axis=1) == 0
    np.testing.assert_array_equal(np.diff(keys.astype(np.int64), axis=1) == 0, ties)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_sorts_stand_side_by_side(library):
    bench = Bench(backends.load(library), H200, Settings("cpu", repeats=1, budget=0.5))
    first, second = sorts(bench, 5, 40)
    assert (first.what, second.what) == NAMES[library]
    assert_allclose(second.ratio, second.milliseconds / first.milliseconds)
    assert_allclose(first.rate * first.milliseconds / 1e3, 5 * 40 * SORT_BYTES)


def test_shapes_are_those_of_blocks_that_are_ranked():
    from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS, windows

    for rows, length in module.SHAPES:
        low, high = next(windows(10_000, BLOCK_ELEMENTS // length))
        assert high - low == pytest.approx(rows, rel=0.01)

"""Ceilings at a small size on a CPU: the arithmetic of rates, and the sorts that are compared."""

import numpy as np
import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import ceilings as module  # noqa: E402
from gsnn_edges.bench.ceilings import ceilings, large_product, packed_sort, sorts  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402

FAST = Settings("cpu", repeats=1, budget=0.5)
OPS = backends.load("torch")


def test_rates_are_work_over_time():
    card, rows = ceilings(OPS, FAST, 1e-5)
    size, side = int(module.VALUES * 1e-5), int(module.SIDE * 1e-5**0.5)
    assert [row.what for row in rows] == [module.COPY, module.BUS, *module.PRODUCTS.values()]
    work = [8 * size, 4 * size, *3 * [2 * side**3]]
    # One timed round: its least and its median are the same.
    assert_allclose([row.rate * row.milliseconds / 1e3 for row in rows], work)
    rates = [card.copy, card.bus, card.float32, card.tf32, card.bf16]
    assert_allclose([row.rate for row in rows], rates)
    assert_allclose(rows[0].paper_ms, 1e3 * 8 * size / H200.copy)


def test_the_packed_sort_is_the_stable_argsort():
    x = np.random.default_rng(0).standard_normal((6, 500)).astype(np.float32)
    x[:, ::3] = 0
    x[:, ::9] = -0.0
    x[:, 1::5] *= 1e-30
    keys, order = packed_sort(torch.from_numpy(x))
    expected = np.argsort(x, axis=1, stable=True)
    np.testing.assert_array_equal(order, expected)
    ties = np.diff(np.take_along_axis(x, expected, axis=1), axis=1) == 0
    np.testing.assert_array_equal(np.diff(keys.numpy(), axis=1) == 0, ties)


def test_sorts_stand_side_by_side():
    first, second = sorts(OPS, FAST, 0.002)
    assert (first.what, second.what) == (module.SORT, module.PACKED)
    assert_allclose(second.ratio, second.milliseconds / first.milliseconds)


@pytest.mark.parametrize("kind", module.PRODUCTS)
def test_a_large_product_multiplies_ones(kind):
    np.testing.assert_array_equal(large_product(OPS, 20, kind).call(), np.full((20, 20), 20.0))

"""Ceilings at a small size on a CPU: the arithmetic of rates, and that numbers are random."""

from dataclasses import replace

import numpy as np
import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import ceilings as module  # noqa: E402
from gsnn_edges.bench.ceilings import copies, copy_calls, large_product, learned, product  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402
from gsnn_edges.bench.report import Row  # noqa: E402

OPS = backends.load("torch")
BENCH = Bench(OPS, H200, Settings("cpu", repeats=1, budget=0.5))


def test_copies_count_what_is_read_and_written():
    within, bus = copies(BENCH, 2000)
    assert (within.what, bus.what) == (module.COPY, module.BUS)
    assert_allclose([row.rate * row.milliseconds / 1e3 for row in (within, bus)], [16e3, 8e3])
    assert_allclose(within.paper_ms, 1e3 * 16e3 / H200.copy)


@pytest.mark.parametrize("kind", module.PRODUCTS)
def test_products_count_operations(kind):
    (row,) = product(BENCH, kind, 30)
    assert row.what == module.PRODUCTS[kind]
    assert_allclose(row.rate * row.milliseconds / 1e3, 2 * 30**3)
    assert_allclose(row.paper_ms, 1e3 * 2 * 30**3 / getattr(H200, kind))


@pytest.mark.parametrize("what", module.CEILINGS)
def test_a_card_learns_from_its_rows(what):
    card = learned(H200, Row(what, "", 1.0, rate=5.0))
    assert card == replace(H200, **{module.CEILINGS[what]: 5.0})


def test_a_card_learns_nothing_from_others():
    assert learned(H200, Row("Spearman, torch", "", 1.0, rate=5.0)) == H200
    assert learned(H200, Row(module.COPY, "", note="failed")) == H200


def test_products_are_of_random_numbers():
    torch.manual_seed(0)
    found = large_product(OPS, 200)()
    assert_allclose([float(found.mean()), float(found.std())], [0, 200**0.5], rtol=0.1, atol=0.2)


def test_copies_are_of_random_numbers():
    calls = copy_calls(OPS, 5000)
    for call in calls.values():
        copied = call()
        np.testing.assert_allclose(float(copied.std()), 1, rtol=0.1)

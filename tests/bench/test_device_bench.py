"""How calls are timed on a device, and what rates and shares are made of."""

from dataclasses import replace

import numpy as np
import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.measure import Clock, CudaClock, CudaMemory, JaxMemory, Resident  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402
from gsnn_edges.bench.report import Row  # noqa: E402

CARD = replace(H200, float32=1e9, tf32=6e9, bf16=8e9, copy=1e10)
ROW = Row("ours", "", 500.0)


def bench(library="torch", device="cpu"):
    require(library)
    return Bench(backends.load(library), CARD, Settings(device, repeats=1, budget=0.5))


@pytest.mark.parametrize(
    ("grade", "share"), [("float32", 2.0), ("tf32", 1 / 3), ("tf32x3", 1.0), ("bf16x3", 0.75)]
)
def test_short_operands_are_held_against_their_own_ceiling(grade, share):
    row = bench().counted(ROW, 1e9, 0.25, grade)
    assert_allclose([row.rate, row.share, row.paper_ms], [2e9, share, 250])
    assert row.unit == "flop/s"


def test_bytes_are_those_of_the_paper_model():
    row = bench().moved(ROW, 0.25)
    assert_allclose([row.rate, row.share], [0.25 * H200.copy / 0.5, 0.5 * H200.copy / 1e10])
    assert row.unit == "B/s"


def test_what_was_not_timed_has_no_rate():
    row = bench().counted(Row("ours", "", note="failed"), 1e9, 0.25)
    assert (row.rate, row.share) == (None, None)


@pytest.mark.parametrize(
    ("library", "device", "memory", "clock"),
    [
        ("torch", "cpu", Resident, Clock),
        ("jax", "cpu", Resident, Clock),
        ("torch", "cuda", CudaMemory, CudaClock),
        ("jax", "cuda", JaxMemory, Clock),
    ],
)
def test_each_library_has_its_account_and_its_clock(library, device, memory, clock):
    made = bench(library, device).contestant(lambda: None)
    assert (type(made.memory), type(made.clock)) == (memory, clock)
    assert made.settles == (device == "cpu")


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_bare_product_multiplies_rows(library):
    made = bench(library)
    x, y = (np.random.default_rng(s).standard_normal((4, 30)).astype(np.float32) for s in (0, 1))
    found = made.bare_product(made.ops.adopt(x), made.ops.adopt(y))()
    assert_allclose(np.asarray(found), x @ y.T, rtol=0, atol=1e-5)

"""Every case of the correlation, small and on a CPU: its rows, and what they are divided by."""

from dataclasses import replace

import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_cases as cases  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402


@pytest.fixture(params=["torch", "jax"])
def bench(request):
    require(request.param)
    settings = Settings("cpu", repeats=1, budget=0.5, goals=True)
    return Bench(backends.load(request.param), replace(H200, float32=1e9), settings)


def assert_over(row, other):
    assert_allclose(row.ratio, row.milliseconds / other.milliseconds)


def test_spearman_is_compared_with_the_limit_of_the_card(bench):
    (row,) = cases.spearman(bench, 20, 60)
    limit = bench.card.spearman(20, 20, 60)
    assert_allclose(row.ratio, row.milliseconds / 1e3 / limit)
    assert_allclose(row.rate, 2 * 20 * 20 * 60 / (row.milliseconds / 1e3))
    assert_allclose(row.share, row.rate / 1e9)
    assert_allclose(row.paper_ms, 1e3 * H200.spearman(20, 20, 60))
    assert (row.at_most, row.reference) == (3.0, cases.LIMIT)
    assert (row.at_most_ms, row.at_most_mb) == (None, None)


def test_a_card_that_was_not_measured_is_that_of_the_data_sheet(bench):
    (row,) = cases.spearman(replace(bench, card=H200), 20, 60)
    assert row.reference == cases.PAPER_LIMIT


def test_the_largest_size_has_goals_of_time_and_memory(bench, monkeypatch):
    monkeypatch.setattr(cases, "LARGEST", (20, 60))
    (row,) = cases.spearman(bench, 20, 60)
    assert (row.at_most_ms, row.at_most_mb) == (3000, 14_000)
    (row,) = cases.from_host(bench, 20, 60)
    assert (row.at_most_ms, row.at_most_mb) == (None, 24_000)


@pytest.mark.parametrize("pinned", [False, True])
def test_inputs_of_the_host_are_compared_with_bus_and_device(bench, pinned):
    if pinned and bench.framework == "jax":
        pytest.skip("pinned memory is torch's")
    (row,) = cases.from_host(bench, 20, 60, pinned=pinned)
    where = "pinned memory" if pinned else "the host"
    assert row.what == f"Spearman, {bench.framework}, from {where}"
    assert row.milliseconds / 1e3 / row.ratio > 1.5 * bench.card.transfer(2 * 20 * 60)
    assert row.at_most == 1.0


def test_pearson_is_compared_with_the_bare_product(bench):
    product, pearson = cases.pearson(bench, 20, 60)
    assert product.what == f"bare product, {bench.framework}"
    assert_over(pearson, product)


def test_the_naive_pattern_is_compared_with_ours():
    settings = Settings("cpu", repeats=1, budget=0.5, goals=True)
    (row,) = cases.naive(Bench(backends.load("torch"), H200, settings), 20, 60)
    assert (row.what, row.reference) == (cases.NAIVE, "Spearman, torch")
    assert row.at_least == 4.0

"""Every case of the table of a GPU, small and on a CPU: its rows, and what they are divided by."""

from dataclasses import replace

import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_cases as cases  # noqa: E402
from gsnn_edges.bench.device_cases import Bench  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402


@pytest.fixture(params=["torch", "jax"])
def bench(request):
    require(request.param)
    settings = Settings("cpu", repeats=1, budget=0.5, goals=True)
    return Bench(backends.load(request.param), replace(H200, float32=1e9), settings)


def by_name(rows):
    return {row.what.replace(", torch", "").replace(", jax", ""): row for row in rows}


def assert_over(row, other):
    assert_allclose(row.ratio, row.milliseconds / other.milliseconds)


def test_spearman_is_compared_with_the_limit_of_the_card(bench):
    (row,) = cases.spearman(bench, 20, 60)
    limit = bench.card.spearman(20, 20, 60)
    assert_allclose(row.ratio, row.milliseconds / 1e3 / limit)
    assert_allclose(row.rate, 2 * 20 * 20 * 60 / (row.milliseconds / 1e3))
    assert_allclose(row.share, row.rate / 1e9)
    assert_allclose(row.paper_ms, 1e3 * H200.spearman(20, 20, 60))
    assert row.at_most == 3.0


def test_short_products_are_compared_with_the_whole_one(bench):
    rows = by_name(cases.short_products(bench, 20, 60))
    assert list(rows) == ["Spearman, tf32x3", "Spearman, bf16x3", "Spearman, tf32"]
    assert {row.reference for row in rows.values()} == {f"Spearman, {bench.framework}, float32"}
    assert_allclose(rows["Spearman, bf16x3"].paper_ms, 1e3 * H200.spearman(20, 20, 60, "bf16x3"))


def test_inputs_of_the_host_are_compared_with_bus_and_device(bench):
    (row,) = cases.from_host(bench, 20, 60)
    assert row.what == f"Spearman, {bench.framework}, from the host"
    assert row.milliseconds / 1e3 / row.ratio > 1.5 * bench.card.transfer(2 * 20 * 60)
    assert row.at_most == 1.0


def test_pearson_and_the_naive_pattern(bench):
    product, pearson, *naive = cases.beside_the_naive(bench, 20, 60)
    assert_over(pearson, product)
    names = [cases.NAIVE] if bench.framework == "torch" else []
    assert [row.what for row in naive] == names


def test_ranking(bench):
    rows = cases.ranking(bench, 30, 100)
    assert rows[0].what == f"mrr, {bench.framework}"
    if bench.framework == "torch":
        assert rows[1].what == cases.GATHER
        assert_over(rows[1], rows[0])


def test_fit_is_compared_with_the_bare_pass(bench):
    bare, capture, fit = cases.fit(bench, 20, 10)
    assert_over(capture, bare)
    assert_over(fit, bare)
    assert fit.what == f"fit, {bench.framework}"
    expected = H200.passes(20, 100, 4, 5, 10) + H200.spearman(20, 20, 40)
    assert_allclose(fit.paper_ms, 1e3 * expected)


def test_channels_are_compared_with_their_products(bench):
    product, score = cases.channels(bench, 8, 2, 15)
    assert product.what == f"4 bare products, {bench.framework}"
    assert_over(score, product)
    assert_allclose(score.rate * score.milliseconds / 1e3, 4 * 2 * 16 * 16 * 15)

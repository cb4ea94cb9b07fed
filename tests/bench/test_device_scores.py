"""Rankings, a fit and the channel score, small and on a CPU."""

import pytest
from libraries import require
from numpy.testing import assert_allclose

require("torch")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_scores as cases  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402


@pytest.fixture(params=["torch", "jax"])
def bench(request):
    require(request.param)
    settings = Settings("cpu", repeats=1, budget=0.5, goals=True)
    return Bench(backends.load(request.param), H200, settings)


def assert_over(row, other):
    assert_allclose(row.ratio, row.milliseconds / other.milliseconds)


def test_ranking_moves_bytes(bench):
    (row,) = cases.ranking(bench, 30, 100)
    assert row.what == f"mrr, {bench.framework}"
    assert_allclose(row.rate * row.milliseconds / 1e3, H200.mrr(30) * H200.copy)


def test_few_nodes_have_fewer_edges(bench):
    (row,) = cases.ranking(bench, 20, 400)
    assert row.size == "N=20, E=190"


def test_the_gather_is_compared_with_ours():
    settings = Settings("cpu", repeats=1, budget=0.5, goals=True)
    (row,) = cases.gather(Bench(backends.load("torch"), H200, settings), 30, 100)
    assert (row.what, row.reference, row.at_least) == (cases.GATHER, "mrr, torch", 10.0)


def test_fit_is_compared_with_the_bare_pass(bench):
    bare, capture, fit = cases.fit(bench, 20, 10)
    assert_over(capture, bare)
    assert_over(fit, bare)
    assert fit.what == f"fit, {bench.framework}"
    expected = H200.passes(20, 100, 4, 5, 10) + H200.spearman(20, 20, 40)
    assert_allclose(fit.paper_ms, 1e3 * expected)
    assert [row.unit for row in (bare, capture, fit)] == ["B/s", "B/s", "flop/s"]


def test_channels_are_compared_with_their_products(bench):
    product, score = cases.channels(bench, 8, 2, 15)
    assert product.what == f"4 bare products, {bench.framework}"
    assert_over(score, product)
    assert_allclose(score.rate * score.milliseconds / 1e3, 4 * 2 * 16 * 16 * 15)

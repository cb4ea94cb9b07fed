"""Differences of mean reciprocal ranks, and their intervals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import bootstrap, ttest_1samp

from gsnn_edges.baselines.lift import compare_mrr, resampled_differences
from gsnn_edges.resampling import drawn_counts


def draws(queries=80, others=1, seed=0):
    rng = np.random.default_rng(seed)
    hard = rng.integers(1, 30, queries)
    ranked = 1 / (1 + hard * rng.random(queries))
    return ranked, 1 / (1 + hard * rng.random((others, queries)))


def test_value_is_the_difference_of_means():
    ranked, others = draws(others=4)
    found = compare_mrr(ranked, others, np.arange(80), None, confidence=0.9, rng=None)
    assert_allclose(found.value, ranked.mean() - np.mean([row.mean() for row in others]))
    assert found.interval is None


def test_interval_over_queries_is_that_of_scipy():
    ranked, others = draws()
    found = compare_mrr(
        ranked, others, np.arange(80), 20_000, confidence=0.9, rng=np.random.default_rng(0)
    )
    oracle = bootstrap(
        (ranked, others[0]),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    # Two draws of 20,000: a few hundredths of the width apart.
    width = oracle.high - oracle.low
    assert_allclose(found.interval, oracle, atol=0.03 * width)


def test_interval_over_seeds_is_that_of_student():
    """Queries that are all alike leave the seeds: SciPy's t interval of their mean."""
    rng = np.random.default_rng(0)
    queries, seeds = 50, 5
    others = 0.2 + 0.1 * rng.random((seeds, 1)) + np.zeros((seeds, queries))
    ranked = np.full(queries, 0.5)
    found = compare_mrr(ranked, others, np.arange(queries), 200_000, confidence=0.95, rng=rng)
    oracle = ttest_1samp(0.5 - others[:, 0], 0.0).confidence_interval(0.95)
    assert_allclose(found.interval, oracle, atol=0.02 * (oracle.high - oracle.low))


def test_seeds_and_queries_add_their_variances():
    rng = np.random.default_rng(0)
    ranked, others = draws(queries=40, others=6)
    found = resampled_differences(ranked, others, np.arange(40), 100_000, rng)
    of_queries = (ranked - others.mean(axis=0)).var() / 40
    # The variance of Student's t with 5 degrees of freedom is 5 / 3. Draws of queries move the
    # spread of the seeds, by little.
    of_seeds = others.mean(axis=1).var(ddof=1) / 6 * 5 / 3
    drawn = drawn_counts(40, 100_000, rng) @ others.T / 40
    wanted = of_queries + drawn.var(axis=1, ddof=1).mean() / 6 * 5 / 3
    assert wanted > of_queries + of_seeds
    assert_allclose(found.var(), wanted, rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
def test_lift_over_few_seeds_covers(seeds):
    """Data with a known lift: 0.2, seeds of the untrained models apart by 0.08."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        ranked = 0.5 + 0.1 * rng.standard_normal(60)
        others = 0.3 + 0.08 * rng.standard_normal((seeds, 1)) + 0.1 * rng.standard_normal(60)
        found = compare_mrr(ranked, others, np.arange(60), 1000, confidence=0.95, rng=rng)
        covered.append(found.interval.low <= 0.2 <= found.interval.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_rankings_of_an_edge_stay_together():
    """Heads and tails that cancel within each edge leave no spread."""
    ranked = np.concatenate([np.linspace(0.1, 0.9, 9), np.linspace(0.9, 0.1, 9)])
    units = np.tile(np.arange(9), 2)
    found = resampled_differences(
        ranked, np.full((1, 18), 0.25), units, 100, np.random.default_rng(0)
    )
    assert_allclose(found, 0.25, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 10_000, 1 << 22])
def test_blocks_hold_all_resamples(block, monkeypatch):
    ranked, others = draws(queries=6)
    monkeypatch.setattr("gsnn_edges.baselines.lift.BLOCK_DRAWS", block)
    found = resampled_differences(ranked, others, np.arange(6), 20_000, np.random.default_rng(3))
    assert found.shape == (20_000,)
    assert_allclose(found.var(), (ranked - others[0]).var() / 6, rtol=0.05)


def test_one_edge_has_no_interval():
    ranked, others = draws(queries=2)
    units = np.zeros(2, int)
    found = compare_mrr(ranked, others, units, 100, confidence=0.95, rng=np.random.default_rng(0))
    assert_allclose(found.interval, [np.nan, np.nan])

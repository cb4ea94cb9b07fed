"""Intervals equal a plain loop over resamples, and cover what they should."""

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.evaluation import intervals
from gsnn_edges.evaluation.metrics import bootstrap
from gsnn_edges.evaluation.metrics import averages
from gsnn_edges.evaluation.metrics import Ranks, ranks_of

KS = (1, 10)


def ranked(rng, queries=50):
    candidates = rng.integers(20, 60, queries)
    above = (candidates * rng.beta(0.5, 2, queries)).astype(int)
    return ranks_of(above, np.zeros(queries, int)), candidates


def call(ranks, candidates, units, rng, *, weights=None, confidence=0.95, n_resamples=200):
    return bootstrap(
        ranks, candidates, KS, units, n_resamples, weights=weights, confidence=confidence, rng=rng
    )


def chosen(ranks, rows):
    return Ranks(*(values[rows] for values in vars(ranks).values()))


def flat(found):
    return {**vars(found), **{f"hits@{k}": value for k, value in found.hits.items()}}


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_a_loop_over_resamples(clustered, weighted):
    ranks, candidates = ranked(np.random.default_rng(0))
    units = np.arange(50) % 12 if clustered else np.arange(50)
    weights = np.random.default_rng(1).random(50) if weighted else None
    found = call(ranks, candidates, units, np.random.default_rng(2), weights=weights)
    drawn = np.random.default_rng(2).integers(0, units.max() + 1, (200, units.max() + 1))
    resamples = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(units == unit) for unit in draw])
        part = averages(
            chosen(ranks, rows), candidates[rows], KS, None if weights is None else weights[rows]
        )
        resamples.append(flat(part))
    for name, interval in found.items():
        expected = np.percentile([resample[name] for resample in resamples], [2.5, 97.5])
        assert_allclose(interval, expected, rtol=1e-9, err_msg=name)


def test_agrees_with_scipy():
    ranks, candidates = ranked(np.random.default_rng(0), 400)
    found = call(ranks, candidates, np.arange(400), np.random.default_rng(0), n_resamples=20_000)
    expected = scipy.stats.bootstrap(
        (1 / ranks.realistic,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    # Two seeds of the same percentiles: a twentieth of the width.
    assert_allclose(found["mrr"], expected, rtol=0, atol=0.05 * (expected.high - expected.low))


def test_blocks_do_not_change_the_answer(monkeypatch):
    ranks, candidates = ranked(np.random.default_rng(0))
    whole = call(ranks, candidates, np.arange(50), np.random.default_rng(3))
    monkeypatch.setattr(intervals, "BLOCK_DRAWS", 70)
    parts = call(ranks, candidates, np.arange(50), np.random.default_rng(3))
    assert whole.keys() == parts.keys()
    assert_allclose(list(whole.values()), list(parts.values()), rtol=1e-12)


def test_a_wider_level_holds_a_narrower_one():
    ranks, candidates = ranked(np.random.default_rng(0))
    wide, narrow = (
        call(ranks, candidates, np.arange(50), np.random.default_rng(3), confidence=level)
        for level in (0.99, 0.5)
    )
    ends = [[wide[n].low, narrow[n].low, narrow[n].high, wide[n].high] for n in wide]
    assert_array_equal(ends, np.sort(ends, axis=1))


def test_one_unit_has_no_spread():
    ranks, candidates = ranked(np.random.default_rng(0))
    found = call(ranks, candidates, np.zeros(50, int), np.random.default_rng(0))
    assert list(found) == ["mrr", "adjusted_mrr", "mean_rank", "amri", "hits@1", "hits@10"]
    assert_array_equal(list(found.values()), np.full((6, 2), np.nan))


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_coverage_of_a_known_population(clustered):
    """Draw samples of a large population: 93 to 97 % of the intervals hold its mean."""
    rng = np.random.default_rng(0)
    # 20,000 nodes; the four queries of a node have much in common.
    level = np.repeat(rng.beta(0.7, 2, 20_000), 4)
    above = rng.binomial(59, level)
    ranks, candidates = ranks_of(above, np.zeros(80_000, int)), np.full(80_000, 60)
    truth = flat(averages(ranks, candidates, KS))
    held = dict.fromkeys(("mrr", "mean_rank", "amri", "hits@10"), 0)
    for _ in range(1000):
        if clustered:
            rows = (rng.choice(20_000, 600)[:, None] * 4 + np.arange(4)).reshape(-1)
        else:
            rows = rng.choice(80_000, 600)
        units = np.arange(len(rows)) // (4 if clustered else 1)
        found = call(chosen(ranks, rows), candidates[rows], units, rng, n_resamples=500)
        for name in held:
            held[name] += found[name].low <= truth[name] <= found[name].high
    assert_allclose([count / 1000 for count in held.values()], 0.95, rtol=0, atol=0.02)

"""Averages equal PyKEEN's metrics, with and without weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rankings import pykeen_metrics as pykeen

from gsnn_edges.evaluation.metrics import averages
from gsnn_edges.evaluation.metrics import TIE_TYPES, ranks_of

KS = (1, 3, 10)


def ranked(seed, queries=80):
    rng = np.random.default_rng(seed)
    candidates = rng.integers(10, 60, queries)
    above = rng.integers(0, candidates)
    return ranks_of(above, rng.integers(0, candidates - above)), candidates


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_pykeen(weighted):
    ranks, candidates = ranked(0)
    weights = np.random.default_rng(1).random(80) if weighted else None
    found = averages(ranks, candidates, KS, weights)
    more = {"num_candidates": candidates, "weights": weights}
    for kind in TIE_TYPES:
        values, suffix = getattr(ranks, kind), "" if kind == "realistic" else f"_{kind}"
        expected = {
            "mrr": pykeen.InverseHarmonicMeanRank()(values, **more),
            "mean_rank": pykeen.ArithmeticMeanRank()(values, **more),
        }
        ours = {name: getattr(found, name + suffix) for name in expected}
        assert_allclose(list(ours.values()), list(expected.values()), rtol=1e-12)
        hits = [pykeen.HitsAtK(k)(values, **more) for k in KS]
        assert_allclose(list(getattr(found, f"hits{suffix}").values()), hits, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_adjusted_and_expected_values_equal_pykeens(weighted):
    ranks, candidates = ranked(2)
    weights = np.random.default_rng(1).random(80) if weighted else None
    found = averages(ranks, candidates, KS, weights)
    values, more = ranks.realistic, {"num_candidates": candidates, "weights": weights}
    ours = [
        found.amri,
        found.adjusted_mrr,
        found.expected_mrr,
        found.expected_mean_rank,
        *found.expected_hits.values(),
    ]
    expected = [
        pykeen.AdjustedArithmeticMeanRankIndex()(values, **more),
        pykeen.AdjustedInverseHarmonicMeanRank()(values, **more),
        pykeen.InverseHarmonicMeanRank().expected_value(**more),
        pykeen.ArithmeticMeanRank().expected_value(**more),
        *(pykeen.HitsAtK(k).expected_value(**more) for k in KS),
    ]
    assert_allclose(ours, expected, rtol=1e-9)


def test_best_and_worst_ranks_have_the_ends_of_the_scales():
    candidates = np.array([5, 9])
    best = averages(ranks_of(np.zeros(2, int), np.zeros(2, int)), candidates, KS)
    worst = averages(ranks_of(candidates - 1, np.zeros(2, int)), candidates, KS)
    assert_allclose([best.mrr, best.adjusted_mrr, best.amri, best.hits[1]], 1)
    assert_allclose([worst.amri, worst.mean_rank, worst.hits[1]], [-1, 7, 0])


def test_random_ties_lie_between_the_extremes():
    found = averages(*ranked(3), KS)
    order = [found.mrr_pessimistic, found.mrr, found.mrr_random_ties, found.mrr_optimistic]
    # The reciprocal of a mean is at most the mean of the reciprocals.
    assert_allclose(order, sorted(order), rtol=0)

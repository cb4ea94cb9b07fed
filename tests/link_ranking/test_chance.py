"""Expectations equal PyKEEN's, and the mean of simulated random scores."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rankings import pykeen_metrics

from gsnn_edges.evaluation import chance

CANDIDATES = np.array([1, 2, 3, 5, 5, 40, 1000])
METRICS = {
    "rank": (chance.expected_rank, pykeen_metrics.ArithmeticMeanRank(), lambda r: r),
    "reciprocal": (
        chance.expected_reciprocal,
        pykeen_metrics.InverseHarmonicMeanRank(),
        lambda r: 1 / r,
    ),
    "hit": (
        lambda n: chance.expected_hit(n, 10),
        pykeen_metrics.HitsAtK(10),
        lambda r: r <= 10,
    ),
}


@pytest.mark.parametrize("name", METRICS)
def test_expectation_equals_pykeens(name):
    ours, theirs, _ = METRICS[name]
    assert_allclose(ours(CANDIDATES).mean(), theirs.expected_value(CANDIDATES), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("candidates", [1, 4, 30])
def test_expectation_is_the_mean_over_random_scores(name, candidates):
    ours, _, of_rank = METRICS[name]
    scores = np.random.default_rng(candidates).random((20_000, candidates))
    values = of_rank(1 + (scores > scores[:, :1]).sum(axis=1))
    # Four standard errors of the simulation.
    bound = 4 * values.std() / np.sqrt(len(values))
    assert_allclose(ours(np.array([candidates])), [values.mean()], rtol=0, atol=bound + 1e-12)


def test_adjusted_values_equal_pykeens():
    rng = np.random.default_rng(0)
    ranks = rng.integers(1, CANDIDATES + 1)
    found = [
        chance.rank_index(ranks.mean(), chance.expected_rank(CANDIDATES).mean()),
        chance.adjusted((1 / ranks).mean(), chance.expected_reciprocal(CANDIDATES).mean()),
    ]
    kinds = ("AdjustedArithmeticMeanRankIndex", "AdjustedInverseHarmonicMeanRank")
    expected = [getattr(pykeen_metrics, kind)()(ranks, CANDIDATES) for kind in kinds]
    assert_allclose(found, expected, rtol=1e-12)


def test_nothing_to_adjust_is_nan():
    assert_allclose([chance.rank_index(1.0, 1.0), chance.adjusted(1.0, 1.0)], [np.nan, np.nan])

"""Shares of false alarms and of intervals that hold the truth, on data whose truth is known.

The quick tests see few data sets; their bounds are four standard errors around the nominal share.
"""

import numpy as np
import pytest

from gsnn_edges import cross_correlation
from gsnn_edges.significance import (
    bootstrap_interval,
    fisher_z,
    null_moments,
    permutation_test,
)

LAYER_PAIRS, SAMPLES, NODES = 5, 200, 30  # L = 6
FEW, MANY = 10, 200
SLOW = pytest.param(MANY, marks=pytest.mark.slow)


def normal_layers(rng, columns, shared):
    """Standard normal columns whose layers share so much of their variance in a sample."""
    own = rng.standard_normal((LAYER_PAIRS, SAMPLES, columns))
    common = rng.standard_normal((1, SAMPLES, columns))
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * own


def null_data(rng, kind):
    """Two sides that have nothing to do with each other; layers are strongly dependent."""
    sides = [normal_layers(rng, NODES, shared=0.9) for _ in range(2)]
    if kind != "equal layers":
        sides = [x + rng.standard_normal((LAYER_PAIRS, 1, NODES)) for x in sides]
    if kind == "half zeros":
        sides = [np.maximum(x, 0) for x in sides]
    return [x.reshape(-1, NODES) for x in sides]


KINDS = ["equal layers", "levels differ", "half zeros"]


def false_alarms(kind, sets, test, level=0.05):
    """Share of pairs with p at or below the level, over data sets."""
    shares = []
    for seed in range(sets):
        a, g = null_data(np.random.default_rng(seed), kind)
        shares.append(np.mean(test(a, g, seed) <= level))
    return np.mean(shares)


def permutation_p(a, g, seed):
    return permutation_test(a, g, SAMPLES, seed=seed).p


def fisher_p(a, g, seed):
    null = null_moments(a, g, SAMPLES)
    return fisher_z(cross_correlation(a, g), null.effective_count, null_mean=null.mean)


# A data set's share of 900 pairs has a standard deviation of about 0.008, as its 60 columns are
# shared by them: over ten sets, four standard errors are 0.01. Over 200 sets they are 0.0023.
@pytest.mark.parametrize("sets", [FEW, SLOW])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("test", [permutation_p, fisher_p])
def test_one_in_twenty_pairs_without_effect_has_p_below_5_percent(test, kind, sets):
    np.testing.assert_allclose(false_alarms(kind, sets, test), 0.05, rtol=0, atol=0.01)


# 180,000 pairs: four standard errors of 0.001 are 0.0003, were they independent.
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_in_a_thousand_pairs_without_effect_has_fisher_p_below_it(kind):
    share = false_alarms(kind, MANY, fisher_p, level=0.001)
    np.testing.assert_allclose(share, 0.001, rtol=0, atol=0.0005)


# 200 experiments: four standard errors of a share of 0.05 are 0.06.
@pytest.mark.slow
def test_few_experiments_have_any_familywise_false_alarm():
    def any_pair(a, g, seed):
        return permutation_test(a, g, SAMPLES, seed=seed).p_familywise.min()

    np.testing.assert_allclose(false_alarms(KINDS[0], MANY, any_pair), 0.05, rtol=0, atol=0.06)


def test_counting_rows_as_independent_raises_many_false_alarms():
    def naive(a, g, seed):
        return fisher_z(cross_correlation(a, g), len(a))

    # The error that this module is there to avoid: a third of all pairs.
    np.testing.assert_allclose(false_alarms(KINDS[0], FEW, naive), 1 / 3, rtol=0, atol=0.05)


# Ten columns a data set, each against its own partner: intervals independent of each other. Four
# standard errors are 0.09 over ten sets, and 0.02, the bounds asked for, over 200.
@pytest.mark.parametrize(
    ("sets", "atol"), [(FEW, 0.09), pytest.param(MANY, 0.02, marks=SLOW.marks)]
)
@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_intervals_hold_the_known_correlation(rho, sets, atol):
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of normal pairs (Pearson 1907)
    held = []
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        a, noise = (normal_layers(rng, 10, shared=0.7) for _ in range(2))
        g = rho * a + np.sqrt(1 - rho**2) * noise
        sides = (x.reshape(-1, 10) for x in (a, g))
        found = bootstrap_interval(*sides, SAMPLES, draws=100 if sets == FEW else 200, seed=seed)
        held.append(np.diagonal((found.low <= truth) & (truth <= found.high)))
    np.testing.assert_allclose(np.mean(held), 0.95, rtol=0, atol=atol)

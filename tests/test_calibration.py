"""Shares of false alarms and of intervals that hold the truth, on data whose truth is known.

The quick tests see few data sets; their bounds are four standard errors around the nominal share.
"""

import calibration
import numpy as np
import pytest
from calibration import (
    INTERVALS,
    KINDS,
    RHOS,
    SETS,
    TESTS,
    channel_coverage,
    coverage,
    false_alarms,
    familywise_alarms,
    share_of,
)

from gsnn_edges import cross_correlation
from gsnn_edges.significance import correlation_pvalue

FEW = 10
SLOW = pytest.param(SETS, marks=pytest.mark.slow)


# A data set's share of 900 pairs has a standard deviation of about 0.008, as its 60 columns are
# shared by them: over ten sets, four standard errors are 0.01. Over 200 sets they are 0.0023.
@pytest.mark.parametrize("sets", [FEW, SLOW])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TESTS)
def test_one_in_twenty_pairs_without_effect_has_p_below_5_percent(name, kind, sets):
    found = false_alarms(name, kind, sets)
    np.testing.assert_allclose(found.value, 0.05, rtol=0, atol=0.01)


# 180,000 pairs: four standard errors of 0.001 are 0.0003, were they independent.
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_in_a_thousand_pairs_without_effect_has_fisher_p_below_it(kind):
    found = false_alarms("Fisher's z, pooled", kind, level=0.001)
    np.testing.assert_allclose(found.value, 0.001, rtol=0, atol=0.0005)


# 400 experiments: three standard errors of a share of 0.05 are 0.033, and 0 is outside.
@pytest.mark.slow
def test_one_in_twenty_experiments_has_any_familywise_false_alarm():
    np.testing.assert_allclose(familywise_alarms().value, 0.05, rtol=0, atol=0.033)


def test_counting_rows_as_independent_raises_many_false_alarms(monkeypatch):
    def naive(a, g, seed):
        return correlation_pvalue(cross_correlation(a, g), len(a))

    monkeypatch.setitem(TESTS, "naive", (naive, calibration.NODES))
    # The error that this module is there to avoid: a third of all pairs.
    found = false_alarms("naive", KINDS[0], FEW)
    np.testing.assert_allclose(found.value, 1 / 3, rtol=0, atol=0.05)


# The least that an interval may hold. Of a ReLU's zeros some layers have hardly another value in
# 200 samples; ranked by themselves they weigh as much as the others, and are not resampled well.
LEAST = {("bootstrap_interval, mean over layers", "half zeros"): 0.90}


# Fifty columns a data set, each against its own partner: intervals independent of each other. Over
# two sets four standard errors are 0.09, and 0.02, the bounds asked for, over 40.
@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_hold_the_known_correlation(name):
    np.testing.assert_allclose(coverage(name, 0.6, KINDS[0], sets=2).value, 0.95, rtol=0, atol=0.09)


@pytest.mark.slow
@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_hold_the_known_correlation_as_often_as_they_say(name, kind, rho):
    assert_held(coverage(name, rho, kind).value, name, kind)


def assert_held(share, name, kind):
    """Between the bounds that are asked for."""
    np.testing.assert_array_less(LEAST.get((name, kind), 0.93), share)
    np.testing.assert_array_less(share, 0.97)


# It holds more than it says where W is little but chance: never less than 0.93, up to 1.
@pytest.mark.slow
@pytest.mark.parametrize("rho", RHOS)
def test_intervals_of_channels_hold_the_mean_of_w_over_batches(rho):
    np.testing.assert_allclose(channel_coverage(rho).value, 0.965, rtol=0, atol=0.035)


def test_shares_have_the_standard_error_of_their_sets():
    found = share_of([0.0, 0.1, 0.2, 0.1])
    np.testing.assert_allclose(found, [0.1, np.std([0, 0.1, 0.2, 0.1], ddof=1) / 2])

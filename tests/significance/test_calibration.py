"""Shares of false alarms and of intervals that hold the truth, on data whose truth is known.

The quick tests see few data sets; their bounds are four standard errors around the nominal share.
"""

import re

import calibration
import numpy as np
import pytest
from calibration import (
    INTERVALS,
    KINDS,
    PAGE,
    RHOS,
    SETS,
    TESTS,
    Share,
    channel_coverage,
    coverage,
    enough_samples,
    false_alarms,
    familywise_alarms,
    page,
    share_of,
)
from reliability import rows

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
@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_hold_the_known_correlation(name, kind, rho):
    np.testing.assert_allclose(coverage(name, rho, kind, sets=2).value, 0.95, rtol=0, atol=0.09)


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


# The page


def shares(text):
    """All shares that stand on a page with their errors."""
    return [float(share) for share in re.findall(r"(0\.\d{4}|1\.0000) ± ", text)]


def section(name):
    return PAGE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_the_page_is_about_the_tests_and_intervals_of_today():
    text = PAGE.read_text()
    assert [name for name, _ in rows(text, "False alarms")] == list(TESTS)
    found = [name for name, _ in rows(text, "Intervals")]
    assert found[: 3 * len(INTERVALS)] == [name for name in INTERVALS for _ in RHOS]


def test_the_shares_of_the_page_are_within_what_the_tests_hold():
    alarms = shares(section("False alarms"))
    np.testing.assert_allclose(alarms[:-1], 0.05, rtol=0, atol=0.01)
    np.testing.assert_allclose(alarms[-1], 0.05, rtol=0, atol=0.033)
    covered = iter(shares(section("Intervals")))
    for name in INTERVALS:
        for _ in RHOS:
            for kind in KINDS:
                assert_held(next(covered), name, kind)


def test_a_page_is_written_of_what_was_found():
    share = Share(0.051, 0.001)
    found = {
        "alarms": {name: [share] * 3 for name in TESTS},
        "familywise": share,
        "coverage": {(name, rho): [share] * 3 for name in INTERVALS for rho in RHOS},
        "channels": dict.fromkeys(RHOS, share),
        "batches": {10: [Share(0.9, 0)] * 4, 50: [Share(0.94, 0)] * 4},
        "errors": {"float32": 1e-6},
        "costs": {0: (1.0, 20.0), 1000: (2.0, 30.0)},
    }
    text = page(found, "1234567", "2 cores")
    assert shares(text)[:3] == [0.051] * 3
    assert "From 50 samples on" in text
    assert rows(text, "Partial correlation")[-1] == ("a hub of 1,000", "30")


def test_shares_have_the_standard_error_of_their_sets():
    found = share_of([0.0, 0.1, 0.2, 0.1])
    np.testing.assert_allclose(found, [0.1, np.std([0, 0.1, 0.2, 0.1], ddof=1) / 2])


@pytest.mark.parametrize(("short", "expected"), [(0, 20), (20, 50), (50, "more than 50")])
def test_enough_is_where_no_interval_is_short_any_more(short, expected):
    batches = {n: [Share(0.9 if n <= short else 0.95, 0)] for n in (20, 50)}
    assert enough_samples(batches) == expected

"""Sums of reciprocals equal exact fractions and SciPy's digamma."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.special

from gsnn_edges.evaluation.metrics import reciprocal_sums


@pytest.mark.parametrize("first", [1, 2, 14, 15, 16, 17, 100, 1000])
@pytest.mark.parametrize("more", [0, 1, 2, 13, 14, 15, 16, 300])
def test_equals_the_sum_of_fractions(first, more):
    expected = float(sum(Fraction(1, r) for r in range(first, first + more + 1)))
    found = reciprocal_sums(np.array([first]), np.array([first + more]))
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


def test_long_runs_equal_digamma():
    first = np.array([1.0, 5.0, 16.0, 1e4, 1e6])
    last = np.array([1e6, 1e7, 1e5, 1e8, 3e6])
    expected = scipy.special.digamma(last + 1) - scipy.special.digamma(first)
    np.testing.assert_allclose(reciprocal_sums(first, last), expected, rtol=1e-12)


def test_far_single_terms_do_not_cancel():
    ranks = np.array([1e3, 1e5, 1e7])
    np.testing.assert_allclose(reciprocal_sums(ranks, ranks), 1 / ranks, rtol=1e-12)

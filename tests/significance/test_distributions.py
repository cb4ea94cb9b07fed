"""The normal distribution as SciPy has it, and what is said without SciPy."""

import sys

import numpy as np
import pytest
import scipy.stats

from gsnn_edges.significance.distributions import normal_p, normal_quantile, scipy_part

Z = np.array([-40.0, -1.3, 0.0, 0.2, 3.0, 9.0])


@pytest.mark.parametrize(
    ("alternative", "expected"),
    [
        ("two-sided", 2 * scipy.stats.norm.sf(abs(Z))),
        ("greater", scipy.stats.norm.sf(Z)),
        ("less", scipy.stats.norm.cdf(Z)),
    ],
)
def test_normal_p_equals_scipy_stats(alternative, expected):
    np.testing.assert_allclose(normal_p(Z, alternative), expected, rtol=1e-12)


@pytest.mark.parametrize("share", [0.025, 0.5, 0.975])
def test_normal_quantile_equals_scipy_stats(share):
    np.testing.assert_allclose(normal_quantile(share), scipy.stats.norm.ppf(share), rtol=1e-12)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(ImportError, match=r"pip install 'gsnn-edges\[stats\]'"):
        scipy_part("special")

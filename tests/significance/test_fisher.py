"""Fisher's z against SciPy's normal distribution and its interval of a correlation."""

import numpy as np
import pytest
import scipy.stats

from gsnn_edges.significance import correlation_pvalue

W = np.array([[0.0, 0.2, -0.4], [0.9, -0.99, 0.01]], dtype=np.float32)
COUNTS = np.array([[10, 50, 200], [5, 30, 1000]], dtype=np.float32)


def tail(z, alternative):
    if alternative == "two-sided":
        return 2 * scipy.stats.norm.sf(np.abs(z))
    return scipy.stats.norm.sf(z) if alternative == "greater" else scipy.stats.norm.cdf(z)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("n", [50, COUNTS], ids=["one count", "a count for each"])
def test_equals_the_textbook(library, n, alternative):
    if library.jit:
        pytest.skip("eager only")
    counts = n if isinstance(n, int) else library.array(n)
    found = library.numpy(correlation_pvalue(library.array(W), counts, alternative=alternative))
    z = np.arctanh(W.astype(float)) * np.sqrt(n - 3.0)
    assert found.dtype == np.float32
    # A relative error of z of 1e-7 is one of z^2 times that in a tail.
    np.testing.assert_allclose(found, tail(z, alternative), rtol=1e-4, atol=1e-30)


def test_agrees_with_the_interval_of_scipy():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(60)
    y = 0.3 * x + rng.standard_normal(60)
    found = scipy.stats.pearsonr(x, y)
    p = float(correlation_pvalue(np.array(found.statistic), 60))
    # The interval by Fisher's z whose confidence is 1 - p ends at 0.
    ends = found.confidence_interval(1 - p)
    np.testing.assert_allclose(ends.low, 0, atol=1e-9)


def test_null_mean_moves_the_test():
    W64, mean = W.astype(float), np.full(W.shape, 0.3)
    z = (np.arctanh(W64) - np.arctanh(mean)) * (1 - mean**2) * np.sqrt(37)
    np.testing.assert_allclose(
        correlation_pvalue(W64, 40, null_mean=mean), tail(z, "two-sided"), rtol=1e-9
    )


@pytest.mark.parametrize("null_mean", [0.0, 0.25, 1.0])
def test_no_deviation_has_p_1(null_mean):
    np.testing.assert_array_equal(
        correlation_pvalue(np.full((2, 2), null_mean), 20, null_mean=null_mean), 1.0
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_perfect_correlations_have_a_p_of_their_own(dtype):
    found = correlation_pvalue(np.array([1.0, -1.0], dtype=dtype), 50, alternative="greater")
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"W": [0.1]}, TypeError, "W must be an array"),
        ({"W": np.array([np.nan])}, ValueError, "1 values outside or NaN"),
        ({"W": np.array([1.5])}, ValueError, "before any penalty"),
        ({"n": 3}, ValueError, r"n must be finite and above 3 everywhere; got 3 at least"),
        ({"n": np.inf}, ValueError, "n must be finite"),
        ({"n": "many"}, TypeError, "n must be a number or an array"),
        ({"n": True}, TypeError, "n must be a number or an array"),
        ({"n": np.ones(3)}, ValueError, "n must be a number or have the shape of W"),
        ({"null_mean": -2.0}, ValueError, "null_mean must hold correlations"),
        ({"alternative": "both"}, ValueError, "alternative must be one of"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(arguments, error, message):
    with pytest.raises(error, match=message):
        correlation_pvalue(**{"W": W, "n": 30, **arguments})

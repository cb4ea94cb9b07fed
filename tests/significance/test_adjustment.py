"""Adjusted p-values equal those of SciPy on the candidates alone."""

import numpy as np
import pytest
import scipy.stats

from gsnn_edges.significance import adjust_pvalues

P = np.random.default_rng(0).beta(0.4, 1, (5, 8))
CANDIDATES = np.random.default_rng(1).random(P.shape) < 0.6


def slow(p, method):
    """Step up, one p-value at a time."""
    order, m = np.argsort(p), len(p)
    factor = sum(1 / k for k in range(1, m + 1)) if method == "by" else 1
    out, least = np.empty(m), 1.0
    for rank in range(m, 0, -1):
        least = min(least, p[order[rank - 1]] * m * factor / rank)
        out[order[rank - 1]] = least
    return out


@pytest.mark.parametrize("method", ["bh", "by"])
@pytest.mark.parametrize("some", [False, True])
def test_equals_scipy_and_a_loop(library, some, method):
    if library.jit:
        pytest.skip("eager only")
    p = P.astype(np.float32)
    mask = CANDIDATES if some else np.ones(P.shape, bool)
    given = {"candidates": library.array(mask)} if some else {}
    found = library.numpy(adjust_pvalues(library.array(p), method=method, **given))
    tested = p[mask].astype(float)
    expected = scipy.stats.false_discovery_control(tested, method=method)
    np.testing.assert_allclose(expected, slow(tested, method), rtol=1e-12)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[mask], expected, rtol=1e-6)
    assert np.isnan(found[~mask]).all()


def test_float64_stays():
    found = adjust_pvalues(P)
    expected = scipy.stats.false_discovery_control(P.ravel()).reshape(P.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_nan_outside_the_candidates_is_not_looked_at():
    p = np.where(CANDIDATES, P, np.nan)
    np.testing.assert_array_equal(
        adjust_pvalues(p, candidates=CANDIDATES), adjust_pvalues(P, candidates=CANDIDATES)
    )


def test_no_candidate_gives_no_value():
    assert np.isnan(adjust_pvalues(P, candidates=np.zeros(P.shape, bool))).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": [0.5]}, TypeError, "p must be an array"),
        ({"p": np.array([0.5, np.nan])}, ValueError, "1 values outside or NaN"),
        ({"p": np.array([-0.1, 1.1])}, ValueError, "2 values outside or NaN"),
        ({"method": "holm"}, ValueError, "method must be one of 'bh', 'by'"),
        ({"candidates": CANDIDATES[0]}, ValueError, "candidates must have a value for each pair"),
        ({"candidates": CANDIDATES * 1}, TypeError, "candidates must hold bools"),
        ({"candidates": "A -> B"}, TypeError, "candidates must be an array"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(arguments, error, message):
    with pytest.raises(error, match=message):
        adjust_pvalues(**{"p": P, **arguments})

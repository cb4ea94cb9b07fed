"""Correlations of measured values, as SciPy and scikit-learn give them pair by pair."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from gsnn_edges.baselines import measured as by_values
from gsnn_edges.baselines.measured import least_squares, ridge

COUNT = 7
MEASURED = np.array([5, 0, 3, 1])
PERTURBED = np.array([2, 0, 5])


def values(rows=25, digits=1):
    """Measured and perturbed nodes; of few digits, values tie."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, len(PERTURBED))).round(digits)
    y = rng.standard_normal((rows, len(MEASURED))).round(digits)
    y[:, 1] += y[:, 0]
    return (
        by_values.node_values("measured", (y, MEASURED), COUNT),
        by_values.node_values("perturbations", (x, PERTURBED), COUNT),
    )


def pairs(sources, targets, score_of):
    """Score pairs of different nodes that have values by a slow function."""
    scores = np.full((COUNT, COUNT), np.nan)
    for place, source in enumerate(sources):
        for other, target in enumerate(targets):
            if source != target:
                scores[source, target] = score_of(place, other)
    return scores


def absolute(a, b):
    return abs(spearmanr(a, b).statistic)


def test_plain_correlation_is_that_of_scipy():
    y, _ = values()
    slow = pairs(MEASURED, MEASURED, lambda i, j: absolute(y.values[:, i], y.values[:, j]))
    assert_allclose(by_values.plain_correlation(y, COUNT), slow, rtol=1e-9, atol=1e-12)


def test_perturbation_correlation_is_that_of_scipy():
    y, x = values()
    slow = pairs(PERTURBED, MEASURED, lambda i, j: absolute(x.values[:, i], y.values[:, j]))
    assert_allclose(by_values.perturbation_correlation(x, y, COUNT), slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("perturbed", [True, False])
def test_residual_correlation_takes_what_scikit_learn_leaves(perturbed):
    y, x = values(digits=15)
    # Node 4 is not measured; the self-edge and the edge given twice change nothing.
    known = np.array([[5, 0, 3, 3, 4, 1, 0], [0, 3, 1, 1, 3, 1, 5]])
    parents = {5: [1], 0: [0], 3: [1], 1: [2]}

    def score_of(i, j):
        target = MEASURED[j]
        own = np.flatnonzero(target == PERTURBED) if perturbed else []
        design = np.column_stack([y.values[:, parents[int(target)]], x.values[:, own]])
        model = LinearRegression().fit(design, y.values[:, j])
        return absolute(y.values[:, i], y.values[:, j] - model.predict(design))

    found = by_values.residual_correlation(y, x if perturbed else None, known, COUNT)
    assert_allclose(found, pairs(MEASURED, MEASURED, score_of), rtol=1e-9, atol=1e-12)


def test_residual_of_what_parents_explain_scores_zero():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20))
    y = by_values.node_values("measured", (np.stack([a, b, 2 * a + 1], axis=1), range(3)), 3)
    found = by_values.residual_correlation(y, None, [[0], [2]], 3)
    assert_array_equal(found[:2, 2], 0.0)
    assert_allclose(found[2, 1], absolute(a, b), rtol=1e-9)


def test_regression_weights_lie_where_their_nodes_are():
    y, x = values(digits=15)
    own = np.zeros_like(y.values)
    own[:, 0], own[:, 1] = x.values[:, 2], x.values[:, 1]
    weights = least_squares(y.values, own)
    slow = pairs(MEASURED, MEASURED, lambda i, j: abs(weights[i, j]))
    assert_array_equal(by_values.regression_weights(y, x, COUNT), slow)


def test_ridge_weights_lie_where_their_nodes_are():
    y, x = values()
    own = np.zeros_like(y.values)
    own[:, 0], own[:, 1] = x.values[:, 2], x.values[:, 1]
    fit = ridge(y.values, own)
    slow = pairs(MEASURED, MEASURED, lambda i, j: abs(fit.coefficients[i, j]))
    assert_array_equal(by_values.ridge_weights(y, x, COUNT), slow)
    bare = ridge(y.values, np.zeros_like(own)).coefficients
    found = by_values.ridge_weights(y, None, COUNT)
    assert_array_equal(found, pairs(MEASURED, MEASURED, lambda i, j: abs(bare[i, j])))


def test_constant_columns_correlate_to_zero():
    y = by_values.node_values("measured", (np.array([[1.0, 2], [1, 3], [1, 1]]), [0, 1]), 2)
    assert_array_equal(by_values.plain_correlation(y, 2), [[np.nan, 0.0], [0.0, np.nan]])


GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (GOOD, TypeError, r"measured must be a pair \(values"),
        ((GOOD, [0, 1]), ValueError, "a whole number for each of the 3 columns"),
        ((GOOD, [0, 1, 9]), ValueError, r"must lie in 0 \.\. 6.*got 9"),
        ((GOOD, [0, 1, 1]), ValueError, "must be different; got 1 several times: average"),
        ((GOOD[:2], [0, 1, 2]), ValueError, "at least 3 rows; got 2"),
        ((GOOD[0], [0, 1, 2]), ValueError, "must have 2 dimensions"),
        ((np.where(GOOD == 4, np.nan, GOOD), [0, 1, 2]), ValueError, "1 NaN or infinite"),
        ((GOOD.astype(str), [0, 1, 2]), TypeError, "must hold real numbers"),
    ],
)
def test_values_that_do_not_go_with_nodes_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        by_values.node_values("measured", given, COUNT)

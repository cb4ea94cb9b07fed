"""All regressions at once, against scikit-learn's one at a time."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from gsnn_edges.baselines.measured import PENALTIES, least_squares, ridge, standardized


def data(rows, columns, seed=0):
    """Columns that depend on each other, and a column of their own for two in three."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((rows, columns)) + 3.0
    own[:, ::3] = 0.0
    mixed = rng.standard_normal((rows, columns)) @ rng.standard_normal((columns, columns))
    return 10.0 * mixed + own * 5.0 - 7.0, own


def design(values, own, column):
    """Predictors of one column, standardized."""
    others = np.delete(standardized(values), column, axis=1)
    extra = standardized(own)[:, [column]]
    return np.concatenate([others, extra], axis=1), standardized(values)[:, column]


@pytest.mark.parametrize(("rows", "columns"), [(60, 7), (40, 20), (15, 25), (5, 1)])
def test_chosen_penalty_and_weights_are_those_of_scikit_learn(rows, columns):
    values, own = data(rows, columns)
    fit = ridge(values, own)
    for column in range(columns):
        x, y = design(values, own, column)
        # The solver by singular values; penalties there are of the sum of squares.
        oracle = RidgeCV(PENALTIES * rows, gcv_mode="svd").fit(x, y)
        assert_allclose(fit.penalties[column] * rows, oracle.alpha_, rtol=1e-12)
        assert_allclose(-fit.errors[column], oracle.best_score_, rtol=1e-6)
        weights = np.insert(oracle.coef_[:-1], column, 0.0)
        assert_allclose(fit.coefficients[:, column], weights, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(60, 7), (40, 20), (15, 25), (5, 1)])
def test_least_squares_are_those_of_scikit_learn(rows, columns):
    """With 15 rows of 25 columns the weights are the shortest of many, as scikit-learn's."""
    values, own = data(rows, columns)
    found = least_squares(values, own)
    for column in range(columns):
        x, y = design(values, own, column)
        for model, tolerance in (
            (Ridge(rows * 1e-6, solver="svd"), 1e-4),
            (LinearRegression(), 1e-2),
        ):
            weights = np.insert(model.fit(x, y).coef_[:-1], column, 0.0)
            assert_allclose(found[:, column], weights, atol=tolerance)


def test_least_squares_of_constant_columns_have_no_weight():
    values, own = data(30, 5)
    found = least_squares(np.insert(values, 2, 4.5, axis=1), np.insert(own, 2, 1.0, axis=1))
    assert_array_equal(found[2], 0.0)
    assert_array_equal(found[:, 2], 0.0)
    rest = np.delete(np.delete(found, 2, axis=0), 2, axis=1)
    assert_allclose(rest, least_squares(values, own), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_leave_one_out_errors_are_those_of_refits(penalty):
    values, own = data(12, 4, seed=1)
    fit = ridge(values, own, np.array([penalty]))
    for column in range(4):
        x, y = design(values, own, column)
        missed = []
        for row in range(12):
            rest = np.arange(12) != row
            # The sum of squares keeps the weight of all 12 rows.
            model = Ridge(12 * penalty).fit(x[rest], y[rest])
            missed.append(y[row] - model.predict(x[[row]])[0])
        assert_allclose(fit.errors[column], np.mean(np.square(missed)), rtol=1e-8)


def test_constant_columns_have_no_weight_and_change_nothing():
    values, own = data(30, 5)
    alone = ridge(values, own)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ridge(np.insert(values, 2, 4.5, axis=1), np.insert(own, 2, 1.0, axis=1))
    assert_array_equal(fit.coefficients[2], 0.0)
    assert_array_equal(fit.coefficients[:, 2], 0.0)
    rest = np.delete(np.delete(fit.coefficients, 2, axis=0), 2, axis=1)
    assert_allclose(rest, alone.coefficients, rtol=1e-9, atol=1e-12)


def test_units_of_columns_do_not_matter():
    values, own = data(30, 5)
    scaled = ridge(values * [1e-200, 1.0, 1e150, 1e-9, 5.0], own * 1e-180)
    assert_allclose(scaled.coefficients, ridge(values, own).coefficients, rtol=1e-9, atol=1e-12)


def test_no_penalty_is_refused():
    with pytest.raises(ValueError, match="penalties must hold at least one number"):
        ridge(np.eye(3), np.zeros((3, 3)), np.array([]))

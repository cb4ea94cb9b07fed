"""Ridge regression of each column on all others, every penalty from one eigen-decomposition."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Penalties per observation of standardized columns, from hardly any to almost all.
PENALTIES = np.logspace(-4, 2, 25)
# That of `least_squares`: less would lose the digits of an inverse with nothing else to stand on.
HARDLY_ANY = 1e-6


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """Regressions of K columns, each on the others and on a column of its own.

    Attributes
    ----------
    coefficients : float64 array of shape (K, K)
        ``[i, j]``: weight of column i in the regression of column j; 0 on the diagonal.
    penalties : float64 array of shape (K,)
        What was chosen for each column, as a multiple of the number of observations.
    errors : float64 array of shape (K,)
        Mean squared leave-one-out error of each at its penalty; 1 is about that of the mean.
    """

    coefficients: Values
    penalties: Values
    errors: Values


def ridge(values: Values, own: Values, penalties: Values = PENALTIES) -> RidgeFit:
    """Regress each column on all others and its own extra column, by the best penalty of each.

    Minimised is ``|v_j - V_others b - x_j c|^2 + n * penalty * (|b|^2 + c^2)``, an intercept
    left free, on columns of mean 0 and variance 1. The penalty is the one of least squared
    leave-one-out error, which is exact and needs no second fit.

    Parameters
    ----------
    values : float64 array of shape (n, K)
        n >= 2 observations.
    own : float64 array of shape (n, K)
        Column j enters the regression of column j alone; a constant one adds nothing.
    penalties : float64 array
        Candidates, above 0.

    Returns
    -------
    RidgeFit
        Coefficients are of standardized columns. Constant columns have coefficients 0.

    Notes
    -----
    With the covariance S of all columns and T = (S + penalty)^-1, the regression of column j on
    the others has the weights -T_ij / T_jj, so that one inverse serves all K of them; the
    eigenvectors of S serve all penalties [1]_; the column of its own borders the inverse by one
    row, of which only row j is needed. A row's leave-one-out error is e / (1 - h), with its
    residual e and leverage h [2]_; the scale of the columns stays that of all rows. Time
    O(n K^2 + K^3) for each penalty, peak memory eight times ``values`` and K x K numbers.

    References
    ----------
    .. [1] A. E. Hoerl, R. W. Kennard (1970). Ridge regression. Technometrics 12, 55-67.
    .. [2] D. M. Allen (1974). The relationship between variable selection and data augmentation
       and a method for prediction. Technometrics 16, 125-127 (PRESS).

    Examples
    --------
    >>> v = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0]])
    >>> ridge(v, np.zeros_like(v)).coefficients.round(3)
    array([[0., 1.],
           [1., 0.]])
    """
    values, own = standardized(values), standardized(own)
    best: RidgeFit | None = None
    for penalty, fit in zip(penalties, fits(values, own, penalties), strict=True):
        best = better(best, *fit, np.full(values.shape[1], penalty))
    if best is None:
        raise ValueError("penalties must hold at least one number; got none")
    return best


def standardized(values: Values) -> Values:
    """Give columns of mean 0 and variance 1, constant ones as 0."""
    constant = values.max(axis=0) == values.min(axis=0)
    centred = np.where(constant, 0.0, values - values.mean(axis=0))
    # Squares of very small or large columns would leave the range of floats.
    centred = centred / np.where(constant, 1.0, np.abs(centred).max(axis=0))
    return np.asarray(centred / np.where(constant, 1.0, centred.std(axis=0)))


def least_squares(values: Values, own: Values) -> Values:
    """Regress each column on all others and its own extra column, by hardly any penalty.

    What `ridge` takes, and its coefficients for the penalty 1e-6. That moves weights by as much
    over the least variance of any mixture of columns; where the values do not determine them, as
    with fewer rows than columns, they are about the shortest. One inverse serves all columns.
    """
    values, own = standardized(values), standardized(own)
    (inverse, border, corner), *_ = inverses(values, own, np.array([HARDLY_ANY]))
    return Bordered(values, inverse, border, corner).coefficients


def fits(values: Values, own: Values, penalties: Values) -> Iterator[tuple[Values, Values]]:
    """Give coefficients and mean squared leave-one-out errors for each penalty."""
    for inverse, border, corner in inverses(values, own, penalties):
        bordered = Bordered(values, inverse, border, corner)
        yield bordered.coefficients, bordered.errors(own)


def inverses(
    values: Values, own: Values, penalties: Values
) -> Iterator[tuple[Values, Values, Values]]:
    """Give the inverse covariance for each penalty, and what own columns border it by."""
    count = len(values)
    eigenvalues, vectors = np.linalg.eigh(values.T @ values / count)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    with_own, own_squares = values.T @ own / count, (own**2).mean(axis=0)
    for penalty in penalties:
        inverse = (vectors / (eigenvalues + penalty)) @ vectors.T
        border = inverse @ with_own
        corner = own_squares + penalty - (with_own * border).sum(axis=0)
        yield inverse, border, corner


@dataclass(frozen=True, eq=False)
class Bordered:
    """All regressions, read off the inverse and its borders.

    The inverse for column j with its own column is, by blocks, ``inverse + u u' / c`` beside
    ``-u / c`` and ``1 / c``, with u column j of ``border`` and c entry j of ``corner``.
    """

    values: Values
    inverse: Values
    border: Values
    corner: Values

    @property
    def own(self) -> Values:
        """What the own column of each adds of its border."""
        return np.asarray(np.diagonal(self.border) / self.corner)

    @property
    def rows(self) -> Values:
        """Column j of the inverse for column j."""
        return self.inverse + self.border * self.own

    @property
    def coefficients(self) -> Values:
        """Weight of column i in the regression of column j, 0 on the diagonal."""
        rows = self.rows
        coefficients = -rows / np.diagonal(rows)
        np.fill_diagonal(coefficients, 0.0)
        # Rounding of the eigenvectors would give constant columns a weight.
        constant = ~self.values.any(axis=0)
        coefficients[constant] = 0.0
        coefficients[:, constant] = 0.0
        return np.asarray(coefficients)

    def errors(self, own: Values) -> Values:
        """Mean squared leave-one-out error of each column."""
        values, count = self.values, len(self.values)
        pivot = np.diagonal(self.inverse) + np.diagonal(self.border) * self.own
        explained = values @ self.inverse
        # How far the own column lies from what the others say of it.
        aside = values @ self.border - own
        residuals = (explained + aside * self.own) / pivot
        spread = (explained * values).sum(axis=1)
        leverage = (spread[:, None] + aside**2 / self.corner - residuals**2 * pivot + 1) / count
        return np.asarray(((residuals / (1 - leverage)) ** 2).mean(axis=0))


def better(
    best: RidgeFit | None, coefficients: Values, errors: Values, penalties: Values
) -> RidgeFit:
    """Take each column's regression from where its error is less."""
    if best is None:
        return RidgeFit(coefficients, penalties, errors)
    less = errors < best.errors
    return RidgeFit(
        np.where(less, coefficients, best.coefficients),
        np.where(less, penalties, best.penalties),
        np.where(less, errors, best.errors),
    )

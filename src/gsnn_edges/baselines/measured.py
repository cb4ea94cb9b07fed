"""Baselines that know measured values and perturbations of nodes, and no network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.baselines.graph import Scores, adjacency, without_self
from gsnn_edges.correlation import cross_correlation

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


# Residuals are rounding where they are so small beside the values.
EXACT = 1e-10


@dataclass(frozen=True, eq=False)
class NodeValues:
    """A column of values for some of the nodes.

    Attributes
    ----------
    values : float64 array of shape (rows, K)
    nodes : int64 array of shape (K,)
        The node of each column, each node at most once.
    """

    values: NDArray[np.float64]
    nodes: NDArray[np.int64]

    def spread(self, scores: Scores, others: NDArray[np.int64], count: int) -> Scores:
        """Put scores (K, others) of these nodes with the others into an (N, N) matrix of nan."""
        whole = np.full((count, count), np.nan)
        whole[np.ix_(self.nodes, others)] = scores
        return without_self(whole)

    def of(self, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the columns of these nodes: (rows, wanted), 0 for a node that has none."""
        found = np.zeros((len(self.values), len(wanted)))
        place = {int(node): column for column, node in enumerate(self.nodes)}
        for column, node in enumerate(wanted.tolist()):
            if node in place:
                found[:, column] = self.values[:, place[node]]
        return found


def node_values(name: str, given: Any, count: int) -> NodeValues:
    """Check a pair of values (rows, K) and the nodes (K,) of their columns.

    Raises
    ------
    TypeError, ValueError
        For what is no such pair, no finite real numbers, fewer than 3 rows, a node that is not
        there or one that has several columns.
    """
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(
            f"{name} must be a pair (values of shape (rows, K), node of each of the K columns); "
            f"got {type(given).__name__}: give (values, range(N)) where every node has a column"
        )
    values = _validation.as_numpy(given[0])
    _validation.array(f"the values of {name}", values)
    _validation.ndim(f"the values of {name}", values, 2, "(rows, K)")
    _validation.finite(f"the values of {name}", values)
    nodes = _validation.node_indices(f"the nodes of {name}", given[1], values.shape[1])
    if len(values) < 3:
        raise ValueError(
            f"the values of {name} must have at least 3 rows; got {len(values)}: any two columns "
            "of fewer go together"
        )
    if nodes.size and nodes.max() >= count:
        outside = nodes[nodes >= count]
        raise ValueError(
            f"the nodes of {name} must lie in 0 .. {count - 1}, the nodes that the scores have; "
            f"got {_validation.listing(outside)}"
        )
    distinct, times = np.unique(nodes, return_counts=True)
    if (times > 1).any():
        raise ValueError(
            f"the nodes of {name} must be different; got "
            f"{_validation.listing(distinct[times > 1])} "
            "several times: average the columns of a node first"
        )
    return NodeValues(values.astype(np.float64), nodes)


def plain_correlation(measured: NodeValues, count: int) -> Scores:
    """Score a pair of measured nodes by the absolute Spearman correlation of their values.

    Both directions score alike; 0 where a column is constant.

    Examples
    --------
    >>> values = np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 2.0]])
    >>> plain_correlation(node_values("measured", (values, [0, 2]), 3), 3)
    array([[nan, nan, 0.5],
           [nan, nan, nan],
           [0.5, nan, nan]])
    """
    scores = correlated(measured.values, measured.values)
    return measured.spread(scores, measured.nodes, count)


def perturbation_correlation(perturbations: NodeValues, measured: NodeValues, count: int) -> Scores:
    """Score a pair by the absolute Spearman correlation of perturbed source and measured target.

    It knows the direction, and also descendants that no edge leads to directly.
    """
    scores = correlated(perturbations.values, measured.values)
    return perturbations.spread(scores, measured.nodes, count)


def residual_correlation(
    measured: NodeValues, perturbations: NodeValues | None, known_edges: Any, count: int
) -> Scores:
    """Correlate measured sources with what known parents leave unexplained of measured targets.

    The residual is that of least squares on the measured parents in the known graph, on the
    perturbation of the target itself and on a constant; the score is its absolute Spearman
    correlation with the source's values, and 0 where nothing is left.

    References
    ----------
    .. [1] A. J. Miller (2002). Subset selection in regression, 2nd edition. Chapman & Hall: forward
       selection takes next what goes best with the residual.
    """
    known = adjacency(known_edges, count)[np.ix_(measured.nodes, measured.nodes)] > 0
    own = own_columns(measured, perturbations)
    residuals = np.stack(
        [
            residual(measured.values[:, j], np.column_stack([measured.values[:, known[:, j]], x]))
            for j, x in enumerate(own.T)
        ],
        axis=1,
    )
    return measured.spread(correlated(measured.values, residuals), measured.nodes, count)


def regression_weights(
    measured: NodeValues, perturbations: NodeValues | None, count: int
) -> Scores:
    """Score a pair of measured nodes by a weight in the target's least-squares regression.

    Each measured node is regressed on all others and on its own perturbation, with hardly any
    penalty; the score is the absolute standardized weight of the source. Where the values do not
    determine the weights, as with fewer rows than nodes, they are about the shortest. See
    `gsnn_edges.baselines.measured.least_squares`.
    """
    weights = least_squares(measured.values, own_columns(measured, perturbations))
    return measured.spread(np.abs(weights), measured.nodes, count)


def ridge_weights(measured: NodeValues, perturbations: NodeValues | None, count: int) -> Scores:
    """Score a pair of measured nodes by a weight in the target's ridge regression.

    Each measured node is regressed on all others and on its own perturbation; the score is the
    absolute standardized weight of the source. See `gsnn_edges.baselines.measured.ridge`.
    """
    fit = ridge(measured.values, own_columns(measured, perturbations))
    return measured.spread(np.abs(fit.coefficients), measured.nodes, count)


def own_columns(measured: NodeValues, perturbations: NodeValues | None) -> NDArray[np.float64]:
    """Give the perturbation of each measured node, 0 where it has none."""
    if perturbations is None:
        return np.zeros_like(measured.values)
    return perturbations.of(measured.nodes)


def residual(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what a least-squares fit with a constant leaves of y, 0 where it is but rounding."""
    y = y - y.mean()
    x = x - x.mean(axis=0)
    left = y - x @ np.linalg.lstsq(x, y)[0]
    if np.linalg.norm(left) <= EXACT * np.linalg.norm(y):
        return np.zeros_like(y)
    return np.asarray(left)


def correlated(a: NDArray[np.float64], g: NDArray[np.float64]) -> Scores:
    """Absolute Spearman correlation of all columns with all columns."""
    found: Scores = np.abs(cross_correlation(a, g, precision="float64"))
    return found

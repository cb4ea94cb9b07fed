"""Baselines that know measured values and perturbations of nodes, and no network.

A matrix (N, N) holds a score for each pair (source, target), nan where a node that it takes is
not measured, and for a node with itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.baselines.graph import Scores, adjacency, without_self
from gsnn_edges.correlation import cross_correlation

Values = NDArray[np.float64]

OF_VALUES = (
    "plain_correlation",
    "perturbation_correlation",
    "residual_correlation",
    "regression",
    "ridge",
)
# Residuals are rounding where they are so small beside the values.
_EXACT = 1e-10
# Penalties of ridge regression, per observation of standardized columns: hardly any to almost all.
_PENALTIES = np.logspace(-4, 2, 25)
# That of `least_squares`: less would lose the digits of an inverse with nothing else to stand on.
_HARDLY_ANY = np.array([1e-6])


@dataclass(frozen=True, eq=False)
class NodeValues:
    """A column of values for some of the nodes.

    Attributes
    ----------
    values : float64 array of shape (rows, K)
    nodes : int64 array of shape (K,)
        The node of each column, each node at most once.
    """

    values: Values
    nodes: NDArray[np.int64]

    def matrix(self, scores: Scores, targets: NDArray[np.int64], count: int) -> Scores:
        """Scores (K, targets) of these nodes as sources, as an (N, N) matrix, nan elsewhere."""
        whole = np.full((count, count), np.nan)
        whole[np.ix_(self.nodes, targets)] = scores
        return without_self(whole)

    def columns_of(self, nodes: NDArray[np.int64]) -> Values:
        """Columns of these nodes, (rows, nodes), 0 for a node that has none."""
        columns = np.zeros((len(self.values), len(nodes)))
        _, here, there = np.intersect1d(self.nodes, nodes, return_indices=True)
        columns[:, there] = self.values[:, here]
        return columns


def node_count(nodes: Any) -> tuple[int, list[str] | None]:
    """Number of nodes, and their names where ``nodes`` are names."""
    if isinstance(nodes, int | np.integer):
        return _validation.whole_number("nodes", nodes, least=1), None
    if not isinstance(nodes, list | tuple | np.ndarray):
        raise TypeError(f"nodes must be a number, or a list of names; got {type(nodes).__name__}")
    return len(nodes), _validation.node_names(nodes, len(nodes), name="nodes")


def paired_values(
    measured: Any, perturbations: Any, count: int, names: Sequence[str] | None = None
) -> tuple[NodeValues | None, NodeValues | None]:
    """Measured values and perturbations, of the same rows."""
    values = None if measured is None else node_values("measured", measured, count, names)
    if perturbations is None:
        return values, None
    inputs = node_values("perturbations", perturbations, count, names)
    if values is None:
        raise ValueError(
            "perturbations must come with measured, what they are correlated with; got measured="
            "None: pass both, or leave perturbations out"
        )
    if len(values.values) != len(inputs.values):
        raise ValueError(
            "measured and perturbations must be of the same samples; got "
            f"{len(values.values)} and {len(inputs.values)} rows"
        )
    return values, inputs


def node_values(
    name: str, pair: Any, count: int, node_names: Sequence[str] | None = None
) -> NodeValues:
    """Values (rows, K) and the nodes (K,) of their columns, by index or name, checked.

    Raises
    ------
    TypeError, ValueError
        For what is no such pair, no finite real numbers, fewer than 3 rows, a node that is not
        there or one that has several columns.
    """
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(
            f"{name} must be a pair (values of shape (rows, K), node of each of the K columns); "
            f"got {type(pair).__name__}: give (values, range(N)) where every node has a column"
        )
    values = _validation.as_numpy(pair[0])
    _validation.array(f"the values of {name}", values)
    _validation.ndim(f"the values of {name}", values, 2, "(rows, K)")
    _validation.finite(f"the values of {name}", values)
    nodes = _indices(name, pair[1], node_names)
    nodes = _validation.node_indices(f"the nodes of {name}", nodes, values.shape[1])
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
            f"{_validation.listing(distinct[times > 1])} several times: average the columns of a "
            "node first"
        )
    return NodeValues(values.astype(np.float64), nodes)


def _indices(name: str, nodes: Any, node_names: Sequence[str] | None) -> Any:
    """Indices of nodes that may be names."""
    if isinstance(nodes, np.ndarray):
        nodes = nodes.tolist()
    if not isinstance(nodes, str | list | tuple) or not any(isinstance(n, str) for n in nodes):
        return nodes
    if node_names is None:
        raise ValueError(
            f"the nodes of {name} are names, and those of all nodes are not known: "
            "pass node_names, or give indices"
        )
    places = {node: place for place, node in enumerate(node_names)}
    unknown = [node for node in nodes if node not in places]
    if unknown:
        raise ValueError(
            f"the nodes of {name} must be among the names of the nodes; got "
            f"{_validation.listing(unknown)}: spell them as there"
        )
    return [places[node] for node in nodes]


def plain_correlation(measured: NodeValues, count: int) -> Scores:
    """Absolute Spearman correlation of the values of each pair of measured nodes.

    Both directions score alike; 0 where a column is constant.

    Examples
    --------
    >>> values = np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 2.0]])
    >>> plain_correlation(node_values("measured", (values, [0, 2]), 3), 3)
    array([[nan, nan, 0.5],
           [nan, nan, nan],
           [0.5, nan, nan]])
    """
    scores = _correlated(measured.values, measured.values)
    return measured.matrix(scores, measured.nodes, count)


def perturbation_correlation(perturbations: NodeValues, measured: NodeValues, count: int) -> Scores:
    """Absolute Spearman correlation of each perturbed source with each measured target.

    It knows the direction, and also descendants that no edge leads to directly.
    """
    scores = _correlated(perturbations.values, measured.values)
    return perturbations.matrix(scores, measured.nodes, count)


def residual_correlation(
    measured: NodeValues, inputs: Values, known_edges: Any, count: int
) -> Scores:
    """Correlation of measured sources with what known parents leave unexplained of each target.

    The residual is that of least squares on the measured parents in the known graph, on the
    perturbation of the target itself and on a constant; the score is its absolute Spearman
    correlation with the source's values, and 0 where nothing is left.

    References
    ----------
    .. [1] A. J. Miller (2002). Subset selection in regression, 2nd edition. Chapman & Hall: forward
       selection takes next what goes best with the residual.
    """
    known = adjacency(known_edges, count)[np.ix_(measured.nodes, measured.nodes)] > 0
    values = measured.values
    residuals = [
        _residual(values[:, j], np.column_stack([values[:, known[:, j]], inputs[:, j]]))
        for j in range(values.shape[1])
    ]
    scores = _correlated(values, np.stack(residuals, axis=1))
    return measured.matrix(scores, measured.nodes, count)


def measured_scores(
    measured: NodeValues, perturbations: NodeValues | None, known_edges: Any, count: int
) -> Iterator[tuple[str, Scores]]:
    """Every baseline of `OF_VALUES` that the values allow, one at a time.

    Regressions score a pair of measured nodes by the absolute standardized weight of the source in
    the regression of the target on all other measured nodes and on its perturbation.
    """
    inputs = np.zeros_like(measured.values)
    yield "plain_correlation", plain_correlation(measured, count)
    if perturbations is not None:
        inputs = perturbations.columns_of(measured.nodes)
        scores = perturbation_correlation(perturbations, measured, count)
        yield "perturbation_correlation", scores
    yield "residual_correlation", residual_correlation(measured, inputs, known_edges, count)
    for name, fit in (("regression", least_squares), ("ridge", ridge)):
        weights = np.abs(fit(measured.values, inputs))
        yield name, measured.matrix(weights, measured.nodes, count)


def _residual(y: Values, x: Values) -> Values:
    """What a least-squares fit with a constant leaves of y, 0 where it is but rounding."""
    y = y - y.mean()
    x = x - x.mean(axis=0)
    left = y - x @ np.linalg.lstsq(x, y)[0]
    if np.linalg.norm(left) <= _EXACT * np.linalg.norm(y):
        return np.zeros_like(y)
    return np.asarray(left)


def _correlated(a: Values, g: Values) -> Scores:
    """Absolute Spearman correlation of all columns with all columns."""
    scores: Scores = np.abs(cross_correlation(a, g, precision="float64"))
    return scores


def ridge(values: Values, inputs: Values) -> Values:
    """Weights of each column in the regression of each other, by the best penalty of each.

    Minimised is ``|v_j - V_others b - x_j c|^2 + n * penalty * (|b|^2 + c^2)``, an intercept
    left free, on columns of mean 0 and variance 1. The penalty, one of 25 from 1e-4 to 100, is
    the one of least squared leave-one-out error, which is exact and needs no second fit.

    Parameters
    ----------
    values : float64 array of shape (n, K)
        n >= 2 observations.
    inputs : float64 array of shape (n, K)
        Such as perturbations: column j enters the regression of column j alone; a constant one
        adds nothing.

    Returns
    -------
    float64 array of shape (K, K)
        ``[i, j]``: standardized weight of column i in the regression of column j; 0 on the
        diagonal and for constant columns.

    Notes
    -----
    The weights are those of scikit-learn's ``RidgeCV`` for each column, which takes a singular
    value decomposition a column: of 300 columns and 2,000 rows two minutes, and this a second.

    With the covariance S of all columns and T = (S + penalty)^-1, the regression of column j on
    the others has the weights -T_ij / T_jj, so that one inverse serves all K of them; the
    eigenvectors of S serve all penalties [1]_; the input column borders the inverse by one
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
    >>> ridge(v, np.zeros_like(v)).round(3)
    array([[0., 1.],
           [1., 0.]])
    """
    columns = values.shape[1]
    best, least = np.zeros((columns, columns)), np.full(columns, np.inf)
    for weights, errors in _regressions(values, inputs, _PENALTIES):
        better = errors < least
        best[:, better], least[better] = weights[:, better], errors[better]
    return best


def least_squares(values: Values, inputs: Values) -> Values:
    """Weights of each column in the regression of each other, by hardly any penalty.

    Arguments and result are those of `ridge`; the penalty is 1e-6, which moves weights by as much
    over the least variance of any mixture of columns. Where the values do not determine the
    weights, as with fewer rows than columns, they are about the shortest.
    """
    return next(_regressions(values, inputs, _HARDLY_ANY))[0]


def _regressions(
    values: Values, inputs: Values, penalties: Values
) -> Iterator[tuple[Values, Values]]:
    """Weights and mean squared leave-one-out errors of all regressions, for each penalty."""
    values, inputs = _standardized(values), _standardized(inputs)
    count, constant = len(values), ~values.any(axis=0)
    eigenvalues, vectors = np.linalg.eigh(values.T @ values / count)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    with_inputs, input_squares = values.T @ inputs / count, (inputs**2).mean(axis=0)
    for penalty in penalties:
        inverse = (vectors / (eigenvalues + penalty)) @ vectors.T
        # With input column j the inverse is by blocks: inverse + u u' / c, -u / c, 1 / c.
        u = inverse @ with_inputs
        c = input_squares + penalty - (with_inputs * u).sum(axis=0)
        share = np.diagonal(u) / c
        rows = inverse + u * share
        pivots = np.diagonal(rows)
        # Rounding of the eigenvectors would give constant columns a weight.
        weights = np.where(np.logical_or.outer(constant, constant), 0.0, -rows / pivots)
        np.fill_diagonal(weights, 0.0)
        explained, aside = values @ inverse, values @ u - inputs
        residuals = (explained + aside * share) / pivots
        leverages = (explained * values).sum(axis=1)[:, None] + aside**2 / c + 1
        leverages = (leverages - residuals**2 * pivots) / count
        yield weights, ((residuals / (1 - leverages)) ** 2).mean(axis=0)


def _standardized(values: Values) -> Values:
    """Columns of mean 0 and variance 1, constant ones as 0."""
    constant = values.max(axis=0) == values.min(axis=0)
    centred = np.where(constant, 0.0, values - values.mean(axis=0))
    # Squares of very small or large columns would leave the range of floats.
    centred = centred / np.where(constant, 1.0, np.abs(centred).max(axis=0))
    return np.asarray(centred / np.where(constant, 1.0, centred.std(axis=0)))

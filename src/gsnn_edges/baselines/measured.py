"""Baselines that know measured values and perturbations of nodes, and no network.

A matrix (N, N) holds a score for each pair (source, target), nan where a node that it takes is
not measured, and for a node with itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.baselines.graph import Scores, adjacency, without_self
from gsnn_edges.baselines.ridge import least_squares, ridge
from gsnn_edges.correlation import cross_correlation

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
    `gsnn_edges.baselines.ridge.least_squares`.
    """
    weights = least_squares(measured.values, own_columns(measured, perturbations))
    return measured.spread(np.abs(weights), measured.nodes, count)


def ridge_weights(measured: NodeValues, perturbations: NodeValues | None, count: int) -> Scores:
    """Score a pair of measured nodes by a weight in the target's ridge regression.

    Each measured node is regressed on all others and on its own perturbation; the score is the
    absolute standardized weight of the source. See `gsnn_edges.baselines.ridge.ridge`.
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

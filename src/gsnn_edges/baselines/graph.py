"""Baselines that know the known graph only: chance, degrees, neighbours, paths.

A matrix (N, N) holds a score for each pair (source, target), nan where there is none. Edges count
once however often they are given, and self-edges not at all: a GSNN has one at every node.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation

Scores = NDArray[np.float64]


def random_scores(nodes: int, seed: int) -> Scores:
    """Scores drawn from [0, 1).

    Examples
    --------
    >>> random_scores(2, seed=0).round(2)
    array([[0.64, 0.27],
           [0.04, 0.02]])
    """
    return np.random.default_rng(seed).random((nodes, nodes))


def adjacency(known_edges: Any, nodes: int) -> Scores:
    """1 for each pair of different nodes that is a known edge, 0 elsewhere."""
    source, target = _validation.edge_index("known_edges", known_edges, (nodes, nodes))
    there = np.zeros((nodes, nodes))
    there[source, target] = 1.0
    np.fill_diagonal(there, 0.0)
    return there


def in_degree(known_edges: Any, nodes: int) -> Scores:
    """Number of known edges into the target of each pair.

    Examples
    --------
    >>> in_degree([[0, 1], [2, 2]], 3)[0]
    array([0., 0., 2.])
    """
    return np.tile(adjacency(known_edges, nodes).sum(axis=0), (nodes, 1))


def out_degree(known_edges: Any, nodes: int) -> Scores:
    """Number of known edges out of the source of each pair.

    All targets of a source tie: in a tail ranking this is the middle of all candidates.
    """
    return np.tile(adjacency(known_edges, nodes).sum(axis=1)[:, None], (1, nodes))


def preferential_attachment(known_edges: Any, nodes: int) -> Scores:
    """Number of edges out of the source of each pair times that of edges into its target.

    References
    ----------
    .. [1] D. Liben-Nowell, J. Kleinberg (2007). The link-prediction problem for social networks.
       JASIST 58, 1019-1031; here with the degrees that a directed edge would add to.
    """
    return in_degree(known_edges, nodes) * out_degree(known_edges, nodes)


def common_neighbours(known_edges: Any, nodes: int) -> Scores:
    """Number of nodes that both ends of each pair are joined to, in either direction.

    The graph is taken as undirected, so both directions of a pair score alike. nan for a node
    with itself.

    References
    ----------
    .. [1] D. Liben-Nowell, J. Kleinberg (2007). The link-prediction problem for social networks.
       JASIST 58, 1019-1031.

    Examples
    --------
    >>> common_neighbours([[0, 1, 3], [2, 2, 0]], 4)
    array([[nan,  1.,  0.,  0.],
           [ 1., nan,  0.,  0.],
           [ 0.,  0., nan,  1.],
           [ 0.,  0.,  1., nan]])
    """
    joined = _undirected(known_edges, nodes)
    return without_self(joined @ joined)


def adamic_adar(known_edges: Any, nodes: int) -> Scores:
    """Sum of 1 / log(degree) over the common neighbours of each pair: rare ones say more.

    The graph is taken as undirected; nan for a node with itself.

    References
    ----------
    .. [1] L. A. Adamic, E. Adar (2003). Friends and neighbors on the web. Social Networks 25,
       211-230.
    """
    joined = _undirected(known_edges, nodes)
    # Who has one neighbour is common to no pair.
    weight = 1 / np.log(np.maximum(joined.sum(axis=0), 2.0))
    return without_self((joined * weight) @ joined)


def two_step_paths(known_edges: Any, nodes: int) -> Scores:
    """Number of known paths source -> k -> target: common neighbours with directions.

    An edge i -> j beside a path i -> k -> j is a feed-forward loop. nan for a node with itself.

    References
    ----------
    .. [1] S. Mangan, U. Alon (2003). Structure and function of the feed-forward loop network
       motif. PNAS 100, 11980-11985.

    Examples
    --------
    >>> two_step_paths([[0, 1], [1, 2]], 3)[0]
    array([nan,  0.,  1.])
    """
    known = adjacency(known_edges, nodes)
    return without_self(known @ known)


def _undirected(known_edges: Any, nodes: int) -> Scores:
    """1 for each pair of different nodes that is joined in one direction or both."""
    known = adjacency(known_edges, nodes)
    return np.maximum(known, known.T)


def without_self(scores: Scores) -> Scores:
    """Put nan on the diagonal, in place: a node is always most like itself."""
    np.fill_diagonal(scores, np.nan)
    return scores


OF_GRAPH: dict[str, Callable[[Any, int], Scores]] = {
    "in_degree": in_degree,
    "out_degree": out_degree,
    "preferential_attachment": preferential_attachment,
    "common_neighbours": common_neighbours,
    "adamic_adar": adamic_adar,
    "two_step_paths": two_step_paths,
}

"""Degrees, neighbours and paths of the known graph, as networkx counts them."""

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.baselines import graph as structure

NODES = 12


def edges(seed=0, count=40):
    """Draw edges with duplicates, self-edges and edges in both directions."""
    drawn = np.random.default_rng(seed).integers(0, NODES - 2, (2, count))
    return np.concatenate([drawn, drawn[:, :3], drawn[::-1, :3], [[1], [1]]], axis=1)


def directed(known):
    graph = nx.DiGraph([(s, t) for s, t in known.T.tolist() if s != t])
    graph.add_nodes_from(range(NODES))
    return graph


def off_diagonal(score_of):
    """Score all pairs of different nodes by a slow function."""
    pairs = np.full((NODES, NODES), np.nan)
    for i in range(NODES):
        for j in range(NODES):
            if i != j:
                pairs[i, j] = score_of(i, j)
    return pairs


@pytest.mark.parametrize("seed", range(3))
def test_degrees_are_those_of_networkx(seed):
    known = edges(seed)
    graph = directed(known)
    into = np.array([graph.in_degree(node) for node in range(NODES)], float)
    out = np.array([graph.out_degree(node) for node in range(NODES)], float)
    assert_array_equal(structure.in_degree(known, NODES), np.tile(into, (NODES, 1)))
    assert_array_equal(structure.out_degree(known, NODES), np.tile(out, (NODES, 1)).T)
    assert_array_equal(structure.preferential_attachment(known, NODES), np.outer(out, into))


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_networkx(seed):
    known = edges(seed)
    graph = directed(known).to_undirected()
    counted = off_diagonal(lambda i, j: len(list(nx.common_neighbors(graph, i, j))))
    assert_array_equal(structure.common_neighbours(known, NODES), counted)
    weighed = off_diagonal(lambda i, j: next(nx.adamic_adar_index(graph, [(i, j)]))[2])
    assert_allclose(structure.adamic_adar(known, NODES), weighed, rtol=1e-12, atol=1e-15)


def test_two_step_paths_are_those_of_networkx():
    known = edges()
    graph = directed(known)
    counted = off_diagonal(
        lambda i, j: sum(len(p) == 3 for p in nx.all_simple_paths(graph, i, j, cutoff=2))
    )
    assert_array_equal(structure.two_step_paths(known, NODES), counted)


@pytest.mark.parametrize(
    "of_graph",
    [
        structure.in_degree,
        structure.out_degree,
        structure.preferential_attachment,
        structure.common_neighbours,
        structure.adamic_adar,
        structure.two_step_paths,
    ],
)
def test_a_graph_without_edges_scores_zero(of_graph):
    scores = of_graph(np.empty((2, 0), int), 3)
    assert_array_equal(np.nan_to_num(scores), np.zeros((3, 3)))


def test_random_scores_follow_their_seed():
    first = structure.random_scores(5, 1)
    assert_array_equal(first, np.random.default_rng(1).random((5, 5)))
    assert (first != structure.random_scores(5, 2)).all()


def test_edges_outside_the_nodes_are_refused():
    with pytest.raises(ValueError, match=r"known_edges must hold targets in 0 \.\. 2"):
        structure.in_degree([[0], [3]], 3)

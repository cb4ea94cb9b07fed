"""Places of nodes: apart from each other, part by part, and always the same."""

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose

from gsnn_edges.plots import layout

GRAPHS = {
    "chain": nx.path_graph(18),
    "star": nx.star_graph(9),
    "parts": nx.disjoint_union_all([nx.path_graph(6), nx.cycle_graph(5), nx.path_graph(2)]),
    "pairs": nx.disjoint_union_all(5 * [nx.path_graph(2)]),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_nodes_stand_apart(graph):
    places = layout.placed(graph)
    assert set(places) == set(graph)
    points = np.array([places[node] for node in graph])
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    assert distances[~np.eye(len(points), dtype=bool)].min() > 0.2


def test_parts_do_not_overlap():
    graph = GRAPHS["parts"]
    places = layout.placed(graph)
    boxes = []
    for part in nx.connected_components(graph):
        points = np.array([places[node] for node in part])
        boxes.append((points.min(axis=0), points.max(axis=0)))
    for k, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:k]:
            assert ((high < other_low) | (other_high < low)).any()


def test_same_graph_same_places():
    edges = [(0, 1), (1, 2), (2, 5), (5, 0), (7, 8)]
    first, again = (layout.placed(nx.Graph(order)) for order in (edges, edges[::-1]))
    for node, place in first.items():
        assert_allclose(again[node], place)

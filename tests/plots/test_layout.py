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


SIZE = (240.0, 220.0)


def names_of(graph, size=(30.0, 9.0)):
    return dict.fromkeys(graph, size)


def box(place, size):
    return place - np.array(size) / 2, place + np.array(size) / 2


def overlap(one, other):
    return bool((one[0] < other[1] - 1e-3).all() and (other[0] < one[1] - 1e-3).all())


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_names_lie_on_no_node_and_no_other_name(graph):
    names = names_of(graph)
    found = layout.laid(graph, names, SIZE)
    assert set(found) == set(graph)
    nodes, texts = {}, {}
    for node, (place, side) in found.items():
        nodes[node] = box(place, (layout.NODE, layout.NODE))
        away = (np.array(names[node]) + layout.NODE + layout.GAP) / 2
        texts[node] = box(place + np.array(side) * away, names[node])
    for node, text in texts.items():
        assert [other for other in texts if other != node and overlap(text, texts[other])] == []
        assert [other for other in nodes if overlap(text, nodes[other])] == []


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_ground_is_used(graph):
    places = np.array([one.place for one in layout.laid(graph, names_of(graph), SIZE).values()])
    reach = places.max(axis=0) - places.min(axis=0)
    assert (reach > 0.55 * np.array(SIZE) * [1, len(graph) > 2]).all()
    assert (places >= 0).all()
    assert (places <= SIZE).all()


def test_parts_do_not_overlap():
    graph = GRAPHS["parts"]
    places = layout.placed(graph, names_of(graph), SIZE)
    boxes = []
    for part in nx.connected_components(graph):
        points = np.array([places[node] for node in part])
        boxes.append((points.min(axis=0), points.max(axis=0)))
    for k, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:k]:
            assert ((high < other_low) | (other_high < low)).any()


def test_a_name_stands_where_no_edge_leads():
    graph = nx.Graph([(0, 1), (0, 2), (0, 3)])
    places = dict(enumerate(np.array([(0.0, 0.0), (0.0, 5.0), (4.0, 0.0), (0.0, -5.0)])))
    assert layout.side_of(0, graph, places) == (-1, 0)
    assert layout.side_of(1, graph, places) == (0, 1)


def test_tiles_have_the_areas_of_their_weights():
    weights = [9.0, 4.0, 3.0, 2.0, 2.0, 2.0]
    found = np.array(layout.tiles(weights, 11.0, 7.0))
    areas = found[:, 2] * found[:, 3]
    assert_allclose(areas, np.array(weights) * 77 / 22)
    assert (found[:, :2] + found[:, 2:] <= [11 + 1e-9, 7 + 1e-9]).all()


def test_same_graph_same_places():
    edges = [(0, 1), (1, 2), (2, 5), (5, 0), (7, 8)]
    graphs = [nx.Graph(order) for order in (edges, edges[::-1])]
    first, again = (layout.laid(graph, names_of(graph), SIZE) for graph in graphs)
    for node, (place, side) in first.items():
        assert_allclose(again[node].place, place)
        assert again[node].side == side

"""The graphs: the tutorial's from its description, source components from SciPy, csv errors."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gsnn_edges.demo.topologies import NAMES, graph, source_nodes


@pytest.fixture
def csv_file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "edges.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_tutorial_is_as_described():
    topology = graph("tutorial")
    edges, held_into_middles, held_into_sink = set(), set(), set()
    for k in range(24):
        edges |= {(k, 25 + k), (k + 1, 25 + k), (25 + k, 49)}
        if k >= 1:
            held_into_middles.add((k, 25 + k))
        if k % 2 == 0:
            held_into_sink.add((25 + k, 49))
    assert {tuple(pair) for pair in topology.edges.T.tolist()} == edges
    assert topology.edges.shape == (2, 72)
    held = [{tuple(pair) for pair in kind.T.tolist()} for kind in topology.held_out]
    assert held == [held_into_middles, held_into_sink]
    assert_array_equal(topology.perturbed, range(25))
    assert_array_equal(topology.measured, range(25, 50))
    counts = [len(names) for names in (topology.inputs, topology.functions, topology.outputs)]
    assert counts == [25, 50, 25]


@pytest.mark.parametrize(
    ("name", "n_nodes", "n_edges"),
    [("dream4-1", 100, 176), ("dream4-2", 100, 249), ("ligand-receptor", 1876, 4738)],
)
def test_real_graphs_are_packaged(name, n_nodes, n_edges):
    topology = graph(name)
    assert len(set(topology.functions)) == n_nodes
    assert len({tuple(pair) for pair in topology.edges.T.tolist()}) == n_edges
    assert_array_equal(topology.measured, range(n_nodes))


def strong_components(n_nodes, edges):
    matrix = coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(n_nodes, n_nodes))
    return connected_components(matrix, connection="strong")


@pytest.mark.parametrize("n_edges", [1, 10, 20, 30, 60])
@pytest.mark.parametrize("seed", range(10))
def test_one_source_node_in_each_source_component(n_edges, seed):
    edges = np.random.default_rng(seed).integers(0, 20, (2, n_edges))
    n_components, component = strong_components(20, edges)
    source, target = component[edges]
    fed = set(target[source != target].tolist())
    lowest = [int(np.argmax(component == c)) for c in range(n_components) if c not in fed]
    assert_array_equal(source_nodes(20, edges), sorted(lowest))


def test_csv_with_cycles_duplicates_and_other_columns(csv_file):
    text = "weight,target,source\n1,b,a\n2,a,b\n3,c,b\n4,b,a\n5,c,d\n6,c,c\n"
    topology = graph(csv_file(text, encoding="utf-8-sig"))
    assert topology.functions == ("a", "b", "c", "d")
    assert_array_equal(topology.edges, [[0, 1, 1, 3, 2], [1, 0, 2, 2, 2]])
    assert_array_equal(topology.perturbed, [0, 3])
    assert_array_equal(topology.measured, range(4))
    assert topology.held_out == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            r"be a csv with the columns source and target; the header line of '.*edges.csv' is ''",
        ),
        (
            "from,to\na,b\n",
            r"be a csv with the columns source and target; the header line .* is 'from,to'",
        ),
        ("source,target\n", "have an edge; .* has none under its header line"),
        (
            "source,target\na,b\na,\n",
            "name both nodes of each edge; line 3 of .* has source 'a' and target ''",
        ),
        (
            "source,target\na,b\n ,c\n",
            "name both nodes of each edge; line 3 of .* has source '' and target 'c'",
        ),
        (
            "source,target\na\n",
            "name both nodes of each edge; line 2 of .* has source 'a' and target ''",
        ),
    ],
)
def test_bad_csv(csv_file, text, message):
    with pytest.raises(ValueError, match=f"graph must {message}"):
        graph(csv_file(text))


@pytest.mark.parametrize("name", ["tutoral", "no/such/file.csv"])
def test_unknown_graph(name):
    with pytest.raises(FileNotFoundError, match=f"one of {', '.join(NAMES)} or .*got '{name}'"):
        graph(name)

"""The heatmap: cells and marks stand where W and the edges say, in every order."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.plots import cluster_order, heatmap, matrix

ORDERS = (None, "cluster", "reversed")


def drawn(evidence, order, **options):
    nodes = np.arange(len(evidence.W))
    if order == "reversed":
        return nodes[::-1], heatmap(evidence, order=nodes[::-1], **options)
    return cluster_order(evidence) if order else nodes, heatmap(evidence, order=order, **options)


@pytest.mark.parametrize("order", ORDERS)
def test_cells_are_w_in_the_order_drawn(evidence, order):
    nodes, ax = drawn(evidence, order)
    cells = ax.images[0].get_array()
    for y, source in enumerate(nodes):
        for x, target in enumerate(nodes):
            if source != target:
                assert_allclose(cells[y, x], evidence.W[source, target])
    assert_array_equal(np.ma.getmaskarray(cells), np.eye(len(nodes), dtype=bool))
    shown = evidence.W[~np.eye(len(nodes), dtype=bool)]
    assert_allclose(ax.images[0].get_clim(), [shown.min(), shown.max()])


@pytest.mark.parametrize("order", ORDERS)
def test_marks_lie_on_their_edges(evidence, edges, order):
    nodes, ax = drawn(evidence, order, held_out=edges[1])
    lines = {line.get_label(): line.get_xydata().astype(int) for line in ax.lines}
    for label, wanted in zip(("known edge", "held-out edge"), edges, strict=True):
        found = [(nodes[y], nodes[x]) for x, y in lines[label]]
        assert_array_equal(np.transpose(found), wanted)


def test_known_edges_of_the_evidence_can_be_replaced(evidence):
    ax = heatmap(evidence, known_edges=[[3], [5]], order=None)
    assert_array_equal(ax.lines[0].get_xydata(), [[5, 3]])
    assert len(heatmap(evidence.W, order=None).lines) == 0


def test_self_edges_on_request(evidence):
    cells = heatmap(evidence, order=None, exclude_self=False).images[0].get_array()
    assert_array_equal(cells, evidence.W)


def test_names_where_they_fit(evidence, monkeypatch):
    ax = heatmap(evidence, order=None)
    assert [label.get_text() for label in ax.get_xticklabels()] == evidence.node_names
    assert ax.get_xlabel() == "target node"
    monkeypatch.setattr(matrix, "MOST_NAMES", 13)
    ax = heatmap(evidence, order=None)
    assert (ax.get_ylabel(), list(ax.get_yticks())) == ("source node (14 in all)", [])


def test_it_fits_into_given_axes(evidence, edges):
    axes = plt.figure(layout="constrained").subplots(1, 2)
    assert heatmap(evidence, held_out=edges[1], ax=axes[1]) is axes[1]
    assert not axes[0].has_data()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"order": "alphabet"}, ValueError, "order must be one of 'cluster'"),
        ({"order": [0, 1]}, ValueError, "order must hold each of the 14 nodes once"),
        ({"order": 3}, TypeError, "order must be 'cluster', None or an array of node indices"),
        ({"held_out": [[0], [14]]}, ValueError, r"held_out must hold targets in 0 \.\. 13"),
        ({"known_edges": [[0, 1]]}, ValueError, "known_edges must have shape"),
        ({"exclude_self": "no"}, TypeError, "exclude_self must be True or False"),
    ],
)
def test_wrong_calls(evidence, options, error, message):
    with pytest.raises(error, match=message):
        heatmap(evidence, **options)
    assert plt.get_fignums() == []

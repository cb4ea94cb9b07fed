"""The heatmap: cells and marks stand where W and the edges say, in every order."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import EdgeEvidence
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
    most = abs(shown).max()
    assert shown.min() < 0 < shown.max()
    assert_allclose(ax.images[0].get_clim(), [-most, most])
    assert ax.images[0].get_cmap().name == "PuOr"


def test_scores_of_one_sign_run_one_way(evidence):
    image = heatmap(abs(evidence.W) + 1, order=None).images[0]
    shown = abs(evidence.W[~np.eye(len(evidence.W), dtype=bool)]) + 1
    assert_allclose(image.get_clim(), [shown.min(), shown.max()])
    assert image.get_cmap().name == "cividis"


@pytest.mark.parametrize(
    ("ends", "clim", "name"),
    [
        ({"vmin": 0, "vmax": 2}, (0, 2), "cividis"),
        ({"vmin": -1, "vmax": 0.5}, (-1, 1), "PuOr"),
    ],
)
def test_the_ends_of_the_colours_may_be_given(evidence, ends, clim, name):
    image = heatmap(evidence, order=None, **ends).images[0]
    assert (image.get_clim(), image.get_cmap().name) == (clim, name)


def test_the_bar_is_as_high_as_the_matrix(evidence):
    ax = heatmap(evidence)
    ax.figure.draw_without_rendering()
    (bar,) = ax.child_axes
    one, other = ax.get_window_extent(), bar.get_window_extent()
    assert_allclose([one.y0, one.y1], [other.y0, other.y1], atol=0.5)


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ({}, "evidence W"),
        ({"settings": {"score": "magnitude"}}, "W, rank correlation"),
        ({"settings": {"score": "magnitude"}, "method": "pearson"}, "W, correlation"),
        ({"settings": {"score": "channels"}}, "W, norm of the correlations of channels"),
    ],
)
def test_the_bar_says_what_w_is(facts, label):
    (bar,) = heatmap(EdgeEvidence(np.eye(3), **facts)).child_axes
    assert bar.get_ylabel() == label


def test_texts_on_axes_of_another_style_are_as_large(evidence):
    with plt.rc_context({"font.size": 15}):
        ax = heatmap(evidence, ax=plt.figure().subplots())
    (bar,) = ax.child_axes
    assert ax.xaxis.label.get_size() == ax.yaxis.label.get_size() == bar.yaxis.label.get_size() == 8
    ticks = [ax.get_xticklabels()[0], ax.get_yticklabels()[0], bar.get_yticklabels()[0]]
    assert {text.get_size() for text in ticks} == {7}


def test_rings_at_the_rim_are_whole(evidence):
    ax = heatmap(evidence, held_out=[[0], [13]], order=None)
    assert [line.get_clip_on() for line in ax.lines] == [False, False]


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
    assert ax.get_ylabel() == "source node (1 in 2 of 14 named)"
    assert [label.get_text() for label in ax.get_yticklabels()] == evidence.node_names[::2]


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
        ({"vmin": 2, "vmax": 1}, ValueError, "vmin and vmax must be finite, and vmin not above"),
        ({"vmax": float("nan")}, ValueError, "vmin and vmax must be finite"),
        ({"exclude_self": "no"}, TypeError, "exclude_self must be True or False"),
    ],
)
def test_wrong_calls(evidence, options, error, message):
    with pytest.raises(error, match=message):
        heatmap(evidence, **options)
    assert plt.get_fignums() == []

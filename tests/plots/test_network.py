"""The network: its arrows are the edges of `EdgeEvidence.top`, and run from source to target."""

import numpy as np
import pytest
from matplotlib.transforms import Bbox
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence
from gsnn_edges.plots import edge_network
from gsnn_edges.plots.network import NODE_SIZE


def pairs(edges):
    return set(zip(*np.asarray(edges).tolist(), strict=True))


def drawn(ax, evidence):
    """Edges of each kind, by index."""
    number = {name: node for node, name in enumerate(evidence.node_names)}
    kinds = {}
    for arrow in ax.patches:
        kind, source, _, target = arrow.get_gid().rsplit(" ", 3)
        kinds.setdefault(kind, set()).add((number[source], number[target]))
    return kinds


@pytest.mark.parametrize("top", [1, 6, 20])
def test_arrows_are_the_strongest_new_edges(evidence, edges, top):
    kinds = drawn(edge_network(evidence, top, held_out=edges[1]), evidence)
    new = {(edge.source, edge.target) for edge in evidence.top(top)}
    true = pairs(edges[1])
    assert kinds.get("new", set()) == new - true
    assert kinds.get("new and held out", set()) == new & true
    nodes = {node for pair in new for node in pair}
    between = {pair for pair in pairs(edges[0]) if {*pair} <= nodes}
    assert kinds.get("known", set()) == between


def test_candidates_are_handed_on(evidence):
    mask = np.zeros(evidence.W.shape, bool)
    mask[2] = True
    kinds = drawn(edge_network(evidence, 3, candidates=mask), evidence)
    assert {source for source, _ in kinds["new"]} == {2}


def test_arrows_run_from_source_to_target(evidence):
    ax = edge_network(evidence, 6)
    ax.figure.canvas.draw()
    places = {text.get_text(): np.array(text.xy) for text in ax.texts}

    def nearest(point):
        return min(places, key=lambda name: np.linalg.norm(places[name] - point))

    for arrow in ax.patches:
        _, source, _, target = arrow.get_gid().rsplit(" ", 3)
        inverse = ax.transData.inverted()
        ends = inverse.transform(arrow.get_transform().transform(arrow.get_path().vertices))
        assert nearest(ends[0]) == source
        tips = {nearest(point) for point in ends[3:]}
        assert target in tips


def test_nodes_and_names(evidence):
    ax = edge_network(evidence, 4)
    named = {text.get_text() for text in ax.texts}
    assert named == {n for e in evidence.top(4) for n in (e.source_name, e.target_name)}
    nodes = {tuple(place) for place in ax.collections[0].get_offsets().round(6).tolist()}
    assert nodes == {tuple(np.round(text.xy, 6).tolist()) for text in ax.texts}
    assert min(text.get_fontsize() for text in ax.texts) >= 7


@pytest.mark.parametrize(("nodes", "known"), [(50, 60), (60, 200), (15, 20), (400, 200)])
def test_names_cover_no_node_and_no_name_among_20_edges(nodes, known):
    rng = np.random.default_rng(nodes)
    names = [f"GENE{node}" for node in range(nodes)]
    edges = rng.integers(0, nodes, (2, known))
    evidence = EdgeEvidence(rng.random((nodes, nodes)), names, known_edges=edges)
    ax = edge_network(evidence, 20)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent().shrunk(0.98, 0.9) for text in ax.texts]
    covered = [(a, b) for a in range(len(boxes)) for b in range(a) if boxes[a].overlaps(boxes[b])]
    assert covered == []
    radius = ax.figure.dpi / 72 * NODE_SIZE**0.5 / 2
    for x, y in ax.transData.transform(ax.collections[0].get_offsets()):
        node = Bbox([[x - radius, y - radius], [x + radius, y + radius]])
        assert not any(box.overlaps(node) for box in boxes)


def test_same_evidence_same_picture(evidence):
    first, again = (
        [np.array(text.xy) for text in edge_network(evidence, 9).texts] for _ in range(2)
    )
    assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (lambda e: e.W, {}, TypeError, "evidence must be an EdgeEvidence; got ndarray"),
        (lambda e: EdgeEvidence(np.eye(1)), {}, ValueError, "a pair that is not known"),
        (lambda e: e, {"top": 0}, ValueError, "k must be"),
        (lambda e: e, {"held_out": [[0], [99]]}, ValueError, "held_out must hold targets"),
    ],
)
def test_wrong_calls(evidence, make, options, error, message):
    with pytest.raises(error, match=message):
        edge_network(make(evidence), **options)

"""Evidence: the strongest pairs, frames, graphs, files, and several combined."""

import os

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import EdgeEvidence, evaluate_edges, mrr
from gsnn_edges.store import StoredMatrix, open_matrix

from .arrays import as_numpy

NODES = 9
NAMES = [f"{'gene' if k < 4 else 'rna'} {k}" for k in range(NODES)]
KNOWN = np.array([[0, 1, 8], [1, 2, 3]])


def evidence(seed=0, **options):
    """Evidence with ties."""
    rng = np.random.default_rng(seed)
    W = rng.integers(-4, 9, (NODES, NODES)).astype(np.float32) / 8
    facts = {"method": "spearman", "counts": {"samples": 30, "layers": 3}, "known_edges": KNOWN}
    return EdgeEvidence(W, NAMES, **facts | {"settings": {"score": "magnitude"}} | options)


def by_loops(W, *, skip=(), allowed=lambda s, t: True):
    """Pairs by falling score, then by source, then by target."""
    pairs = [
        (-W[s, t], s, t)
        for s in range(NODES)
        for t in range(NODES)
        if (s, t) not in skip and allowed(s, t)
    ]
    return [(s, t) for _, s, t in sorted(pairs)]


LOOPS = [(k, k) for k in range(NODES)]
TAKEN = list(map(tuple, KNOWN.T.tolist()))


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_the_strongest_pairs(library):
    found = evidence().to(library)
    W = evidence().W
    expected = by_loops(W, skip=LOOPS + TAKEN)
    best = found.top(20)
    assert [(edge.source, edge.target) for edge in best] == expected[:20]
    assert [edge.rank for edge in best] == list(range(1, 21))
    assert [edge.score for edge in best] == [W[pair] for pair in expected[:20]]
    assert [edge.source_name for edge in best] == [NAMES[s] for s, _ in expected[:20]]
    assert len(found.top(10**6)) == NODES**2 - NODES - len(TAKEN)
    assert_array_equal(found.to_edge_index(5), np.array(expected[:5]).T)


def test_which_pairs_may_be_listed():
    found = evidence()
    everything = found.top(10**6, exclude_self=False, exclude_known=False)
    assert [(edge.source, edge.target) for edge in everything] == by_loops(found.W)
    genes = found.top(4, candidates="gene* -> rna*")
    expected = by_loops(found.W, allowed=lambda s, t: s < 4 <= t)
    assert [(edge.source, edge.target) for edge in genes] == expected[:4]
    mask = np.zeros((NODES, NODES), bool)
    mask[:4, 4:] = True
    assert found.top(4, candidates=mask) == genes


def test_frames_and_graphs():
    std = np.full((NODES, NODES), 0.5, np.float32)
    found = evidence(std=std)
    frame = found.to_frame(6, exclude_known=True)
    assert frame["source"].tolist() == [edge.source_name for edge in found.top(6)]
    assert frame["score"].tolist() == [edge.score for edge in found.top(6)]
    whole = found.to_frame()
    assert len(whole) == NODES**2 - NODES
    assert whole["known"].sum() == len(TAKEN)
    assert (whole["std"] == 0.5).all()
    graph = found.to_networkx(threshold=0.5)
    pairs = by_loops(found.W, skip=LOOPS + TAKEN, allowed=lambda s, t: found.W[s, t] >= 0.5)
    assert set(graph.edges) == {(NAMES[s], NAMES[t]) for s, t in pairs}
    assert set(graph) == set(NAMES)
    source, target = pairs[0]
    assert graph.edges[NAMES[source], NAMES[target]]["weight"] == found.W[source, target]
    assert found.to_networkx(3).number_of_edges() == 3


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_saved_evidence_is_read_bit_for_bit(library, tmp_path):
    whole = evidence(std=np.random.default_rng(1).random((NODES, NODES))).to(library)
    whole.save(tmp_path / "e.npz")
    assert os.listdir(tmp_path) == ["e.npz"]
    found = EdgeEvidence.load(tmp_path / "e.npz")
    for name in ("W", "std", "known_edges"):
        assert_array_equal(as_numpy(getattr(found, name)), as_numpy(getattr(whole, name)))
        assert as_numpy(getattr(found, name)).dtype == as_numpy(getattr(whole, name)).dtype
    for name in ("node_names", "method", "counts", "settings", "versions"):
        assert getattr(found, name) == getattr(whole, name)
    EdgeEvidence(np.eye(2)).save(tmp_path / "e.npz")
    assert EdgeEvidence.load(tmp_path / "e.npz").node_names is None


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"e\.npz"):
        EdgeEvidence.load(tmp_path / "e.npz")
    evidence().save(tmp_path / "e.npz")
    (tmp_path / "e.npz").write_bytes((tmp_path / "e.npz").read_bytes()[:-100])
    np.savez(tmp_path / "other.npz", W=np.eye(2))
    for name in ("e.npz", "other.npz"):
        with pytest.raises(ValueError, match=name):
            EdgeEvidence.load(tmp_path / name)


def test_several_are_combined():
    members = [evidence(seed) for seed in range(4)]
    stack = np.stack([member.W for member in members]).astype(np.float64)
    mean = EdgeEvidence.mean(members)
    assert_allclose(mean.W, stack.mean(axis=0), rtol=1e-6, atol=1e-9)
    assert_allclose(mean.std, stack.std(axis=0, ddof=1), rtol=1e-5, atol=1e-9)
    assert mean.settings["members"] == 4
    ranks = EdgeEvidence.rank_mean(members)
    by_rank = [scipy.stats.rankdata(W).reshape(W.shape) for W in stack]
    assert_allclose(ranks.W, (np.mean(by_rank, axis=0) - 1) / (NODES**2 - 1), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="node_names"):
        EdgeEvidence.mean([members[0], EdgeEvidence(members[0].W, list("abcdefghi"))])


def test_known_edges_do_not_compete():
    found = evidence()
    queries = np.array([[0, 8], [2, 0]])
    truths = np.concatenate([KNOWN, queries], axis=1)
    ranking = found.evaluate(queries, seed=0)
    assert (
        ranking.to_dict()
        == evaluate_edges(found.W, queries, truths, node_names=NAMES, seed=0).to_dict()
    )
    assert ranking.mrr == mrr(found.W, queries, truths)


@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_a_matrix_on_disk_is_ranked_as_one_in_memory(kind, tmp_path):
    W = np.random.default_rng(0).integers(0, 9, (40, 40)) / 8
    path = tmp_path / f"W.{kind}"
    if kind == "npy":
        np.save(path, W)
    else:
        import zarr

        zarr.create_array(str(path), data=W, chunks=(16, 16))
    found = open_matrix(path)
    assert isinstance(found, StoredMatrix)
    assert (found.shape, found.dtype) == ((40, 40), np.float64)
    assert_array_equal(found.to_numpy(), W)
    assert_array_equal(found.rows([3, 5, 4]), W[[3, 5, 4]])
    assert_array_equal(found.columns([7, 8]), W[:, [7, 8]])
    edges = np.array([[0, 5, 5, 39], [3, 6, 7, 0]])
    assert mrr(found, edges, edges) == mrr(W, edges, edges)
    for direction in ("tail", "head"):
        wanted = evaluate_edges(W, edges, direction=direction, seed=0)
        assert evaluate_edges(found, edges, direction=direction, seed=0).to_dict() == (
            wanted.to_dict()
        )

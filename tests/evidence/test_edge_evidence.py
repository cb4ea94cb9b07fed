"""EdgeEvidence: what it lists, writes, reads, moves and combines."""

import dataclasses
import subprocess
import sys
import tracemalloc

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from gsnn_edges import backends, evaluate_edges
from gsnn_edges.evidence import EdgeEvidence

NAMES = ["P0", "P1", "R2", "R3", "R<4>"]
KNOWN = np.array([[0, 1], [2, 3]])
COUNTS = {"samples": 500, "layers": 6, "observations": 2500}


def made(W=None, **options):
    if W is None:
        W = np.random.default_rng(0).integers(0, 9, (5, 5)).astype(np.float32)
    known = {"known_edges": KNOWN, "counts": COUNTS, "settings": {"norm": "l1"}}
    return EdgeEvidence(W, NAMES, **{**known, **options})


def slow_table(evidence, *, exclude_known):
    """Every pair but self-edges by a loop over all, best first."""
    known = set(map(tuple, evidence.known_edges.T.tolist()))
    rows = [
        (i, j, float(evidence.W[i, j]))
        for i in range(5)
        for j in range(5)
        if i != j and not (exclude_known and (i, j) in known)
    ]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


@pytest.mark.parametrize("k", [1, 7, 18, 1000])
def test_top_equals_a_slow_sort(k):
    evidence = made()
    expected = slow_table(evidence, exclude_known=True)[:k]
    found = evidence.top(k)
    assert [(e.source, e.target, e.score) for e in found] == expected
    assert [(e.source_name, e.target_name) for e in found] == [
        (NAMES[i], NAMES[j]) for i, j, _ in expected
    ]
    assert_array_equal([e.rank for e in found], np.arange(len(expected)) + 1)
    assert_array_equal(evidence.to_edge_index(k), np.array([row[:2] for row in expected]).T)
    assert evidence.to_edge_index(k).dtype == np.int64


def test_top_is_the_same_in_every_library(library):
    W = np.random.default_rng(1).integers(0, 9, (5, 5)).astype(np.float32)
    evidence = made(library.array(W))
    assert evidence.top(9) == made(W).top(9)
    assert repr(evidence) == repr(made(W)).replace("numpy", backends.of(evidence.W).name)


def test_known_edges_and_self_edges_on_request():
    evidence = made()
    with_known = slow_table(evidence, exclude_known=False)
    assert [e[:2] for e in evidence.top(99, exclude_known=False)] == [r[:2] for r in with_known]
    assert len(evidence.top(99, exclude_self=False)) == 25 - 2
    assert len(made(known_edges=None).top(99)) == 20
    with pytest.raises(ValueError, match="exclude_known=True needs known edges"):
        made(known_edges=None).top(3, exclude_known=True)


def test_candidates_by_mask_and_by_rule():
    mask = np.zeros((5, 5), bool)
    mask[:2, 2:] = True
    evidence = made()
    assert evidence.top(99, candidates=mask) == evidence.top(99, candidates="P* -> R*")
    assert len(evidence.top(99, candidates=mask)) == 6 - 2
    assert evidence.top(99, candidates=np.zeros((5, 5), bool)) == []
    with pytest.raises(ValueError, match="candidates must have the shape of A"):
        evidence.top(3, candidates=mask[:3])


@pytest.mark.parametrize("k", [0, -1, 2.5, None])
def test_k_is_a_whole_number_from_1(k):
    with pytest.raises((ValueError, TypeError), match="k must be"):
        made().top(k)


def test_frame_equals_a_slow_loop():
    evidence = made(std=np.arange(25, dtype=np.float32).reshape(5, 5))
    known = set(map(tuple, KNOWN.T.tolist()))
    rows = [
        (NAMES[i], NAMES[j], evidence.W[i, j], evidence.std[i, j], (i, j) in known)
        for i, j, _ in slow_table(evidence, exclude_known=False)
    ]
    kind = pd.CategoricalDtype(NAMES)
    columns = ["source", "target", "score", "std", "known"]
    expected = pd.DataFrame(rows, columns=columns).astype({"source": kind, "target": kind})
    assert_frame_equal(evidence.to_frame(k=1000), expected)
    assert_frame_equal(evidence.to_frame(k=3), expected[:3])
    as_it_lies = expected.sort_values(["source", "target"], ignore_index=True)
    assert_frame_equal(evidence.to_frame(), as_it_lies)
    unknown = as_it_lies[~as_it_lies["known"]].reset_index(drop=True)
    assert_frame_equal(evidence.to_frame(exclude_known=True), unknown)


def test_frame_without_names_and_known_edges():
    frame = EdgeEvidence(np.eye(2)).to_frame()
    assert frame.to_dict("list") == {"source": [0, 1], "target": [1, 0], "score": [0.0, 0.0]}


def test_graph_of_k_and_of_a_threshold():
    evidence = made()
    best = slow_table(evidence, exclude_known=True)
    for found, rows in (
        (evidence.to_networkx(4), best[:4]),
        (evidence.to_networkx(threshold=5), [row for row in best if row[2] >= 5]),
    ):
        expected = nx.DiGraph()
        expected.add_nodes_from(NAMES)
        expected.add_weighted_edges_from((NAMES[i], NAMES[j], w) for i, j, w in rows)
        assert nx.utils.graphs_equal(found, expected)
        assert list(found) == NAMES


@pytest.mark.parametrize("options", [{}, {"k": 3, "threshold": 0.5}])
def test_graph_needs_k_or_threshold(options):
    with pytest.raises(ValueError, match="k or threshold must be given, and not both"):
        made().to_networkx(**options)


def fields(evidence):
    return {f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence)}


def assert_same(one, other):
    for name, value in fields(one).items():
        if value is None or not hasattr(value, "shape"):
            assert value == getattr(other, name), name
        else:
            assert_array_equal(getattr(other, name), value)
            assert getattr(other, name).dtype == value.dtype


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("std", [None, np.eye(5)])
def test_save_and_load(tmp_path, dtype, std):
    evidence = made(np.arange(25).reshape(5, 5).astype(dtype), std=std)
    evidence.save(tmp_path / "evidence.npz")
    assert_same(EdgeEvidence.load(str(tmp_path / "evidence.npz")), evidence)
    bare = EdgeEvidence(np.zeros((0, 0)))
    bare.save(str(tmp_path / "bare.npz"))
    assert_same(EdgeEvidence.load(tmp_path / "bare.npz"), bare)


def test_arrays_of_every_library_are_saved(tmp_path, library):
    W = np.random.default_rng(1).standard_normal((5, 5), np.float32)
    made(library.array(W), std=library.array(W * W)).save(tmp_path / "evidence.npz")
    loaded = EdgeEvidence.load(tmp_path / "evidence.npz")
    assert_array_equal(loaded.W, W)
    assert_array_equal(loaded.std, W * W)
    assert library.name == "strict" or library.name in loaded.versions


def test_bfloat16_is_saved_as_float32(tmp_path):
    torch = pytest.importorskip("torch")
    W = torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    made(W).save(tmp_path / "evidence.npz")
    assert_array_equal(EdgeEvidence.load(tmp_path / "evidence.npz").W, W.float())


def test_loading_imports_no_library(tmp_path):
    path = tmp_path / "evidence.npz"
    made(pytest.importorskip("torch").eye(5)).save(path)
    script = (
        f"import sys; from gsnn_edges import EdgeEvidence; EdgeEvidence.load({str(path)!r}).top(3);"
        "print({'torch', 'jax', 'pandas', 'networkx', 'scipy'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_to_a_backend(name):
    if name not in backends.available():
        pytest.skip(f"{name} is not installed")
    evidence = made(std=np.eye(5, dtype=np.float32))
    moved = evidence.to(name)
    ops = backends.load(name)
    assert {type(x) for x in (moved.W, moved.std)} == {type(ops.adopt(np.eye(2)))}
    assert_same(moved.to("numpy"), evidence)


def test_to_an_unknown_backend():
    with pytest.raises(ValueError, match="backend must be one of"):
        made().to("cupy")


def test_repr_is_one_line_and_html_a_table():
    evidence = made(np.arange(25, dtype=np.float32).reshape(5, 5) / 10)
    assert repr(evidence) == (
        "EdgeEvidence of 5 nodes, spearman, 500 samples, 6 layers, 2500 observations, "
        "numpy float32; best: R<4> -> R3 2.300, R<4> -> R2 2.200, R<4> -> P1 2.100"
    )
    assert evidence._repr_html_().count("<tr>") == 11
    assert "R&lt;4&gt;" in evidence._repr_html_()
    assert (
        repr(EdgeEvidence(np.zeros((0, 0)))) == "EdgeEvidence of 0 nodes, spearman, numpy float64"
    )


def test_evaluate_is_evaluate_edges():
    W = np.random.default_rng(3).standard_normal((5, 5))
    queries = np.array([[0, 3], [3, 1]])
    options = {"ks": [1, 2], "seed": 0, "direction": "both", "candidates": "* -> *"}
    found = made(W).evaluate(queries, **options)
    known_too = np.concatenate([KNOWN, queries], axis=1)
    expected = evaluate_edges(W, queries, known_too, node_names=NAMES, **options)
    assert found.to_dict() == expected.to_dict()
    given = made(W).evaluate(queries, queries, **options)
    assert (
        given.to_dict()
        == evaluate_edges(W, queries, queries, node_names=NAMES, **options).to_dict()
    )


def members(count):
    rng = np.random.default_rng(count)
    return [
        made(rng.standard_normal((5, 5)), settings={"norm": "l1", "seed": k}) for k in range(count)
    ]


def test_mean_of_several():
    parts = members(4)
    found = EdgeEvidence.mean(parts)
    stack = np.stack([part.W for part in parts])
    assert_allclose(found.W, stack.mean(0), rtol=1e-14, atol=1e-16)
    assert_allclose(found.std, stack.std(0, ddof=1), rtol=1e-12)
    assert found.settings == {"norm": "l1", "combined": "mean", "members": 4}
    assert (found.node_names, found.counts, found.method) == (NAMES, COUNTS, "spearman")
    assert_array_equal(found.known_edges, KNOWN)


def test_mean_of_one_has_no_spread():
    (part,) = members(1)
    found = EdgeEvidence.mean([part])
    assert_array_equal(found.W, part.W)
    assert found.std is None
    assert EdgeEvidence.mean(part).settings["members"] == 1


def test_rank_mean_keeps_the_order_of_one_member():
    (part,) = members(1)
    found = EdgeEvidence.rank_mean([part])
    assert [e[:2] for e in found.top(99)] == [e[:2] for e in part.top(99)]
    assert_allclose([found.W.min(), found.W.max()], [0, 1])


def test_rank_mean_is_the_borda_count():
    parts = members(3)
    scale = [dataclasses.replace(p, W=p.W * 10.0**k + k) for k, p in enumerate(parts)]
    points = sum(
        np.array([[(p.W[i, j] > p.W).sum() for j in range(5)] for i in range(5)]) for p in parts
    )
    found = EdgeEvidence.rank_mean(scale)
    assert_allclose(found.W, points / 3 / 24, rtol=1e-14)
    assert found.settings["combined"] == "rank_mean"


def test_combined_arrays_are_those_of_the_first_member(library):
    W = np.random.default_rng(0).standard_normal((2, 5, 5), np.float32)
    for combine in (EdgeEvidence.mean, EdgeEvidence.rank_mean):
        found = combine([made(library.array(W[0])), made(W[1])])
        expected = combine([made(W[0]), made(W[1])])
        assert_array_equal(library.numpy(found.W), expected.W)
        assert_array_equal(library.numpy(found.std), expected.std)
        assert expected.W.dtype == np.float32


def test_an_edge_that_any_member_knows_is_known():
    parts = [made(), made(known_edges=[[4, 0], [0, 2]]), made(known_edges=None)]
    assert_array_equal(EdgeEvidence.mean(parts).known_edges, [[0, 1, 4], [2, 3, 0]])


@pytest.mark.parametrize("combine", [EdgeEvidence.mean, EdgeEvidence.rank_mean])
@pytest.mark.parametrize(
    ("others", "error", "phrase"),
    [
        ([made(method="pearson")], ValueError, "differ in method: 'spearman', 'pearson'"),
        (
            [EdgeEvidence(np.eye(2), ["a", "b"])],
            ValueError,
            r"differ in shape: \(5, 5\), \(2, 2\); node_names: \['P0'.*\['a', 'b'\]",
        ),
        ([np.eye(5)], TypeError, "members must be EdgeEvidence; got ndarray"),
    ],
)
def test_members_that_differ_are_named(combine, others, error, phrase):
    with pytest.raises(error, match=phrase):
        combine([made(), *others])


def test_scores_of_two_kinds_have_a_mean_of_ranks_alone():
    kinds = ("magnitude", "channels", "channels")
    members = [made(settings={"score": kind}) for kind in kinds]
    with pytest.raises(ValueError, match="differ in score: 'magnitude', 'channels': combine"):
        EdgeEvidence.mean(members)
    assert "score" not in EdgeEvidence.rank_mean(members).settings
    assert EdgeEvidence.mean([*members[1:], made()]).settings["members"] == 3


def test_no_member_is_refused():
    with pytest.raises(ValueError, match="members must hold at least one"):
        EdgeEvidence.mean([])


@pytest.mark.parametrize(
    ("call", "bytes_a_pair"),
    [
        (lambda evidence: evidence.top(10), 4 + 2),
        (lambda evidence: evidence.to_frame(), 35),
        (lambda evidence: EdgeEvidence.mean([evidence] * 4), 5 * 8),
        (lambda evidence: EdgeEvidence.rank_mean([evidence] * 4), 12 * 8),
    ],
    ids=["top", "to_frame", "mean", "rank_mean"],
)
def test_memory_is_what_the_docstrings_say(call, bytes_a_pair):
    nodes = 1000
    W = np.random.default_rng(0).standard_normal((nodes, nodes), np.float32)
    evidence = EdgeEvidence(W, [f"n{k}" for k in range(nodes)], known_edges=KNOWN)
    call(evidence)
    tracemalloc.start()
    call(evidence)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < nodes * nodes * (bytes_a_pair + 0.5)

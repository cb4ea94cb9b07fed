"""EdgeEvidence: what it lists, writes, reads, moves and combines, beside slow loops and SciPy."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import anndata
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from watching import peak_bytes

from gsnn_edges import EdgeEvidence, backends, plots
from gsnn_edges.evaluation.candidates import top_k

NAMES = ["P0", "P1", "R2", "R3", "R<4>"]
KNOWN = np.array([[0, 1], [2, 3]])
COUNTS = {"samples": 500, "layers": 6, "observations": 2500}


def made(W=None, **options):
    if W is None:
        W = np.random.default_rng(0).integers(0, 9, (5, 5)).astype(np.float32)
    known = {"known_edges": KNOWN, "counts": COUNTS, "settings": {"norm": "l1"}}
    return EdgeEvidence(W, NAMES, **{**known, **options})


def slow_table(evidence, *, exclude_known):
    """Every pair but self-edges by a loop, best first."""
    known = set(map(tuple, evidence.known_edges.T.tolist()))
    rows = [
        (i, j, float(evidence.W[i, j]))
        for i, j in np.ndindex(*evidence.W.shape)
        if i != j and not (exclude_known and (i, j) in known)
    ]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 200), st.integers(1, 160))
def test_top_of_any_matrix_equals_a_slow_sort(seed, nodes, levels, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels, (nodes, nodes)) / 4
    scores[rng.random(scores.shape) < 0.1] *= -0.0
    pool = rng.random(scores.shape) < 0.7
    found = EdgeEvidence(scores).top(k, candidates=pool, exclude_self=False)
    pairs = [(i, j) for i, j in np.ndindex(scores.shape) if pool[i, j]]
    pairs.sort(key=lambda pair: (-float(scores[pair]), *pair))
    assert [(edge.source, edge.target) for edge in found] == pairs[:k]
    rows, columns = top_k(scores, k, pool)
    for row in range(nodes):
        best = [j for j in np.argsort(-scores[row], kind="stable") if pool[row, j]]
        assert columns[rows == row].tolist() == best[:k]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_dtype_and_order(dtype, order):
    W = np.random.default_rng(0).integers(0, 20, (9, 9)).astype(dtype, order=order)
    W.flags.writeable = False
    evidence = EdgeEvidence(W, known_edges=KNOWN)
    expected = slow_table(evidence, exclude_known=True)[:30]
    found = evidence.top(30)
    assert [edge[:2] for edge in found] == [row[:2] for row in expected]
    kinds = [type(value) for value in (found[0].source, found[0].score, found[0].rank)]
    assert kinds == [int, float, int]


def test_top_is_the_same_in_every_library(library):
    W = np.random.default_rng(1).integers(0, 9, (5, 5)).astype(np.float32)
    evidence = made(library.array(W))
    assert evidence.top(9) == made(W).top(9)
    assert repr(evidence) == repr(made(W)).replace("numpy", backends.of(evidence.W).name)


def test_known_edges_and_self_edges_on_request():
    assert len(made().top(99, exclude_self=False)) == 25 - 2
    assert len(made(known_edges=None).top(99)) == 20
    assert made().top(99, candidates=np.zeros((5, 5), bool)) == []


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
    ranked = expected.copy()
    ranked.insert(0, "rank", range(1, 21))
    assert_frame_equal(evidence.to_frame(k=1000), ranked)
    assert_frame_equal(evidence.to_frame(k=3), ranked[:3])
    as_it_lies = expected.sort_values(["source", "target"], ignore_index=True)
    assert_frame_equal(evidence.to_frame(), as_it_lies)
    unknown = as_it_lies[~as_it_lies["known"]].reset_index(drop=True)
    assert_frame_equal(evidence.to_frame(exclude_known=True), unknown)
    assert len(evidence.to_frame(candidates=np.zeros((5, 5), bool))) == 0


def test_columns_of_a_supplementary_table():
    evidence, p = made(), np.random.default_rng(2).random((5, 5)) ** 3
    options = {"held_out": [("R3", "P0")], "degrees": True, "pvalues": p}
    frame = evidence.to_frame(7, exclude_known=True, **options)
    assert list(frame["rank"]) == [*range(1, 8)]
    assert list(zip(frame["source"], frame["target"], strict=True)) == [
        edge.ends for edge in evidence.top(7)
    ]
    cells = frame["source"].cat.codes, frame["target"].cat.codes
    pool = ~np.eye(5, dtype=bool)
    pool[tuple(KNOWN)] = False
    adjusted = np.full((5, 5), np.nan)
    adjusted[pool] = scipy.stats.false_discovery_control(p[pool])
    assert_allclose(frame["p"], p[cells])
    assert_allclose(frame["p_adjusted"], adjusted[cells])
    assert [*frame["held_out"]] == [(s, t) == (3, 0) for s, t in zip(*cells, strict=True)]
    known = nx.DiGraph([*KNOWN.T.tolist()])
    known.add_nodes_from(range(5))
    assert [*frame["out_degree"]] == [known.out_degree(node) for node in cells[0]]
    assert [*frame["in_degree"]] == [known.in_degree(node) for node in cells[1]]


def test_scores_pairs_and_overlap_by_names():
    evidence, other = made(), made(np.random.default_rng(1).random((5, 5)))
    assert evidence["P1", "R3"] == evidence[1, 3] == evidence.W[1, 3]
    assert list(evidence.edges()) == evidence.top(25)
    assert_array_equal(np.asarray(evidence), evidence.W)
    assert np.asarray(evidence, np.float64).dtype == np.float64
    for k in (1, 5, 18):
        first, second = ({edge.ends for edge in one.top(k)} for one in (evidence, other))
        assert evidence.overlap(other, k) == len(first & second) / k


@pytest.mark.parametrize("by", ["_", ["a_b", "a_c", "d_e", "a_f", "d_g"]])
def test_each_kind_of_edge_is_evaluated_among_the_same_true_edges(by):
    names = ["a_0", "a_1", "d_2", "a_3", "d_4"]
    evidence = EdgeEvidence(np.random.default_rng(0).random((5, 5)), names, known_edges=KNOWN)
    queries = [("a_0", "d_4"), ("a_1", "d_2"), ("a_3", "a_0"), ("d_2", "a_1")]
    index = np.array([[names.index(end) for end in pair] for pair in queries]).T
    whole = evidence.evaluate(queries, seed=0)
    assert str(whole) == str(evidence.evaluate(index, seed=0))
    labels = [name[0] for name in names] if by == "_" else by
    found = evidence.evaluate(queries, by=by, ks=[1], n_resamples=None)
    expected = {}
    for place, pair in enumerate(index.T):
        rank = whole.queries.ranks.realistic[place]
        expected.setdefault(" -> ".join(labels[end] for end in pair), []).append(1 / rank)
    assert {kind: ranking.mrr for kind, ranking in found.items()} == {
        kind: pytest.approx(np.mean(ranks)) for kind, ranks in expected.items()
    }
    frame = found.to_frame().set_index("kind")
    assert {**frame["queries"]} == {kind: len(ranks) for kind, ranks in expected.items()}
    assert all(kind in str(found) for kind in expected)
    assert len(plots.comparison(found, ax=plots.blank_axes()).get_yticklabels()) == len(expected)


def test_graphs_for_other_programs(tmp_path):
    evidence = made()
    evidence.write_graph(tmp_path / "new.graphml", 4)
    read = nx.read_graphml(tmp_path / "new.graphml")
    assert [*read.edges.data("weight")] == [*evidence.to_networkx(4).edges.data("weight")]
    assert [*read] == NAMES
    evidence.write_graph(tmp_path / "new.sif", threshold=5)
    lines = (tmp_path / "new.sif").read_text().splitlines()
    expected = [(*e.ends, e.score) for e in evidence.top(20) if e.score >= 5]
    assert sorted(lines) == sorted(f"{s}\tproposed\t{t}" for s, t, _ in expected)
    evidence.to_anndata().write_h5ad(tmp_path / "nodes.h5ad")
    again = anndata.read_h5ad(tmp_path / "nodes.h5ad")
    assert_array_equal(again.varp["W"], evidence.W)
    assert [*again.var_names] == NAMES


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda e: e["P0", "P9"], ValueError, "pair must hold names of nodes; got 'P9'"),
        (lambda e: e["P0"], TypeError, "a score has a source and a target; got 'P0'"),
        (lambda e: e[0, 7], ValueError, r"pair must hold targets in 0 \.\. 4"),
        (lambda e: e.evaluate([("P0", "x")]), ValueError, "edge_index must hold names of nodes"),
        (lambda e: EdgeEvidence(e.W).evaluate([[0], [3]], by="_"), ValueError, "needs node_names"),
        (lambda e: e.evaluate([[0], [3]], by=["a"]), ValueError, "a label for each of the 5"),
        (lambda e: e.overlap(e.W, 3), TypeError, "other must be an EdgeEvidence; got ndarray"),
        (lambda e: e.overlap(EdgeEvidence(e.W), 3), ValueError, "other must be of the same nodes"),
        (lambda e: e.write_graph("e.gml", 3), ValueError, r"path must end in \.graphml, \.sif"),
        (lambda e: EdgeEvidence(e.W).to_frame(3, degrees=True), ValueError, "degrees=True needs"),
    ],
)
def test_wrong_names_and_endings(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call(made())


def test_frame_without_names_and_known_edges():
    frame = EdgeEvidence(np.eye(2)).to_frame()
    assert frame.to_dict("list") == {"source": [0, 1], "target": [1, 0], "score": [0.0, 0.0]}


@pytest.mark.parametrize("nodes", [127, 128, 129, 255, 256, 300])
def test_frame_of_names_of_any_number(nodes):
    names = [f"n{k}" for k in range(nodes)]
    frame = EdgeEvidence(np.eye(nodes), names).to_frame(nodes, exclude_self=False)
    assert frame["source"].tolist() == frame["target"].tolist() == names


@pytest.mark.parametrize(
    ("module", "method"), [("pandas", "to_frame"), ("networkx", "to_networkx")]
)
def test_a_missing_library_is_named(monkeypatch, module, method):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}.*pip install '\.\[frames\]'"):
        getattr(made(), method)(3)


def test_graphs_hold_all_nodes():
    assert list(made().to_networkx(4)) == list(made().to_networkx(threshold=1e9)) == NAMES
    assert set(EdgeEvidence(np.eye(3)).to_networkx(1)) == {0, 1, 2}
    evidence = made()
    best = slow_table(evidence, exclude_known=True)
    for found, rows in (
        (evidence.to_networkx(4), best[:4]),
        (evidence.to_networkx(threshold=5), [row for row in best if row[2] >= 5]),
    ):
        edges = [(NAMES[i], NAMES[j], w) for i, j, w in rows]
        assert sorted(found.edges.data("weight")) == sorted(edges)


def fields(evidence):
    return {f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence)}


def assert_same(one, other):
    for name, value in fields(one).items():
        if value is None or not hasattr(value, "shape"):
            assert value == getattr(other, name), name
        else:
            assert_array_equal(getattr(other, name), value)
            assert getattr(other, name).dtype == value.dtype


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


def test_repr_is_one_line_and_html_a_table():
    evidence = made(np.arange(25, dtype=np.float32).reshape(5, 5) / 10)
    assert repr(evidence) == (
        "EdgeEvidence of 5 nodes, spearman, 500 samples, 6 layers, 2500 observations, "
        "numpy float32; best: R<4> -> R3 2.300, R<4> -> R2 2.200, R<4> -> P1 2.100"
    )
    assert evidence._repr_html_().count("<tr>") == 11
    assert "R&lt;4&gt;" in evidence._repr_html_()
    names = ["<b>", "a&b", "c", '"d"', "<script>"]
    html = EdgeEvidence(evidence.W, names, method="<script>")._repr_html_()
    assert not re.search(r"<script|<b>", html)
    for text in ("&lt;script&gt;", "&lt;b&gt;", "a&amp;b", "&quot;d&quot;"):
        assert text in html
    assert (
        repr(EdgeEvidence(np.zeros((0, 0)))) == "EdgeEvidence of 0 nodes, spearman, numpy float64"
    )


def members(count):
    rng = np.random.default_rng(count)
    return [
        made(rng.standard_normal((5, 5)), settings={"norm": "l1", "seed": k}) for k in range(count)
    ]


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_mean_of_several(offset):
    parts = [dataclasses.replace(part, W=part.W + offset) for part in members(4)]
    found = EdgeEvidence.mean(parts)
    stack = np.stack([part.W for part in parts])
    assert_allclose(found.W, stack.mean(0), rtol=1e-14, atol=1e-16)
    assert_allclose(found.std, stack.std(0, ddof=1), rtol=1e-9)
    assert found.settings == {"norm": "l1", "combined": "mean", "members": 4}
    assert (found.node_names, found.counts, found.method) == (NAMES, COUNTS, "spearman")
    assert_array_equal(found.known_edges, KNOWN)


def test_mean_of_one_has_no_spread():
    (part,) = members(1)
    found = EdgeEvidence.mean([part])
    assert_array_equal(found.W, part.W)
    assert found.std is None
    assert EdgeEvidence.mean(part).settings["members"] == 1
    assert found.W is not part.W


@pytest.mark.parametrize("nodes", [0, 1])
def test_rank_mean_of_next_to_nothing(nodes):
    one = EdgeEvidence(np.ones((nodes, nodes)))
    assert_array_equal(EdgeEvidence.rank_mean([one]).W, np.zeros((nodes, nodes)))


def test_fuse_adds_reciprocal_ranks_of_any_methods():
    first, second = members(2)
    second = dataclasses.replace(second, W=second.W.round(), method="structural", settings={})
    found = EdgeEvidence.fuse([first, second])
    ranks = [scipy.stats.rankdata(-each.W).reshape(5, 5) for each in (first, second)]
    assert_allclose(found.W, np.mean([1 / (60 + rank) for rank in ranks], axis=0), rtol=1e-14)
    assert (found.node_names, found.method) == (NAMES, "spearman + structural")
    assert_array_equal(found.known_edges, KNOWN)
    with pytest.raises(ValueError, match="constant must be a number from 0 on; got -1"):
        EdgeEvidence.fuse([first], constant=-1)
    with pytest.raises(ValueError, match="differ in node_names"):
        EdgeEvidence.fuse([first, EdgeEvidence(first.W)])


def test_top_frequency_counts_the_members_with_a_pair_among_their_first():
    parts = members(3)
    found = EdgeEvidence.top_frequency(parts, 4, exclude_known=False)
    wanted = np.zeros((5, 5))
    for part in parts:
        for i, j, _ in slow_table(part, exclude_known=False)[:4]:
            wanted[i, j] += 1 / 3
    assert_allclose(found, wanted)


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


def test_scores_of_two_kinds_have_a_mean_of_ranks_alone():
    kinds = ("magnitude", "channels", "channels")
    members = [made(settings={"score": kind}) for kind in kinds]
    with pytest.raises(ValueError, match="differ in score: 'magnitude', 'channels': combine"):
        EdgeEvidence.mean(members)
    assert EdgeEvidence.rank_mean(members).settings == {"combined": "rank_mean", "members": 3}
    assert EdgeEvidence.mean([*members[1:], made()]).settings["members"] == 3


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
    assert peak_bytes(call, evidence) < nodes * nodes * (bytes_a_pair + 0.5)


SQUARE = np.arange(9.0).reshape(3, 3)
ABC = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"W": SQUARE > 1}, TypeError, "W must hold real numbers"),
        ({"std": SQUARE[:2, :2]}, ValueError, r"std must have the shape of W, \(3, 3\); got"),
        ({"std": np.full((3, 3), np.inf)}, ValueError, "std must be finite"),
        ({"node_names": "abc"}, TypeError, "a sequence of strings; got 'abc'"),
        ({"method": None}, TypeError, "method must be a string"),
        ({"counts": {"samples": 2.5}}, TypeError, r"counts\['samples'\] must be a whole number"),
        ({"counts": {"layers": -1}}, ValueError, r"counts\['layers'\] must be at least 0"),
        ({"settings": {"penalty": float("nan")}}, ValueError, "settings must be .*JSON"),
        ({"settings": 3}, TypeError, "settings must be a mapping"),
    ],
)
def test_what_it_refuses(options, error, phrase):
    with pytest.raises(error, match=phrase):
        EdgeEvidence(**{"W": SQUARE, **options})


def test_known_edges_of_a_heterogeneous_graph():
    """A stand-in for HeteroData of torch-geometric."""
    edges = {("function", "to", "function"): KNOWN, ("input", "to", "function"): [[0], [1]]}
    graph = SimpleNamespace(edge_index_dict=edges)
    assert_array_equal(made(known_edges=graph).known_edges, KNOWN)
    edges["output", "to", "output"] = [[0], [1]]
    with pytest.raises(ValueError, match="known_edges must have one type of edges between nodes"):
        made(known_edges=graph)


def test_what_it_keeps():
    counts, settings = {"samples": np.int64(5)}, {"norm": "l1", "layers": (1, 2)}
    kept = EdgeEvidence(SQUARE, tuple(np.array(ABC)), counts=counts, settings=settings)
    settings["norm"] = "l2"
    assert kept.node_names == ABC
    assert {type(name) for name in kept.node_names} == {str}
    assert kept.counts == {"samples": 5}
    assert kept.settings == {"norm": "l1", "layers": [1, 2]}
    assert kept.W is SQUARE


def test_versions_are_those_installed(library):
    found = EdgeEvidence(library.array(SQUARE.astype("float32"))).versions
    package = {"strict": "array-api-compat"}.get(library.name, library.name)
    assert list(found) == ["gsnn-edges", package]
    assert EdgeEvidence(SQUARE, versions={"gsnn-edges": "0.0.1"}).versions == {
        "gsnn-edges": "0.0.1"
    }


CORRELATIONS = np.tanh(np.random.default_rng(0).standard_normal((4, 4)))
STD = np.random.default_rng(1).random((4, 4)) / 20
SETTINGS = {
    "score": "magnitude",
    "estimate": True,
    "estimate_iters": 10,
    "estimate_n_samples": 2500,
    "penalty_factor": 0.0,
    "scale_by_act_mean": False,
}


def estimated(W=CORRELATIONS, std=STD, **settings):
    return EdgeEvidence(W, std=std, counts={"samples": 100}, settings=SETTINGS | settings)


def slow_interval(w, error, draws, level):
    """Of one correlation: a t interval on the scale of z."""
    scale = error / (1 - w**2)
    return np.tanh(scipy.stats.t.interval(level, draws - 1, loc=np.arctanh(w), scale=scale))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_equal_those_of_scipy(level):
    found = np.array(estimated().interval(level))
    error = estimated().standard_error
    assert_allclose(error, STD * 5, rtol=1e-12)  # sqrt(2500 / 100)
    for i, j in np.ndindex(CORRELATIONS.shape):
        expected = slow_interval(CORRELATIONS[i, j], error[i, j], 10, level)
        assert_allclose(found[:, i, j], expected, rtol=1e-9)


def test_arrays_are_of_the_library_of_w(library):
    if library.jit:
        pytest.skip("evidence is no input of compiled code")
    x, std = (library.array(x.astype(np.float32)) for x in (CORRELATIONS, STD))
    found = estimated(x, std)
    error, (low, high) = found.standard_error, found.interval()
    for array in (error, low, high):
        assert backends.of(array).name == backends.of(x).name
        assert library.numpy(array).dtype == np.float32
    assert_allclose(library.numpy(high), estimated().interval()[1], rtol=1e-5)


def test_no_error_gives_no_width_also_at_the_ends():
    ends = np.array([[1.0, -1.0], [0.0, 0.5]])
    low, high = estimated(ends, np.zeros((2, 2))).interval()
    assert_allclose(low, ends, rtol=0, atol=1e-11)
    assert_allclose(high, ends, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({}, {"samples": 100}),
        (SETTINGS | {"estimate": False}, {"samples": 100}),
        (SETTINGS | {"combined": "mean", "members": 3}, {"samples": 100}),
        (SETTINGS, {}),
    ],
)
def test_without_draws_of_one_model_there_is_no_error(settings, counts):
    found = EdgeEvidence(CORRELATIONS, std=STD, counts=counts, settings=settings)
    assert found.standard_error is None
    with pytest.raises(ValueError, match=r"interval\(0.95\) needs a W with a standard error"):
        found.interval()


@pytest.mark.parametrize(
    ("settings", "phrase"),
    [
        ({"score": "channels"}, "score='channels'"),
        ({"penalty_factor": 0.1, "scale_by_act_mean": True}, "penalty.*=0.1, scale.*=True"),
    ],
)
def test_what_is_no_correlation_has_an_error_and_no_interval(settings, phrase):
    assert_allclose(estimated(**settings).standard_error, 5 * STD, rtol=1e-12)
    with pytest.raises(ValueError, match=f"correlations in .*; got settings with {phrase}: use"):
        estimated(**settings).interval()


DTYPES = ["float16", "float32", "float64", "int8", "uint16", "int64"]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.integers(0, 8), st.sampled_from(DTYPES), st.sampled_from("CF"))
def test_any_matrix_is_saved_bit_for_bit(tmp_path_factory, seed, nodes, dtype, order):
    path = tmp_path_factory.getbasetemp() / "evidence.npz"
    W = np.random.default_rng(seed).integers(-99, 99, (nodes, nodes)) / 7
    W = W.astype(dtype, order=order)
    names = ["β-catenin", "b\0", 'quote"', "", *"abcd"][:nodes]
    evidence = EdgeEvidence(W, names, settings={"none": None})
    evidence.save(path)
    assert_same(EdgeEvidence.load(path), evidence)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "evidence.npz"
    made().save(path)
    before = path.read_bytes()
    for error in (OSError("no space"), KeyboardInterrupt()):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(type(error)):
            made(np.ones((5, 5))).save(path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["evidence.npz"]


def test_a_cut_or_changed_file_is_named(tmp_path):
    path = tmp_path / "evidence.npz"
    EdgeEvidence(np.arange(900.0).reshape(30, 30)).save(path)
    content = path.read_bytes()
    changed = content.replace(np.float64(500).tobytes(), np.float64(501).tobytes())
    for broken in (*(content[:length] for length in (0, 1, 4, 100, 4000)), changed):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"evidence.npz' is broken or of another kind"):
            EdgeEvidence.load(path)


def write_pickled(path):
    np.savez(path, W=np.array([{}], object))


def write_header(**header):
    def write(path):
        np.savez(path, header=np.array(json.dumps(header)), W=np.eye(2))

    return write


OURS = {"format": "gsnn-edges evidence", "format_version": 1}


@pytest.mark.parametrize(
    ("write", "phrase"),
    [
        (lambda path: path.write_text("source,target\n"), "broken or of another kind"),
        (write_pickled, "broken or of another kind"),
        (lambda path: np.savez(path, W=np.eye(3)), "must be a .*file of gsnn-edges evidence"),
        (
            lambda path: np.savez(path, header=np.eye(3)),
            "must be a .*file of gsnn-edges evidence",
        ),
        (write_header(format="other"), "must be a .*file of gsnn-edges evidence"),
        (write_header(**{**OURS, "format_version": 99}), "install a newer gsnn-edges"),
        (write_header(**OURS), r"contents of .* do not fit each other \('node_names'\)"),
        (
            write_header(
                **OURS, node_names=["a"], method="", counts={}, settings={}, versions={"a": "1"}
            ),
            "do not fit each other .*node_names must name each of the 2 nodes",
        ),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, write, phrase):
    path = tmp_path / "evidence.npz"
    write(path)
    with pytest.raises(ValueError, match=phrase):
        EdgeEvidence.load(path)


@pytest.mark.parametrize("name", ["W.npy", "W.csv", "W"])
def test_only_npz_files_are_written(name, tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.npz; got .*: the ending says how"):
        made().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []

"""Capture, correlate, evaluate and infer as commands over files."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import (
    EdgeEvidence,
    FunctionEdgeInferer,
    cross_correlation,
    evaluate_edges,
    mrr,
    open_store,
)
from gsnn_edges.demo import GSNN, tutorial
from gsnn_edges.store import open_matrix

from .program import Command

FACTORY = """
from gsnn_edges.demo import GSNN, tutorial

problem = tutorial(seed=0)

def model(layers=3):
    print("made")
    return GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=layers)
"""
ROWS = 40
MODEL = ("--model", "tiny:model", "--weights", "state.pt", "--x", "data.npz:x", "--y", "y.csv")
MODEL = (*MODEL, "--no-header")  # y.csv begins with values
# Twice the bounds of law 3: files and memory may be correlated in another order.
ACCURACY = 8e-6


@pytest.fixture(scope="module")
def problem():
    return tutorial(seed=0)


@pytest.fixture(scope="module")
def network(problem):
    return GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3, seed=5)


@pytest.fixture(scope="module")
def inferer(problem, network):
    return FunctionEdgeInferer(network.eval(), torch.nn.MSELoss(), problem.known_edges)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problem, network):
    """A model, data, edges, and what capture records of them."""
    path = tmp_path_factory.mktemp("stages")
    (path / "tiny.py").write_text(FACTORY)
    torch.save(network.state_dict(), path / "state.pt")
    np.savez(path / "data.npz", x=problem.x_test[:ROWS])
    np.savetxt(path / "y.csv", problem.y_test[:ROWS], delimiter=",", fmt="%.9g")
    names = problem.node_names_dict["function"]
    for file, edges in (("held_out", problem.test_edges), ("known", problem.known_edges)):
        rows = [[names[source], names[target]] for source, target in edges.T]
        pd.DataFrame(rows, columns=["source", "target"]).to_csv(path / f"{file}.csv", index=False)
    (path / "names.txt").write_text("\n".join(names) + "\n")
    np.save(path / "W.npy", np.random.default_rng(0).random((50, 50), np.float32))
    command = Command(path)
    command.well("capture", *MODEL, "--out", "nodes.zarr", "-q")
    command.well("capture", *MODEL, "--out", "channels.npz", "--score", "channels", "-q")
    return path


@pytest.fixture
def run(folder):
    return Command(folder)


@pytest.fixture(scope="module")
def nodes(folder):
    """Activations and gradients of nodes."""
    store = open_store(folder / "nodes.zarr")
    return store.read("a"), store.read("g")


def read(path):
    return EdgeEvidence.load(path).W if path.suffix == ".npz" else open_matrix(path).to_numpy()


def test_what_is_captured(folder, problem, inferer, nodes):
    store = open_store(folder / "nodes.zarr")
    assert (store.pairs, store.samples, store.nodes) == (2, ROWS, 50)
    assert list(store.node_names) == problem.node_names_dict["function"]
    assert_array_equal(store.edge_index, problem.known_edges)
    W = inferer.fit(problem.x_test[:ROWS], problem.y_test[:ROWS])
    assert_allclose(cross_correlation(*nodes), W, rtol=0, atol=ACCURACY)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), {}),
        (("--method", "pearson"), {"method": "pearson"}),
        (("--ties", "ordinal", "--max-memory", "100MB"), {"ties": "ordinal"}),
        (("--precision", "float64"), {"precision": "float64"}),
        (("--backend", "jax"), {}),
    ],
    ids=str,
)
def test_nodes_are_correlated(run, folder, nodes, options, asked):
    out = folder / ("new.zarr" if options else "new.npy")
    shown = run.well("correlate", "nodes.zarr", "--out", out, "--anew", *options)
    assert "50" in shown.out
    assert_allclose(read(out), cross_correlation(*nodes, **asked), rtol=0, atol=ACCURACY)


@pytest.mark.parametrize("layers", ["mean", "last"])
def test_layers_are_chosen(run, folder, nodes, layers):
    run.well("correlate", "nodes.zarr", "--out", f"{layers}.npy", "--layers", layers, "-q")
    parts = [cross_correlation(*(x[k : k + ROWS] for x in nodes)) for k in (0, ROWS)]
    expected = parts[1] if layers == "last" else np.mean(parts, axis=0)
    assert_allclose(read(folder / f"{layers}.npy"), expected, rtol=0, atol=ACCURACY)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_channels_are_correlated(run, folder, problem, inferer, kind):
    out = folder / f"channels-W.{kind}"
    run.well("correlate", "channels.npz", "--out", out, "--n-components", 1, "-q")
    expected = inferer.fit(
        problem.x_test[:ROWS], problem.y_test[:ROWS], score="channels", n_components=1
    )
    assert_allclose(read(out), expected, rtol=0, atol=4 * ACCURACY)
    if kind == "npz":
        assert EdgeEvidence.load(out).node_names == problem.node_names_dict["function"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_best_targets_of_each_source(run, folder, nodes, problem, kind):
    run.well("correlate", "nodes.zarr", "--out", f"top.{kind}", "--top", 3, "-q")
    found = (pd.read_csv if kind == "csv" else pd.read_parquet)(folder / f"top.{kind}")
    W = cross_correlation(*nodes)
    np.fill_diagonal(W, -np.inf)
    names = np.array(problem.node_names_dict["function"])
    assert len(found) == 150
    for source in range(50):
        scores = found.loc[found["source"] == names[source], "score"]
        assert_allclose(scores, np.sort(W[source])[:-4:-1], rtol=0, atol=ACCURACY)
    ends = [pd.Index(names).get_indexer(found[end]) for end in ("source", "target")]
    assert_allclose(found["score"], W[*ends], rtol=0, atol=ACCURACY)


def test_pairs_above_a_threshold(run, folder, nodes, problem):
    run.well("correlate", "nodes.zarr", "--out", "far.csv", "--threshold", 0.4, "-q")
    found = pd.read_csv(folder / "far.csv")
    W = cross_correlation(*nodes)
    np.fill_diagonal(W, 0)
    names = problem.node_names_dict["function"]
    pairs = set(zip(found["source"], found["target"], strict=True))
    assert len(pairs) == len(found)
    assert pairs == {(names[s], names[t]) for s, t in zip(*np.nonzero(abs(W) >= 0.4), strict=True)}


EVALUATE = ("evaluate", "W.npy", "--edges", "held_out.csv", "--known", "known.csv")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), {}),
        (
            ("--direction", "both", "--cluster", "source", "--n-resamples", 200, "--exclude-self"),
            {"direction": "both", "cluster": "source", "n_resamples": 200, "exclude_self": True},
        ),
        (("--k", 2, "--k", 5, "--confidence", 0.5), {"ks": [2, 5], "confidence": 0.5}),
        (
            ("--candidates", "f1* -> *", "--candidates", "* -> f*", "--n-resamples", 0),
            {"candidates": ["* -> f*"], "n_resamples": None},
        ),
    ],
    ids=str,
)
def test_metrics(run, folder, problem, options, asked):
    found = run.well(*EVALUATE, "--names", "nodes.zarr", *options, "--json").json
    truths = np.concatenate([problem.known_edges, problem.test_edges], axis=1)
    expected = evaluate_edges(
        np.load(folder / "W.npy"),
        problem.test_edges,
        truths,
        node_names=problem.node_names_dict["function"],
        seed=0,
        **asked,
    )
    expected = json.loads(json.dumps(expected.to_dict()))
    for name in ("micro", "macro", "separation", "rankings", "direction", "median_rank"):
        assert found[name] == expected[name]
    assert (found["nodes"], found["edges"], found["known"]) == (50, 18, 37)


def test_a_table_of_ranks_and_a_file_of_metrics(run, folder, problem):
    shown = run.well(
        *EVALUATE, "--names", "names.txt", "--out", "ranked.csv", "--metrics", "m.json"
    )
    truths = np.concatenate([problem.known_edges, problem.test_edges], axis=1)
    expected = mrr(np.load(folder / "W.npy"), problem.test_edges, truths)
    assert f"{expected:.4f}" in shown.out
    assert json.loads((folder / "m.json").read_text())["micro"]["mrr"] == expected
    ranks = pd.read_csv(folder / "ranked.csv")
    assert (1 / ranks["realistic"]).mean() == pytest.approx(expected)
    assert ranks["realistic"].is_monotonic_increasing
    quiet = run.well(*EVALUATE, "--names", "names.txt", "--out", "again.csv", "-q")
    assert (quiet.out, quiet.err) == ("", "")


def test_infer_is_all_three_stages(run, folder, problem, inferer):
    files = ("--out", "new.csv", "--evidence", "e.npz", "--metrics", "m.json", "--top", 20)
    edges = ("--known", "known.csv", "--edges", "held_out.csv")
    found = run.well("infer", *MODEL, *edges, *files, "--json").json
    expected = inferer.infer(problem.x_test[:ROWS], problem.y_test[:ROWS], mode="eval")
    kept = EdgeEvidence.load(folder / "e.npz")
    assert_allclose(kept.W, expected.W, rtol=0, atol=4 * ACCURACY)
    assert kept.node_names == expected.node_names
    assert kept.counts == expected.counts
    assert kept.settings["score"] == expected.settings["score"]
    table = pd.read_csv(folder / "new.csv")
    best = kept.top(20)
    assert table["source"].tolist() == [edge.source_name for edge in best]
    assert table["target"].tolist() == [edge.target_name for edge in best]
    assert_allclose(table["score"], [edge.score for edge in best])
    assert [edge["target"] for edge in found["strongest"]] == table["target"].tolist()[:10]
    assert (found["nodes"], found["known"], found["samples"]) == (50, 37, ROWS)
    metrics = json.loads((folder / "m.json").read_text())
    assert metrics["micro"]["mrr"] == kept.evaluate(problem.test_edges, seed=0).mrr
    # What infer kept goes on to evaluate, names and known edges with it.
    again = run.well("evaluate", "e.npz", "--edges", "held_out.csv", "--json").json
    assert again["micro"] == metrics["micro"]
    assert again["known"] == 37


def test_a_dry_run_writes_nothing(run, folder):
    before = sorted(folder.rglob("*"))
    found = run.well("correlate", "nodes.zarr", "--out", "none.npy", "--dry-run", "--json").json
    assert (found["nodes"], found["observations"], found["dry_run"]) == (50, 80, True)
    assert "50" in run.well(*EVALUATE, "--names", "names.txt", "--dry-run").out
    assert sorted(folder.rglob("*")) == before


def test_the_second_and_the_third_stage_need_no_torch(run, folder, nodes):
    (folder / "without").mkdir()
    (folder / "without" / "torch.py").write_text("raise ModuleNotFoundError('torch', name='torch')")
    env = {"PYTHONPATH": str(folder / "without")}
    shown = run("infer", *MODEL, env=env)
    assert (shown.code, shown.out) == (1, "")
    assert "pip install '.[torch]'" in shown.err
    run.well("correlate", "nodes.zarr", "--out", "without.npy", "-q", env=env)
    assert_allclose(read(folder / "without.npy"), cross_correlation(*nodes), rtol=0, atol=ACCURACY)
    run.well("evaluate", "without.npy", "--edges", "held_out.csv", "--names", "nodes.zarr", env=env)


def test_a_picture(run, folder):
    run.well(*EVALUATE, "--names", "names.txt", "--figure", "hits.png", "--picture", "hits")
    assert (folder / "hits.png").read_bytes().startswith(b"\x89PNG")

"""What is wrong is refused: the error names the argument and the value, and nothing is written."""

import numpy as np
import pytest
import torch

import gsnn_edges as ge
from gsnn_edges.store import StoreWriter, open_matrix, open_store

from .networks import EDGES, Network, data
from .program import Command

A = np.random.default_rng(0).random((20, 4))
W = np.random.default_rng(1).random((5, 5))
PAIR = [[0, 1], [1, 2]]
X, Y = data()
CRIT = torch.nn.MSELoss()


def spoiled(x, value=np.nan):
    x = np.array(x)
    x[3, 2] = value
    return x


def inferer(model=None, crit=CRIT, edges=EDGES, **options):
    return ge.FunctionEdgeInferer(model or Network(), crit, edges, **options)


# A call, its error, and what the message must hold.
CALLS = {
    "rank a list": (lambda: ge.rankdata([3.0, 1.0]), TypeError, ["array", "list"]),
    "rank text": (lambda: ge.rankdata(np.array(["a"])), TypeError, ["real numbers", "U1"]),
    "rank NaN": (lambda: ge.rankdata(spoiled(A)), ValueError, ["finite", "1 ", "column 2"]),
    "ties": (lambda: ge.rankdata(A, ties="mean"), ValueError, ["ties", "average", "'mean'"]),
    "axis": (lambda: ge.rankdata(A, axis=2), ValueError, ["axis", "2"]),
    "complex": (lambda: ge.cross_correlation(A * 1j, A), TypeError, ["a", "complex"]),
    "infinity": (
        lambda: ge.cross_correlation(A, spoiled(A, np.inf)),
        ValueError,
        ["g", "finite", "2"],
    ),
    "rows": (lambda: ge.cross_correlation(A, A[1:]), ValueError, ["20", "19"]),
    "one row": (lambda: ge.cross_correlation(A[:1], A[:1]), ValueError, ["1"]),
    "dimensions": (lambda: ge.cross_correlation(A[0], A), ValueError, ["a", "2 dimensions"]),
    "method": (
        lambda: ge.cross_correlation(A, A, method="kendall"),
        ValueError,
        ["method", "spearman", "'kendall'"],
    ),
    "chunk": (lambda: ge.cross_correlation(A, A, row_chunk=0), ValueError, ["row_chunk", "0"]),
    "chunk of text": (
        lambda: ge.cross_correlation(A, A, row_chunk="1"),
        TypeError,
        ["row_chunk", "whole number", "'1'"],
    ),
    "precision": (
        lambda: ge.cross_correlation(A, A, precision="half"),
        ValueError,
        ["precision", "float32", "'half'"],
    ),
    "backend": (
        lambda: ge.cross_correlation(A, A, backend="cupy"),
        ValueError,
        ["backend", "numpy", "'cupy'"],
    ),
    "device": (
        lambda: ge.cross_correlation(A, A, backend="torch", device="cuda:77"),
        ValueError,
        ["cuda:77"],
    ),
    "two libraries": (
        lambda: ge.cross_correlation(A, torch.from_numpy(A)),
        TypeError,
        ["numpy", "torch"],
    ),
    "nodes of columns": (
        lambda: ge.channel_correlation(A, A, [0, 1], [0, 1, 1, 2]),
        ValueError,
        ["a_nodes", "4"],
    ),
    "components": (
        lambda: ge.channel_correlation(A, A, [0] * 4, [0] * 4, n_components=0),
        ValueError,
        ["n_components", "0"],
    ),
    "neither held fixed": (lambda: ge.partial_correlation(A, A), ValueError, ["conditions"]),
    "parents": (
        lambda: ge.partial_correlation(A, A, parents=[[0], [9]]),
        ValueError,
        ["parents", "9"],
    ),
    "scores not square": (lambda: ge.evaluate_edges(A, PAIR), ValueError, ["A", "square"]),
    "scores with NaN": (lambda: ge.mrr(spoiled(W), PAIR, PAIR), ValueError, ["A", "finite"]),
    "edges transposed": (
        lambda: ge.mrr(W, [[0, 1], [1, 2], [2, 3]], PAIR),
        ValueError,
        ["edge_index", "(2, E)", "(3, 2)"],
    ),
    "edges outside": (
        lambda: ge.mrr(W, PAIR, [[0], [5]]),
        ValueError,
        ["all_true_edges", "0 .. 4", "5"],
    ),
    "edges of floats": (
        lambda: ge.mrr(W, [[0.5], [1.0]], PAIR),
        TypeError,
        ["edge_index", "whole numbers", "float64"],
    ),
    "no edges": (lambda: ge.evaluate_edges(W, [[], []]), ValueError, ["edge_index", "at least"]),
    "too deep": (lambda: ge.evaluate_edges(W, PAIR, ks=[9]), ValueError, ["ks", "9"]),
    "few resamples": (
        lambda: ge.evaluate_edges(W, PAIR, n_resamples=3),
        ValueError,
        ["n_resamples", "3"],
    ),
    "percent": (
        lambda: ge.evaluate_edges(W, PAIR, confidence=95),
        ValueError,
        ["confidence", "95"],
    ),
    "rule without a match": (
        lambda: ge.evaluate_edges(W, PAIR, candidates="x* -> *", node_names=list("abcde")),
        ValueError,
        ["candidates", "x*"],
    ),
    "names": (
        lambda: ge.evaluate_edges(W, PAIR, node_names=["a"]),
        ValueError,
        ["node_names", "5"],
    ),
    "known queries": (
        lambda: ge.compare({"W": W}, PAIR, PAIR, known_edges=PAIR),
        ValueError,
        ["known_edges"],
    ),
    "fractions": (
        lambda: ge.split_edges(PAIR, (0.5, 0.4), seed=0),
        ValueError,
        ["fractions", "0.9"],
    ),
    "hides nothing": (
        lambda: ge.recover_edges(lambda keep: W, PAIR, fraction=0.1, seed=0),
        ValueError,
        ["fraction", "0.1"],
    ),
    "samples": (
        lambda: ge.permutation_test(A, A, 7),
        ValueError,
        ["samples", "20", "7"],
    ),
    "alternative": (
        lambda: ge.permutation_test(A, A, 10, alternative="less"),
        ValueError,
        ["alternative", "'less'"],
    ),
    "one draw": (
        lambda: ge.bootstrap_interval(A, A, 10, n_resamples=1),
        ValueError,
        ["n_resamples", "1"],
    ),
    "too few for a p-value": (
        lambda: ge.significance.correlation_pvalue(W, 3),
        ValueError,
        ["n", "3"],
    ),
    "evidence": (lambda: ge.EdgeEvidence(A), ValueError, ["W", "(20, 4)"]),
    "names twice": (
        lambda: ge.EdgeEvidence(W, list("aabcd")),
        ValueError,
        ["node_names", "'a'"],
    ),
    "top": (lambda: ge.EdgeEvidence(W).top(0), ValueError, ["k", "0"]),
    "norm": (lambda: inferer(norm="l3"), ValueError, ["norm", "l1", "'l3'"]),
    "agg": (lambda: inferer(agg="median"), ValueError, ["agg", "'median'"]),
    "criterion": (lambda: inferer(crit="mse"), TypeError, ["crit", "mse"]),
    "known edges": (lambda: inferer(edges=[[0], [9]]).fit(X, Y), ValueError, ["edge_index", "9"]),
    "rows of y": (lambda: inferer().fit(X, Y[1:]), ValueError, ["40", "39"]),
    "x with NaN": (
        lambda: inferer().fit(torch.full_like(X, torch.nan), Y),
        ValueError,
        ["x", "finite"],
    ),
    "score": (lambda: inferer().fit(X, Y, score="both"), ValueError, ["score", "'both'"]),
    "layers": (lambda: inferer().fit(X, Y, layers=2), ValueError, ["layers", "2"]),
    "penalty": (
        lambda: inferer().fit(X, Y, penalty_factor=1.5),
        ValueError,
        ["penalty_factor", "1.5"],
    ),
    "batch": (lambda: inferer().fit(X, Y, batch_size=0), ValueError, ["batch_size", "0"]),
    "channels that differ": (
        lambda: inferer().fit(X, Y, score="channels"),
        ValueError,
        ["channels"],
    ),
    "n_components of magnitudes": (
        lambda: inferer().fit(X, Y, n_components=2),
        ValueError,
        ["n_components", "channels"],
    ),
    "an option that is none": (
        lambda: inferer().infer(X, Y, estimates=True),
        TypeError,
        ["estimates"],
    ),
    "no network": (
        lambda: inferer(torch.nn.Linear(4, 3)).fit(X, Y),
        (TypeError, ValueError),
        ["blocks"],
    ),
    "loss of many numbers": (
        lambda: inferer(crit=torch.nn.MSELoss(reduction="none")).fit(X, Y),
        (TypeError, ValueError),
        ["crit", "(40, 3)"],
    ),
    "no store": (lambda: open_store("nowhere.zarr"), FileNotFoundError, ["path", "nowhere.zarr"]),
    "no matrix": (lambda: open_matrix("nowhere.npy"), FileNotFoundError, ["path", "nowhere.npy"]),
    "load": (lambda: ge.backends.load("mxnet"), ValueError, ["backend", "'mxnet'"]),
}


@pytest.mark.parametrize("case", CALLS)
def test_wrong_calls(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, error, parts = CALLS[case]
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_doubtful_is_warned_of():
    with pytest.warns(UserWarning, match="10 samples"):
        inferer().fit(X[:5], Y[:5])
    with pytest.warns(UserWarning, match="self-edge"):
        ge.mrr(W, [[2], [2]], [[2], [2]])
    with pytest.warns(UserWarning, match="all_true_edges"):
        ge.mrr(W, PAIR, [[3], [4]])
    with pytest.warns(UserWarning, match="no edge"):
        assert np.isnan(ge.mrr(W, [[], []], PAIR))


def test_no_chunk_of_a_store_is_written_wrong(tmp_path):
    facts = {"pairs": 2, "samples": 5, "columns": 3}
    writer = StoreWriter.create(tmp_path / "s.zarr", **facts)
    with pytest.raises(ValueError, match=r"\(2, 5, 3\).*\(2, 4, 3\)"):
        writer.put(0, np.zeros((2, 4, 3)), np.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match="pairs"):
        StoreWriter.create(tmp_path / "t.zarr", **facts | {"pairs": 0})
    small = {"max_memory": "1kB"}
    writer.put(0, *np.random.default_rng(0).random((2, 2, 5, 3), np.float32))
    with pytest.raises(ValueError, match="max_memory"):
        ge.correlate_store(tmp_path / "s.zarr", tmp_path / "W.zarr", **small)
    assert not (tmp_path / "W.zarr").exists()


DATA = ("--weights", "state.pt", "--x", "x.npy", "--y", "x.npy", "--out", "n.npz")
# A call, its exit code, and what the line on standard error must hold, with _ for -.
COMMANDS = {
    "no such command": (("evaluat",), 2, ["evaluat", "evaluate"]),
    "no such option": (("evaluate", "W.npy", "--edges", "e.csv", "--speed", 1), 2, ["speed"]),
    "an option is missing": (("evaluate", "W.npy"), 2, ["edges"]),
    "no such file": (("evaluate", "WW.npy", "--edges", "e.csv"), 2, ["WW.npy", "W.npy"]),
    "edges outside": (("evaluate", "W.npy", "--edges", "far.csv"), 2, ["edges", "0 .. 4", "77"]),
    "too deep": (("evaluate", "W.npy", "--edges", "e.csv", "--k", 60), 2, ["60"]),
    "wrong columns": (("evaluate", "W.npy", "--edges", "columns.csv"), 2, ["source", "from"]),
    "nothing in it": (("evaluate", "W.npy", "--edges", "empty.csv"), 2, ["empty.csv"]),
    "no matrix": (("evaluate", "text.npy", "--edges", "e.csv"), 2, ["text.npy"]),
    "not square": (("evaluate", "x.npy", "--edges", "e.csv"), 2, ["square"]),
    "no folder": (
        ("evaluate", "W.npy", "--edges", "e.csv", "--out", "nowhere/r.csv"),
        2,
        ["out", "nowhere"],
    ),
    "ending": (
        ("evaluate", "W.npy", "--edges", "e.csv", "--metrics", "m.csv"),
        2,
        ["metrics", ".json"],
    ),
    "a choice": (
        ("evaluate", "W.npy", "--edges", "e.csv", "--direction", "up"),
        2,
        ["direction", "up", "tail"],
    ),
    "no observations": (("correlate", "W.npy", "--out", "V.npy"), 2, ["W.npy", ".zarr"]),
    "a table of all pairs": (("correlate", "s.zarr", "--out", "V.csv"), 2, ["top", "threshold"]),
    "layers": (("correlate", "s.zarr", "--out", "V.npy", "--layers", 7), 2, ["layers", "7"]),
    "memory": (("correlate", "s.zarr", "--out", "V.npy", "--max-memory", "1kB"), 2, ["max_memory"]),
    "magnitudes have no components": (
        ("correlate", "s.zarr", "--out", "V.npy", "--n-components", 1),
        2,
        ["n_components"],
    ),
    "half a cluster": (
        ("correlate", "s.zarr", "--out", "V.zarr", "--process", 0),
        2,
        ["process", "coordinator"],
    ),
    "no module": (
        ("capture", "--model", "nobody:model", *DATA),
        2,
        ["model", "nobody"],
    ),
    "weights are missing": (("infer", "--model", "own:model", *DATA[2:-2]), 2, ["weights"]),
    "the model raises": (
        ("capture", "--model", "own:model", *DATA),
        1,
        ["no luck"],
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong")
    np.save(path / "W.npy", W)
    np.save(path / "x.npy", A)
    torch.save({}, path / "state.pt")
    (path / "e.csv").write_text("source,target\n0,1\n")
    (path / "far.csv").write_text("source,target\n0,77\n")
    (path / "columns.csv").write_text("from,to\n0,1\n")
    (path / "empty.csv").touch()
    (path / "text.npy").write_text("source,target\n")
    (path / "own.py").write_text("def model():\n    raise RuntimeError('no\\nluck')\n")
    writer = StoreWriter.create(path / "s.zarr", pairs=2, samples=5, columns=3)
    writer.put(0, *np.random.default_rng(0).random((2, 2, 5, 3), np.float32))
    return path


@pytest.mark.parametrize("case", COMMANDS)
def test_wrong_commands(case, files):
    arguments, code, parts = COMMANDS[case]
    before = {path.name for path in files.iterdir()}
    shown = Command(files)(*arguments)
    assert (shown.code, shown.out) == (code, "")
    (line,) = [line for line in shown.err.splitlines() if not line.startswith("Warning")]
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line.replace("-", "_")
    assert {path.name for path in files.iterdir()} - {"__pycache__"} == before - {"__pycache__"}

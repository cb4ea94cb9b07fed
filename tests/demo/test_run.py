"""The run of the demo: its parts by hand, its scores by a slow loop, its files whole or absent."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import FunctionEdgeInferer, plots
from gsnn_edges.demo import run
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.run import DemoResult, Score, render, run_demo, save
from gsnn_edges.demo.simulation import simulate
from gsnn_edges.demo.topologies import graph
from gsnn_edges.demo.training import recipe_for, train


@pytest.fixture
def small(tmp_path):
    """A csv of 12 nodes in a ring with a tail, 14 edges."""
    ring = [(f"n{k}", f"n{(k + 1) % 10}") for k in range(10)]
    more = [("n2", "n10"), ("n10", "n11"), ("n11", "n5"), ("n0", "n11")]
    path = tmp_path / "small.csv"
    path.write_text("source,target\n" + "".join(f"{s},{t}\n" for s, t in ring + more))
    return path


RESULT = DemoResult(
    graph="tutorial",
    backend="numpy",
    seed=3,
    epochs=30,
    W=np.arange(4, dtype=np.float32).reshape(2, 2),
    channels=np.arange(4, 8, dtype=np.float32).reshape(2, 2),
    scores={
        "trained": Score(0.9871, 0.9552),
        "untrained": Score(0.6543, 0.7004),
        "channels trained": Score(0.7778, 0.8888),
        "channels untrained": Score(0.6666, 0.7777),
        "random": Score(0.1012, 0.0899),
    },
    seconds={"simulate": 0.012, "train": 3.456},
)


def slow_mrr(matrix, queries, truths):
    true = {tuple(pair) for pair in truths.T.tolist()}
    reciprocal = []
    for s, d in queries.T.tolist():
        others = [matrix[s, j] for j in range(len(matrix)) if (s, j) not in true]
        above = sum(value > matrix[s, d] for value in others)
        level = sum(value == matrix[s, d] for value in others)
        reciprocal.append(1 / (1 + above + level / 2))
    return np.mean(reciprocal)


def test_run_is_its_parts(small):
    result = run_demo(small, seed=2, epochs=1, backend="numpy", verbose=False)
    topology = graph(small)
    recipe = recipe_for(topology)
    problem = simulate(topology, seed=2, train_rows=recipe.train_rows)
    x, y, x_test, y_test = (
        torch.from_numpy(rows)
        for rows in (problem.x_train, problem.y_train, problem.x_test, problem.y_test)
    )
    options = {"channels": recipe.channels, "layers": recipe.layers, "dropout": recipe.dropout}
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=2, **options)
    inferer = FunctionEdgeInferer(
        model.eval(), torch.nn.MSELoss(), problem.known_edges, backend="numpy"
    )
    untrained = inferer.fit(x_test, y_test)
    channels_untrained = inferer.fit(x_test, y_test, score="channels")
    train(model, x, y, epochs=1, learning_rate=recipe.learning_rate, seed=2)
    trained = inferer.fit(x_test, y_test)
    channels = inferer.fit(x_test, y_test, score="channels")
    assert_array_equal(result.W, trained)
    assert_array_equal(result.channels, channels)
    matrices = {
        "trained": trained,
        "untrained": untrained,
        "channels trained": channels,
        "channels untrained": channels_untrained,
    }
    for name, matrix in matrices.items():
        for part in ("validation", "test"):
            expected = slow_mrr(matrix, getattr(problem, f"{part}_edges"), problem.true_edges)
            assert_allclose(getattr(result.scores[name], part), expected, rtol=1e-12)
    assert (result.graph, result.backend, result.seed) == (str(small), "numpy", 2)
    assert [*result.seconds] == ["simulate", "infer untrained", "train", "infer", "score"]


def test_random_baseline_follows_the_seed(small):
    first, again, other = (
        run_demo(small, seed=seed, epochs=0, backend="numpy", verbose=False) for seed in (0, 0, 1)
    )
    assert first.scores == again.scores
    assert first.scores["random"] != other.scores["random"]
    assert first.scores["trained"] == first.scores["untrained"]


def test_epochs_default_to_those_of_the_graph(small, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "train", lambda *_, epochs, **__: asked.append(epochs))
    result = run_demo(small, backend="numpy", verbose=False)
    assert asked == [result.epochs] == [recipe_for(graph(small)).epochs]


def test_table():
    assert render(RESULT).splitlines() == [
        "graph tutorial, 2 function nodes; backend numpy; seed 3; 30 epochs",
        "",
        "matrix                      validation MRR   test MRR",
        "─────────────────────────────────────────────────────",
        "W, trained model                     0.987      0.955",
        "W, untrained model                   0.654      0.700",
        "channels, trained model              0.778      0.889",
        "channels, untrained model            0.667      0.778",
        "random                               0.101      0.090",
        "",
        "seconds: simulate 0.01, train 3.46",
    ]


def test_saved_files(tmp_path):
    folder = tmp_path / "new" / "folder"
    save(RESULT, folder)
    written = sorted(path.name for path in folder.iterdir())
    assert written == ["W.npy", "channels.npy", "metrics.json", "table.txt"]
    assert_array_equal(np.load(folder / "channels.npy"), RESULT.channels)
    assert_array_equal(np.load(folder / "W.npy"), RESULT.W)
    assert (folder / "table.txt").read_text() == render(RESULT)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["mrr"]["untrained"] == {"validation": 0.6543, "test": 0.7004}
    assert metrics["seconds"] == RESULT.seconds


def test_failed_save_leaves_the_old_files(tmp_path, monkeypatch):
    save(RESULT, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def no_space(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(run.json, "dumps", no_space)
    with pytest.raises(OSError, match="no space left"):
        save(DemoResult(**{**vars(RESULT), "W": RESULT.W + 1}), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_verbose_prints_the_table(small, tmp_path, capsys):
    out = tmp_path / "out"
    run_demo(small, epochs=1, backend="numpy", out=out)
    table, pictures = capsys.readouterr().out.rsplit("pictures: ", 1)
    assert table == (out / "table.txt").read_text()
    assert pictures == f"{out / 'heatmap.png'}, {out / 'ranks.png'}\n"
    run_demo(small, epochs=0, backend="numpy", verbose=False)
    assert capsys.readouterr() == ("", "")


def test_pictures_show_the_matrix_and_its_ranks(small, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(plots, "save", lambda ax, path: drawn.update({path.name: ax}))
    result = run_demo(small, seed=2, epochs=1, backend="numpy", out=tmp_path, verbose=False)
    problem = simulate(graph(small), seed=2, train_rows=recipe_for(graph(small)).train_rows)
    cells = drawn["heatmap.png"].images[0].get_array()
    off_diagonal = ~np.eye(len(result.W), dtype=bool)
    assert_array_equal(np.sort(cells.compressed()), np.sort(result.W[off_diagonal]))
    known, held_out = drawn["heatmap.png"].lines
    assert len(known.get_xdata()) == problem.known_edges.shape[1]
    assert len(held_out.get_xdata()) == problem.test_edges.shape[1]
    bars = drawn["ranks.png"].containers[0]
    assert_allclose(sum(bar.get_height() for bar in bars), problem.test_edges.shape[1])


def test_files_are_listed(small, tmp_path):
    folder = tmp_path / "out"
    result = run_demo(small, epochs=0, backend="numpy", out=folder, verbose=False)
    names = ["W.npy", "channels.npy", "heatmap.png", "metrics.json", "ranks.png", "table.txt"]
    assert result.files == tuple(folder / name for name in names)
    assert sorted(folder.iterdir()) == sorted(result.files)


def test_without_matplotlib_there_are_no_pictures(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    result = run_demo(small, epochs=0, backend="numpy", out=tmp_path)
    assert {file.suffix for file in result.files} == {".npy", ".json", ".txt"}
    assert "pictures: none, as matplotlib is not installed: pip" in capsys.readouterr().out


def test_unknown_graph_and_backend(small):
    with pytest.raises(FileNotFoundError, match="graph must be one of tutorial"):
        run_demo("tutoral", verbose=False)
    with pytest.raises(ValueError, match="backend must be one of"):
        run_demo(small, backend="cupy", verbose=False)

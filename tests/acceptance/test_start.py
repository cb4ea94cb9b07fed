"""The package as it is imported, its backends, its demo and its pictures."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import gsnn_edges
from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, backends, compare, evaluate_edges, plots
from gsnn_edges.demo import GSNN, graph, simulate, train, tutorial

from .program import Command

LIBRARIES = "torch, jax, numba, scipy, pandas, matplotlib, zarr, networkx, sklearn, click, rich"
ONLY_NUMPY = f"""
import sys
import gsnn_edges, numpy
from gsnn_edges import cross_correlation, evaluate_edges, mrr, rankdata
x = numpy.random.default_rng(0).random((20, 3))
rankdata(x), cross_correlation(x, x), mrr(x[:3], [[0], [1]], [[0], [1]])
loaded = set(sys.modules) & set("{LIBRARIES}".split(", "))
assert not loaded & {{"torch", "jax"}}, loaded
"""
NOTHING = f"""
import sys
import gsnn_edges
dir(gsnn_edges), gsnn_edges.__version__
loaded = set(sys.modules) & set("{LIBRARIES}".split(", "))
assert not loaded, loaded
"""


@pytest.mark.parametrize("program", [NOTHING, ONLY_NUMPY], ids=["import", "NumPy"])
def test_no_library_is_loaded_before_it_is_needed(program):
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_name_is_there():
    for name in gsnn_edges.__all__:
        assert getattr(gsnn_edges, name) is not None
    assert set(gsnn_edges.__all__) <= set(dir(gsnn_edges))
    with pytest.raises(AttributeError, match="nothing"):
        gsnn_edges.nothing  # noqa: B018


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "generic"])
def test_backends_keep_their_laws(name, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    found = backends.check(name)
    assert len(found) >= 4
    assert all(finding.kept for finding in found), found
    assert all(finding.error <= finding.bound for finding in found)
    assert name in backends.available()


def test_backends_of_arrays():
    assert backends.of(np.zeros(3)).name == "numpy"
    assert backends.of(torch.zeros(3)).name == "torch"
    assert backends.load("torch", "cpu").name == "torch"


def test_backends_by_command(command):
    shown = command.well("backends").out
    assert all(name in shown for name in ("numpy", "torch", "jax"))


def test_plan_says_whether_it_fits(command):
    shown = command.well(
        "plan", "--nodes", 1000, "--observations", 10_000, "--memory", "1kB", "--json"
    )
    assert shown.json["fits"] is False


def test_help_of_every_command(command):
    shown = command.well("--help").out
    for name in ("capture", "correlate", "evaluate", "infer", "demo", "plan", "backends"):
        assert name in shown
    assert gsnn_edges.__version__ in command.well("--version").out
    assert "--max-memory" in command.well("correlate", "--help").out


def test_the_demo(command):
    found = command.well("demo", "--epochs", 1, "--out", "found", "--json").json
    W = np.load(command.folder / "found" / "W.npy")
    assert W.shape == (50, 50)
    metrics = json.loads((command.folder / "found" / "metrics.json").read_text())
    for shown in (found, metrics):
        assert (shown["graph"], shown["seed"], shown["epochs"]) == ("tutorial", 0, 1)
        assert shown["mrr"]["trained"]["test"] > 0.3 > shown["mrr"]["random"]["test"]


def test_problems_follow_their_seed():
    one, again, other = (tutorial(seed=seed) for seed in (0, 0, 1))
    assert_array_equal(one.x_train, again.x_train)
    assert not np.array_equal(one.x_train, other.x_train)
    assert one.true_edges.shape[1] == sum(
        edges.shape[1] for edges in (one.known_edges, one.validation_edges, one.test_edges)
    )
    topology = graph("dream4-1")
    problem = simulate(topology, seed=0, train_rows=20, test_rows=10)
    assert problem.y_test.shape == (10, len(topology.functions))


@pytest.fixture(scope="module")
def trained():
    """A GSNN that lacks some edges, trained for some epochs, and its evidence."""
    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=5, layers=4, seed=0)
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    state = torch.get_rng_state()
    losses = train(model, x, y, epochs=12, learning_rate=5e-3, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert losses[-1] < losses[0]
    assert not model.training
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    return problem, inferer.infer(problem.x_test, problem.y_test)


def test_evidence_finds_edges_that_the_model_lacks(trained):
    problem, evidence = trained
    assert isinstance(evidence, EdgeEvidence)
    found = evidence.evaluate(problem.test_edges, problem.true_edges, seed=0)
    assert found.intervals["mrr"].low > found.expected_mrr


def test_pictures(trained, tmp_path):
    problem, evidence = trained
    ranking = evaluate_edges(evidence.W, problem.test_edges, problem.true_edges, seed=0)
    compared = compare(
        evidence, problem.test_edges, problem.true_edges, known_edges=problem.known_edges, seed=0
    )
    drawn = {
        "heatmap": plots.heatmap(evidence, held_out=problem.test_edges, ax=plots.blank_axes()),
        "matrix": plots.heatmap(evidence.W, ax=plots.blank_axes()),
        "ranks": plots.rank_histogram(ranking, ax=plots.blank_axes()),
        "hits": plots.hits_curve({"W": ranking}, ax=plots.blank_axes()),
        "network": plots.edge_network(evidence, 10, ax=plots.blank_axes()),
        "compared": plots.comparison(compared, ax=plots.blank_axes()),
        "epochs": plots.mrr_over_epochs([(0, 0.1), (1, 0.4), (2, 0.3)], ax=plots.blank_axes()),
    }
    for name, axes in drawn.items():
        assert axes.has_data()
        assert axes.get_xlabel() or axes.get_title() or name == "network"
    path = plots.save(drawn["ranks"], tmp_path / "ranks.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    order = plots.cluster_order(evidence.W)
    assert sorted(order.tolist()) == list(range(50))


def test_the_command_is_the_one_that_is_installed(tmp_path):
    shown = Command(tmp_path).well("demo", "--help")
    assert "--epochs" in shown.out

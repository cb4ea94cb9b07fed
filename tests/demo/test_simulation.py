"""The simulated data: its moments from theory, its fixed points from their equation, its split."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.demo import simulation
from gsnn_edges.demo.gsnn import FUNCTION_EDGES, INPUT_EDGES, OUTPUT_EDGES
from gsnn_edges.demo.simulation import fixed_point, simulate, tutorial
from gsnn_edges.demo.topologies import graph


@pytest.fixture
def cycles(tmp_path):
    """A graph of 12 nodes and 16 edges with a loop, a self-edge and two source components."""
    chain = [(f"n{k}", f"n{k + 1}") for k in range(11)]
    more = [("n11", "n8"), ("n0", "n5"), ("n3", "n9"), ("n4", "n4"), ("m", "n2")]
    path = tmp_path / "cycles.csv"
    path.write_text("source,target\n" + "".join(f"{s},{t}\n" for s, t in chain + more))
    return graph(path)


def as_set(edges):
    return {tuple(pair) for pair in edges.T.tolist()}


def test_tutorial_split():
    problem = tutorial(seed=0)
    validation, test = as_set(problem.validation_edges), as_set(problem.test_edges)
    assert (len(validation), len(test)) == (17, 18)
    into_sink = [sum(target == 49 for _, target in part) for part in (validation, test)]
    assert into_sink == [6, 6]
    held_out = set().union(*(as_set(kind) for kind in graph("tutorial").held_out))
    assert validation | test == held_out
    assert as_set(problem.known_edges) == as_set(problem.true_edges) - held_out


@pytest.mark.parametrize("name", ["tutorial", "dream4-1"])
def test_the_model_is_given_the_known_edges_only(name):
    topology = graph(name)
    problem = simulate(topology, train_rows=20, test_rows=10)
    given = problem.edge_index_dict
    assert_array_equal(given[FUNCTION_EDGES], problem.known_edges)
    assert_array_equal(given[INPUT_EDGES][1], topology.perturbed)
    assert_array_equal(given[OUTPUT_EDGES][0], topology.measured)
    parts = [problem.known_edges, problem.validation_edges, problem.test_edges]
    assert sum(part.shape[1] for part in parts) == topology.edges.shape[1]
    assert set().union(*map(as_set, parts)) == as_set(topology.edges)
    names = problem.node_names_dict
    assert_array_equal(
        [len(names["input"]), len(names["output"])],
        [len(given[INPUT_EDGES][0]), len(given[OUTPUT_EDGES][1])],
    )


def test_tutorial_moments():
    """Covariances of 40,000 rows with those of the sums of normals that the nodes are."""
    problem = simulate(graph("tutorial"), train_rows=40_000, test_rows=2)
    # An input reaches middle k by f_k or f_(k+1); the sink sums all middles.
    loads = np.zeros((25, 25))
    for k in range(24):
        loads[[k, k + 1], k] = 1
    loads[:, 24] = loads[:, :24].sum(1)
    # Noise of the first nodes spreads as the inputs do; middles, sink and outputs add their own.
    covariance = (1 + 0.25**2) * loads.T @ loads
    covariance += 2 * 0.25**2 * np.eye(25)
    covariance[24, 24] += 24 * 0.25**2
    covariance[:24, 24] += 0.25**2
    covariance[24, :24] += 0.25**2
    scale = np.sqrt(np.diag(covariance))
    assert_allclose(np.cov(problem.x_train.T), np.eye(25), atol=0.03)
    assert_allclose(np.cov(problem.y_train.T), covariance / np.outer(scale, scale), atol=0.03)
    cross = problem.x_train.T @ problem.y_train / len(problem.x_train)
    assert_allclose(cross, loads / scale, atol=0.03)


@pytest.mark.parametrize("name", ["tutorial", "dream4-2"])
def test_outputs_are_standardised_by_the_training_rows(name):
    problem = simulate(graph(name), train_rows=200, test_rows=50)
    assert_allclose(problem.y_train.mean(0), 0, atol=1e-6)
    assert_allclose(problem.y_train.std(0), 1, atol=1e-6)
    arrays = [problem.x_train, problem.y_train, problem.x_test, problem.y_test]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert [len(array) for array in arrays] == [200, 200, 50, 50]


def test_fixed_point_solves_its_equation():
    generator = np.random.default_rng(0)
    weights = generator.uniform(-1, 1, (10, 10)) * (generator.random((10, 10)) < 0.3)
    drive = generator.standard_normal((50, 10))
    values, settled = fixed_point(weights, drive)
    assert_array_equal(settled, True)
    assert_allclose(values, np.tanh(values @ weights.T + drive), atol=1e-6)


def test_fixed_point_of_a_graph_without_cycles():
    weights = np.array([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [-0.7, 0.9, 0.0]])
    drive = np.array([[0.3, -0.1, 2.0]])
    first = np.tanh(0.3)
    second = np.tanh(1.2 * first - 0.1)
    third = np.tanh(-0.7 * first + 0.9 * second + 2.0)
    assert_allclose(fixed_point(weights, drive)[0], [[first, second, third]], atol=1e-5)


def test_fixed_point_of_sparse_weights():
    generator = np.random.default_rng(0)
    weights = generator.uniform(-1, 1, (10, 10)) * (generator.random((10, 10)) < 0.3)
    drive = generator.standard_normal((50, 10))
    values, settled = fixed_point(torch.from_numpy(weights).to_sparse(), drive)
    assert_array_equal(settled, True)
    assert_allclose(values, np.tanh(values @ weights.T + drive), atol=1e-6)


def test_large_graphs_get_the_same_data_by_sparse_weights(monkeypatch):
    dense = simulate(graph("dream4-1"), train_rows=20, test_rows=10)
    monkeypatch.setattr(simulation, "SPARSE_NODES", 0)
    sparse = simulate(graph("dream4-1"), train_rows=20, test_rows=10)
    assert_array_equal(sparse.x_train, dense.x_train)
    assert_allclose(sparse.y_train, dense.y_train, atol=1e-5)


def test_fixed_point_names_rows_that_oscillate():
    loop = np.array([[0.0, -9.0], [9.0, 0.0]])
    _, settled = fixed_point(loop, np.array([[0.1, 0.1], [20.0, 20.0]]))
    assert_array_equal(settled, [False, True])


def test_rows_that_do_not_settle_are_drawn_anew(monkeypatch):
    monkeypatch.setattr(simulation, "MAX_STEPS", 100)
    asked = []

    def watched(weights, drive):
        values, settled = fixed_point(weights, drive)
        asked.append((len(drive), int(settled.sum())))
        return values, settled

    monkeypatch.setattr(simulation, "fixed_point", watched)
    problem = simulate(graph("dream4-1"), seed=0, train_rows=80, test_rows=20)
    sizes, kept = np.array(asked).T
    assert len(asked) > 1
    assert_array_equal(sizes, 100 - np.append(0, kept.cumsum()[:-1]))
    assert problem.y_train.shape == (80, 100)


def test_a_graph_that_never_settles_is_an_error(monkeypatch):
    monkeypatch.setattr(simulation, "MAX_STEPS", 1)
    with pytest.raises(ValueError, match="30 of 30 rows of 'dream4-1' reach no fixed point"):
        simulate(graph("dream4-1"), train_rows=20, test_rows=10)


def test_held_out_share(cycles):
    problem = simulate(cycles, train_rows=20, test_rows=10, held_out_share=0.5)
    parts = [problem.validation_edges, problem.test_edges]
    assert [part.shape[1] for part in parts] == [4, 4]
    own = [(source, target) for source, target in as_set(cycles.edges) if source == target]
    assert set(own) <= as_set(problem.known_edges)
    assert len(own) == 1


def test_too_few_edges_to_hold_out(cycles):
    with pytest.raises(ValueError, match=r"held_out_share must leave .* 0.05 of 15 edges .* is 1"):
        simulate(cycles, held_out_share=0.05)


@pytest.mark.parametrize("name", ["tutorial", "dream4-1"])
def test_seed_decides_everything(name):
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    first, again, other = (
        simulate(graph(name), seed=seed, train_rows=20, test_rows=10) for seed in (5, 5, 6)
    )
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for field in fields(first):
        if field.name not in ("edge_index_dict", "node_names_dict"):
            assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    assert_array_equal(first.x_train != other.x_train, True)
    assert as_set(first.test_edges) != as_set(other.test_edges)

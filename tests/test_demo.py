"""The reference GSNN, its training, the graphs and simulated data, and the run of the demo."""

import json
import math
import subprocess
import sys
import tarfile
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import reciprocal_ranks
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from torch import nn

from gsnn_edges import FunctionEdgeInferer
from gsnn_edges.demo import GSNN, graph, liver, run, simulate, simulation, train, tutorial
from gsnn_edges.demo.gsnn import FUNCTION_EDGES, INPUT_EDGES, OUTPUT_EDGES
from gsnn_edges.demo.run import recipe_for, run_demo, save
from gsnn_edges.demo.topologies import source_nodes

CHAIN = {
    INPUT_EDGES: torch.tensor([[0, 1], [0, 2]]),
    FUNCTION_EDGES: torch.tensor([[0, 1, 2], [1, 1, 3]]),
    OUTPUT_EDGES: torch.tensor([[1, 3, 1], [0, 1, 1]]),
}
CHAIN_NAMES = {"input": ["u", "v"], "function": ["a", "b", "c", "d"], "output": ["y", "z"]}
# Two input edges, the three above, self-edges of all nodes but the second one, three output edges.
CHAIN_EDGES = [
    ("input", 0, 0), ("input", 1, 2),
    ("function", 0, 1), ("function", 1, 1), ("function", 2, 3),
    ("function", 0, 0), ("function", 2, 2), ("function", 3, 3),
    ("output", 1, 0), ("output", 3, 1), ("output", 1, 1),
]  # fmt: skip


def chain(**options):
    """A model of the chain in float64, no parameter or statistic at its neutral value."""
    generator = torch.Generator().manual_seed(0)
    model = GSNN(CHAIN, CHAIN_NAMES, **options).double().eval()
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("bias", "norm.weight", "residual_scale", "running_mean")):
                tensor += torch.rand(tensor.shape, generator=generator) - 0.5
            if name.endswith("running_var"):
                tensor += torch.rand(tensor.shape, generator=generator)
    return model


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


# The model


def dense(linear, n_columns):
    """Matrix (rows, columns) and bias (rows,) of an affine map, found by unit vectors."""
    bias = linear(torch.zeros(1, n_columns, dtype=torch.float64))
    return (linear(torch.eye(n_columns, dtype=torch.float64)) - bias).T, bias[0]


def slow_norm(h, block, norm, channels):
    """Norm of the channels of one row, h of shape (C,), in evaluation mode."""
    if norm == "none":
        return h
    if norm == "batch":
        mean, variance = block.norm.running_mean, block.norm.running_var
    else:
        by_node = h.view(-1, channels)
        mean = by_node.mean(1).repeat_interleave(channels)
        variance = by_node.var(1, correction=0).repeat_interleave(channels)
    return (h - mean) / (variance + 1e-5).sqrt() * block.norm.weight + block.norm.bias


def slow_row(model, x, *, norm="none", channels=3, residual=True, mask=1.0):
    """Outputs of one row of x, and the pre-norm activations of each block, edge by edge."""
    edges = [x[s] if kind == "input" else x.new_zeros(()) for kind, s, _ in CHAIN_EDGES]
    state, pre_norms = torch.stack(edges) * mask, []
    for block in model.ResBlocks:
        w_in, b_in = dense(block.lin_in, len(CHAIN_EDGES))
        w_out, b_out = dense(block.lin_out, len(b_in))
        h = b_in.clone()
        for e, (kind, _, target) in enumerate(CHAIN_EDGES):
            if kind != "output":
                for c in range(target * channels, (target + 1) * channels):
                    h[c] += w_in[c, e] * state[e]
        pre_norms.append(h)
        active = nn.functional.elu(slow_norm(h, block, norm, channels))
        after = block.residual_scale.clamp(min=0) * state if residual else torch.zeros_like(state)
        for e, (kind, source, _) in enumerate(CHAIN_EDGES):
            if kind != "input":
                after[e] += b_out[e]
                for c in range(source * channels, (source + 1) * channels):
                    after[e] += w_out[e, c] * active[c]
        state = after * mask
    outputs = []
    for k in range(2):
        entering = [e for e, (kind, _, t) in enumerate(CHAIN_EDGES) if (kind, t) == ("output", k)]
        total = sum(state[e] for e in entering)
        outputs.append(total / math.sqrt(len(entering) * len(model.ResBlocks)))
    return torch.stack(outputs), torch.stack(pre_norms)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("share_layers", [False, True])
@pytest.mark.parametrize("residual", [True, False])
def test_outputs_records_and_gradients_are_those_of_the_specification(norm, share_layers, residual):
    options = {"norm": norm, "channels": 3, "residual": residual}
    model = chain(layers=3, share_layers=share_layers, **options)
    assert len({id(block.lin_in) for block in model.ResBlocks}) == (1 if share_layers else 3)
    for block in model.ResBlocks:
        block._store_activations = True
    x = normal(4, 2).requires_grad_()
    outputs = model(x)
    recorded = torch.stack([block._last_pre_norm_activation for block in model.ResBlocks], dim=1)
    rows = [slow_row(model, row, **options) for row in x]
    expected = torch.stack([y for y, _ in rows])
    assert_allclose(outputs.detach(), expected.detach(), rtol=1e-12)
    assert_allclose(recorded.detach(), torch.stack([h for _, h in rows]).detach(), rtol=1e-12)
    learnt = [x, *model.parameters()]
    gradients, slow = (torch.autograd.grad(y.square().mean(), learnt) for y in (outputs, expected))
    for ours, theirs in zip(gradients, slow, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)
    masked = model(x, edge_mask=torch.tensor([[0.5, 0.0, 1.0]]))
    mask = torch.tensor([1, 1, 0.5, 0, 1, 1, 1, 1, 1, 1, 1]).double()
    rows = [slow_row(model, row, mask=mask, **options)[0] for row in x]
    assert_allclose(masked.detach(), torch.stack(rows).detach(), rtol=1e-12)


def test_weights_lie_along_the_graph_only_in_the_range_of_their_connection():
    model = GSNN(CHAIN, CHAIN_NAMES, channels=400, layers=2).double()
    node = np.repeat(np.arange(4), 400)
    enters = np.array([[kind != "output" and t == k for kind, _, t in CHAIN_EDGES] for k in node])
    leaves = np.array([[kind != "input" and s == k for kind, s, _ in CHAIN_EDGES] for k in node])
    for block in model.ResBlocks:
        w_in, b_in = dense(block.lin_in, len(CHAIN_EDGES))
        w_out, b_out = dense(block.lin_out, len(b_in))
        assert_array_equal(torch.cat([b_in, b_out]).detach(), 0)
        assert block.residual_scale.item() == 1
        for weights, there in ((w_in.detach().numpy(), enters), (w_out.detach().numpy().T, leaves)):
            assert_array_equal(weights != 0, there)
            edges_of_node = there.sum(axis=1)
            # Over the root of fan-in times fan-out: the node's edges, and its channels.
            drawn = (weights * np.sqrt(edges_of_node * 400)[:, None])[there]
            assert_allclose([drawn.min(), drawn.max()], [-1, 1], atol=0.01)
            assert_allclose([drawn.mean(), drawn.var()], [0, 1 / 3], atol=0.03)


def test_masks_of_every_form():
    model, x = chain(channels=2, layers=3), normal(4, 2)
    keep = torch.tensor([True, False, True])
    whole = torch.cat([torch.ones(2), keep, torch.ones(6)])
    expected = model(x, edge_mask=keep).detach()
    for mask in (keep[None], keep.float(), whole, whole.bool(), whole[None].double()):
        assert_array_equal(model(x, edge_mask=mask).detach(), expected)
    assert_array_equal(model(x, edge_mask=torch.ones(3)).detach(), model(x).detach())
    assert_array_equal(model(x, edge_mask=torch.zeros(11)).detach(), 0)
    for shape in [(4,), (3, 1), (4, 3), (), (1, 1, 3)]:
        with pytest.raises(ValueError, match=r"edge_mask must have shape .* E = 3 .* or 11 .*got"):
            model(x, edge_mask=torch.ones(shape))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_weights_follow_the_seed_and_come_back_by_a_reset_or_a_state(norm):
    before = torch.get_rng_state()
    options = {"norm": norm, "layers": 2}
    first, again, other = (GSNN(CHAIN, CHAIN_NAMES, seed=seed, **options) for seed in (3, 3, 4))
    assert_array_equal(torch.get_rng_state(), before)
    if norm != "batch":
        assert list(first.state_dict()) == [name for name, _ in first.named_parameters()]
    weight = "ResBlocks.0.lin_in.weight"
    assert_array_equal(first.state_dict()[weight] != other.state_dict()[weight], True)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter += 1
    first(torch.ones(5, 2))
    first.reset_parameters()
    for name, tensor in again.state_dict().items():
        assert_array_equal(first.state_dict()[name], tensor)
    other.load_state_dict(first.state_dict())
    x = torch.ones(3, 2)
    assert_array_equal(other.eval()(x).detach(), first.eval()(x).detach())


def test_blocks_record_when_asked_only():
    model = GSNN(CHAIN, CHAIN_NAMES, channels=3, layers=2, nonlinearity=nn.Tanh).eval()
    block = model.ResBlocks[0]
    model(torch.ones(5, 2))
    assert block._last_pre_norm_activation is block._last_activation is None
    block._store_activations = True
    model(torch.ones(5, 2))
    assert_array_equal(block.channel_groups, np.repeat(np.arange(4), 3))
    pre_norm, post = block._last_pre_norm_activation, block._last_activation
    assert_array_equal(post.detach(), pre_norm.detach().tanh())


def test_dropout_acts_before_lin_out_and_in_training_only():
    model = GSNN(CHAIN, CHAIN_NAMES, channels=300, layers=2, dropout=0.3)
    block = model.ResBlocks[0]
    block._store_activations = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(torch.ones(50, 2))
    active = block._last_pre_norm_activation != 0
    assert_allclose((block._last_activation[active] == 0).float().mean(), 0.3, atol=0.01)
    model.eval()(torch.ones(50, 2))
    assert_array_equal(block._last_activation[block._last_pre_norm_activation != 0] == 0, False)


# Training


def linear():
    model = nn.Linear(3, 2, bias=False).double()
    nn.init.constant_(model.weight, 0.1)
    return model


X, Y = normal(40, 3), normal(40, 3) @ normal(3, 2, seed=2)


class Recorder(nn.Module):
    """Passes x through and keeps every batch, and the number of threads it came with."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.batches, self.threads = [], []

    def forward(self, x):
        self.batches.append(x.detach().clone())
        self.threads.append(torch.get_num_threads())
        return x * self.scale


def test_steps_are_those_of_adam_without_decay():
    model, x, y, rate = linear(), X.numpy(), Y.numpy(), 0.05
    losses = train(model, X, Y, epochs=7, learning_rate=rate, batch_size=40)
    weight, expected = np.full((2, 3), 0.1), []
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(1, 8):
        error = x @ weight.T - y
        expected.append((error**2).mean())
        slope = 2 * error.T @ x / error.size
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        root = np.sqrt(square / (1 - 0.999**step))
        weight = weight - rate * mean / (1 - 0.9**step) / (root + 1e-8)
    assert_allclose(losses, expected, rtol=1e-10)
    assert_allclose(model.weight.detach(), weight, rtol=1e-10)


def test_each_epoch_shuffles_and_leaves_out_the_ragged_batch(capsys):
    x, model = torch.arange(10.0)[:, None], Recorder()
    train(model, x, x, epochs=3, batch_size=4, verbose=True)
    assert "training epochs" in capsys.readouterr().err
    assert [batch.shape for batch in model.batches] == [(4, 1)] * 6
    epochs = torch.stack(model.batches).view(3, 8)
    assert [len(epoch.unique()) for epoch in epochs] == [8] * 3
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3


def test_seed_decides_order_and_dropout_and_global_states_stay():
    weights = []
    for seed in (1, 1, 2):
        model, before = nn.Sequential(nn.Dropout(0.5), linear()), torch.get_rng_state()
        assert len(train(model, X, Y, epochs=2, batch_size=16, seed=seed)) == 2
        assert_array_equal(torch.get_rng_state(), before)
        weights.append(model[1].weight.detach())
        assert not model.training
    assert_array_equal(weights[0], weights[1])
    assert_array_equal(weights[0] != weights[2], True)


def test_threads_suit_the_work_and_come_back():
    small, large, before = Recorder(), Recorder(), torch.get_num_threads()
    large.unused = nn.Parameter(torch.ones(2_000_000))
    torch.set_num_threads(3)
    try:
        for model in (small, large):
            train(model, torch.ones(10, 1), torch.ones(10, 1), epochs=1, batch_size=8)
        with pytest.raises(RuntimeError, match="shapes"):
            train(linear(), normal(10, 4), normal(10, 2), batch_size=8)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert (small.threads, large.threads) == ([1], [3])


def test_tutorial_reaches_the_noise_that_the_held_out_edges_leave():
    problem = tutorial(seed=0)
    recipe = recipe_for(graph("tutorial"))
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, dropout=recipe.dropout)
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    train(model, x, y, epochs=16, learning_rate=recipe.learning_rate)
    predicted = model(torch.from_numpy(problem.x_test)).detach().numpy()
    # Without one of its two parents the input of a middle keeps 1.25 of its variance of 2.25.
    assert_allclose(np.square(predicted - problem.y_test).mean(), 1.25 / 2.25, atol=0.03)


# Graphs


def as_set(edges):
    return {tuple(pair) for pair in edges.T.tolist()}


def test_tutorial_is_as_described():
    topology = graph("tutorial")
    edges = {pair for k in range(24) for pair in ((k, 25 + k), (k + 1, 25 + k), (25 + k, 49))}
    into_middles, into_sink = (
        {(k, 25 + k) for k in range(1, 24)},
        {(k, 49) for k in range(25, 49, 2)},
    )
    assert as_set(topology.edges) == edges
    assert topology.edges.shape == (2, 72)
    assert [as_set(kind) for kind in topology.held_out] == [into_middles, into_sink]
    assert_array_equal(topology.perturbed, range(25))
    assert_array_equal(topology.measured, range(25, 50))
    problem = tutorial(seed=0)
    validation, test = as_set(problem.validation_edges), as_set(problem.test_edges)
    assert (len(validation), len(test)) == (17, 18)
    assert [sum(t == 49 for _, t in part) for part in (validation, test)] == [6, 6]
    assert validation | test == into_middles | into_sink
    assert as_set(problem.known_edges) == as_set(problem.true_edges) - into_middles - into_sink


@pytest.mark.parametrize(
    ("name", "n_nodes", "n_edges"),
    [("dream4-1", 100, 176), ("dream4-2", 100, 249), ("ligand-receptor", 1876, 4738)],
)
def test_real_graphs_are_packaged(name, n_nodes, n_edges):
    topology = graph(name)
    assert len(set(topology.functions)) == n_nodes
    assert len(as_set(topology.edges)) == n_edges
    assert_array_equal(topology.measured, range(n_nodes))


@pytest.mark.parametrize("n_edges", [1, 10, 20, 30, 60])
def test_one_source_node_in_each_source_component(n_edges):
    for seed in range(10):
        edges = np.random.default_rng(seed).integers(0, 20, (2, n_edges))
        matrix = coo_array((np.ones(n_edges), tuple(edges)), shape=(20, 20))
        n_components, component = connected_components(matrix, connection="strong")
        source, target = component[edges]
        fed = set(target[source != target].tolist())
        lowest = [int(np.argmax(component == c)) for c in range(n_components) if c not in fed]
        assert_array_equal(source_nodes(20, edges), sorted(lowest))


def test_csv_with_cycles_duplicates_and_other_columns(tmp_path):
    text = "weight,target,source\n1,b,a\n2,a,b\n3,c,b\n4,b,a\n5,c,d\n6,c,c\n"
    (tmp_path / "edges.csv").write_text(text, encoding="utf-8-sig")
    topology = graph(tmp_path / "edges.csv")
    assert topology.functions == ("a", "b", "c", "d")
    assert_array_equal(topology.edges, [[0, 1, 1, 3, 2], [1, 0, 2, 2, 2]])
    assert_array_equal(topology.perturbed, [0, 3])
    assert_array_equal(topology.measured, range(4))
    assert topology.held_out == ()


# Simulated data


@pytest.fixture
def small(tmp_path):
    """A csv of a ring of 10 nodes with a tail, a shortcut and a self-edge."""
    pairs = [(k, (k + 1) % 10) for k in range(10)]
    pairs += [(2, 10), (10, 11), (11, 5), (0, 11), (4, 4)]
    path = tmp_path / "ring.csv"
    path.write_text("source,target\n" + "".join(f"n{s},n{t}\n" for s, t in pairs))
    return path


def test_the_tutorial_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from gsnn_edges.demo import tutorial; "
    code += "print(tutorial(seed=0).test_edges.shape)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "(2, 18)\n"


def test_the_model_gets_the_known_edges_only():
    topology = graph("dream4-1")
    problem = simulate(topology, train_rows=20, test_rows=10)
    edges, names = problem.edge_index_dict, problem.node_names_dict
    assert_array_equal(edges[FUNCTION_EDGES], problem.known_edges)
    assert_array_equal(edges[INPUT_EDGES], [range(len(names["input"])), topology.perturbed])
    assert_array_equal(edges[OUTPUT_EDGES], [topology.measured, range(len(names["output"]))])
    parts = [problem.known_edges, problem.validation_edges, problem.test_edges]
    assert sum(part.shape[1] for part in parts) == topology.edges.shape[1]
    assert set().union(*map(as_set, parts)) == as_set(topology.edges)


def test_tutorial_moments():
    """Covariances of 40,000 rows with those of the sums of normals that the nodes are."""
    problem = simulate(graph("tutorial"), train_rows=40_000, test_rows=2)
    # An input reaches middle k by f_k or f_(k+1); the sink sums all middles.
    loads = np.zeros((25, 25))
    for k in range(24):
        loads[[k, k + 1], k] = 1
    loads[:, 24] = loads[:, :24].sum(1)
    # Noise of the first nodes goes where inputs go; middles, sink and outputs add their own.
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


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_fixed_point_solves_its_equation(form):
    generator = np.random.default_rng(0)
    weights = generator.uniform(-1, 1, (10, 10)) * (generator.random((10, 10)) < 0.3)
    drive = generator.standard_normal((50, 10))
    values, settled = simulation.fixed_point(form(weights), drive)
    assert_array_equal(settled, True)
    assert_allclose(values, np.tanh(values @ weights.T + drive), atol=1e-6)
    weights = np.array([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [-0.7, 0.9, 0.0]])
    first = np.tanh(0.3)
    second = np.tanh(1.2 * first - 0.1)
    third = np.tanh(-0.7 * first + 0.9 * second + 2.0)
    values, _ = simulation.fixed_point(form(weights), np.array([[0.3, -0.1, 2.0]]))
    assert_allclose(values, [[first, second, third]], atol=1e-5)
    loop = form(np.array([[0.0, -9.0], [9.0, 0.0]]))
    _, settled = simulation.fixed_point(loop, np.array([[0.1, 0.1], [20.0, 20.0]]))
    assert_array_equal(settled, [False, True])


def test_rows_that_do_not_settle_are_drawn_anew(monkeypatch):
    problem = simulate(graph("ligand-receptor"), seed=0, train_rows=40, test_rows=10)
    assert problem.y_train.shape == (40, 1876)
    assert np.isfinite(problem.y_train).all()
    monkeypatch.setattr(simulation, "_MAX_STEPS", 1)
    with pytest.raises(ValueError, match="30 of 30 rows of 'dream4-1' reach no fixed point"):
        simulate(graph("dream4-1"), train_rows=20, test_rows=10)


def test_held_out_share(small):
    problem = simulate(graph(small), train_rows=20, test_rows=10, held_out_share=0.5)
    assert (problem.validation_edges.shape[1], problem.test_edges.shape[1]) == (3, 4)
    # A GSNN has all self-edges, so none can be kept from it.
    assert (4, 4) in as_set(problem.known_edges)


@pytest.mark.parametrize("name", ["tutorial", "dream4-1"])
def test_seed_decides_everything(name):
    first, again, other = (
        simulate(graph(name), seed=seed, train_rows=20, test_rows=10) for seed in (5, 5, 6)
    )
    for field in fields(first):
        if field.name not in ("edge_index_dict", "node_names_dict"):
            assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    assert_array_equal(first.x_train != other.x_train, True)
    assert as_set(first.test_edges) != as_set(other.test_edges)


# The run


def test_run_is_its_parts(small):
    result = run_demo(small, seed=2, epochs=1, backend="numpy", verbose=False)
    topology = graph(small)
    recipe = recipe_for(topology)
    problem = simulate(topology, seed=2, train_rows=recipe.train_rows)
    x, y = (torch.from_numpy(rows) for rows in (problem.x_train, problem.y_train))
    options = {"channels": recipe.channels, "layers": recipe.layers, "dropout": recipe.dropout}
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=2, **options).eval()
    inferer = FunctionEdgeInferer(model, nn.MSELoss(), problem.known_edges, backend="numpy")

    def both():
        return [
            inferer.fit(problem.x_test, problem.y_test, score=score)
            for score in ("magnitude", "channels")
        ]

    before = both()
    train(model, x, y, epochs=1, learning_rate=recipe.learning_rate, seed=2)
    after = both()
    assert_array_equal(result.W, after[0])
    assert_array_equal(result.channels, after[1])
    names = ["trained", "channels trained", "untrained", "channels untrained"]
    for name, matrix in zip(names, after + before, strict=True):
        for part in ("validation", "test"):
            edges = getattr(problem, f"{part}_edges")
            expected = reciprocal_ranks(matrix, edges, problem.true_edges).mean()
            assert_allclose(getattr(result.scores[name], part), expected, rtol=1e-12)
    assert (result.graph, result.backend, result.seed) == (str(small), "numpy", 2)
    assert [*result.seconds] == ["simulate", "infer untrained", "train", "infer", "score"]


def test_random_baseline_follows_the_seed_and_epochs_the_graph(small, monkeypatch, capsys):
    options = {"backend": "numpy", "verbose": False}
    first, again, other = (run_demo(small, seed=seed, epochs=0, **options) for seed in (0, 0, 1))
    assert capsys.readouterr() == ("", "")
    assert first.scores == again.scores
    assert first.scores["random"] != other.scores["random"]
    assert first.scores["trained"] == first.scores["untrained"]
    epochs = []
    monkeypatch.setattr(run, "train", lambda *_, **options: epochs.append(options["epochs"]))
    assert run_demo(small, **options).epochs == recipe_for(graph(small)).epochs == epochs[0]


def test_files_are_whole_and_listed_and_the_table_is_printed(small, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "new" / "folder"
    result = run_demo(small, epochs=0, backend="numpy", out=folder)
    table, pictures = capsys.readouterr().out.rsplit("pictures: ", 1)
    files = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    names = ["W.npy", "channels.npy", "heatmap.png", "metrics.json", "ranks.png", "table.txt"]
    assert result.files == tuple(files) == tuple(folder / name for name in names)
    assert pictures == f"{folder / 'heatmap.png'}, {folder / 'ranks.png'}\n"
    assert table == (folder / "table.txt").read_text()
    first, _, header, _, *rows, _, seconds = table.splitlines()
    assert first == f"graph {small}, 12 function nodes; backend numpy; seed 0; 0 epochs"
    assert header.split() == ["matrix", "validation", "MRR", "test", "MRR"]
    assert [row.split()[-2:] for row in rows] == [
        [f"{score.validation:.3f}", f"{score.test:.3f}"] for score in result.scores.values()
    ]
    assert rows[0].startswith("W, trained model  ")
    assert f", train {result.seconds['train']:.2f}, " in seconds
    for name in ("W", "channels"):
        assert_array_equal(np.load(folder / f"{name}.npy"), getattr(result, name))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["mrr"]["untrained"] == vars(result.scores["untrained"])
    assert metrics["seconds"] == result.seconds
    unwritable = replace(result, W=result.W + 1, seconds={"train": object()})
    with pytest.raises(TypeError):
        save(unwritable, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == files
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    result = run_demo(small, epochs=0, backend="numpy", out=tmp_path / "plain")
    assert {file.suffix for file in result.files} == {".npy", ".json", ".txt"}
    assert "pictures: none, as matplotlib is not installed: in a clone" in capsys.readouterr().out


OUTSIDE = {**CHAIN, OUTPUT_EDGES: torch.tensor([[4], [0]])}
THREE = {**CHAIN, INPUT_EDGES: torch.tensor([[0, 0], [1, 2], [0, 1]])}
MISSING = {INPUT_EDGES: CHAIN[INPUT_EDGES]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chain(channels=0), "channels must be at least 1; got 0"),
        (lambda: chain(layers=0), "layers must be at least 1; got 0"),
        (lambda: chain(norm="group"), "norm must be one of 'none', 'batch', 'layer'; got 'group'"),
        (lambda: chain(dropout=1.0), r"dropout must lie in \[0, 1\).*got 1.0"),
        (lambda: GSNN(OUTSIDE, CHAIN_NAMES), r"'output'.*sources in 0 .. 3.*got 4"),
        (lambda: GSNN(THREE, CHAIN_NAMES), r"'input'.*shape \(2, E\).*got \(3, 2\)"),
        (lambda: GSNN(MISSING, CHAIN_NAMES), "must have the key .*'function', 'to', 'function'"),
        (lambda: chain()(torch.ones(5, 3)), r"x must have shape \(rows, 2\).*got \(5, 3\)"),
        (lambda: train(linear(), X, Y, batch_size=41), "at most the number of rows, 40; got 41"),
        (lambda: train(linear(), X, Y, batch_size=0), "batch_size must be at least 1; got 0"),
        (lambda: train(linear(), X, Y, epochs=-1), "epochs must be at least 0; got -1"),
        (lambda: simulate(graph("dream4-1"), held_out_share=0.005), "held_out_share must leave"),
        (lambda: run_demo(backend="cupy", verbose=False), "backend must be one of"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"columns source and target; the header line of 'edges.csv' is ''"),
        ("from,to\na,b\n", "columns source and target; the header line .* is 'from,to'"),
        ("source,target\n", "graph must have an edge; .* has none under its header line"),
        ("source,target\na,b\na,\n", "line 3 of .* has source 'a' and target ''"),
        ("source,target\na,b\n ,c\n", "line 3 of .* has source '' and target 'c'"),
        ("source,target\na\n", "name both nodes of each edge; line 2 of .* source 'a'"),
        (None, "one of tutorial, dream4-1, .* or .*got 'edges.csv'"),
    ],
)
def test_wrong_graphs_are_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "edges.csv").write_text(text)
    with pytest.raises(FileNotFoundError if text is None else ValueError, match=message):
        run_demo("edges.csv", verbose=False)


# Real data

TABLE = """TR:Cells:CellLine,TR:TNFa,TR:NOINHIB,TR:P38i,DA:p38 ,DA:Jun,DV:p38 ,DV:Jun
1,,1,,0,0,5,6
1,1,,,30,30,0,96
1,,,1,30,30,32,32
1,1,,1,180,180,96,0
1,,1,,180,180,224,480
"""
GRAPH = "tnfa\t1\tTraf\nTraf\t1\tp38\np38\t-1\tjun\n\n"


@pytest.fixture(params=["folder", "unpacked", "sdist"])
def package(request, tmp_path):
    """Files of the package as they are installed, unpacked or in a source distribution."""
    top = tmp_path / "cellnopt.data-1.0.3"
    (top / "share/data/LiverMSB2009").mkdir(parents=True)
    (top / "share/data/LiverMSB2009/MD-LiverMSB2009.csv").write_text(TABLE)
    (top / "share/data/LiverMSB2009/PKN-LiverMSB2009.sif").write_text(GRAPH)
    with tarfile.open(tmp_path / "it.tar.gz", "w:gz") as archive:
        archive.add(top, top.name)
    return {"folder": top, "unpacked": tmp_path, "sdist": tmp_path / "it.tar.gz"}[request.param]


def test_liver_data_are_read_as_they_are_described(package):
    data = liver("LiverMSB", package)
    topology = data.topology
    assert topology.functions == ("tnfa", "Traf", "p38", "jun")
    assert topology.edges.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert (topology.inputs, topology.perturbed.tolist()) == (("TNFa", "P38i"), [0, 2])
    assert topology.outputs == ("measurement of p38", "measurement of jun")
    assert topology.measured.tolist() == [2, 3]
    assert data.x.tolist() == [[1, 0], [0, -1], [1, -1], [0, 0]]
    # log2(value + 32) is 5, 6; 7, 6 at the first time, and 7, 8; 5, 9 at the second.
    assert data.y.tolist() == [[-1, 1], [1, -1], [-1, -1], [1, 1]]


def test_each_edge_of_real_data_is_in_one_fold(package):
    data = liver("LiverMSB", package)
    problems = [data.problem(fold, folds=3) for fold in range(3)]
    tested = np.concatenate([problem.test_edges for problem in problems], axis=1)
    assert sorted(tested.T.tolist()) == sorted(data.topology.edges.T.tolist())
    for problem in problems:
        both = np.concatenate([problem.known_edges, problem.test_edges], axis=1)
        assert sorted(both.T.tolist()) == sorted(problem.true_edges.T.tolist())
        GSNN(problem.edge_index_dict, problem.node_names_dict)
    with pytest.raises(ValueError, match=r"fold must be below folds, .* 3 edges; got fold=3"):
        data.problem(3, folds=3)


def test_missing_liver_data_are_told_how_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"not installed: pip download .*==1\.0\.3"):
        liver("HepG2")
    with pytest.raises(FileNotFoundError, match=r"is not at .*pip download"):
        liver("HepG2", tmp_path)
    with pytest.raises(ValueError, match="name must be one of"):
        liver("liver")

"""The reference GSNN: against loops written from its specification, and against a naive one."""

import math

import numpy as np
import pytest
import torch
from benchmarks.problems import random_graph, with_gather
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from gsnn_edges.demo.gsnn import FUNCTION_EDGES, GSNN, INPUT_EDGES, OUTPUT_EDGES

CHAIN = {
    INPUT_EDGES: torch.tensor([[0, 1], [0, 2]]),
    FUNCTION_EDGES: torch.tensor([[0, 1, 2], [1, 1, 3]]),
    OUTPUT_EDGES: torch.tensor([[1, 3, 1], [0, 1, 1]]),
}
CHAIN_NAMES = {"input": ["u", "v"], "function": ["a", "b", "c", "d"], "output": ["y", "z"]}


def shaken(model, seed=0):
    """The model in float64 and evaluation mode, no parameter or statistic at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("bias", "norm.weight", "residual_scale", "running_mean")):
                tensor += torch.rand(tensor.shape, generator=generator) - 0.5
            if name.endswith("running_var"):
                tensor += torch.rand(tensor.shape, generator=generator)
    return model


def all_edges(edge_index_dict, n_functions):
    """Every edge as (kind of source, source, kind of target, target), in the model's order."""
    given = edge_index_dict[FUNCTION_EDGES].T.tolist()
    own = [[k, k] for k in range(n_functions) if [k, k] not in given]
    return (
        [("input", s, "function", t) for s, t in edge_index_dict[INPUT_EDGES].T.tolist()]
        + [("function", s, "function", t) for s, t in given + own]
        + [("function", s, "output", t) for s, t in edge_index_dict[OUTPUT_EDGES].T.tolist()]
    )


def dense(linear, n_columns):
    """Matrix (rows, columns) and bias (rows,) of an affine map, found by unit vectors."""
    bias = linear(torch.zeros(1, n_columns, dtype=torch.float64))
    return (linear(torch.eye(n_columns, dtype=torch.float64)) - bias).T.detach(), bias[0].detach()


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


def slow_row(model, edges, names, x, *, norm, channels, residual):
    """Outputs of one row of x, and the pre-norm activations of each block, edge by edge."""
    state = torch.stack([x[s] if kind == "input" else x.new_zeros(()) for kind, s, _, _ in edges])
    pre_norms = []
    for block in model.ResBlocks:
        w_in, b_in = dense(block.lin_in, len(edges))
        w_out, b_out = dense(block.lin_out, len(b_in))
        h = b_in.clone()
        for e, (_, _, kind, target) in enumerate(edges):
            if kind == "function":
                for c in range(target * channels, (target + 1) * channels):
                    h[c] += w_in[c, e] * state[e]
        pre_norms.append(h)
        active = nn.functional.elu(slow_norm(h, block, norm, channels))
        after = block.residual_scale.clamp(min=0) * state if residual else torch.zeros_like(state)
        for e, (kind, source, _, _) in enumerate(edges):
            if kind == "function":
                after[e] += b_out[e]
                for c in range(source * channels, (source + 1) * channels):
                    after[e] += w_out[e, c] * active[c]
        state = after
    outputs = []
    for k in range(len(names["output"])):
        coming = [e for e, (_, _, kind, t) in enumerate(edges) if (kind, t) == ("output", k)]
        total = sum(state[e] / math.sqrt(len(model.ResBlocks)) for e in coming)
        outputs.append(total / math.sqrt(len(coming)))
    return torch.stack(outputs), torch.stack(pre_norms)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("share_layers", [False, True])
@pytest.mark.parametrize("residual", [True, False])
def test_forward_equals_the_specification(norm, share_layers, residual):
    options = {"norm": norm, "channels": 3, "residual": residual}
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, layers=3, share_layers=share_layers, **options))
    for block in model.ResBlocks:
        block._store_activations = True
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    got = model(x)
    recorded = torch.stack([block._last_pre_norm_activation for block in model.ResBlocks], dim=1)
    edges = all_edges(CHAIN, 4)
    rows = [slow_row(model, edges, CHAIN_NAMES, row, **options) for row in x]
    assert_allclose(got.detach(), torch.stack([y for y, _ in rows]).detach(), rtol=1e-12)
    assert_allclose(recorded.detach(), torch.stack([h for _, h in rows]).detach(), rtol=1e-12)


def test_weights_lie_along_the_graph_only():
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, channels=2, layers=2))
    edges = all_edges(CHAIN, 4)
    w_in, _ = dense(model.ResBlocks[0].lin_in, len(edges))
    w_out, _ = dense(model.ResBlocks[0].lin_out, 8)
    node = np.arange(8) // 2
    enters = [[kind == "function" and t == k for _, _, kind, t in edges] for k in node]
    leaves = [[kind == "function" and s == k for k in node] for kind, s, _, _ in edges]
    assert_array_equal(w_in != 0, enters)
    assert_array_equal(w_out != 0, leaves)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_an_output_hears_only_what_leads_to_it(norm):
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, channels=2, layers=3, norm=norm))
    x = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    y = model(x)[0]
    heard = torch.stack([torch.autograd.grad(k, x, retain_graph=True)[0][0] for k in y])
    assert_array_equal(heard != 0, [[True, False], [True, True]])


def test_gradients_equal_the_naive_ones():
    model = shaken(GSNN(*random_graph(30, 4), channels=3, layers=3))
    x = torch.randn(20, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x.requires_grad_()
    wanted = [x, *model.parameters()]
    got = torch.autograd.grad(model(x).square().mean(), wanted)
    naive = torch.autograd.grad(with_gather(model)(x).square().mean(), wanted)
    for ours, theirs in zip(got, naive, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)


def test_initial_weights_fill_the_range_of_their_connection():
    edges, names = random_graph(40, 5)
    model = GSNN(edges, names, channels=8, layers=2)
    rows = all_edges(edges, 40)
    entering = np.array([t for _, _, kind, t in rows if kind == "function"])
    leaving = np.array([s for kind, s, _, _ in rows if kind == "function"])
    scale_in = np.repeat(np.sqrt(np.bincount(entering) * 8), 8)[:, None]
    scale_out = np.repeat(np.sqrt(np.bincount(leaving) * 8), 8)
    for block in model.double().ResBlocks:
        w_in, b_in = dense(block.lin_in, len(rows))
        w_out, b_out = dense(block.lin_out, len(b_in))
        for scaled in (w_in.numpy() * scale_in, w_out.numpy() * scale_out):
            drawn = scaled[scaled != 0]
            assert_allclose([drawn.min(), drawn.max()], [-1, 1], atol=0.01)
            assert_allclose([drawn.mean(), drawn.var()], [0, 1 / 3], atol=0.03)
        assert_array_equal(torch.cat([b_in, b_out]), 0)
        assert_allclose(block.residual_scale.item(), 1)


def test_seed_decides_the_weights_and_no_global_generator_moves():
    before = torch.get_rng_state()
    first, again = (GSNN(CHAIN, CHAIN_NAMES, seed=3) for _ in range(2))
    other = GSNN(CHAIN, CHAIN_NAMES, seed=4)
    assert_array_equal(torch.get_rng_state(), before)
    for name, tensor in first.state_dict().items():
        assert_array_equal(tensor, again.state_dict()[name])
    weight = "ResBlocks.0.lin_in.weight"
    difference = first.state_dict()[weight] - other.state_dict()[weight]
    assert_array_equal(difference != 0, True)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_reset_gives_the_untrained_model(norm):
    model, untrained = (GSNN(CHAIN, CHAIN_NAMES, norm=norm, seed=3) for _ in range(2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    model(torch.ones(5, 2))
    model.reset_parameters()
    for name, tensor in untrained.state_dict().items():
        assert_array_equal(model.state_dict()[name], tensor)


@pytest.mark.parametrize("share_layers", [False, True])
def test_state_dict_round_trip(share_layers):
    options = {"norm": "batch", "share_layers": share_layers, "layers": 2}
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, seed=3, **options))
    twin = GSNN(CHAIN, CHAIN_NAMES, seed=4, **options).double().eval()
    twin.load_state_dict(model.state_dict())
    x = torch.ones(3, 2, dtype=torch.float64)
    assert_array_equal(twin(x).detach(), model(x).detach())


def test_shared_layers_are_one_module():
    blocks = GSNN(CHAIN, CHAIN_NAMES, share_layers=True).ResBlocks
    assert {id(block.lin_in) for block in blocks} == {id(blocks[0].lin_in)}
    assert {id(block.lin_out) for block in blocks} == {id(blocks[0].lin_out)}
    separate = GSNN(CHAIN, CHAIN_NAMES).ResBlocks
    assert len({id(block.lin_in) for block in separate}) == len(separate)


def test_blocks_record_when_asked_only():
    model = GSNN(CHAIN, CHAIN_NAMES, channels=3, layers=2, norm="layer").eval()
    model(torch.ones(5, 2))
    block = model.ResBlocks[0]
    assert block._last_pre_norm_activation is None
    assert block._last_activation is None
    block._store_activations = True
    loss = model(torch.ones(5, 2)).square().mean()
    pre_norm, post = block._last_pre_norm_activation, block._last_activation
    assert_array_equal(block.channel_groups, np.repeat(np.arange(4), 3))
    assert pre_norm.shape == post.shape == (5, 12)
    assert_array_equal(post.detach(), block.nonlinearity(block.norm(pre_norm)).detach())
    before, after = torch.autograd.grad(loss, [pre_norm, post])
    assert_array_equal(after[:, :3] != 0, True)
    assert_array_equal(before[:, :3] != 0, True)


def test_dropout_acts_before_lin_out_and_in_training_only():
    model = GSNN(*random_graph(100, 3), layers=2, dropout=0.3)
    block = model.ResBlocks[0]
    block._store_activations = True
    x = torch.ones(50, 50)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(x)
    active = block._last_pre_norm_activation != 0
    assert_allclose((block._last_activation[active] == 0).float().mean(), 0.3, atol=0.01)
    model.eval()
    assert_array_equal(model(x).detach(), model(x).detach())
    assert_array_equal(block._last_activation[block._last_pre_norm_activation != 0] == 0, False)


def test_nonlinearity_is_the_one_asked_for():
    model = GSNN(CHAIN, CHAIN_NAMES, nonlinearity=nn.ReLU).eval()
    block = model.ResBlocks[0]
    block._store_activations = True
    model(torch.ones(3, 2))
    pre_norm = block._last_pre_norm_activation.detach()
    assert_array_equal(block._last_activation.detach(), pre_norm.clamp(min=0))


OUTSIDE = {**CHAIN, OUTPUT_EDGES: torch.tensor([[4], [0]])}
ROWS = {**CHAIN, INPUT_EDGES: torch.tensor([[0, 0], [1, 2], [0, 1]])}
MISSING = {INPUT_EDGES: CHAIN[INPUT_EDGES]}


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        (CHAIN, {"channels": 0}, "channels must be at least 1; got 0"),
        (CHAIN, {"layers": 0}, "layers must be at least 1; got 0"),
        (CHAIN, {"norm": "group"}, "norm must be one of 'none', 'batch', 'layer'; got 'group'"),
        (CHAIN, {"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        (OUTSIDE, {}, r"edge_index_dict.*'output'.*sources in 0 .. 3.*got 4"),
        (ROWS, {}, r"edge_index_dict.*'input'.*shape \(2, E\).*got \(3, 2\)"),
        (MISSING, {}, r"edge_index_dict must have the key .*'function', 'to', 'function'"),
    ],
)
def test_bad_arguments(edges, options, message):
    with pytest.raises(ValueError, match=message):
        GSNN(edges, CHAIN_NAMES, **options)


def dropped(edges, keep):
    """The graph without some of its function -> function edges."""
    return {**edges, FUNCTION_EDGES: edges[FUNCTION_EDGES][:, keep]}


def without_weights_of(model, smaller, keep):
    """Give the smaller graph's model the weights of the larger one's remaining edges."""
    first = len(model.input_sources)
    kept = np.ones(model.n_edges, bool)
    kept[first : first + len(keep)] = keep
    for block, small in zip(model.ResBlocks, smaller.ResBlocks, strict=True):
        for name in ("lin_in", "lin_out"):
            large, own = getattr(block, name), getattr(small, name)
            edge = large.columns if name == "lin_in" else rows_of(large)
            own.weight.data = large.weight.data[kept[edge]]
        written = kept[block.lin_out.biased_rows]
        small.lin_out.bias.data = block.lin_out.bias.data[written]
        small.lin_in.bias.data = block.lin_in.bias.data
        small.residual_scale.data = block.residual_scale.data


def rows_of(linear):
    ends = [*linear.offsets[1:], len(linear.columns)]
    return np.repeat(np.arange(linear.n_rows), np.diff([0, *map(int, ends)]))


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_masked_edges_are_edges_that_are_not_there(norm):
    edges, names = random_graph(30, 4)
    own = torch.arange(30).expand(2, -1)
    edges[FUNCTION_EDGES] = torch.cat([edges[FUNCTION_EDGES], own], dim=1).unique(dim=1)
    options = {"channels": 3, "layers": 4, "norm": norm}
    model = shaken(GSNN(edges, names, **options))
    keep = torch.rand(model.n_function_edges, generator=torch.Generator().manual_seed(0)) < 0.7
    keep |= edges[FUNCTION_EDGES][0] == edges[FUNCTION_EDGES][1]
    smaller = GSNN(dropped(edges, keep), names, **options).double().eval()
    without_weights_of(model, smaller, keep.numpy())
    if norm == "layer":
        for block, small in zip(model.ResBlocks, smaller.ResBlocks, strict=True):
            small.norm.load_state_dict(block.norm.state_dict())
    x = torch.randn(5, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_allclose(model(x, edge_mask=keep).detach(), smaller(x).detach(), rtol=1e-12, atol=1e-13)
    assert (model(x) - smaller(x)).abs().max().item() > 1e-3


def test_no_information_passes_a_masked_edge():
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, channels=2, layers=4))
    x = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    # Output y hears input u by way of a -> b alone.
    for keep, hears in (([1, 1, 1], True), ([0, 1, 1], False)):
        y = model(x, edge_mask=torch.tensor(keep, dtype=torch.bool))[0, 0]
        assert_array_equal(torch.autograd.grad(y, x)[0] != 0, [[hears, False]])


def test_masks_of_every_form():
    model = shaken(GSNN(CHAIN, CHAIN_NAMES, channels=2, layers=3))
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    keep = torch.tensor([True, False, True])
    # Two input edges before; four self-edges but the given 1 -> 1, and three output edges, after.
    whole = torch.cat([torch.ones(2), keep, torch.ones(6)])
    expected = model(x, edge_mask=keep).detach()
    for mask in (keep[None], keep.float(), whole, whole.bool(), whole[None].double()):
        assert_array_equal(model(x, edge_mask=mask).detach(), expected)
    assert_array_equal(model(x, edge_mask=torch.ones(3)).detach(), model(x).detach())
    assert_array_equal(model(x, edge_mask=torch.zeros(11)).detach(), 0)
    halves = torch.autograd.functional.jacobian(lambda m: model(x, m), torch.full((3,), 0.5))
    assert_array_equal(halves.abs().sum((0, 1)) > 0, True)


@pytest.mark.parametrize("shape", [(4,), (3, 1), (4, 3), (), (1, 1, 3)])
def test_bad_mask(shape):
    with pytest.raises(ValueError, match=r"edge_mask must have shape .* E = 3 .* or 11 .*got \("):
        GSNN(CHAIN, CHAIN_NAMES)(torch.ones(4, 2), edge_mask=torch.ones(shape))


def test_bad_x():
    with pytest.raises(ValueError, match=r"x must have shape \(rows, 2\).*got \(5, 3\)"):
        GSNN(CHAIN, CHAIN_NAMES)(torch.ones(5, 3))

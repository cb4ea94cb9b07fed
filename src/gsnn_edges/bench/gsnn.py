"""A reference GSNN of a chosen size, its bare pass, and a straightforward forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gsnn_edges.demo.gsnn import (
    FUNCTION_EDGES,
    GSNN,
    INPUT_EDGES,
    OUTPUT_EDGES,
    EdgeType,
    Readout,
    ResBlock,
    SparseLinear,
)

# Of each block: the (row, column) pairs of its two sparse maps, each of shape (2, P).
Pairs = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Example:
    """A model in evaluation mode, with a batch and its loss."""

    model: GSNN
    crit: nn.Module
    x: Tensor
    y: Tensor
    edges: Tensor


def example(
    nodes: int = 1000,
    *,
    batch: int = 500,
    layers: int = 5,
    channels: int = 4,
    edges_per_node: int = 5,
    device: str = "cpu",
    seed: int = 0,
) -> Example:
    """Make a reference GSNN over a random graph, and a random batch."""
    edges, names = random_graph(nodes, edges_per_node, seed)
    model = GSNN(edges, names, channels=channels, layers=layers, dropout=0.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, len(names["input"]), generator=generator)
    y = torch.randn(batch, len(names["output"]), generator=generator)
    return Example(
        model.eval().to(device),
        nn.MSELoss(),
        x.to(device),
        y.to(device),
        edges[FUNCTION_EDGES],
    )


def random_graph(
    nodes: int, edges_per_node: int, seed: int = 0
) -> tuple[dict[EdgeType, Tensor], dict[str, list[str]]]:
    """Draw a graph whose first half of nodes has inputs and whose second half has outputs."""
    generator = np.random.default_rng(seed)
    between = np.unique(generator.integers(0, nodes, (2, edges_per_node * nodes)), axis=1)
    half = np.arange(nodes // 2)
    edges = {
        INPUT_EDGES: np.stack([half, half]),
        FUNCTION_EDGES: between,
        OUTPUT_EDGES: np.stack([half + nodes - len(half), half]),
    }
    names = {
        "input": [f"in{k}" for k in half],
        "function": [f"f{k}" for k in range(nodes)],
        "output": [f"out{k}" for k in half],
    }
    return {kind: torch.tensor(pairs) for kind, pairs in edges.items()}, names


def bare_pass(example: Example) -> tuple[Tensor, ...]:
    """One forward and one backward pass: the gradients of all parameters."""
    return _gradients(example, example.model(example.x))


def naive_pass(example: Example, pairs: Pairs) -> tuple[Tensor, ...]:
    """`bare_pass` by way of `naive_forward`."""
    return _gradients(example, naive_forward(example.model, example.x, pairs))


def naive_forward(model: GSNN, x: Tensor, pairs: Pairs) -> Tensor:
    """Gather, multiply and scatter over (B, pairs): an ELU model without norm and dropout.

    ``pairs`` are those of `sparse_pairs`, which a straightforward model would keep.
    """
    state = x.new_zeros(len(x), model.n_edges)
    state[:, : len(model.input_sources)] = x[:, model.input_sources]
    for block, (into, out) in zip(_blocks(model), pairs, strict=True):
        bias = x.new_zeros(model.n_edges)
        bias[block.lin_out.biased_rows] = block.lin_out.bias
        h = _naive_sums(state, into, block.lin_in.weight, len(block.channel_groups))
        h = functional.elu(h + block.lin_in.bias)
        update = _naive_sums(h, out, block.lin_out.weight, model.n_edges) + bias
        scale = block.residual_scale
        state = update if scale is None else update + scale.relu() * state
    outputs = _naive_sums(state, _pairs(model.readout), 1.0, len(model.readout.count))
    return outputs / (model.readout.count.to(x) * len(model.ResBlocks)).sqrt()


def sparse_pairs(model: GSNN) -> Pairs:
    """List the pairs of the sparse maps of each block."""
    return [(_pairs(block.lin_in), _pairs(block.lin_out)) for block in _blocks(model)]


def _blocks(model: GSNN) -> list[ResBlock]:
    return [block for block in model.ResBlocks if isinstance(block, ResBlock)]


def _pairs(linear: SparseLinear | Readout) -> Tensor:
    ends = torch.cat([linear.offsets[1:], linear.offsets.new_tensor([len(linear.columns)])])
    counts = ends - linear.offsets
    rows = torch.arange(len(ends), device=ends.device).repeat_interleave(counts)
    return torch.stack([rows, linear.columns])


def _naive_sums(x: Tensor, pairs: Tensor, weight: Tensor | float, n_rows: int) -> Tensor:
    messages = x[:, pairs[1]] * weight
    return x.new_zeros(len(x), n_rows).index_add(1, pairs[0], messages)


def _gradients(example: Example, outputs: Tensor) -> tuple[Tensor, ...]:
    loss = example.crit(outputs, example.y)
    return torch.autograd.grad(loss, list(example.model.parameters()))

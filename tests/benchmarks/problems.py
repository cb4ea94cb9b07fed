"""What is measured on: seeded data, a model, and what one would write first."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from benchmarks.measuring import clocked
from torch import Tensor, nn

from gsnn_edges import FunctionEdgeInferer
from gsnn_edges.demo.gsnn import FUNCTION_EDGES, GSNN, INPUT_EDGES, OUTPUT_EDGES, SparseLinear

# Shares of exact zeros, about those of a real GSNN: ReLU-like activations, dead gradients.
ZEROS = (0.2, 0.4)
MSE = nn.MSELoss()


@lru_cache(maxsize=2)
def observations(count: int, nodes: int) -> np.ndarray:
    """Draw activations and gradients, float32 (2, count, nodes): normal numbers, some exactly 0."""
    rng = np.random.default_rng(0)
    both = rng.standard_normal((2, count, nodes), np.float32)
    for x, share in zip(both, ZEROS, strict=True):
        x[rng.random(x.shape, np.float32) < share] = 0
    return both


@lru_cache(maxsize=2)
def scored_edges(nodes: int, edges: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores, (nodes, nodes), and that many different edges, (2, edges), no self-edges."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((nodes, nodes), np.float32)
    source, target = np.divmod(rng.choice(nodes * (nodes - 1), edges, replace=False), nodes - 1)
    return scores, np.stack([source, target + (target >= source)])


def array_of(library: str, x: np.ndarray, device: str = "cpu") -> Any:
    """Give an array of a library on a device; on a CPU torch and NumPy share its memory."""
    if library == "jax":
        import jax

        return jax.device_put(x, jax.devices(device)[0])
    return torch.from_numpy(x).to(device) if library == "torch" else x


def product_of(library: str, left: Any, right: Any) -> Callable[[], Any]:
    """Multiply rows by rows in full float32, by a library itself."""
    if library != "jax":
        return lambda: left @ right.T
    import jax

    product = partial(jax.numpy.inner, precision=jax.lax.Precision.HIGHEST)
    return partial(jax.jit(product), left, right)


@lru_cache(maxsize=1)
def bare_product(count: int, nodes: int) -> Callable[[], Any]:
    """Choose the library that multiplies `observations` fastest."""
    rows = [np.ascontiguousarray(x.T) for x in observations(count, nodes)]
    products = [
        product_of(name, *(array_of(name, x) for x in rows)) for name in ("numpy", "torch", "jax")
    ]
    return min(products, key=lambda call: min(clocked(call)[0] for _ in range(3)))


def naive_spearman(a: Tensor, g: Tensor) -> Tensor:
    """Rank by argsort, centre, divide by the norm, multiply; ties are ranked as they stand."""
    return standardized_ranks(a).T @ standardized_ranks(g)


def standardized_ranks(x: Tensor) -> Tensor:
    order = x.argsort(dim=0)
    rank = torch.arange(len(x), dtype=x.dtype, device=x.device)[:, None]
    ranks = torch.empty_like(x).scatter_(0, order, rank.expand_as(x))
    centred = ranks - ranks.mean(dim=0)
    return centred / torch.linalg.vector_norm(centred, dim=0)


def gather_mrr(scores: Tensor, queries: Tensor, chunk: int = 2048) -> float:
    """Filtered mean reciprocal rank with a row of scores for each query; ties are averaged."""
    true = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    true[queries[0], queries[1]] = True
    total = 0.0
    for source, target in zip(*(ends.split(chunk) for ends in queries), strict=True):
        rows = scores[source]
        own = rows.gather(1, target[:, None])
        above = ((rows > own) & ~true[source]).sum(dim=1)
        level = ((rows == own) & ~true[source]).sum(dim=1)
        total += (1 / (1 + above + level / 2)).double().sum().item()
    return total / queries.shape[1]


def example(nodes: int, batch: int, device: str = "cpu", **options: Any) -> tuple[GSNN, Any, Any]:
    """Make a reference GSNN over a random graph of five edges a node, and a random batch."""
    model = GSNN(*random_graph(nodes, 5), dropout=0.0, **options).eval().to(device)
    generator = torch.Generator().manual_seed(0)
    return model, *torch.randn(2, batch, nodes // 2, generator=generator).to(device)


def random_graph(nodes: int, edges_per_node: int) -> tuple[dict, dict[str, list[str]]]:
    """Draw a graph whose first half of nodes has inputs and whose second half has outputs."""
    rng = np.random.default_rng(0)
    half = np.arange(nodes // 2)
    edges = {
        INPUT_EDGES: np.stack([half, half]),
        FUNCTION_EDGES: np.unique(rng.integers(0, nodes, (2, edges_per_node * nodes)), axis=1),
        OUTPUT_EDGES: np.stack([half + nodes - len(half), half]),
    }
    counts = {"input": len(half), "function": nodes, "output": len(half)}
    names = {kind: [f"{kind} {k}" for k in range(count)] for kind, count in counts.items()}
    return {kind: torch.tensor(pairs) for kind, pairs in edges.items()}, names


def bare_pass(model: GSNN, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """One forward and one backward pass: the gradients of all parameters."""
    return torch.autograd.grad(MSE(model(x), y), list(model.parameters()))


def inferer(model: GSNN, **options: Any) -> FunctionEdgeInferer:
    return FunctionEdgeInferer(model, MSE, model.edge_index_dict[FUNCTION_EDGES], **options)


class GatherLinear(nn.Module):
    """A sparse linear map by gather, multiply and scatter over (B, pairs), with given weights."""

    def __init__(self, linear: SparseLinear) -> None:
        super().__init__()
        ends = torch.cat([linear.offsets[1:], torch.tensor([len(linear.columns)])])
        self.rows = torch.arange(linear.n_rows).repeat_interleave(ends - linear.offsets)
        self.columns, self.biased, self.n_rows = linear.columns, linear.biased_rows, linear.n_rows
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        messages = x[:, self.columns] * self.weight
        sums = x.new_zeros(len(x), self.n_rows).index_add(1, self.rows, messages)
        return sums.index_add(1, self.biased, self.bias.expand(len(x), -1))


def with_gather(model: GSNN) -> GSNN:
    """Replace the sparse maps of a model by `GatherLinear`, as a straightforward GSNN has them."""
    for block in model.ResBlocks:
        block.lin_in, block.lin_out = GatherLinear(block.lin_in), GatherLinear(block.lin_out)
    return model.eval()

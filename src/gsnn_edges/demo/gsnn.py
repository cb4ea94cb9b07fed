"""A reference Graph Structured Neural Network.

The state is one number per edge. A block sends the edges that enter a node to the channels of that
node, and those channels to the edges that leave it, so information flows along the graph only.

Tensors have the batch first, (B, features), but lie in memory feature by feature (they are views of
(features, B) arrays): a sparse product then reads and writes whole contiguous rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from gsnn_edges import _validation
from gsnn_edges.demo.topologies import FUNCTION_EDGES, INPUT_EDGES, OUTPUT_EDGES, EdgeType

Norm = Literal["none", "batch", "layer"]


class SparseLinear(nn.Module):
    """A linear map with a weight at some pairs (row, column) only.

    ``y[:, row] = bias[row] + sum of weight * x[:, column]`` over the pairs of the row; a row that
    has no pair stays 0.

    Parameters
    ----------
    pairs : LongTensor of shape (2, P)
        Row over column, each pair once.
    shape : (int, int)
        Number of rows (outputs) and of columns (inputs).
    """

    columns: Tensor
    offsets: Tensor
    biased_rows: Tensor
    bound: Tensor

    def __init__(self, pairs: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        rows, columns, fan_in, offsets = _by_row(pairs, shape[0])
        fan_out = columns.bincount(minlength=shape[1])
        self.n_rows = shape[0]
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("biased_rows", fan_in.nonzero()[:, 0], persistent=False)
        self.register_buffer("bound", (fan_in[rows] * fan_out[columns]).rsqrt(), persistent=False)
        self.weight = nn.Parameter(torch.zeros(len(columns)))
        self.bias = nn.Parameter(torch.zeros(len(self.biased_rows)))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw weights from (-1, 1) / sqrt(fan-in * fan-out); set biases to 0."""
        with torch.no_grad():
            draws = (
                2
                * torch.rand(
                    len(self.weight), generator=generator, dtype=torch.float32, device="cpu"
                )
                - 1
            )
            self.weight.copy_(draws.to(self.bound) * self.bound)
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (B, columns) to shape (B, rows)."""
        sums = _weighted_sums(x, self.columns, self.offsets, self.weight)
        bias = self.bias.new_zeros(self.n_rows).index_copy(0, self.biased_rows, self.bias)
        return sums + bias


class Readout(nn.Module):
    """Each output is the sum of its incoming edges over the square root of their number.

    Parameters
    ----------
    pairs : LongTensor of shape (2, P)
        Output over edge, each pair once.
    n_outputs : int
    """

    columns: Tensor
    offsets: Tensor
    count: Tensor

    def __init__(self, pairs: Tensor, n_outputs: int) -> None:
        super().__init__()
        _, columns, count, offsets = _by_row(pairs, n_outputs)
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        # An output without an edge is 0, and not 0 / 0.
        self.register_buffer("count", count.clamp(min=1), persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        """Map the state, (B, edges), to the outputs, (B, n_outputs)."""
        return _weighted_sums(state, self.columns, self.offsets) / self.count.to(state).sqrt()


class ResBlock(nn.Module):
    """One step of the state: edges to channels, nonlinearity, channels to edges.

    Parameters
    ----------
    lin_in, lin_out : SparseLinear
        From the edges to the channels of the node that each enters, and from a node's channels to
        the edges that leave it.
    channel_groups : LongTensor of shape (C,)
        Function node of each channel.
    norm, nonlinearity : torch.nn.Module
        Applied to the channels in this order.
    dropout : float
        Share of the channels dropped in training.
    residual : bool
        Add ``relu(r)`` times the former state.
    """

    channel_groups: Tensor
    residual_scale: nn.Parameter | None

    def __init__(
        self,
        lin_in: SparseLinear,
        lin_out: SparseLinear,
        channel_groups: Tensor,
        *,
        norm: nn.Module,
        nonlinearity: nn.Module,
        dropout: float,
        residual: bool,
    ) -> None:
        super().__init__()
        self.register_buffer("channel_groups", channel_groups, persistent=False)
        self.lin_in = lin_in
        self.norm = norm
        self.nonlinearity = nonlinearity
        self.dropout = nn.Dropout(dropout)
        self.lin_out = lin_out
        self.residual_scale = nn.Parameter(torch.ones(())) if residual else None
        self._store_activations = False
        self._last_pre_norm_activation: Tensor | None = None
        self._last_activation: Tensor | None = None

    def reset_parameters(self) -> None:
        """Reset the norm and the residual; the linear maps may be shared, the model resets them."""
        if isinstance(self.norm, nn.BatchNorm1d | nn.GroupNorm):
            self.norm.reset_parameters()
        if self.residual_scale is not None:
            nn.init.ones_(self.residual_scale)

    def forward(self, state: Tensor) -> Tensor:
        """Map the state, (B, edges), to the next state."""
        pre_norm = self.lin_in(state)
        activation = self.dropout(self.nonlinearity(self.norm(pre_norm)))
        if self._store_activations:
            self._last_pre_norm_activation = pre_norm
            self._last_activation = activation
        update: Tensor = self.lin_out(activation)
        if self.residual_scale is None:
            return update
        return update + functional.relu(self.residual_scale) * state


class GSNN(nn.Module):
    """Graph Structured Neural Network over input, function and output nodes.

    Every function node gets a self-edge where it has none. ``ResBlocks`` follow the capture
    contract: while a block's ``_store_activations`` is true, its forward pass leaves
    ``_last_pre_norm_activation`` and ``_last_activation``, both (B, N * channels), on the block;
    ``channel_groups`` holds the function node of each channel.

    Parameters
    ----------
    edge_index_dict : mapping of edge type to whole numbers of shape (2, E)
        Keys ``("input", "to", "function")``, ``("function", "to", "function")`` and
        ``("function", "to", "output")``; source over target, numbered from 0 within their own kind.
    node_names_dict : mapping of "input", "function" and "output" to names
        The names give the number of nodes of each kind.
    channels : int
        Channels of each function node.
    layers : int
        Number of blocks.
    norm : {"none", "batch", "layer"}
        What follows the channels of a block. "layer" normalises within a node: a mean over all
        nodes would carry information past the edges.
    share_layers : bool
        Use one ``lin_in`` and one ``lin_out`` in all blocks.
    dropout : float
        Share of the channels dropped in training, after the nonlinearity.
    nonlinearity : type of torch.nn.Module
        Made without arguments, once per block.
    residual : bool
        Add ``relu(r)`` times the former state to each block's output, r learnt and 1 at first.
    seed : int
        Seed of the initial weights. The global generator is left alone.

    Raises
    ------
    ValueError
        If an option is unknown or out of range, or an edge names a node that is not there.

    Examples
    --------
    >>> edges = {
    ...     ("input", "to", "function"): torch.tensor([[0], [0]]),
    ...     ("function", "to", "function"): torch.tensor([[0], [1]]),
    ...     ("function", "to", "output"): torch.tensor([[1], [0]]),
    ... }
    >>> names = {"input": ["in"], "function": ["a", "b"], "output": ["out"]}
    >>> model = GSNN(edges, names, channels=3, layers=2)
    >>> model(torch.ones(5, 1)).shape
    torch.Size([5, 1])
    >>> model.ResBlocks[0].channel_groups
    tensor([0, 0, 0, 1, 1, 1])
    """

    input_sources: Tensor

    def __init__(
        self,
        edge_index_dict: Mapping[EdgeType, Any],
        node_names_dict: Mapping[str, Sequence[str]],
        *,
        channels: int = 10,
        layers: int = 6,
        norm: Norm = "none",
        share_layers: bool = False,
        dropout: float = 0.2,
        nonlinearity: type[nn.Module] = nn.ELU,
        residual: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _validation.whole_number("channels", channels, least=1)
        _validation.whole_number("layers", layers, least=1)
        _validation.choice("norm", norm, get_args(Norm))
        _validation.fraction("dropout", dropout)
        counts = {kind: len(node_names_dict[kind]) for kind in ("input", "function", "output")}
        into, between, out = (
            _checked_edges(edge_index_dict, kind, counts)
            for kind in (INPUT_EDGES, FUNCTION_EDGES, OUTPUT_EDGES)
        )
        self.n_function_edges = between.shape[1]
        between = _with_self_edges(between, counts["function"])
        self.seed = seed
        self.n_inputs = counts["input"]
        # What names the nodes in errors of `capture` and in `EdgeEvidence`.
        self.edge_index_dict = dict(edge_index_dict)
        self.node_names_dict = {kind: list(names) for kind, names in node_names_dict.items()}
        self.register_buffer("input_sources", into[0], persistent=False)

        # Edges are numbered input -> function first and function -> output last: the first ones are
        # never written but by the residual, the last ones are never read but at the end.
        first_written = into.shape[1]
        first_output = first_written + between.shape[1]
        self.n_edges = first_output + out.shape[1]
        edge = torch.arange(self.n_edges)
        targets, sources = torch.cat([into[1], between[1]]), torch.cat([between[0], out[0]])
        entering = _channel_edge_pairs(targets, edge[:first_output], channels)
        leaving = _channel_edge_pairs(sources, edge[first_written:], channels).flip(0)
        n_channels = counts["function"] * channels

        def linear_maps() -> tuple[SparseLinear, SparseLinear]:
            return (
                SparseLinear(entering, (n_channels, self.n_edges)),
                SparseLinear(leaving, (self.n_edges, n_channels)),
            )

        shared = linear_maps() if share_layers else None
        groups = torch.arange(counts["function"]).repeat_interleave(channels)
        self.ResBlocks = nn.ModuleList(
            ResBlock(
                *(shared or linear_maps()),
                groups,
                norm=_norm(norm, counts["function"], channels),
                nonlinearity=nonlinearity(),
                dropout=dropout,
                residual=residual,
            )
            for _ in range(layers)
        )
        self.readout = Readout(torch.stack([out[1], edge[first_output:]]), counts["output"])
        self.reset_parameters()

    def reset_parameters(self, seed: int | None = None) -> None:
        """Draw the initial weights anew.

        Parameters
        ----------
        seed : int, optional
            Left out, the seed of the constructor: the model is again what it was untrained.
        """
        generator = torch.Generator().manual_seed(self.seed if seed is None else seed)
        for module in self.modules():
            if isinstance(module, SparseLinear):
                module.reset_parameters(generator)
            elif isinstance(module, ResBlock):
                module.reset_parameters()

    def forward(self, x: Tensor, edge_mask: Tensor | None = None) -> Tensor:
        """Predict the outputs from the inputs.

        Parameters
        ----------
        x : Tensor of shape (B, number of inputs)
        edge_mask : Tensor of shape (E,) or (1, E), optional
            What the state of each edge is multiplied by before and after every block: nothing
            passes along an edge of False or 0. E counts the function -> function edges as they
            were given (all others stay), or all ``n_edges`` edges of the model. As (1, E), the
            mask is not mistaken for a value of each row where B happens to equal E.

        Returns
        -------
        Tensor of shape (B, number of outputs)

        Raises
        ------
        ValueError
            If x has another number of columns, or edge_mask another number of edges.
        """
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise ValueError(
                f"x must have shape (rows, {self.n_inputs}), a column for each input node; "
                f"got {tuple(x.shape)}"
            )
        entering = x.T[self.input_sources]
        blank = entering.new_zeros((self.n_edges - len(entering), len(x)))
        state = torch.cat([entering, blank]).T
        mask = None if edge_mask is None else self._mask_of_all_edges(edge_mask).to(state)
        state = state if mask is None else state * mask
        for block in self.ResBlocks:
            state = block(state)
            state = state if mask is None else state * mask
        sums: Tensor = self.readout(state)
        return sums / math.sqrt(len(self.ResBlocks))

    def _mask_of_all_edges(self, edge_mask: Tensor) -> Tensor:
        """Extend a mask of the function -> function edges as given to all edges of the model."""
        counts = self.n_function_edges, self.n_edges
        if edge_mask.shape not in {(*lead, count) for lead in ((), (1,)) for count in counts}:
            raise ValueError(
                f"edge_mask must have shape (E,) or (1, E), with E = {counts[0]} for the "
                f"function -> function edges as given or {counts[1]} for all edges of the model; "
                f"got {tuple(edge_mask.shape)}"
            )
        mask = edge_mask.flatten()
        if len(mask) == self.n_edges:
            return mask
        before = len(self.input_sources)
        after = self.n_edges - before - len(mask)
        return torch.cat([mask.new_ones(before), mask, mask.new_ones(after)])


def _weighted_sums(
    x: Tensor, columns: Tensor, offsets: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Sum weighted columns of x, (B, columns), in runs that begin at the offsets.

    An embedding bag is the fastest sparse product that torch has on a CPU, ten and more times
    faster than gather, multiply and index_add, and its derivatives come with it.
    """
    table = x.T.contiguous()
    sums = functional.embedding_bag(columns, table, offsets, mode="sum", per_sample_weights=weights)
    return sums.T


def _by_row(pairs: Tensor, n_rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort pairs by row: rows, columns, the number of each row's pairs and where they begin."""
    rows, columns = pairs[:, pairs[0].argsort(stable=True)]
    count = rows.bincount(minlength=n_rows)
    return rows, columns, count, count.cumsum(0) - count


def _norm(name: Norm, n_nodes: int, channels: int) -> nn.Module:
    if name == "batch":
        return nn.BatchNorm1d(n_nodes * channels)
    if name == "layer":
        return nn.GroupNorm(n_nodes, n_nodes * channels)
    return nn.Identity()


def _channel_edge_pairs(nodes: Tensor, edges: Tensor, channels: int) -> Tensor:
    """Pair each edge with every channel of its node: (channel over edge), (2, E * channels)."""
    channel = nodes[:, None] * channels + torch.arange(channels)
    return torch.stack([channel.flatten(), edges.repeat_interleave(channels)])


def _with_self_edges(edges: Tensor, n_nodes: int) -> Tensor:
    """Add the self-edges that are missing."""
    present = torch.zeros(n_nodes, dtype=torch.bool)
    present[edges[0, edges[0] == edges[1]]] = True
    missing = (~present).nonzero()[:, 0]
    return torch.cat([edges, missing.expand(2, -1)], dim=1)


def _checked_edges(
    edge_index_dict: Mapping[EdgeType, Any], kind: EdgeType, counts: Mapping[str, int]
) -> Tensor:
    if kind not in edge_index_dict:
        raise ValueError(f"edge_index_dict must have the key {kind}; it has {[*edge_index_dict]}")
    shape = counts[kind[0]], counts[kind[2]]
    return torch.tensor(
        _validation.edge_index(f"edge_index_dict[{kind}]", edge_index_dict[kind], shape)
    )

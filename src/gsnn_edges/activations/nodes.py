"""From the channels of a block to the columns that are correlated."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from gsnn_edges._typing import Agg, Norm

NORMS = {"l1": torch.abs, "l2": torch.square, "none": lambda v: v}
AGGS = ("sum", "mean", "max")


class Reducer(Protocol):
    """What is done with the channels of a block, as they arrive."""

    @property
    def groups(self) -> Tensor:
        """LongTensor (C,): the node of each channel."""
        ...

    @property
    def width(self) -> int:
        """Columns that come out."""
        ...

    def __call__(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, 1) channels to (B, width) columns."""
        ...

    def by_node(self, columns: Tensor) -> Tensor:
        """(M, width) columns to (M, N) nodes; what is not finite stays so."""
        ...


def even_width(groups: Tensor, nodes: int) -> int:
    """Channels of each node where all have as many, side by side; else 0."""
    width, rest = divmod(len(groups), nodes)
    if rest or width == 0:
        return 0
    even = torch.arange(nodes, device=groups.device).repeat_interleave(width)
    return width if torch.equal(even, groups) else 0


@dataclass(frozen=True)
class NodeReducer:
    """Reduce channels to nodes; a node without a channel gets 0.

    Parameters
    ----------
    groups
        LongTensor (C,): the node of each channel.
    nodes
        Number of nodes N.
    norm, agg
        What is done to each channel, and to the channels of a node.
    """

    groups: Tensor
    nodes: int
    norm: Norm
    agg: Agg
    # Found out before any pass: on a device, the answer would hold up each layer of it.
    each: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "each", even_width(self.groups, self.nodes))

    @property
    def width(self) -> int:
        """A column for each node."""
        return self.nodes

    def by_node(self, columns: Tensor) -> Tensor:
        """Give the columns themselves."""
        return columns

    def __call__(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, 1) channels to (B, N) nodes."""
        values = NORMS[self.norm](channels_of(values))
        if self.each:
            return self.reduce_even(values.reshape(len(values), self.nodes, self.each))
        return self.reduce_uneven(values)

    def reduce_even(self, values: Tensor) -> Tensor:
        """(B, N, width) to (B, N)."""
        if self.agg == "sum":
            return values.sum(2)
        return values.mean(2) if self.agg == "mean" else values.amax(2)

    def reduce_uneven(self, values: Tensor) -> Tensor:
        """(B, C) to (B, N), by the node of each channel."""
        out = values.new_zeros(len(values), self.nodes)
        if self.agg == "max":
            index = self.groups.expand_as(values)
            return out.scatter_reduce_(1, index, values, "amax", include_self=False)
        out.index_add_(1, self.groups, values)
        if self.agg == "mean":
            # Not `bincount`, which asks a device for the largest.
            each = torch.ones_like(self.groups)
            counts = torch.zeros(self.nodes, dtype=each.dtype, device=each.device)
            out /= counts.index_add_(0, self.groups, each).clamp(min=1)
        return out


@dataclass(frozen=True)
class ChannelKeeper:
    """Keep all channels, signed."""

    groups: Tensor

    @property
    def width(self) -> int:
        """A column for each channel."""
        return len(self.groups)

    def by_node(self, columns: Tensor) -> Tensor:
        """Give the largest magnitude of each node."""
        nodes = int(self.groups.max()) + 1
        return NodeReducer(self.groups, nodes, "l1", "max")(columns)

    def __call__(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, 1) channels to (B, C)."""
        return channels_of(values)


def channels_of(values: Tensor) -> Tensor:
    """(B, C) or (B, C, 1) channels to (B, C), float32 at least.

    In half precision, squares overflow and sums lose digits.
    """
    values = values.detach().flatten(1)
    return values if values.dtype == torch.float64 else values.float()

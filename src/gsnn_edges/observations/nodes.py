"""From the channels of a block to one number for each function node."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gsnn_edges._typing import Agg, Norm

NORMS = {"l1": torch.abs, "l2": torch.square, "none": lambda v: v}
AGGS = ("sum", "mean", "max")


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

    def __call__(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, 1) channels to (B, N) nodes."""
        values = values.detach().flatten(1)
        # In half precision, squares overflow and sums lose digits.
        values = values if values.dtype == torch.float64 else values.float()
        values = NORMS[self.norm](values)
        width = self.even_width()
        if width:
            return self.reduce_even(values.reshape(len(values), self.nodes, width))
        return self.reduce_uneven(values)

    def even_width(self) -> int:
        """Channels of each node where all have as many, side by side; else 0."""
        width, rest = divmod(len(self.groups), self.nodes)
        if rest or width == 0:
            return 0
        even = torch.arange(self.nodes, device=self.groups.device).repeat_interleave(width)
        return width if torch.equal(even, self.groups) else 0

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
            out /= self.groups.bincount(minlength=self.nodes).clamp(min=1)
        return out

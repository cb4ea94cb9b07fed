"""What the blocks of a model did in one forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gsnn_edges import _validation
from gsnn_edges.activations.hooks import Seen
from gsnn_edges.activations.model_layout import Layers
from gsnn_edges.activations.nodes import Reducer


@dataclass
class Trace:
    """The calls of blocks, in their order; activations go into ``a`` at once."""

    layers: Layers
    reducers: Sequence[Reducer]
    a: Tensor
    called: list[nn.Module] = field(default_factory=list)
    edges: list[GradientEdge] = field(default_factory=list)
    dtypes: set[torch.dtype] = field(default_factory=set)

    def keep(self, block: nn.Module, seen: Seen) -> None:
        """Reduce an activation to nodes, if it is the one that is due."""
        layer = len(self.called)
        self.called.append(block)
        if layer >= len(self.reducers) or block is not self.layers.blocks[layer]:
            return  # `check` says so when all calls are known
        self.check_shape(layer, tuple(seen.values.shape))
        self.edges.append(seen.edge)
        self.dtypes.add(seen.values.dtype)
        if layer < len(self.a):
            self.a[layer] = self.reducers[layer](seen.values)

    def check_shape(self, layer: int, got: tuple[int, ...]) -> None:
        """Reject activations that are not (B, C)."""
        wanted = self.a.shape[1], len(self.reducers[layer].groups)
        if got not in {wanted, (*wanted, 1)}:
            given = "groups and the output of a block must agree: " if self.layers.by_output else ""
            raise ValueError(
                f"{given}block {layer} must record activations of shape {wanted}: samples, "
                f"channels; got {got}"
            )

    def check(self) -> None:
        """Reject calls of other blocks, or in another order, than are listed."""
        wanted = self.layers.blocks
        if [id(block) for block in self.called] == [id(block) for block in wanted]:
            return
        names = {id(b): n for b, n in reversed(list(zip(wanted, self.layers.names, strict=True)))}
        calls = _validation.listing([names[id(block)] for block in self.called]) or "none"
        raise ValueError(
            f"model must call its {len(wanted)} blocks once each, in the order in which they are "
            f"listed; {len(self.called)} calls were seen in a forward pass: {calls}; list a block "
            "in blocks= once for each of its calls"
        )

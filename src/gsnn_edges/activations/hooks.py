"""What the blocks of a model record in a forward pass, reduced to the columns of a correlation."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gsnn_edges import _validation
from gsnn_edges._typing import Agg, Norm
from gsnn_edges.activations.model_layout import TAPPED, ModelLayout, tapped_map

NORMS = {"l1": torch.abs, "l2": torch.square, "none": lambda v: v}
AGGS = ("sum", "mean", "max")
# Where a block records its activations, by use_prenorm.
_RECORDS = {True: "_last_pre_norm_activation", False: "_last_activation"}


@dataclass
class Reducer:
    """Channels of a block as columns: one for each node, or every channel with its sign.

    Parameters
    ----------
    groups
        LongTensor (C,) on the host: the node of each channel.
    nodes
        Number of nodes N; one without a channel gets 0.
    norm, agg
        What is done to each channel, and to the channels of a node. Without a norm the channels
        stay as they are.
    device
        Where the channels lie.
    """

    groups: Tensor
    nodes: int
    norm: Norm | None = None
    agg: Agg = "sum"
    device: torch.device | None = None
    # Columns that come out.
    width: int = field(init=False)
    # Channels of a node where all have as many, side by side; else 0.
    each: int = field(init=False)

    def __post_init__(self) -> None:
        self.width = len(self.groups) if self.norm is None else self.nodes
        each, rest = divmod(len(self.groups), self.nodes)
        even = np.array_equal(np.arange(self.nodes).repeat(each), self.groups)
        self.each = each if even and not rest else 0
        self.groups = self.groups.to(self.device)

    def __call__(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, 1) channels to (B, width) columns, float32 at least.

        In half precision, squares overflow and sums lose digits.
        """
        values = float32_at_least(values.detach().flatten(1))
        if self.norm is None:
            return values
        values = NORMS[self.norm](values)
        if not self.each:
            return self._reduce_uneven(values)
        values = values.reshape(len(values), self.nodes, self.each)
        if self.agg == "sum":
            return values.sum(2)
        return values.mean(2) if self.agg == "mean" else values.amax(2)

    def _reduce_uneven(self, values: Tensor) -> Tensor:
        out = values.new_zeros(len(values), self.nodes)
        if self.agg == "max":
            index = self.groups.expand_as(values)
            return out.scatter_reduce_(1, index, values, "amax", include_self=False)
        out.index_add_(1, self.groups, values)
        if self.agg == "mean":
            # Not `bincount`, which asks a device for the largest.
            ones = torch.ones_like(self.groups)
            counts = ones.new_zeros(self.nodes).index_add_(0, self.groups, ones)
            out /= counts.clamp(min=1)
        return out

    def check_finite(self, name: str, columns: Tensor, node_names: Sequence[str] | None) -> None:
        """Reject NaN and infinity in columns (M, width), naming the nodes."""
        if bool(columns.sum().isfinite()):
            return
        if self.norm is None:
            columns = Reducer(self.groups.cpu(), self.nodes, "l1", "max", self.device)(columns)
        meaning = "node"
        if node_names is not None:
            where = (~columns.isfinite()).any(0).nonzero()[:, 0].tolist()
            shown = _validation.listing([repr(node_names[node]) for node in where])
            meaning = f"node {shown}, of index"
        _validation.finite(name, columns, axis_meaning=meaning)


def float32_at_least(values: Tensor) -> Tensor:
    """Values in float64 where they are so, else in float32."""
    return values if values.dtype == torch.float64 else values.float()


@dataclass
class Recorder:
    """Activations of one forward pass, reduced as they arrive, and their places in the graph.

    Parameters
    ----------
    layout
        The blocks whose calls are recorded.
    reducers
        One for each block.
    use_prenorm
        Which activation of a GSNN's block is taken.
    a : Tensor of shape (pairs, B, width)
        What is filled, by all blocks but the last.

    Attributes
    ----------
    edges : list of GradientEdge
        The place of each activation in autograd's graph. It stays what it is when the tensor is
        then written to, as by an in-place ReLU.
    dtypes : set of torch.dtype
        Of the activations.
    """

    layout: ModelLayout
    reducers: Sequence[Reducer]
    use_prenorm: bool
    a: Tensor
    edges: list[GradientEdge] = field(default_factory=list)
    dtypes: set[torch.dtype] = field(default_factory=set)
    _called: list[nn.Module] = field(default_factory=list)
    # What last passed a linear map, by the id of the map: blocks may share it.
    _passed: dict[int, tuple[Tensor, GradientEdge]] = field(default_factory=dict)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Record what blocks do inside.

        Records of a pass are let go at its end: they hold its graph, which parts of a batch would
        add up.
        """
        blocks: list[Any] = list({id(block): block for block in self.layout.blocks}.values())
        hooks = [block.register_forward_hook(self._record) for block in blocks]
        records = [] if self.layout.by_output else blocks
        hooks += [hook for block in records for hook in self._tap(block)]
        try:
            for block in records:
                _clear(block)  # what an earlier pass may have left
                block._store_activations = True
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for block in records:
                _clear(block)

    def check_calls(self) -> None:
        """Reject calls of other blocks, or in another order, than are listed."""
        blocks, names = self.layout.blocks, self.layout.names
        if [id(block) for block in self._called] == [id(block) for block in blocks]:
            return
        by_block = {id(b): name for b, name in zip(reversed(blocks), reversed(names), strict=True)}
        called = [by_block[id(block)] for block in self._called]
        runs = ((name, len(list(run))) for name, run in groupby(called))
        way = " + ".join(f"[{name}]{f' * {count}' if count > 1 else ''}" for name, count in runs)
        raise ValueError(
            f"model must call its {len(blocks)} blocks once each, in the order in which they are "
            f"listed; {len(called)} calls were seen in a forward pass: "
            f"{_validation.listing(called) or 'none'}; list a block in blocks= once for each of "
            f"its calls{f', as blocks={way}' if called else ''}"
        )

    def _tap(self, block: Any) -> Iterator[Any]:
        """Hook the linear map that an activation leaves or enters: older blocks do not record."""
        linear = tapped_map(block, self.use_prenorm)
        if linear is None:
            return
        if self.use_prenorm:
            yield linear.register_forward_hook(lambda m, inputs, output: self._pass_by(m, output))
        else:
            yield linear.register_forward_pre_hook(lambda m, inputs: self._pass_by(m, *inputs[:1]))

    def _pass_by(self, linear: nn.Module, value: Any = None) -> None:
        if isinstance(value, Tensor) and value.requires_grad:
            self._passed[id(linear)] = value.detach().clone(), get_gradient_edge(value)

    def _record(self, block: nn.Module, inputs: Any, output: Any) -> None:
        """Reduce the activation of a call, if the call is the one that is due."""
        values, edge = self._activation(block, output)
        layer = len(self._called)
        self._called.append(block)
        if layer >= len(self.reducers) or block is not self.layout.blocks[layer]:
            return  # `check_calls` says so when all calls are known
        shape, wanted = tuple(values.shape), (self.a.shape[1], len(self.reducers[layer].groups))
        if shape not in {wanted, (*wanted, 1)}:
            rule = "groups and the output of a block must agree: " if self.layout.by_output else ""
            raise ValueError(
                f"{rule}block {layer} must record activations of shape {wanted}: samples, "
                f"channels; got {shape}"
            )
        self.edges.append(edge)
        self.dtypes.add(values.dtype)
        if layer < len(self.a):
            self.a[layer] = self.reducers[layer](values)

    def _activation(self, block: nn.Module, output: Any) -> tuple[Tensor, GradientEdge]:
        """The output of a block, what it has just recorded, or what passed its linear map."""
        kind = type(block).__name__
        if self.layout.by_output:
            what, value = f"the output of {kind}", output
            if not isinstance(value, Tensor):
                raise TypeError(
                    "blocks that come with groups must give a tensor, of samples and channels; a "
                    f"{kind} gave {type(value).__name__}: list a module whose output is the "
                    "activation itself"
                )
        else:
            name, linear = _RECORDS[self.use_prenorm], " or ".join(TAPPED[self.use_prenorm])
            what, value = f"{kind}.{name}", getattr(block, name, None)
            passed = self._passed.pop(id(tapped_map(block, self.use_prenorm)), None)
            if value is None and passed is not None:
                return passed
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"use_prenorm={self.use_prenorm} needs blocks that record {name} or have a "
                    f"module {linear}; {kind} left {type(value).__name__} there: try "
                    f"use_prenorm={not self.use_prenorm}, or name the modules whose output is "
                    "meant by blocks= and groups="
                )
        if not value.requires_grad or not torch.is_grad_enabled():
            raise ValueError(
                f"{what} carries no gradient: record the tensor itself, not a detached copy, and "
                "run no block under torch.no_grad(), as a checkpoint with use_reentrant=True does"
            )
        return value.detach(), get_gradient_edge(value)


def _clear(block: Any) -> None:
    """Empty the records of a block; the guard puts the caller's back."""
    for name in _RECORDS.values():
        setattr(block, name, None)

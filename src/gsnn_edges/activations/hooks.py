"""What the blocks of a model record, or pass on, in a forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

# By use_prenorm: where a block records its activations, and the map that they leave or enter.
RECORDED = {True: "_last_pre_norm_activation", False: "_last_activation"}
TAPPED = {True: "lin_in", False: "lin_out"}


@dataclass(frozen=True)
class Seen:
    """An activation as it was when it was seen, and its place in autograd's graph.

    Both stay what they are when the tensor is then written to, as by an in-place ReLU.
    """

    values: Tensor
    edge: GradientEdge


# What is done with each activation, at once: its values are good until the hook returns.
Keep = Callable[[nn.Module, Seen], None]


@contextmanager
def recording(
    blocks: Sequence[Any], use_prenorm: bool, keep: Keep, *, by_output: bool = False
) -> Iterator[None]:
    """Hand what each block records, as it is called, to ``keep``: one (B, C) tensor for a call.

    With ``by_output`` that is what the block gives. Records of a pass are let go at its end: they
    hold its graph, which parts of a batch would add up.
    """
    tapped: dict[int, Seen] = {}

    def collect(block: Any, inputs: Any, output: Any) -> None:
        keep(block, seen_output(block, output) if by_output else read(block, use_prenorm, tapped))

    unique = list({id(block): block for block in blocks}.values())
    hooks = [block.register_forward_hook(collect) for block in unique]
    if not by_output:
        hooks += [hook for block in unique for hook in tap(block, use_prenorm, tapped)]
    try:
        if not by_output:
            forget(unique)  # what an earlier pass may have left
            for block in unique:
                block._store_activations = True
        yield
    finally:
        for hook in hooks:
            hook.remove()
        if not by_output:
            forget(unique)


def forget(blocks: Sequence[Any]) -> None:
    """Empty the records of blocks; the guard puts the caller's back."""
    for block in blocks:
        for name in RECORDED.values():
            setattr(block, name, None)


def tap(block: Any, use_prenorm: bool, tapped: dict[int, Seen]) -> Iterator[Any]:
    """Register a hook on the linear map that an activation leaves or enters, if there is one.

    Older blocks do not record it. Blocks may share the map: what a block has just passed through
    it is the last that passed.
    """

    def store(module: nn.Module, value: Any) -> None:
        if isinstance(value, Tensor) and value.requires_grad:
            tapped[id(module)] = Seen(value.detach().clone(), get_gradient_edge(value))

    linear = getattr(block, TAPPED[use_prenorm], None)
    if not isinstance(linear, nn.Module):
        return
    if use_prenorm:
        yield linear.register_forward_hook(lambda module, inputs, output: store(module, output))
    else:
        yield linear.register_forward_pre_hook(lambda module, inputs: store(module, *inputs[:1]))


def read(block: Any, use_prenorm: bool, tapped: dict[int, Seen]) -> Seen:
    """Give the activation that a block has just recorded, or passed through its linear map."""
    name, linear = RECORDED[use_prenorm], TAPPED[use_prenorm]
    record = getattr(block, name, None)
    seen = tapped.pop(id(getattr(block, linear, None)), None)
    if record is None and seen is not None:
        return seen
    if not isinstance(record, Tensor):
        raise TypeError(
            f"use_prenorm={use_prenorm} needs blocks that record {name} or have a module {linear}; "
            f"{type(block).__name__} left {type(record).__name__} there: try "
            f"use_prenorm={not use_prenorm}, or name the modules whose output is meant by blocks= "
            "and groups="
        )
    return seen_now(f"{type(block).__name__}.{name}", record)


def seen_output(block: nn.Module, output: Any) -> Seen:
    """Give the output of a block as its activation."""
    if not isinstance(output, Tensor):
        raise TypeError(
            "blocks that come with groups must give a tensor, of samples and channels; a "
            f"{type(block).__name__} gave {type(output).__name__}: list a module whose output is "
            "the activation itself"
        )
    return seen_now(f"the output of {type(block).__name__}", output)


def seen_now(what: str, value: Tensor) -> Seen:
    """Give an activation with its place in autograd's graph."""
    if not value.requires_grad or not torch.is_grad_enabled():
        raise ValueError(
            f"{what} carries no gradient: record the tensor itself, not a detached copy, and run "
            "no block under torch.no_grad(), as a checkpoint with use_reentrant=True does"
        )
    return Seen(value.detach(), get_gradient_edge(value))

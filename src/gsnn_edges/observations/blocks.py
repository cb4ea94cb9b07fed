"""Which modules of a model are its blocks, and what they record in a forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# By use_prenorm: where a block records its activations, and the map that they leave or enter.
RECORDED = {True: "_last_pre_norm_activation", False: "_last_activation"}
TAPPED = {True: "lin_in", False: "lin_out"}


def find_blocks(model: nn.Module) -> list[nn.Module]:
    """Give the residual blocks of a GSNN, in the order of the forward pass."""
    blocks = getattr(model, "ResBlocks", None)
    if blocks is None:
        raise TypeError(
            f"model must be a GSNN, with its residual blocks in model.ResBlocks; got "
            f"{type(model).__name__} without them: pass the GSNN itself, not what wraps it"
        )
    blocks = list(blocks)
    if len(blocks) < 2:
        raise ValueError(
            f"model must have at least 2 blocks, to pair each layer with the next; got "
            f"{len(blocks)} in model.ResBlocks"
        )
    for place, block in enumerate(blocks):
        for name in ("channel_groups", "_store_activations"):
            if not hasattr(block, name):
                raise TypeError(
                    f"model.ResBlocks[{place}] ({type(block).__name__}) must have {name}: it is "
                    "not a block of a GSNN that can record its activations"
                )
    return blocks


def groups_of(blocks: Sequence[Any]) -> tuple[list[Tensor], int]:
    """Give the node of each channel for every block, and the number of nodes."""
    groups = [torch.as_tensor(block.channel_groups).detach().cpu().flatten() for block in blocks]
    for place, group in enumerate(groups):
        is_index = not group.is_floating_point() and group.dtype != torch.bool
        if not is_index or len(group) == 0 or int(group.min()) < 0:
            raise ValueError(
                f"model.ResBlocks[{place}].channel_groups must give a node index, from 0, for "
                f"each channel; got {group.dtype} of shape {tuple(group.shape)}"
            )
    return [group.long() for group in groups], max(int(group.max()) for group in groups) + 1


@contextmanager
def recording(blocks: Sequence[Any], use_prenorm: bool) -> Iterator[list[Tensor]]:
    """Collect what each block records, as it is called: one (B, C) tensor for each layer.

    A hook reads it at once, so that a block that is called for several layers gives several.
    """
    recorded: list[Tensor] = []
    passing: dict[int, Any] = {}

    def collect(block: Any, inputs: Any, output: Any) -> None:
        recorded.append(read_record(block, use_prenorm, passing))

    unique = {id(block): block for block in blocks}.values()
    hooks = [block.register_forward_hook(collect) for block in unique]
    hooks += [hook for block in unique for hook in tap(block, use_prenorm, passing)]
    try:
        for block in unique:
            block._store_activations = True
            setattr(block, RECORDED[use_prenorm], None)  # what an earlier pass may have left
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()


def tap(block: Any, use_prenorm: bool, passing: dict[int, Any]) -> Iterator[Any]:
    """Register a hook on the linear map that an activation leaves or enters, if there is one.

    Older blocks do not record it. Blocks may share the map: what a block has just passed through
    it is the last that passed.
    """
    linear = getattr(block, TAPPED[use_prenorm], None)
    if isinstance(linear, nn.Module):
        if use_prenorm:
            yield linear.register_forward_hook(
                lambda module, inputs, output: passing.update({id(module): output})
            )
        else:
            yield linear.register_forward_pre_hook(
                lambda module, inputs: passing.update({id(module): inputs[0]})
            )


def read_record(block: Any, use_prenorm: bool, passing: dict[int, Any]) -> Tensor:
    """Give the activation that a block has just recorded, or passed through its linear map."""
    name, linear = RECORDED[use_prenorm], TAPPED[use_prenorm]
    record = getattr(block, name, None)
    if record is None:
        record = passing.get(id(getattr(block, linear, None)))
    if not isinstance(record, Tensor):
        raise TypeError(
            f"use_prenorm={use_prenorm} needs blocks that record {name} or have a module {linear}; "
            f"{type(block).__name__} left {type(record).__name__} there: try "
            f"use_prenorm={not use_prenorm}, or a newer version of the model"
        )
    if not record.requires_grad:
        raise ValueError(
            f"{type(block).__name__}.{name} carries no gradient: record the tensor itself, not a "
            "detached copy, and do not run the blocks under torch.no_grad()"
        )
    return record

"""Which modules of a model are its blocks, and the node that each of their channels belongs to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gsnn_edges import _validation
from gsnn_edges.activations.hooks import TAPPED
from gsnn_edges.activations.wrappers import unwrapped

WALKED = (nn.Module, dict, list, tuple)


@dataclass(frozen=True)
class Layers:
    """The blocks of a model, in the order of the forward pass.

    Parameters
    ----------
    blocks, names
        Modules, one for each call, and what error sentences call them.
    groups
        LongTensor (C,) for each block: the node of each channel.
    nodes
        Number of nodes N.
    by_output
        Whether a block's output is its activation; else it is what a block of a GSNN records.
    node_names
        A name for each node, where there are any.
    """

    blocks: list[nn.Module]
    names: list[str]
    groups: list[Tensor]
    nodes: int
    by_output: bool
    node_names: list[str] | None


def find_layers(model: Any, blocks: Any = None, groups: Any = None, names: Any = None) -> Layers:
    """Find the blocks of a model, or check those that are given."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module; got {type(model).__name__}: pass the network itself"
        )
    if groups is not None and blocks is None:
        raise ValueError(
            "groups must come with blocks, the modules whose channels they are about; got "
            "blocks=None: pass blocks= too, or leave groups out"
        )
    owner, where = (unwrapped(model), "blocks") if blocks is not None else find_gsnn(model)
    found = list(owner.ResBlocks) if blocks is None else given_blocks(model, blocks)  # type: ignore[arg-type]
    if len(found) < 2:
        raise ValueError(
            f"model must have at least 2 blocks, to pair each layer with the next; got "
            f"{len(found)} in {where}"
        )
    labels = [f"{where}[{place}]" for place in range(len(found))]
    nodes_of = groups_of(found, labels, groups)
    nodes = max(int(group.numpy().max()) for group in nodes_of) + 1
    known = node_names(names, owner, nodes)
    return Layers(found, labels, nodes_of, nodes, groups is not None, known)


def find_gsnn(model: nn.Module) -> tuple[nn.Module, str]:
    """Give the module that has the residual blocks, the model or the only one in it; and where."""
    model = unwrapped(model)
    if getattr(model, "ResBlocks", None) is not None:
        return model, "model.ResBlocks"
    owners: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in owners)
        if not inside and getattr(module, "ResBlocks", None) is not None:
            owners[name] = module
    if not owners:
        raise TypeError(
            f"model must be a GSNN, with its residual blocks in model.ResBlocks, or hold one; got "
            f"{type(model).__name__} without them: name the blocks by blocks=, and the node of "
            "each of their channels by groups="
        )
    if len(owners) > 1:
        raise ValueError(
            f"model must hold one GSNN; got ResBlocks in {_validation.listing(list(owners))}: say "
            f"which is meant by blocks=model.{next(iter(owners))}.ResBlocks"
        )
    name, owner = owners.popitem()
    return owner, f"model.{name}.ResBlocks"


def given_blocks(model: nn.Module, blocks: Any) -> list[nn.Module]:
    """Give the modules that the caller has listed, themselves or by their dotted names."""
    if isinstance(blocks, str) or not isinstance(blocks, Iterable):
        raise TypeError(
            "blocks must be a sequence of modules of the model, or of their dotted names; got "
            f"{type(blocks).__name__}: pass a list"
        )
    named = dict(unwrapped(model).named_modules(remove_duplicate=False))
    named |= dict(model.named_modules(remove_duplicate=False))
    held = {id(module) for module in modules_of(model)}
    return [given_block(f"blocks[{i}]", block, named, held) for i, block in enumerate(blocks)]


def given_block(
    label: str, block: Any, named: Mapping[str, nn.Module], held: AbstractSet[int]
) -> nn.Module:
    """Give one of the modules that the caller has listed."""
    if isinstance(block, str):
        if block not in named:
            known = _validation.listing([name for name in named if name])
            raise ValueError(
                f"{label} must be the dotted name of a module of the model; got {block!r}: it has "
                f"{known}"
            )
        return named[block]
    if not isinstance(block, nn.Module):
        raise TypeError(
            f"{label} must be a module of the model, or its dotted name; got {type(block).__name__}"
        )
    if id(block) not in held:
        raise ValueError(
            f"{label} must be a module of the model; got a {type(block).__name__} that it does not "
            "hold: take it from this very model, not from a copy"
        )
    return block


def modules_of(*models: nn.Module) -> list[nn.Module]:
    """Give all modules inside, those too that stand in plain lists and dicts of attributes."""
    seen: dict[int, Any] = {}
    walk(models, seen)
    return [value for value in seen.values() if isinstance(value, nn.Module)]


def walk(value: Any, seen: dict[int, Any]) -> None:
    """Collect what a module or a container holds, nested ones too."""
    if id(value) in seen or not isinstance(value, WALKED):
        return
    seen[id(value)] = value
    inside = vars(value) if isinstance(value, nn.Module) else value
    for item in list(inside.values() if isinstance(inside, dict) else inside):
        if isinstance(item, WALKED):  # lists of names are long: no call for each
            walk(item, seen)


def check_blocks(blocks: Sequence[nn.Module], labels: Sequence[str]) -> None:
    """Reject modules that are no blocks of a GSNN."""
    for label, block in zip(labels, blocks, strict=True):
        if not hasattr(block, "channel_groups"):
            raise TypeError(
                f"{label} ({type(block).__name__}) must have channel_groups, the node of each of "
                "its channels: pass them by blocks= and groups="
            )
        tapped = any(isinstance(getattr(block, name, None), nn.Module) for name in TAPPED.values())
        if not tapped and not hasattr(block, "_store_activations"):
            raise TypeError(
                f"{label} ({type(block).__name__}) must have _store_activations or a module lin_in "
                "or lin_out: it shows its activations nowhere; name the modules whose output they "
                "are by blocks= and groups="
            )


def groups_of(blocks: Sequence[Any], labels: Sequence[str], groups: Any) -> list[Tensor]:
    """Give the node of each channel for every block: those given, or those that blocks have."""
    if groups is not None:
        parts = one_for_each(groups, len(blocks))
        return [as_groups(f"groups[{place}]", part) for place, part in enumerate(parts)]
    check_blocks(blocks, labels)
    given = on_the_host([block.channel_groups for block in blocks])
    pairs = zip(labels, given, strict=True)
    return [as_groups(f"{label}.channel_groups", group) for label, group in pairs]


def on_the_host(groups: list[Any]) -> list[Any]:
    """Bring the groups that lie on a device to the host by one copy: each would wait for it."""
    there = [isinstance(g, Tensor) and g.device.type not in ("cpu", "meta") for g in groups]
    moved = [group for group, away in zip(groups, there, strict=True) if away]
    if len({(group.device, group.dtype) for group in moved}) != 1:
        return groups
    flat = torch.cat([group.detach().flatten() for group in moved]).cpu()
    parts = iter(torch.split(flat, [group.numel() for group in moved]))
    return [next(parts) if away else group for group, away in zip(groups, there, strict=True)]


def one_for_each(groups: Any, blocks: int) -> list[Any]:
    """Give the groups of each block; one sequence of nodes stands for all blocks."""
    try:
        parts = list(groups)
    except TypeError as error:
        raise TypeError(
            "groups must be a sequence with the node of each channel, or one for each block; got "
            f"{type(groups).__name__}"
        ) from error
    if not parts or np.ndim(_validation.as_numpy(parts[0])) == 0:
        return [groups] * blocks
    if len(parts) != blocks:
        raise ValueError(
            f"groups must be one sequence of nodes for all blocks, or one for each of the {blocks} "
            f"blocks; got {len(parts)}"
        )
    return parts


def as_groups(label: str, value: Any) -> Tensor:
    """Give the node of each channel of a block."""
    given = np.array(_validation.host_array(label, value))
    if given.dtype.kind not in "iufb":
        raise TypeError(
            f"{label} must give a node index for each channel; got dtype {given.dtype}: number the "
            "nodes from 0"
        )
    group = torch.from_numpy(given).flatten()
    is_index = not group.is_floating_point() and group.dtype != torch.bool
    if not is_index or len(group) == 0 or int(given.min()) < 0:
        raise ValueError(
            f"{label} must give a node index, from 0, for each channel; got {group.dtype} of shape "
            f"{tuple(group.shape)}"
        )
    return group.long()


def node_names(given: Any, owner: nn.Module, nodes: int) -> list[str] | None:
    """Give a name for each node: those given, or those that a GSNN has."""
    if given is None:
        own = getattr(owner, "node_names_dict", None)
        own = own.get("function") if isinstance(own, Mapping) else None
        if not isinstance(own, Iterable) or isinstance(own, str):
            return None
        names = [str(name) for name in own]
        return names if len(names) == nodes else None
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise TypeError(
            f"node_names must be a sequence of {nodes} names; got {type(given).__name__}: list "
            "those of the function nodes"
        )
    names = list(given)
    other = sorted({type(name).__name__ for name in names if not isinstance(name, str)})
    if other:
        raise TypeError(
            f"node_names must hold texts; got {_validation.listing(other)}: use str(name)"
        )
    if len(names) != nodes:
        raise ValueError(f"node_names must hold a name for each of {nodes} nodes; got {len(names)}")
    return [str(name) for name in names]


def finite_at_nodes(name: str, observed: Tensor, names: Sequence[str] | None) -> None:
    """Reject NaN and infinity, naming the nodes where they have names."""
    meaning = "node"
    if names is not None and not bool(observed.sum().isfinite()):
        where: Iterator[int] = iter((~observed.isfinite()).any(0).nonzero()[:, 0].tolist())
        shown = _validation.listing([repr(names[node]) for node in where])
        meaning = f"node {shown}, of index"
    _validation.finite(name, observed, axis_meaning=meaning)

"""What a model is made of: blocks, the nodes of their channels, the graph that it was built on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from gsnn_edges import _validation
from gsnn_edges.activations.preserve_state import modules_of

# The linear map of a GSNN's block that an activation leaves or enters, by use_prenorm: its names
# in newer and older versions.
TAPPED = {True: ("lin_in", "lin1"), False: ("lin_out", "lin3")}
# Where a GSNN of one block, which it calls again and again, may say how often.
_COUNTS = ("layers", "num_layers", "n_layers")
# Where a GSNN keeps the edges between its function nodes.
_FUNCTION_EDGES = ("function", "to", "function")
# The name under which torch.compile's OptimizedModule holds the module that it compiles. Its
# class stands in torch._dynamo, which takes seconds to import.
_COMPILED = "_orig_mod"


@dataclass(frozen=True)
class ModelLayout:
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

    @property
    def pairs(self) -> int:
        """Number of layer pairs."""
        return len(self.blocks) - 1

    def check_same_channels(self) -> None:
        """Reject blocks whose channels are not those of the first one."""
        for name, group in zip(self.names, self.groups, strict=True):
            if not torch.equal(group, self.groups[0]):
                raise ValueError(
                    "model must have the same channels of the same nodes in all blocks, for a "
                    f"score of channels; {name}, of {len(group)}, differs from {self.names[0]}, "
                    f"of {len(self.groups[0])}: capture, or score='magnitude', takes any"
                )


def find_layout(
    model: Any, blocks: Any = None, groups: Any = None, names: Any = None
) -> ModelLayout:
    """Blocks of a model, or those that are listed, with the nodes of their channels.

    Parameters
    ----------
    model, blocks, groups
        As of `capture`.
    names
        Its ``node_names``.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module; got {type(model).__name__}: pass the network itself"
        )
    if groups is not None and blocks is None:
        raise ValueError(
            "groups must come with blocks, the modules whose channels they are about; got "
            "blocks=None: pass blocks= too, or leave groups out"
        )
    if blocks is None:
        gsnn, where = _find_gsnn(model)
        modules: list[nn.Module] = _called_blocks(gsnn)
    else:
        gsnn, where = unwrapped(model), "blocks"
        modules = _listed_blocks(model, blocks)
    if len(modules) < 2:
        way = f": where its one block is called L times, pass blocks=[{where}[0]] * L"
        raise ValueError(
            f"model must have at least 2 blocks, to pair each layer with the next; got "
            f"{len(modules)} in {where}{way if modules and blocks is None else ''}"
        )
    labels = [f"{where}[{place}]" for place in range(len(modules))]
    if blocks is None and len(gsnn.ResBlocks) == 1:  # type: ignore[arg-type]
        labels = labels[:1] * len(modules)
    if groups is None:
        nodes_of = _groups_of_blocks(modules, labels)
    else:
        parts = enumerate(_one_for_each(groups, len(modules)))
        nodes_of = [_as_group(f"groups[{place}]", part) for place, part in parts]
    nodes = max(int(group.numpy().max()) for group in nodes_of) + 1
    if names is None:
        names = known_graph(gsnn, modules[0], nodes).node_names.get("function")
        names = names if names is not None and len(names) == nodes else None
    else:
        names = _checked_names(names, nodes)
    return ModelLayout(modules, labels, nodes_of, nodes, groups is not None, names)


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, DataParallel | DistributedDataParallel):
            model = model.module
        elif isinstance(inner := model._modules.get(_COMPILED), nn.Module):
            model = inner
        else:
            return model


def _find_gsnn(model: nn.Module) -> tuple[nn.Module, str]:
    """The module that has the residual blocks, the model or the only one in it; and where."""
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


def _called_blocks(gsnn: Any) -> list[nn.Module]:
    """The residual blocks of a GSNN; a single one as often as its number of layers says."""
    modules = list(gsnn.ResBlocks)
    counts = [count for name in _COUNTS if type(count := getattr(gsnn, name, None)) is int]
    return modules * counts[0] if len(modules) == 1 and counts else modules


def _listed_blocks(model: nn.Module, blocks: Any) -> list[nn.Module]:
    """Modules that the caller has listed, themselves or by their dotted names."""
    if isinstance(blocks, str) or not isinstance(blocks, Iterable):
        raise TypeError(
            "blocks must be a sequence of modules of the model, or of their dotted names; got "
            f"{type(blocks).__name__}: pass a list"
        )
    by_name = dict(unwrapped(model).named_modules(remove_duplicate=False))
    by_name |= dict(model.named_modules(remove_duplicate=False))
    inside = {id(module) for module in modules_of(model)}
    modules = []
    for place, block in enumerate(blocks):
        label = f"blocks[{place}]"
        if isinstance(block, str) and block not in by_name:
            raise ValueError(
                f"{label} must be the dotted name of a module of the model; got {block!r}: it has "
                f"{_validation.listing([name for name in by_name if name])}"
            )
        module = by_name[block] if isinstance(block, str) else block
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"{label} must be a module of the model, or its dotted name; got "
                f"{type(block).__name__}"
            )
        if id(module) not in inside:
            raise ValueError(
                f"{label} must be a module of the model; got a {type(block).__name__} that it does "
                "not hold: take it from this very model, not from a copy"
            )
        modules.append(module)
    return modules


def _groups_of_blocks(blocks: Sequence[Any], labels: Sequence[str]) -> list[Tensor]:
    """The node of each channel, from blocks of a GSNN."""
    for label, block in zip(labels, blocks, strict=True):
        if not hasattr(block, "channel_groups"):
            raise TypeError(
                f"{label} ({type(block).__name__}) must have channel_groups, the node of each of "
                "its channels: pass them by blocks= and groups="
            )
        tapped = any(tapped_map(block, use_prenorm) for use_prenorm in TAPPED)
        if not tapped and not hasattr(block, "_store_activations"):
            raise TypeError(
                f"{label} ({type(block).__name__}) must have _store_activations or a module lin_in "
                "or lin_out (lin1 or lin3): it shows its activations nowhere; name the modules "
                "whose output they are by blocks= and groups="
            )
    pairs = zip(labels, blocks, strict=True)
    return [_as_group(f"{label}.channel_groups", block.channel_groups) for label, block in pairs]


def tapped_map(block: Any, use_prenorm: bool) -> nn.Module | None:
    """The linear map of a block that its activation leaves or enters, where it has one."""
    modules = (getattr(block, name, None) for name in TAPPED[use_prenorm])
    return next((module for module in modules if isinstance(module, nn.Module)), None)


def _one_for_each(groups: Any, blocks: int) -> list[Any]:
    """The groups of each block; one sequence of nodes stands for all blocks."""
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


def _as_group(label: str, value: Any) -> Tensor:
    """The node of each channel of a block."""
    nodes = _validation.host_array(label, value)
    if nodes.dtype.kind not in "iu" or nodes.size == 0 or int(nodes.min()) < 0:
        raise (TypeError if nodes.dtype.kind in "OSU" else ValueError)(
            f"{label} must give a node index, from 0, for each channel; got {nodes.dtype} of shape "
            f"{nodes.shape}: number the nodes from 0"
        )
    return torch.from_numpy(nodes.ravel().astype(np.int64))


@dataclass(frozen=True)
class KnownGraph:
    """What a model keeps of the graph that it was built on.

    Attributes
    ----------
    node_names
        Names by the kind of node, "input", "function" and "output", where there are any.
    edges
        Edges between function nodes, of shape (2, E), where there are any.
    """

    node_names: dict[str, list[str]]
    edges: Any


def known_graph(model: nn.Module, block: nn.Module, nodes: int) -> KnownGraph:
    """The graph that a model keeps, in a module that holds this block of so many nodes.

    Names stand in a dict ``node_names_dict``, or in a list ``homo_names`` of all nodes: function,
    input, output. Edges stand in a dict ``edge_index_dict``, or in a buffer ``edge_index`` over all
    nodes, numbered in that order, with a mask ``function_edge_mask`` beside it.
    """
    names: dict[str, list[str]] = {}
    edges = None
    for module in modules_of(model):
        if any(inner is block for inner in modules_of(module)):
            names = names or _names_by_kind(module, nodes)
            edges = _function_edges(module, nodes) if edges is None else edges
    return KnownGraph(names, edges)


def _names_by_kind(module: nn.Module, nodes: int) -> dict[str, list[str]]:
    kinds = getattr(module, "node_names_dict", None)
    if isinstance(kinds, Mapping):
        listed = {kind: names for kind, names in kinds.items() if not isinstance(names, str)}
        return {kind: list(map(str, each)) for kind, each in listed.items() if np.iterable(each)}
    every = getattr(module, "homo_names", None)
    if isinstance(every, str) or not np.iterable(every):
        return {}
    names = list(map(str, every))
    by_kind = {"function": names[:nodes]}
    edges = _edges_of_all_nodes(module)
    if edges is not None and edges.max(initial=0) < len(names):
        inputs, outputs = (ends[ends >= nodes] for ends in edges)
        first_output = int(outputs.min(initial=len(names)))
        # No input is behind an output. A node without an edge between both could be either.
        if inputs.max(initial=nodes - 1) + 1 == first_output:
            by_kind |= {"input": names[nodes:first_output], "output": names[first_output:]}
    return by_kind


def _function_edges(module: nn.Module, nodes: int) -> Any:
    graph = getattr(module, "edge_index_dict", None)
    if isinstance(graph, Mapping) and _FUNCTION_EDGES in graph:
        return graph[_FUNCTION_EDGES]
    edges = _edges_of_all_nodes(module)
    if edges is None:
        return None
    mask = _validation.as_numpy(module.function_edge_mask)
    if mask.dtype == bool and mask.shape == edges.shape[1:]:
        edges = edges[:, mask]
    edges = edges[:, (edges < nodes).all(axis=0)]
    loops = edges[0] == edges[1]
    # Self-edges of all nodes are those that the model adds, and none of the user's graph.
    return edges[:, ~loops] if len(set(edges[0, loops].tolist())) == nodes else edges


def _edges_of_all_nodes(module: nn.Module) -> np.ndarray | None:
    """Edges of a graph whose nodes of all kinds are numbered together, function nodes first."""
    edges = getattr(module, "edge_index", None)
    if not (isinstance(edges, Tensor) and hasattr(module, "function_edge_mask")):
        return None
    values: np.ndarray = _validation.as_numpy(edges)
    return values if values.dtype.kind in "iu" and values.ndim == 2 and len(values) == 2 else None


def _checked_names(names: Any, nodes: int) -> list[str]:
    if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
        raise TypeError(
            f"node_names must be a sequence of {nodes} names; got {type(names).__name__}: list "
            "those of the function nodes"
        )
    names = list(names)
    other = sorted({type(name).__name__ for name in names if not isinstance(name, str)})
    if other:
        raise TypeError(
            f"node_names must hold texts; got {_validation.listing(other)}: use str(name)"
        )
    if len(names) != nodes:
        raise ValueError(f"node_names must hold a name for each of {nodes} nodes; got {len(names)}")
    return [str(name) for name in names]


def run_alone(modules: Iterable[nn.Module]) -> None:
    """Keep wrappers inside a model from splitting a pass over devices and processes.

    The flags that this sets are attributes: the guard puts them back.
    """
    for module in modules:
        if isinstance(module, DistributedDataParallel):
            # As in no_sync: a reducer waits for gradients of parameters, and none are computed.
            module.require_backward_grad_sync = False
            module.require_forward_param_sync = False
        elif isinstance(module, DataParallel) and len(module.device_ids) > 1:
            raise ValueError(
                "model must run its blocks in one place; got a DataParallel over "
                f"{len(module.device_ids)} devices inside the model, which runs copies of them: "
                "put its .module in its place"
            )

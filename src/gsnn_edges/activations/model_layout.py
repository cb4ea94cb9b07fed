"""What a model is made of: blocks, the nodes of their channels, modules that mix samples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DataParallel, DistributedDataParallel

from gsnn_edges import _validation
from gsnn_edges.activations.preserve_state import modules_of

Mode: TypeAlias = Literal["eval"] | None

# The linear map of a GSNN's block that an activation leaves or enters, by use_prenorm.
TAPPED = {True: "lin_in", False: "lin_out"}
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
        modules: list[nn.Module] = list(gsnn.ResBlocks)  # type: ignore[arg-type]
    else:
        gsnn, where = unwrapped(model), "blocks"
        modules = _listed_blocks(model, blocks)
    if len(modules) < 2:
        raise ValueError(
            f"model must have at least 2 blocks, to pair each layer with the next; got "
            f"{len(modules)} in {where}"
        )
    labels = [f"{where}[{place}]" for place in range(len(modules))]
    if groups is None:
        nodes_of = _groups_of_blocks(modules, labels)
    else:
        parts = enumerate(_one_for_each(groups, len(modules)))
        nodes_of = [_as_group(f"groups[{place}]", part) for place, part in parts]
    nodes = max(int(group.numpy().max()) for group in nodes_of) + 1
    return ModelLayout(
        modules, labels, nodes_of, nodes, groups is not None, _node_names(names, gsnn, nodes)
    )


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
        tapped = any(isinstance(getattr(block, name, None), nn.Module) for name in TAPPED.values())
        if not tapped and not hasattr(block, "_store_activations"):
            raise TypeError(
                f"{label} ({type(block).__name__}) must have _store_activations or a module lin_in "
                "or lin_out: it shows its activations nowhere; name the modules whose output they "
                "are by blocks= and groups="
            )
    pairs = zip(labels, blocks, strict=True)
    return [_as_group(f"{label}.channel_groups", block.channel_groups) for label, block in pairs]


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


def _node_names(names: Any, gsnn: nn.Module, nodes: int) -> list[str] | None:
    """A name for each node: those of the caller, or those that a GSNN has."""
    if names is None:
        kinds = getattr(gsnn, "node_names_dict", None)
        functions = kinds.get("function") if isinstance(kinds, Mapping) else None
        if not isinstance(functions, Iterable) or isinstance(functions, str):
            return None
        texts = [str(name) for name in functions]
        return texts if len(texts) == nodes else None
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


def rows_are_independent(model: nn.Module, mode: Mode = None) -> bool:
    """Whether a sample's activations are the same in any batch: evaluation mode, as a rule."""
    return not any(
        (module.training and mode != "eval")
        or (isinstance(module, _BatchNorm) and module.running_mean is None)
        for module in modules_of(model)
    )


def warn_of_mode(model: nn.Module, modules: Iterable[nn.Module], mode: Mode) -> None:
    """Warn where nobody has chosen a mode, and the one there is makes samples random or mixed."""
    active = [
        module
        for module in modules
        if _mixes_samples(module)
        or (isinstance(module, _DropoutNd) and module.training and module.p > 0)
    ]
    if mode is not None or not active:
        return
    names = _named(active, model)
    if any(module.training for module in active):
        _validation.warn(
            f"dropout or batch statistics are at work in {names}: what is captured is not what the "
            'model does in evaluation mode; mode="eval" switches to it for this call'
        )
    else:
        _validation.warn(
            f"batch statistics are at work in {names}, in evaluation mode too, as there are no "
            'running ones, and mode="eval" cannot change that: a sample depends on its batch'
        )


def warn_of_parts(
    model: nn.Module, modules: Iterable[nn.Module], batch_size: int, rows: int
) -> None:
    """Warn where parts of a batch give something else than the whole."""
    active = [module for module in modules if _mixes_samples(module)]
    if active:
        _validation.warn(
            f"batch_size={batch_size} changes what is captured from {rows} rows: batch statistics "
            f"of each part, and not of the whole, are used in {_named(active, model)}; with "
            'mode="eval" running statistics take their place, where there are any'
        )


def _mixes_samples(module: nn.Module) -> bool:
    """Whether a module takes its statistics from the batch."""
    return isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)


def _named(modules: Sequence[nn.Module], model: nn.Module) -> str:
    names = {id(module): name for name, module in model.named_modules()}
    return _validation.listing([names.get(id(m)) or type(m).__name__ for m in modules], 3)

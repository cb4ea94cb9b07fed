"""The model and the global states of its libraries come back as they were."""

import random
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HOLDERS = (nn.Module, Tensor, dict, list, set, deque, tuple)


@contextmanager
def unchanged(
    model: nn.Module, seed: int | None = None, blocks: Sequence[nn.Module] = ()
) -> Iterator[None]:
    """Put everything of a model back on exit, also after an exception.

    What comes back: every attribute of every module, the contents of dicts, lists, sets and
    deques among them (caches grow there; parameters, buffers, hooks and sub-modules are in such),
    the values of all tensors in these, their ``.grad``, and the random states of Python, NumPy
    and torch. Objects of other classes are put back, but not what a forward pass does to them.

    Parameters
    ----------
    model
        Module to protect.
    seed
        Seeds torch's generators inside; dropout masks then follow it.
    blocks
        Modules to protect too, which the model may hold in an object of another class.
    """
    containers: list[tuple[Any, Any]] = []
    tensors: list[tuple[Tensor, Tensor]] = []
    gradients: list[tuple[Tensor, Tensor | None, bool]] = []
    for value in parts_of(model, *blocks):
        if isinstance(value, Tensor):
            tensors.append((value, value.detach().clone()))
            if value.is_leaf:
                gradients.append((value, value.grad, value.requires_grad))
        elif not isinstance(value, nn.Module | tuple):
            containers.append((value, value.copy()))
    try:
        with generators_unchanged(gpus_of(model), seed):
            yield
    finally:
        for container, items in containers:
            container.clear()
            fill = container.extend if isinstance(container, list | deque) else container.update
            fill(items)
        for tensor, gradient, requires_grad in gradients:
            if tensor.grad is not gradient:
                tensor.grad = gradient
            if tensor.requires_grad != requires_grad:
                tensor.requires_grad_(requires_grad)
        _restore_values(tensors)


def parts_of(*values: Any) -> Iterator[Any]:
    """Yield every module, tensor and container inside these, nested ones too; each once."""
    seen: dict[int, Any] = {}
    waiting = list(reversed(values))
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        yield value
        items: list[Any]
        if isinstance(value, Tensor):
            items = [value.grad] if value.is_leaf else []
        elif isinstance(value, nn.Module):
            items = [vars(value)]
        else:
            items = list(value.values() if isinstance(value, dict) else value)
        waiting += [item for item in reversed(items) if isinstance(item, _HOLDERS)]


def modules_of(*models: nn.Module) -> list[nn.Module]:
    """All modules inside, those too that stand in plain lists and dicts of attributes."""
    return [part for part in parts_of(*models) if isinstance(part, nn.Module)]


def _restore_values(tensors: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Put the values of tensors back that were written in place, as running statistics are.

    Only where they differ: a graph of the caller's that has saved a tensor must not see a write.
    A device is asked once for all of its tensors, as each answer would wait for its work.
    """
    differing = []
    by_device: dict[torch.device, list[tuple[Tensor, Tensor]]] = {}
    for tensor, values in tensors:
        dense = tensor.layout == values.layout == torch.strided and not tensor.is_meta
        alike = tensor.device == values.device and tensor.dtype == values.dtype
        if dense and alike and tensor.shape == values.shape:
            by_device.setdefault(tensor.device, []).append((tensor, values))
        else:
            differing.append((tensor, values))
    for pairs in by_device.values():
        differs = torch.stack([(tensor != values).any() for tensor, values in pairs])
        differing += [pair for pair, each in zip(pairs, differs.tolist(), strict=True) if each]
    with torch.no_grad():
        for tensor, values in differing:
            tensor.copy_(values)


@contextmanager
def generators_unchanged(gpus: Sequence[int] = (), seed: int | None = None) -> Iterator[None]:
    """Put the random states of Python, NumPy and torch back on exit."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's, to restore
    try:
        with torch.random.fork_rng(gpus):
            if seed is not None:  # `torch.manual_seed` would seed those of all GPUs
                torch.default_generator.manual_seed(seed)
                for gpu in gpus:
                    torch.cuda.default_generators[gpu].manual_seed(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def gpus_of(model: nn.Module) -> list[int]:
    """Numbers of the GPUs that a model lies on."""
    devices = {parameter.device for parameter in model.parameters()}
    return sorted(device.index for device in devices if device.type == "cuda")


@contextmanager
def gradients_on() -> Iterator[None]:
    """Record gradients, whatever the caller has switched off around us.

    Casts that autocast keeps until its context ends would outlive the pass: they are not kept.
    """
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_autocast_cache_enabled(cached)


def without_compiler() -> AbstractContextManager[object]:
    """Run compiled modules and functions as they were written, so that hooks are called."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance

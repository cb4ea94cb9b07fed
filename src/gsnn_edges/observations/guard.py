"""The model and the global random states come back as they were."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HOLDERS = (nn.Module, Tensor, dict, list, set, deque, tuple)
Restore = Callable[[], None]


@contextmanager
def unchanged(
    model: nn.Module, seed: int | None = None, blocks: Iterable[nn.Module] = ()
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
    undo = list(remember((model, *blocks), {}))
    devices = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    try:
        with generators_unchanged(devices, seed):
            yield
    finally:
        for restore in undo:
            restore()


@contextmanager
def generators_unchanged(devices: Sequence[int] = (), seed: int | None = None) -> Iterator[None]:
    """Put the random states of Python, NumPy and torch back on exit."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's, to restore
    try:
        with torch.random.fork_rng(devices):
            if seed is not None:
                seed_generators(seed, devices)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def seed_generators(seed: int, devices: Iterable[int]) -> None:
    """Seed the generators that are put back; `torch.manual_seed` would seed those of all GPUs."""
    torch.default_generator.manual_seed(seed)
    for device in devices:
        torch.cuda.default_generators[device].manual_seed(seed)


def remember(value: Any, seen: dict[int, Any]) -> Iterator[Restore]:
    """Remember what a module, a container or a tensor holds, nested ones too; each once."""
    if id(value) in seen or not isinstance(value, HOLDERS):
        return
    seen[id(value)] = value
    if isinstance(value, nn.Module):
        yield from remember(vars(value), seen)
    elif isinstance(value, Tensor):
        yield from remember_tensor(value, seen)
    else:
        if not isinstance(value, tuple):
            yield remember_items(value)
        for item in list(value.values() if isinstance(value, dict) else value):
            if isinstance(item, HOLDERS):  # lists of names are long: no call for each
                yield from remember(item, seen)


def remember_items(container: Any) -> Restore:
    """Remember which objects a container holds."""
    items = container.copy()

    def restore() -> None:
        container.clear()
        container.extend(items) if isinstance(container, list | deque) else container.update(items)

    return restore


def remember_tensor(tensor: Tensor, seen: dict[int, Any]) -> Iterator[Restore]:
    """Remember the values of a tensor and, where it may have one, its gradient."""
    yield remember_values(tensor)
    if tensor.is_leaf:
        yield remember_gradient(tensor)
        yield from remember(tensor.grad, seen)


def remember_values(tensor: Tensor) -> Restore:
    """Remember a tensor that may be written in place, as running statistics are."""
    values = tensor.detach().clone()

    def restore() -> None:
        # Only where it differs: a graph of the caller's that has saved the tensor must not see a
        # write. torch compares dense tensors alone.
        if values.layout != torch.strided or not torch.equal(tensor, values):
            with torch.no_grad():
                tensor.copy_(values)

    return restore


def remember_gradient(tensor: Tensor) -> Restore:
    """Remember which gradient a tensor carries, if any, and whether it wants one."""
    gradient, requires_grad = tensor.grad, tensor.requires_grad

    def restore() -> None:
        if tensor.grad is not gradient:
            tensor.grad = gradient
        if tensor.requires_grad != requires_grad:
            tensor.requires_grad_(requires_grad)

    return restore

"""The model and the global random states come back as they were."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

HOLDERS = (nn.Module, Tensor, dict, list, set, deque, tuple)
Restore = Callable[[], None]
# Tensors, each with the values that it had.
Kept: TypeAlias = list[tuple[Tensor, Tensor]]
# Of others, as of 8-bit floats, torch knows no difference.
COMPARED = {
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
}


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
    kept: Kept = []
    undo = list(remember((model, *blocks), {}, kept))
    devices = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    try:
        with generators_unchanged(devices, seed):
            yield
    finally:
        for restore in undo:
            restore()
        restore_values(kept)


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


def remember(value: Any, seen: dict[int, Any], kept: Kept) -> Iterator[Restore]:
    """Remember what a module, a container or a tensor holds, nested ones too; each once.

    The values of tensors go into ``kept``.
    """
    if id(value) in seen or not isinstance(value, HOLDERS):
        return
    seen[id(value)] = value
    if isinstance(value, nn.Module):
        yield from remember(vars(value), seen, kept)
    elif isinstance(value, Tensor):
        kept.append((value, value.detach().clone()))
        if value.is_leaf:
            yield remember_gradient(value)
            yield from remember(value.grad, seen, kept)
    else:
        if not isinstance(value, tuple):
            yield remember_items(value)
        for item in list(value.values() if isinstance(value, dict) else value):
            if isinstance(item, HOLDERS):  # lists of names are long: no call for each
                yield from remember(item, seen, kept)


def remember_items(container: Any) -> Restore:
    """Remember which objects a container holds."""
    items = container.copy()

    def restore() -> None:
        container.clear()
        container.extend(items) if isinstance(container, list | deque) else container.update(items)

    return restore


def restore_values(kept: Kept) -> None:
    """Put the values of tensors back that were written in place, as running statistics are.

    Only where they differ: a graph of the caller's that has saved a tensor must not see a write.
    A device is asked once for all of its tensors, as each answer would wait for its work.
    """
    alike: dict[torch.device, Kept] = {}
    for pair in kept:
        if can_be_compared(*pair):
            alike.setdefault(pair[0].device, []).append(pair)
    differing = [pair for pair in kept if not can_be_compared(*pair)]
    for pairs in alike.values():
        differs = torch.stack([(tensor != values).any() for tensor, values in pairs])
        differing += [pair for pair, each in zip(pairs, differs.tolist(), strict=True) if each]
    with torch.no_grad():
        for tensor, values in differing:
            tensor.copy_(values)


def can_be_compared(tensor: Tensor, values: Tensor) -> bool:
    """Whether torch can compare two tensors: dense ones of one form, and with values."""
    dense = tensor.layout == values.layout == torch.strided and not tensor.is_meta
    alike = tensor.device == values.device and tensor.shape == values.shape
    return dense and alike and tensor.dtype == values.dtype and tensor.dtype in COMPARED


def remember_gradient(tensor: Tensor) -> Restore:
    """Remember which gradient a tensor carries, if any, and whether it wants one."""
    gradient, requires_grad = tensor.grad, tensor.requires_grad

    def restore() -> None:
        if tensor.grad is not gradient:
            tensor.grad = gradient
        if tensor.requires_grad != requires_grad:
            tensor.requires_grad_(requires_grad)

    return restore

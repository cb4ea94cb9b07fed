"""The model and the global random states come back as they were."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def unchanged(model: nn.Module, seed: int | None = None) -> Iterator[None]:
    """Put everything of a model back on exit, also after an exception.

    What comes back: buffers, training flags, hooks, every attribute of every sub-module, the
    contents of lists, dicts and sets among them (caches grow there), ``.grad``, and the random
    states of Python, NumPy and torch. Parameters are not copied: nothing here writes to them.

    Parameters
    ----------
    model
        Module to protect.
    seed
        Seeds torch's generators inside; dropout masks then follow it.
    """
    undo = [*(remember_module(module) for module in model.modules()), *remember_tensors(model)]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's, to restore
    devices = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices):
            if seed is not None:
                torch.manual_seed(seed)
            yield
    finally:
        for restore in undo:
            restore()
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def remember_module(module: nn.Module) -> Callable[[], None]:
    """Remember the attributes of one module, and what its containers hold."""
    attributes = dict(vars(module))
    restore_contents = remember_containers(attributes.values())

    def restore() -> None:
        vars(module).clear()
        vars(module).update(attributes)
        restore_contents()

    return restore


def remember_containers(values: Iterable[Any]) -> Callable[[], None]:
    """Remember what the dicts, lists and sets among the values hold, nested ones too."""
    held = [
        (value, value.copy(), remember_containers(value.values() if isinstance(value, dict) else value))
        for value in values
        if isinstance(value, dict | list | set)
    ]

    def restore() -> None:
        for container, items, restore_inner in held:
            container.clear()
            container.extend(items) if isinstance(container, list) else container.update(items)
            restore_inner()

    return restore


def remember_tensors(model: nn.Module) -> Iterator[Callable[[], None]]:
    """Remember the values of buffers and the gradients of parameters."""
    for buffer in model.buffers():
        yield remember_values(buffer)
    for parameter in model.parameters():
        yield remember_gradient(parameter)


def remember_values(tensor: torch.Tensor) -> Callable[[], None]:
    """Remember a tensor that is written in place, as running statistics are."""
    values = tensor.detach().clone()

    def restore() -> None:
        with torch.no_grad():
            tensor.copy_(values)

    return restore


def remember_gradient(parameter: nn.Parameter) -> Callable[[], None]:
    """Remember which gradient a parameter carries, if any."""
    gradient, requires_grad = parameter.grad, parameter.requires_grad

    def restore() -> None:
        parameter.grad = gradient
        parameter.requires_grad_(requires_grad)

    return restore

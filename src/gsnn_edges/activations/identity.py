"""Digests of what a capture is made of, so that another one does not go on with it."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, type(None))


def digest_of(*values: Any) -> str:
    """Give the SHA-256 of tensors, arrays, plain values, containers, functions and modules.

    Of any other object its type and its public attributes count. Not told are the code that a
    function calls, and what lies behind names that begin with an underscore.
    """
    found = Digest()
    for value in values:
        found.add(value)
    return found.hexdigest()


class Digest:
    """A digest that values are added to, one after another."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.within: set[int] = set()  # objects that may hold themselves

    def hexdigest(self) -> str:
        """Give the digest of all that was added."""
        return self.hash.hexdigest()

    def add(self, value: Any) -> None:
        """Add a value, with what it is."""
        self.say(type(value).__qualname__)
        if isinstance(value, PLAIN):
            self.say(repr(value))
        elif isinstance(value, Tensor):
            self.add_tensor(value)
        elif isinstance(value, np.ndarray):
            self.add_tensor(torch.from_numpy(np.array(value))) if value.dtype != object else None
        elif id(value) not in self.within:
            self.within.add(id(value))
            for part in parts_of(value):
                self.add(part)
            self.within.discard(id(value))

    def add_tensor(self, tensor: Tensor) -> None:
        """Add a tensor, whatever it lies on."""
        values = tensor.detach().cpu().contiguous()
        self.say(f"{values.dtype} {tuple(values.shape)}")
        self.hash.update(memoryview(values.reshape(-1).view(torch.uint8).numpy()))  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        """Add a text, with its length, so that no two lists of texts are one."""
        self.hash.update(f"{len(text)} {text}".encode())


def parts_of(value: Any) -> Iterable[Any]:
    """Give what an object consists of."""
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, nn.Module):
        return [repr(value), value.state_dict(), *map(public, value.modules())]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_consts, value.co_names]
    return [getattr(value, "__qualname__", ""), public(value)]


def public(value: Any) -> dict[str, Any]:
    """Give the attributes of an object that its author shows, but for its mode."""
    own = getattr(value, "__dict__", {})
    kept = own if isinstance(own, dict) and not isinstance(value, type) else {}
    return {
        name: part
        for name, part in kept.items()
        if not name.startswith("_") and name != "training" and not isinstance(part, nn.Module)
    }

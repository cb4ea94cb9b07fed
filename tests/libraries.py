"""Every way an array can come to the maths: one table for all tests."""

import importlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from gsnn_edges import backends

DTYPES_64 = ("float64", "int64", "uint64")


@dataclass(frozen=True)
class Library:
    """An array library on one of its paths."""

    name: str
    path: str = "kernel"
    jit: bool = False
    read_only: bool = False
    gpu: bool = False

    def __str__(self) -> str:
        marks = (
            self.path * (self.path in ("device", "plain")),
            "jit" * self.jit,
            "read-only" * self.read_only,
            "gpu" * self.gpu,
        )
        return "-".join([self.name, *filter(None, marks)])

    def array(self, x: Any) -> Any:
        """Make an array of this library with the values and dtype of a NumPy array."""
        x = np.asarray(x)
        if self.name == "numpy":
            x = x.copy(order="K")
            x.flags.writeable = not self.read_only
            return x
        if self.name == "torch":
            tensor = importlib.import_module("torch").from_numpy(x.copy(order="K"))
            return tensor.cuda() if self.gpu else tensor
        if self.name == "jax":
            device = importlib.import_module("jax").devices("gpu" if self.gpu else "cpu")[0]
            return importlib.import_module("jax.numpy").array(x, device=device)
        return importlib.import_module("array_api_strict").asarray(x.copy())

    def call(self, fn: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
        """Call a function on arrays of this library, compiled where that is the point."""
        if not self.jit:
            return fn(*arrays, **options)
        jax = importlib.import_module("jax")
        return jax.jit(lambda *inner: fn(*inner, **options))(*arrays)

    def run(self, fn: Callable[..., Any], *arrays: Any, **options: Any) -> np.ndarray:
        """Call a function on NumPy arrays made arrays of this library; the result is NumPy's.

        Where it is compiled, equal calls share one compilation.
        """
        call = jitted(fn, **options) if self.jit else partial(fn, **options)
        return self.numpy(call(*map(self.array, arrays)))

    def numpy(self, x: Any) -> np.ndarray:
        """Back to NumPy, after a check that the result is of this library."""
        assert backends.of(x).name == {"strict": "generic"}.get(self.name, self.name)
        return backends.of(x).to_numpy(x)

    @property
    def has_float64(self) -> bool:
        """JAX has it only when x64 is switched on, which the tests leave off."""
        return self.name != "jax"


@cache
def jitted(fn: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function compiled by JAX, once for each shape."""
    compiled: Callable[..., Any] = importlib.import_module("jax").jit(partial(fn, **options))
    return compiled


LIBRARIES = [
    Library("numpy"),
    Library("numpy", path="plain", read_only=True),
    Library("strict"),
    Library("torch"),
    Library("torch", path="device"),
    Library("jax"),
    Library("jax", path="device"),
    Library("jax", jit=True),
    pytest.param(Library("torch", gpu=True), marks=pytest.mark.gpu),
    pytest.param(Library("jax", gpu=True), marks=pytest.mark.gpu),
]


def each_library(name: str, values: Iterable[Any], *, fixed: Any) -> pytest.MarkDecorator:
    """Parametrize ``library`` and another argument; JAX, which compiles for each shape, has one."""
    cases = []
    for each in LIBRARIES:
        library, marks = (each, ()) if isinstance(each, Library) else (each.values[0], each.marks)
        cases += [
            pytest.param(library, value, marks=marks, id=f"{library}-{value}")
            for value in ([fixed] if library.name == "jax" else values)
        ]
    return pytest.mark.parametrize(("library", name), cases, indirect=["library"])


MODULES = {"numpy": "numpy", "torch": "torch", "jax": "jax", "strict": "array_api_strict"}


def require(name: str) -> None:
    """Skip where a library is missing; in CI that is a failure."""
    try:
        importlib.import_module(MODULES.get(name, name))
    except ModuleNotFoundError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name} is not installed")

"""Every way an array can come to the maths: those of the acceptance tests, and GPUs."""

import importlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from acceptance.arrays import WAYS, Way

from gsnn_edges import backends

DTYPES_64 = ("float64", "int64", "uint64")


@dataclass(frozen=True)
class Library(Way):
    """An array library on one of its paths."""

    gpu: bool = False

    def __str__(self) -> str:
        return f"{super().__str__()}{'-gpu' * self.gpu}"

    @property
    def path(self) -> str:
        """Of the CPU: the compiled kernels, the plain code instead of them, or a device's code."""
        if self.device_path:
            return "device"
        return "plain" if self.read_only else "kernel"

    def array(self, x: Any) -> Any:
        """Make an array of this library with the values and dtype of a NumPy array."""
        x = super().array(x)
        if self.name == "jax":
            return _jax().device_put(x, _jax().devices("gpu" if self.gpu else "cpu")[0])
        return x.cuda() if self.gpu else x

    def call(self, fn: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
        """Call a function on arrays of this library, compiled where that is the point."""
        if not self.jit:
            return fn(*arrays, **options)
        return _jax().jit(lambda *inner: fn(*inner, **options))(*arrays)

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


def _jax() -> Any:
    return importlib.import_module("jax")


@cache
def jitted(fn: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function compiled by JAX, once for each shape."""
    compiled: Callable[..., Any] = _jax().jit(partial(fn, **options))
    return compiled


LIBRARIES = [
    *(Library(**vars(way)) for way in WAYS),
    *(pytest.param(Library(name, gpu=True), marks=pytest.mark.gpu) for name in ("torch", "jax")),
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

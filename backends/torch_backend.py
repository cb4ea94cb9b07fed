"""torch: ranks on the host for CPU tensors, on the device for all others."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import array_api_compat.torch as torch_compat
import numpy as np
import torch

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.backends.paths import device_path_forced


@dataclass(frozen=True)
class TorchBackend(GenericBackend):
    """Primitives for torch tensors on one device."""

    xp: Any = torch_compat
    device: Any = field(default_factory=lambda: torch.device("cpu"))
    name: ClassVar[str] = "torch"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        if str(device).startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"device={str(device)!r}: this torch finds no CUDA device; use 'cpu'")
        device = "cpu" if device is None else device
        try:
            torch.empty(0, device=device)
            return cls(device=torch.device(device))
        except (RuntimeError, TypeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"device={str(device)!r} must be a device that this torch can use, such as 'cpu' "
                f"or 'cuda:0'; torch says: {reason}"
            ) from error

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls(device=x.device)

    def ranker(self) -> GenericBackend:
        on_host = self.device.type == "cpu" and not device_path_forced()
        return NumpyBackend() if on_host else self

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        return torch.sort(x, dim=1, stable=True)

    def run_bounds(self, first: Array) -> tuple[Array, Array]:
        length = first.shape[1]
        position = torch.arange(length, dtype=torch.int32, device=first.device)
        start = torch.cummax(torch.where(first, position, 0), dim=1).values
        last = torch.cat([first[:, 1:], first.new_ones((len(first), 1))], dim=1)
        stop = torch.where(last, position + 1, length).flip(1)
        return start, torch.cummin(stop, dim=1).values.flip(1)

    def scatter_rows(self, order: Array, values: Array) -> Array:
        return torch.empty_like(values).scatter_(1, order, values)

    def sum_by_key(self, keys: Array, weights: Array, length: int) -> Array:
        sums = weights.new_zeros((len(keys), length))
        return sums.scatter_add_(1, keys.long(), weights.expand(keys.shape))

    def add_product(self, total: Array | None, a: Array, b: Array) -> Array:
        with full_precision(a.device.type):
            if a.dtype == torch.float32 and self.uses_onednn():
                # Strided operands would fall to a reference kernel, a thousand times slower.
                a, b = a.contiguous(), b.contiguous()
                if total is None:
                    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
                return torch.ops.mkldnn._linear_pointwise.binary(a, total, b, None, "add")
            return a @ b.T if total is None else total.addmm_(a, b.T)

    def product_length(self) -> int:
        return 256 if self.uses_onednn() else super().product_length()

    def uses_onednn(self) -> bool:
        """Whether products take oneDNN's private operator; elsewhere the public one serves."""
        return self.device.type == "cpu" and mkl_is_held_back() and has_onednn()

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        with full_precision(self.device.type):
            return super().call(fn, *arrays, **options)

    def adopt(self, x: Array) -> Array:
        if isinstance(x, torch.Tensor):
            return x.detach().to(self.device)
        # torch has neither read-only nor backwards views: such an array is copied.
        shared = x.flags.writeable and min(x.strides, default=0) >= 0
        return torch.from_numpy(x if shared else x.copy()).to(self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return torch.from_numpy(x).to(self.device)

    def to_numpy(self, x: Array) -> np.ndarray:
        # NumPy has no bfloat16; float32 holds its values.
        x = x.float() if x.dtype == torch.bfloat16 else x
        return np.asarray(x.detach().cpu())

    def free_bytes(self) -> int | None:
        if self.device.type == "cuda":
            reserved = torch.cuda.memory_reserved(self.device)
            cached = reserved - torch.cuda.memory_allocated(self.device)
            return torch.cuda.mem_get_info(self.device)[0] + cached
        return NumpyBackend().free_bytes() if self.device.type == "cpu" else None


def has_onednn() -> bool:
    """Whether this build has oneDNN's product for float32, a private operator."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@lru_cache(maxsize=1)
def mkl_is_held_back() -> bool:
    """Whether torch's default product, MKL's, is half as fast as the processor allows.

    MKL keeps to AVX2 on AMD. From Zen 5 on (family 26) that halves it, and oneDNN does not.
    """
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    family = re.search(r"^cpu family\s*: (\d+)$", text, re.MULTILINE)
    return "AuthenticAMD" in text and family is not None and int(family[1]) >= 26


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Products in true float32, whatever the user has set; the setting comes back."""
    library = torch.backends.cuda if device_type == "cuda" else torch.backends.mkldnn
    before = library.matmul.fp32_precision
    library.matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        library.matmul.fp32_precision = before

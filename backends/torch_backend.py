"""torch: ranks on the host for CPU tensors, on the device for all others."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import array_api_compat.torch as torch_compat
import numpy as np
import torch

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend, first_of_runs, path_of_tests
from gsnn_edges.backends.numpy_backend import NumpyBackend

# What torch sorts, and does not search in.
_UNSEARCHED = (torch.bool, torch.uint16, torch.uint32, torch.uint64)
# The precision at work, and to set one by name: that of all operations has no public name.
_precision = torch._C._get_fp32_precision_getter
_set_precision = torch._C._set_fp32_precision_setter


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
            # An array there says which of several "cuda" means.
            return cls(device=torch.empty(0, device=device).device)
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
        on_host = self.device.type == "cpu" and path_of_tests() != "device"
        return NumpyBackend(lender=self) if on_host else self

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        # Columns of a C-ordered array would be sorted, and left, in their order.
        return torch.sort(x.contiguous(), dim=1, stable=True)

    def run_bounds(self, keys: Array) -> tuple[Array, Array]:
        if keys.dtype in _UNSEARCHED:
            keys = first_of_runs(keys, self.xp).cumsum(1, dtype=torch.int32)
        start = torch.searchsorted(keys, keys, out_int32=True)
        return start, torch.searchsorted(keys, keys, out_int32=True, right=True)

    def scatter_rows(self, order: Array, values: Array) -> Array:
        return torch.empty_like(values).scatter_(1, order, values)

    def reordered(self, x: Array, order: Array) -> Array:
        # `index_select` of the last axis takes four times as long on a CPU.
        return torch.gather(x, -1, order.expand(x.shape))

    def sum_by_key(self, keys: Array, weights: Array, length: int) -> Array:
        sums = weights.new_zeros((len(keys), length))
        return sums.scatter_add_(1, keys.long(), weights.expand(keys.shape))

    def add_product(self, a: Array, b: Array, total: Array | None, start: int, stop: int) -> Array:
        a, b = a[:, start:stop], b[:, start:stop]
        with full_precision(a.device.type):
            if a.dtype == torch.float32 and self._uses_onednn():
                # Strided operands would fall to a reference kernel, a thousand times slower.
                a, b = a.contiguous(), b.contiguous()
                if total is None:
                    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
                return torch.ops.mkldnn._linear_pointwise.binary(a, total, b, None, "add")
            return a @ b.T if total is None else total.addmm_(a, b.T)

    def product_length(self) -> int:
        return 256 if self._uses_onednn() else super().product_length()

    def _uses_onednn(self) -> bool:
        """Whether products take oneDNN's private operator; elsewhere the public one serves."""
        return self.device.type == "cpu" and _mkl_is_slow() and _has_onednn()

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        with full_precision(self.device.type):
            return super().call(fn, *arrays, **options)

    def host(self) -> Self:
        return replace(self, device=torch.device("cpu"))

    def marked(self, places: np.ndarray, length: int) -> Array:
        nowhere = torch.zeros(length, dtype=torch.bool, device=self.device)
        return nowhere.index_fill_(0, self.take_over(places), True)

    def adopt(self, x: Array) -> Array:
        if isinstance(x, torch.Tensor):
            return x.detach().to(self.device)
        # torch has neither read-only nor backwards views: such an array is copied.
        shared = x.flags.writeable and min(x.strides, default=0) >= 0
        return torch.from_numpy(x if shared else x.copy(order="K")).to(self.device)

    def adopt_from(self, owner: GenericBackend, x: Array) -> Array:
        if owner.name != "jax" or self.device.type != "cuda" or owner.device.platform != "gpu":
            return super().adopt_from(owner, x)
        copy = torch.utils.dlpack.from_dlpack(x).clone()
        # JAX may use the memory again when this returns.
        torch.cuda.current_stream(copy.device).synchronize()
        return copy.to(self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return torch.from_numpy(x).to(self.device)

    def to_numpy(self, x: Array) -> np.ndarray:
        # NumPy has no bfloat16; float32 holds its values.
        x = x.float() if x.dtype == torch.bfloat16 else x
        array: np.ndarray = x.numpy(force=True)
        return array

    def free_bytes(self) -> int | None:
        if self.device.type == "cuda":
            reserved = torch.cuda.memory_reserved(self.device)
            cached = reserved - torch.cuda.memory_allocated(self.device)
            return torch.cuda.mem_get_info(self.device)[0] + cached
        return NumpyBackend().free_bytes() if self.device.type == "cpu" else None


def _has_onednn() -> bool:
    """Whether this build has oneDNN's product for float32, a private operator."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@lru_cache(maxsize=1)
def _mkl_is_slow() -> bool:
    """Whether torch's default product, MKL's, is half as fast as the processor allows.

    MKL keeps to AVX2 on AMD. From Zen 5 on (family 26) that halves it, and oneDNN does not.
    """
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    family = re.search(r"^cpu family\s*: (\d+)$", text, re.MULTILINE)
    return "AuthenticAMD" in text and family is not None and int(family[1]) >= 26


def full_precision(device_type: str) -> AbstractContextManager[None]:
    """Products in true float32, whatever the user has set; the setting comes back."""
    library = "cuda" if device_type == "cuda" else "mkldnn"
    return _setting(library, "matmul", "ieee", _setting_by_name(library))


def _setting_by_name(library: str) -> str:
    """Precision set for a library's products by name; "none" where a wider setting is followed.

    torch tells the setting that is at work, whoever made it, and to set that by name would tie
    products to it for ever. So the wider ones are changed for a moment: that of all libraries, then
    that of this one.
    """
    value = _precision(library, "matmul")
    if value == "none":
        return value
    other = "tf32" if value == "ieee" else "ieee"
    with _setting("generic", "all", other, _precision("generic", "all")):
        library_follows = _precision(library, "all") == other
        if _precision(library, "matmul") == other:
            return "none"
    if library_follows:
        return value
    with _setting(library, "all", other, _precision(library, "all")):
        return "none" if _precision(library, "matmul") == other else value


@contextmanager
def _setting(library: str, operations: str, precision: str, before: str) -> Iterator[None]:
    """Set a precision by name ("none" follows a wider one), and ``before`` when it is over."""
    _set_precision(library, operations, precision)
    try:
        yield
    finally:
        _set_precision(library, operations, before)

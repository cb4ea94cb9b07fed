"""torch: ranks on the host for CPU tensors, on the device for all others."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import array_api_compat.torch as torch_compat
import numpy as np
import torch

from gsnn_edges._typing import Array
from gsnn_edges.backends.drains import Drain, StagedDrain
from gsnn_edges.backends.generic_backend import GenericBackend
from gsnn_edges.backends.keys import first_of_runs
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.backends.paths import device_path_forced
from gsnn_edges.backends.preallocation import warn_of_preallocation
from gsnn_edges.backends.splits import SPLITS, Split
from gsnn_edges.backends.torch_products import (
    full_precision,
    has_onednn,
    mkl_is_held_back,
    short_tensor,
    tensor_core_product,
)
from gsnn_edges.backends.torch_streams import CudaLanes, host_tensor, own_copy, read_tensor
from gsnn_edges.backends.transfers import Feed, StagedFeed

# What torch sorts, and does not search in.
UNSEARCHED = (torch.bool, torch.uint16, torch.uint32, torch.uint64)


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
        on_host = self.device.type == "cpu" and not device_path_forced()
        return NumpyBackend() if on_host else self

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        # Columns of a C-ordered array would be sorted, and left, in their order.
        return torch.sort(x.contiguous(), dim=1, stable=True)

    def run_bounds(self, keys: Array) -> tuple[Array, Array]:
        if keys.dtype in UNSEARCHED:
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

    def add_product(self, total: Array | None, a: Array, b: Array) -> Array:
        with full_precision(a.device.type):
            if a.dtype == torch.float32 and self.uses_onednn():
                # Strided operands would fall to a reference kernel, a thousand times slower.
                a, b = a.contiguous(), b.contiguous()
                if total is None:
                    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
                return torch.ops.mkldnn._linear_pointwise.binary(a, total, b, None, "add")
            return a @ b.T if total is None else total.addmm_(a, b.T)

    def add_short_product(self, total: Array | None, a: Array, b: Array, split: Split) -> Array:
        if self.is_cuda():
            return tensor_core_product(total, a, b, split)
        return self.add_product(total, a.float(), b.float())

    def shortened(self, x: Array, split: Split) -> Array:
        return short_tensor(x, split)

    def product_length(self) -> int:
        if self.is_cuda() and self.product in SPLITS:
            return SPLITS[self.product].length
        return 256 if self.uses_onednn() else super().product_length()

    def uses_onednn(self) -> bool:
        """Whether products take oneDNN's private operator; elsewhere the public one serves."""
        return self.device.type == "cpu" and mkl_is_held_back() and has_onednn()

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        with full_precision(self.device.type):
            return super().call(fn, *arrays, **options)

    def feed(self, move: Callable[[Array], Array]) -> Feed:
        return StagedFeed(move, CudaLanes(self.device)) if self.is_cuda() else Feed(move)

    def host(self) -> Self:
        return replace(self, device=torch.device("cpu"))

    def drain(self, home: Any, move: Callable[[Array], Array]) -> Drain:
        if self.is_cuda() and home is not self:
            return StagedDrain(home.write, CudaLanes(self.device))
        return super().drain(home, move)

    def is_cuda(self) -> bool:
        """Whether the device computes while the host goes on."""
        return bool(self.device.type == "cuda")

    def marked(self, places: np.ndarray, length: int) -> Array:
        nowhere = torch.zeros(length, dtype=torch.bool, device=self.device)
        return nowhere.index_fill_(0, self.take_over(places), True)

    def adopt(self, x: Array) -> Array:
        # What is copied may be read from memory that nobody may write to.
        return (read_tensor(x) if self.is_cuda() else host_tensor(x)).to(self.device)

    def adopt_from(self, owner: GenericBackend, x: Array) -> Array:
        if owner.name != "jax" or not self.is_cuda() or owner.ranker().name == "numpy":
            return super().adopt_from(owner, x)
        warn_of_preallocation(owner.device)
        return own_copy(x).to(self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return torch.from_numpy(x).to(self.device)

    def to_numpy(self, x: Array) -> np.ndarray:
        # NumPy has no bfloat16; float32 holds its values.
        x = x.float() if x.dtype == torch.bfloat16 else x
        return np.asarray(x.detach().cpu())

    def multiprocessors(self) -> int | None:
        if not self.is_cuda():
            return None
        count: int = torch.cuda.get_device_properties(self.device).multi_processor_count
        return count

    def free_bytes(self) -> int | None:
        if self.is_cuda():
            reserved = torch.cuda.memory_reserved(self.device)
            cached = reserved - torch.cuda.memory_allocated(self.device)
            return torch.cuda.mem_get_info(self.device)[0] + cached
        return NumpyBackend().free_bytes() if self.device.type == "cpu" else None

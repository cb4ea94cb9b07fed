"""JAX: ranks on the host for CPU arrays, compiled on the device for all others and under jit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend
from gsnn_edges.backends.jax_arrays import (
    columns_as_rows,
    find_device,
    marked,
    own_copy,
    write_in_place,
)
from gsnn_edges.backends.jax_products import CPU_LENGTH, DEVICE_LENGTH, long_product
from gsnn_edges.backends.keys import first_of_runs
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.backends.paths import device_path_forced
from gsnn_edges.backends.preallocation import bytes_to_be_had, card_bytes, warn_of_preallocation
from gsnn_edges.backends.splits import SPLITS
from gsnn_edges.backends.transfers import Feed, PatientFeed


@dataclass(frozen=True)
class JaxBackend(GenericBackend):
    """Primitives for JAX arrays on one device; ``device=None`` stands for traced values."""

    xp: Any = jnp
    name: ClassVar[str] = "jax"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        if device is None:
            return cls(device=jax.devices()[0])
        return cls(device=device if isinstance(device, jax.Device) else find_device(str(device)))

    @classmethod
    def of(cls, x: Array) -> Self:
        traced = isinstance(x, jax.core.Tracer)
        return cls(device=None if traced else next(iter(x.devices())))

    def ranker(self) -> GenericBackend:
        on_host = self.device is not None and self.device.platform == "cpu"
        return NumpyBackend() if on_host and not device_path_forced() else self

    def concrete(self, x: Array) -> bool:
        # Nor can a process look at what other processes hold.
        return not isinstance(x, jax.core.Tracer) and x.is_fully_addressable

    def is_sharded(self, x: Array) -> bool:
        return not isinstance(x, jax.core.Tracer) and len(x.sharding.device_set) > 1

    def views(self) -> bool:
        return self.device is None  # traced, XLA decides what becomes of parts

    def columns_as_rows(self, x: Array, low: int, high: int) -> Array:
        if self.views() or self.is_sharded(x):
            return super().columns_as_rows(x, low, high)
        if self.ranker() is not self and x.dtype != jnp.bfloat16:
            return self.to_numpy(x)[:, low:high].T
        return columns_as_rows(x, low, high - low)

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        position = lax.broadcasted_iota(jnp.int32, x.shape, 1)
        keys, order = lax.sort((x, position), dimension=1, is_stable=True, num_keys=1)
        return keys, order

    def run_bounds(self, keys: Array) -> tuple[Array, Array]:
        first, length = first_of_runs(keys, jnp), keys.shape[1]
        position = lax.broadcasted_iota(jnp.int32, first.shape, 1)
        start = lax.cummax(jnp.where(first, position, 0), axis=1)
        last = jnp.pad(first[:, 1:], ((0, 0), (0, 1)), constant_values=True)
        stop = lax.cummin(jnp.where(last, position + 1, length), axis=1, reverse=True)
        return start, stop

    def scatter_rows(self, order: Array, values: Array) -> Array:
        row = lax.broadcasted_iota(jnp.int32, order.shape, 0)
        return jnp.empty_like(values).at[row, order].set(values, unique_indices=True)

    def sum_by_key(self, keys: Array, weights: Array, length: int) -> Array:
        row = lax.broadcasted_iota(jnp.int32, keys.shape, 0)
        return jnp.zeros((keys.shape[0], length), weights.dtype).at[row, keys].add(weights)

    def matmul(self, a: Array, b: Array) -> Array:
        return long_product(a, b, self.product, self.product_length())

    def product_length(self) -> int:
        # Traced values lie, as a rule, on the default device.
        platform = jax.default_backend() if self.device is None else self.device.platform
        if platform == "cpu":
            return CPU_LENGTH
        return SPLITS[self.product].length if self.product in SPLITS else DEVICE_LENGTH

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        return compiled(fn, self, tuple(sorted(options.items())), *arrays)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        out = write_in_place(out, block, row, column)
        # JAX computes later: on a device, blocks that nobody waits for would fill its memory.
        on_device = self.device is not None and self.device.platform != "cpu"
        return out.block_until_ready() if on_device else out

    def feed(self, move: Callable[[Array], Array]) -> Feed:
        return Feed(move) if self.device is None else PatientFeed(move, jax.block_until_ready)

    def host(self) -> Self:
        return self if self.device is None else replace(self, device=jax.devices("cpu")[0])

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return jnp.zeros(shape, dtype, device=self.device)

    def fixed_size(self, count: int) -> int:
        return 1 << max(4, (count - 1).bit_length())

    def marked(self, places: np.ndarray, length: int) -> Array:
        if len(places) == 0:
            return jnp.zeros(length, bool, device=self.device)
        more = self.fixed_size(len(places)) - len(places)
        return marked(self.take_over(np.pad(places, (0, more), "edge")), length)

    def adopt(self, x: Array) -> Array:
        if isinstance(x, jax.Array):
            return x if self.device is None else jax.device_put(x, self.device)
        # A copy: JAX computes later, and the owner may have written to x by then.
        return jax.device_put(jnp.array(x, copy=True), self.device)

    def adopt_from(self, owner: GenericBackend, x: Array) -> Array:
        if owner.name != "torch":
            return self.adopt(owner.to_numpy(x))
        on_gpu = owner.device.type == "cuda"
        if on_gpu != (self.device.platform == "gpu"):
            return self.adopt(owner.to_numpy(x))
        if on_gpu:
            warn_of_preallocation(self.device)
        return jax.device_put(own_copy(x), self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return jax.device_put(x, self.device, may_alias=True)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x)

    def multiprocessors(self) -> int | None:
        # A TPU counts cores by this name.
        on_gpu = self.device is not None and self.device.platform == "gpu"
        return getattr(self.device, "core_count", None) if on_gpu else None

    def free_bytes(self) -> int | None:
        if self.device is None or self.device.platform == "cpu":
            return NumpyBackend().free_bytes()
        on_gpu = self.device.platform == "gpu"
        card = card_bytes(self.device.local_hardware_id) if on_gpu else None
        return bytes_to_be_had(self.device.memory_stats() or {}, card)


@partial(jax.jit, static_argnums=(0, 1, 2))
def compiled(
    fn: Callable[..., Array], ops: JaxBackend, options: tuple[tuple[str, Any], ...], *arrays: Array
) -> Array:
    """One compilation for each function, options and shape; jit itself keeps them."""
    with jax.default_matmul_precision("highest"):
        return fn(*arrays, ops=ops, **dict(options))

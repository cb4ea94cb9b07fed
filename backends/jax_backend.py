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
from gsnn_edges.backends.generic_backend import (
    GROUP,
    GenericBackend,
    first_of_runs,
    path_of_tests,
)
from gsnn_edges.backends.numpy_backend import NumpyBackend

# Products that XLA may add up in one go on a CPU; see `GenericBackend.matmul`.
_CPU_LENGTH = 256


@dataclass(frozen=True)
class JaxBackend(GenericBackend):
    """Primitives for JAX arrays on one device; ``device=None`` stands for traced values."""

    xp: Any = jnp
    name: ClassVar[str] = "jax"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        if device is None:
            return cls(device=jax.devices()[0])
        return cls(device=device if isinstance(device, jax.Device) else _find_device(str(device)))

    @classmethod
    def of(cls, x: Array) -> Self:
        traced = isinstance(x, jax.core.Tracer)
        return cls(device=None if traced else next(iter(x.devices())))

    def ranker(self) -> GenericBackend:
        on_host = self.device is not None and self.device.platform == "cpu"
        return NumpyBackend() if on_host and path_of_tests() != "device" else self

    def concrete(self, x: Array) -> bool:
        # Nor can a process look at what other processes hold.
        return not isinstance(x, jax.core.Tracer) and x.is_fully_addressable

    def is_sharded(self, x: Array) -> bool:
        return not isinstance(x, jax.core.Tracer) and len(x.sharding.device_set) > 1

    def columns_as_rows(self, x: Array, low: int, high: int) -> Array:
        if self.device is None or self.is_sharded(x):
            return super().columns_as_rows(x, low, high)
        if self.ranker() is not self and x.dtype != jnp.bfloat16:
            return self.to_numpy(x)[:, low:high].T
        return _columns_as_rows(x, low, high - low)

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
        engine, eager = (
            self.ranker(),
            all(self.concrete(x) and not self.is_sharded(x) for x in (a, b)),
        )
        if eager and engine is not self:  # XLA compiles for each shape, and is not faster
            return self.take_over(engine.matmul(self.to_numpy(a), self.to_numpy(b)))
        return long_product(a, b, self.product_length())

    def product_length(self) -> int:
        # Traced values lie, as a rule, on the default device.
        platform = jax.default_backend() if self.device is None else self.device.platform
        return _CPU_LENGTH if platform == "cpu" else super().product_length()

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        return _compiled(fn, self, tuple(sorted(options.items())), *arrays)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        out = _write_in_place(out, block, row, column)
        # JAX computes later: on a device, blocks that nobody waits for would fill its memory.
        on_device = self.device is not None and self.device.platform != "cpu"
        return out.block_until_ready() if on_device else out

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
        return _marked(self.take_over(np.pad(places, (0, more), "edge")), length)

    def adopt(self, x: Array) -> Array:
        if isinstance(x, jax.Array):
            return x if self.device is None else jax.device_put(x, self.device)
        # A copy: JAX computes later, and the owner may have written to x by then.
        return jax.device_put(jnp.array(x, copy=True), self.device)

    def adopt_from(self, owner: GenericBackend, x: Array) -> Array:
        on_gpu = self.device is not None and self.device.platform == "gpu"
        if owner.name != "torch" or owner.device.type != "cuda" or not on_gpu:
            return super().adopt_from(owner, x)
        # dlpack shares memory, and ``from_dlpack(copy=True)`` does so too. torch may use it again
        # when this returns.
        copy = jnp.array(jnp.from_dlpack(x.detach().contiguous()), copy=True)
        return jax.device_put(copy.block_until_ready(), self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return jax.device_put(x, self.device, may_alias=True)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x)

    def free_bytes(self) -> int | None:
        if self.device is None or self.device.platform == "cpu":
            return NumpyBackend().free_bytes()
        stats = self.device.memory_stats() or {}
        limit = stats.get("bytes_limit")
        return None if limit is None else limit - stats.get("bytes_in_use", 0)


def _find_device(name: str) -> Any:
    """JAX device by platform and number, as "cpu" or "cuda:1"."""
    platform, _, number = name.replace("cuda", "gpu").partition(":")
    try:
        return jax.devices(platform)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        there = ", ".join(f"{d.platform}:{d.id}" for d in jax.devices())
        raise ValueError(f"device={name!r}: JAX finds {there}; use one of these") from None


@partial(jax.jit, static_argnums=(0, 1, 2))
def _compiled(
    fn: Callable[..., Array], ops: JaxBackend, options: tuple[tuple[str, Any], ...], *arrays: Array
) -> Array:
    """One compilation for each function, options and shape; jit itself keeps them."""
    with jax.default_matmul_precision("highest"):
        return fn(*arrays, ops=ops, **dict(options))


@partial(jax.jit, donate_argnums=0)
def _write_in_place(out: Array, block: Array, row: int, column: int) -> Array:
    return lax.dynamic_update_slice(out, block, (row, column))


@partial(jax.jit, static_argnames="size")
def _columns_as_rows(x: Array, low: int, size: int) -> Array:
    """``x[:, low : low + size].T`` by one copy, and compiled once for each size."""
    return lax.dynamic_slice_in_dim(x, low, size, axis=1).T


@partial(jax.jit, static_argnames="length")
def _marked(places: Array, length: int) -> Array:
    return jnp.zeros(length, bool).at[places].set(True)


@partial(jax.jit, static_argnames="limit")
def long_product(a: Array, b: Array, limit: int = _CPU_LENGTH) -> Array:
    """Product ``a @ b.T`` as a sum of sums, by loops: unrolled, it would be compiled for minutes.

    All bounds are known when it is compiled: else XLA asks a GPU before each stretch whether it is
    the last.
    """
    length = a.shape[1]
    size = max(1, min(limit, length))
    count = length // size

    def add(place: Array, total: Array) -> Array:
        stretches = (lax.dynamic_slice_in_dim(x, place * size, size, axis=1) for x in (a, b))
        return total + _exact_product(*stretches)

    def add_group(number: Array, total: Array) -> Array:
        first, none = number * GROUP, jnp.zeros_like(total)
        return total + lax.fori_loop(0, GROUP, lambda k, group: add(first + k, group), none)

    # What is left of a stretch, then of a group, then whole groups.
    total = _exact_product(a[:, count * size :], b[:, count * size :])
    whole = count // GROUP
    total = lax.fori_loop(0, count % GROUP, lambda k, sums: add(whole * GROUP + k, sums), total)
    return lax.fori_loop(0, whole, add_group, total)


def _exact_product(a: Array, b: Array) -> Array:
    """Product ``a @ b.T`` without TF32 or bfloat16."""
    columns = (((1,), (1,)), ((), ()))
    return lax.dot_general(a, b, columns, precision=lax.Precision.HIGHEST)

"""JAX: ranks on the host for CPU arrays, compiled on the device for all others and under jit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.backends.paths import device_path_forced
from gsnn_edges.backends.summation import GROUP

# Products that XLA may add up in one go; see `GenericBackend.matmul`.
PRODUCT_LENGTH = 256


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
        return not isinstance(x, jax.core.Tracer)

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        position = lax.broadcasted_iota(jnp.int32, x.shape, 1)
        return tuple(lax.sort((x, position), dimension=1, is_stable=True, num_keys=1))

    def run_bounds(self, first: Array) -> tuple[Array, Array]:
        length = first.shape[1]
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
        return long_product(a, b)

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        return compiled(fn, self, tuple(sorted(options.items())), *arrays)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        return write_in_place(out, block, row, column)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return jnp.zeros(shape, dtype, device=self.device)

    def adopt(self, x: Array) -> Array:
        if isinstance(x, jax.Array):
            return x if self.device is None else jax.device_put(x, self.device)
        # A copy: JAX computes later, and the owner may have written to x by then.
        return jax.device_put(jnp.array(x, copy=True), self.device)

    def adopt_from(self, owner: GenericBackend, x: Array) -> Array:
        if owner.name != "torch":
            return self.adopt(owner.to_numpy(x))
        # dlpack shares memory, so what it is given must be a copy that nobody else holds: columns
        # of a matrix are copied to be contiguous anyway, a whole matrix is cloned.
        own = x.detach().contiguous()
        own = own.clone() if own.data_ptr() == x.data_ptr() else own
        return jax.device_put(jnp.from_dlpack(own), self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return jax.device_put(x, self.device, may_alias=True)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x)

    def free_bytes(self) -> int | None:
        if self.device is None or self.device.platform == "cpu":
            return NumpyBackend().free_bytes()
        stats = self.device.memory_stats() or {}
        return stats["bytes_limit"] - stats["bytes_in_use"] if "bytes_limit" in stats else None


def find_device(name: str) -> Any:
    """Find a JAX device by platform and number, as "cpu" or "cuda:1"."""
    platform, _, number = name.replace("cuda", "gpu").partition(":")
    try:
        return jax.devices(platform)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        there = ", ".join(f"{d.platform}:{d.id}" for d in jax.devices())
        raise ValueError(f"device={name!r}: JAX finds {there}; use one of these") from None


@partial(jax.jit, static_argnums=(0, 1, 2))
def compiled(
    fn: Callable[..., Array], ops: JaxBackend, options: tuple[tuple[str, Any], ...], *arrays: Array
) -> Array:
    """One compilation for each function, options and shape; jit itself keeps them."""
    with jax.default_matmul_precision("highest"):
        return fn(*arrays, ops=ops, **dict(options))


def exact_product(a: Array, b: Array) -> Array:
    """Give ``a @ b.T`` without TF32 or bfloat16."""
    columns = (((1,), (1,)), ((), ()))
    return lax.dot_general(a, b, columns, precision=lax.Precision.HIGHEST)


@partial(jax.jit)
def long_product(a: Array, b: Array) -> Array:
    """Give ``a @ b.T`` as a sum of sums, by loops: unrolled, it would be compiled for minutes."""
    length = a.shape[1]
    count = max(1, -(-length // PRODUCT_LENGTH))
    size = length // count

    def add(place: Array, total: Array) -> Array:
        stretches = (lax.dynamic_slice_in_dim(x, place * size, size, axis=1) for x in (a, b))
        return total + exact_product(*stretches)

    def add_group(place: Array, total: Array) -> Array:
        stop = jnp.minimum((place + 1) * GROUP, count)
        return total + lax.fori_loop(place * GROUP, stop, add, jnp.zeros_like(total))

    rest = exact_product(a[:, count * size :], b[:, count * size :])
    return lax.fori_loop(0, -(-count // GROUP), add_group, rest)


@partial(jax.jit, donate_argnums=0)
def write_in_place(out: Array, block: Array, row: int, column: int) -> Array:
    """Give ``out`` with ``block`` at (row, column), in the memory of ``out``."""
    return lax.dynamic_update_slice(out, block, (row, column))

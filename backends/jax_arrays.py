"""JAX arrays: on which device, in whose memory, and their parts."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gsnn_edges._typing import Array


def find_device(name: str) -> Any:
    """Find a JAX device by platform and number, as "cpu" or "cuda:1"."""
    platform, _, number = name.replace("cuda", "gpu").partition(":")
    try:
        return jax.devices(platform)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        there = ", ".join(f"{d.platform}:{d.id}" for d in jax.devices())
        raise ValueError(f"device={name!r}: JAX finds {there}; use one of these") from None


def own_copy(x: Any) -> Array:
    """Copy what torch lends through dlpack, on its device.

    The copy has been made when this returns: torch may then use the memory again. dlpack shares
    memory, and ``from_dlpack(copy=True)`` does so too.
    """
    return jnp.array(jnp.from_dlpack(x.detach().contiguous()), copy=True).block_until_ready()


@partial(jax.jit, donate_argnums=0)
def write_in_place(out: Array, block: Array, row: int, column: int) -> Array:
    """Give ``out`` with ``block`` at (row, column), in the memory of ``out``."""
    return lax.dynamic_update_slice(out, block, (row, column))


@partial(jax.jit, static_argnames="size")
def columns_as_rows(x: Array, low: int, size: int) -> Array:
    """Give ``x[:, low : low + size].T`` by one copy, and compiled once for each size."""
    return lax.dynamic_slice_in_dim(x, low, size, axis=1).T


@partial(jax.jit, static_argnames="length")
def marked(places: Array, length: int) -> Array:
    """Give a bool array that is true at these places, of which some may stand twice."""
    return jnp.zeros(length, bool).at[places].set(True)

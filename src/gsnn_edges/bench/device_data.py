"""Data drawn where it is measured: gigabytes of it would take minutes on the host."""

from functools import lru_cache
from typing import Any

import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.bench.data import ZEROS_IN_A, ZEROS_IN_G

# Rows drawn at a time: what is drawn besides the result stays small.
VALUES_AT_A_TIME = 1 << 26


def observations_on(ops: Backend, count: int, nodes: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Draw ``a`` and ``g`` of shape (count, nodes) on a device, with the zeros of `observations`.

    The numbers depend on library and device.
    """
    draw = torch_draw if ops.name == "torch" else jax_draw
    a = draw(ops, count, nodes, ZEROS_IN_A, 2 * seed)
    return a, draw(ops, count, nodes, ZEROS_IN_G, 2 * seed + 1)


def observations_on_host(
    ops: Backend, count: int, nodes: int, *, seed: int = 0, pinned: bool = False
) -> list[Any]:
    """Draw ``a`` and ``g`` on a device, a few rows at a time, and leave them on the host.

    NumPy arrays, or tensors in memory that a CUDA device reads by itself.
    """
    draw = torch_draw if ops.name == "torch" else jax_draw
    height = max(1, VALUES_AT_A_TIME // nodes)
    drawn = []
    for side, zeros in enumerate((ZEROS_IN_A, ZEROS_IN_G)):
        kept, out = host_room(ops, count, nodes, pinned=pinned)
        for number, start in enumerate(range(0, count, height)):
            rows = min(height, count - start)
            block = draw(ops, rows, nodes, zeros, 2 * (seed + number) + side)
            out[start : start + rows] = ops.to_numpy(block)
        drawn.append(kept)
    return drawn


def host_room(ops: Backend, count: int, nodes: int, *, pinned: bool) -> tuple[Any, np.ndarray]:
    """Make an array of the host, and a NumPy view of it to fill."""
    if not pinned:
        room = np.empty((count, nodes), np.float32)
        return room, room
    import torch

    tensor = torch.empty((count, nodes), pin_memory=ops.device.type == "cuda")
    return tensor, tensor.numpy()


def torch_draw(ops: Backend, count: int, nodes: int, zeros: float, seed: int) -> Array:
    """Draw normal numbers by torch, some exactly 0."""
    import torch

    generator = torch.Generator(ops.device).manual_seed(seed)
    x = torch.empty((count, nodes), device=ops.device)
    for rows in torch.split(x, max(1, VALUES_AT_A_TIME // nodes)):
        rows.normal_(generator=generator)
        share = torch.rand(rows.shape, generator=generator, device=ops.device)
        rows.masked_fill_(share < zeros, 0.0)
    return x


def jax_draw(ops: Backend, count: int, nodes: int, zeros: float, seed: int) -> Array:
    """Draw normal numbers by JAX, some exactly 0."""
    import jax

    draw, height = jax_block(), max(1, VALUES_AT_A_TIME // nodes)
    with jax.default_device(ops.device):
        x = ops.empty((count, nodes), ops.xp.float32)
        for number, start in enumerate(range(0, count, height)):
            key = jax.random.fold_in(jax.random.key(seed), number)
            x = ops.write(x, draw(key, min(height, count - start), nodes, zeros), start, 0)
    return x


@lru_cache(maxsize=1)
def jax_block() -> Any:
    """Compile the draw of some rows, once for each shape."""
    import jax

    def block(key: Array, rows: int, nodes: int, zeros: float) -> Array:
        one, other = jax.random.split(key)
        values = jax.random.normal(one, (rows, nodes))
        return jax.numpy.where(jax.random.uniform(other, (rows, nodes)) < zeros, 0.0, values)

    return jax.jit(block, static_argnums=(1, 2))

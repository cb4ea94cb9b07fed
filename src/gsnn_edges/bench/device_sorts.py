"""The sorts that a device may rank by, each at the shapes of the blocks that it meets."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gsnn_edges._typing import Array
from gsnn_edges.bench.device_bench import Bench
from gsnn_edges.bench.device_data import observations_on
from gsnn_edges.bench.paper import H200, SORT_BYTES
from gsnn_edges.bench.report import Row

# Rows and lengths: blocks of 2**23 values, as they are ranked.
SHAPES = ((27, 300_000), (83, 100_000), (838, 10_000))

# The sort that ranks use may take 1.5 times as long as the other.
OTHER_AT_LEAST = 0.67

SORT, PACKED = "torch.sort with places", "torch.sort of keys packed with places, int64"
JAX_SORT, JAX_KEYS = "lax.sort with places", "lax.sort of uint32 keys with places"


def sorts(bench: Bench, rows: int, length: int) -> list[Row]:
    """Time the sort that ranks use, and one of whole numbers that rise with the floats."""
    x = observations_on(bench.ops, length, rows)[0].T
    # As blocks come: rows one after another.
    x = x.contiguous() if bench.framework == "torch" else bench.ops.xp.array(x)
    names = (SORT, PACKED) if bench.framework == "torch" else (JAX_SORT, JAX_KEYS)
    other: Any = packed_sort if bench.framework == "torch" else compiled_key_sort()
    first: Any = bench.ops.sort_rows
    if bench.framework == "jax":
        import jax

        first = jax.jit(first)
    calls: dict[str, Callable[[], object]] = dict(
        zip(names, (partial(first, x), partial(other, x)), strict=True)
    )
    group = bench.group(f"{rows} rows of {length}", calls)
    paper = H200.moved(rows * length, SORT_BYTES)
    return [
        bench.moved(group.row(names[0]), paper),
        bench.moved(group.versus(names[1], names[0], at_least=OTHER_AT_LEAST), paper),
    ]


def packed_sort(x: Array) -> tuple[Array, Array]:
    """Sort each row of float32 values by torch: keys and order, by one sort of 64-bit numbers.

    The bits of a float rise with it where it is positive, and fall with it where it is negative.
    """
    import torch

    bits = (x + 0.0).view(torch.int32)
    keys = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(x.shape[1], device=x.device)
    packed = ((keys << 32) | place).sort(dim=1).values
    return packed >> 32, packed & 0xFFFFFFFF


def compiled_key_sort() -> Any:
    """Compile `key_sort`."""
    import jax

    return jax.jit(key_sort)


def key_sort(x: Array) -> tuple[Array, Array]:
    """Sort each row of float32 values by JAX: keys and order, by unsigned 32-bit keys.

    JAX compares floats by rules of its own for zeros and NaN; whole numbers are plain.
    """
    import jax.numpy as jnp
    from jax import lax

    # `x + 0.0` is taken for `x` when it is compiled, and -0.0 must equal 0.0.
    bits = lax.bitcast_convert_type(jnp.where(x == 0, 0.0, x), jnp.uint32)
    top = jnp.uint32(1 << 31)
    keys = jnp.where(bits >= top, ~bits, bits | top)
    place = lax.broadcasted_iota(jnp.int32, x.shape, 1)
    found: tuple[Array, Array] = tuple(
        lax.sort((keys, place), dimension=1, is_stable=True, num_keys=1)
    )
    return found

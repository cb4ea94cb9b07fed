"""Matrix products of JAX: sums of sums, of whole or of shortened operands."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gsnn_edges._typing import Array
from gsnn_edges.backends.splits import SPLITS, Split, factors
from gsnn_edges.backends.summation import GROUP

# Products that XLA may add up in one go, on a CPU and elsewhere; see `GenericBackend.matmul`.
CPU_LENGTH, DEVICE_LENGTH = 256, 2048
FLOAT32_EXPONENT = 8


@partial(jax.jit, static_argnames=("product", "limit"))
def long_product(a: Array, b: Array, product: str = "float32", limit: int = CPU_LENGTH) -> Array:
    """Give ``a @ b.T`` as a sum of sums, by loops: unrolled, it would be compiled for minutes.

    All bounds are known when it is compiled: else XLA asks a GPU before each stretch whether it is
    the last.
    """
    length = a.shape[1]
    size = max(1, min(limit, length))
    count = length // size

    def add(place: Array, total: Array) -> Array:
        stretches = (lax.dynamic_slice_in_dim(x, place * size, size, axis=1) for x in (a, b))
        return total + stretch_product(*stretches, product=product)

    def add_group(number: Array, total: Array) -> Array:
        first, none = number * GROUP, jnp.zeros_like(total)
        return total + lax.fori_loop(0, GROUP, lambda k, group: add(first + k, group), none)

    # What is left of a stretch, then of a group, then whole groups.
    total = stretch_product(a[:, count * size :], b[:, count * size :], product=product)
    whole = count // GROUP
    total = lax.fori_loop(0, count % GROUP, lambda k, sums: add(whole * GROUP + k, sums), total)
    return lax.fori_loop(0, whole, add_group, total)


def stretch_product(a: Array, b: Array, *, product: str) -> Array:
    """Give ``a @ b.T`` in one go, as it is or by short operands."""
    if product not in SPLITS or a.dtype != jnp.float32:
        return exact_product(a, b)
    split = SPLITS[product]
    pairs = factors(a, b, split, short_array)
    total = short_product(*pairs[0], split)
    for left, right in pairs[1:]:
        total = total + short_product(left, right, split)
    return total


def exact_product(a: Array, b: Array) -> Array:
    """Give ``a @ b.T`` without TF32 or bfloat16."""
    columns = (((1,), (1,)), ((), ()))
    return lax.dot_general(a, b, columns, precision=lax.Precision.HIGHEST)


def short_product(a: Array, b: Array, split: Split) -> Array:
    """Give ``a @ b.T`` in float32, of operands that `short_array` gave."""
    columns = (((1,), (1,)), ((), ()))
    if split.kind == "bf16":
        a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
        return lax.dot_general(a, b, columns, preferred_element_type=jnp.float32)
    # TF32 on a GPU that has it, float32 on a CPU.
    return lax.dot_general(a, b, columns, precision=lax.Precision.HIGH)


def short_array(x: Array, split: Split) -> Array:
    """Round float32 to short mantissas, in a way that XLA does not take for nothing."""
    return lax.reduce_precision(x, FLOAT32_EXPONENT, split.bits - 1)

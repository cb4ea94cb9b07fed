"""Matrix products of JAX: sums of sums, of whole or of shortened operands."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gsnn_edges._typing import Array
from gsnn_edges.backends.splits import SPLITS, Split, factors
from gsnn_edges.backends.summation import GROUP

# Products that XLA may add up in one go; see `GenericBackend.matmul`.
PRODUCT_LENGTH = 256
FLOAT32_EXPONENT = 8


@partial(jax.jit, static_argnames="product")
def long_product(a: Array, b: Array, product: str = "float32") -> Array:
    """Give ``a @ b.T`` as a sum of sums, by loops: unrolled, it would be compiled for minutes."""
    length = a.shape[1]
    count = max(1, -(-length // PRODUCT_LENGTH))
    size = length // count

    def add(place: Array, total: Array) -> Array:
        stretches = (lax.dynamic_slice_in_dim(x, place * size, size, axis=1) for x in (a, b))
        return total + stretch_product(*stretches, product=product)

    def add_group(place: Array, total: Array) -> Array:
        stop = jnp.minimum((place + 1) * GROUP, count)
        return total + lax.fori_loop(place * GROUP, stop, add, jnp.zeros_like(total))

    rest = stretch_product(a[:, count * size :], b[:, count * size :], product=product)
    return lax.fori_loop(0, -(-count // GROUP), add_group, rest)


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

"""Products at float32 grade from short operands, which tensor cores multiply many times faster.

A float32 number is the sum of a high part, rounded to a short mantissa, and a low one. Of the four
products of the parts of two numbers, the one of both low parts is below what float32 keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gsnn_edges._typing import Array

FLOAT32_BITS = 24


@dataclass(frozen=True)
class Split:
    """How operands are shortened.

    Attributes
    ----------
    kind : {"tf32", "bf16"}
        What the tensor cores multiply.
    bits : int
        Of its mantissa, the leading one included.
    parts : {1, 2}
        The high part alone, or both.
    length : int
        How many products tensor cores may add up in one go. They cut their running sums off where
        others round them, which adds up where all products have one sign: beside a row itself.
    """

    kind: str
    bits: int
    parts: int
    length: int


SPLITS = {
    "tf32x3": Split("tf32", 11, 2, 256),
    "bf16x3": Split("bf16", 8, 2, 512),
    "tf32": Split("tf32", 11, 1, 512),
}

Shorten = Callable[[Array, Split], Array]


def shortened(x: Array, split: Split) -> Array:
    """Round float32 numbers to short mantissas, to nearest, by nothing but arithmetic.

    Numbers above 2**111 overflow; rows of length 1 have none.

    References
    ----------
    T. J. Dekker (1971). A floating-point technique for extending the available precision.
    Numerische Mathematik 18, who names G. W. Veltkamp.

    Examples
    --------
    >>> import numpy as np
    >>> shortened(np.float32([1 / 3]), SPLITS["bf16x3"])
    array([0.33398438], dtype=float32)
    """
    scaled = x * (2.0 ** (FLOAT32_BITS - split.bits) + 1)
    return scaled - (scaled - x)


def parts(x: Array, split: Split, shorten: Shorten) -> tuple[Array, ...]:
    """Give the high part, and with two parts the low one."""
    high = shorten(x, split)
    return (high,) if split.parts == 1 else (high, shorten(x - high, split))


def factors(a: Array, b: Array, split: Split, shorten: Shorten) -> list[tuple[Array, Array]]:
    """Pair the parts whose products are summed, small products first."""
    left, right = parts(a, split, shorten), parts(b, split, shorten)
    pairs = [(left[0], right[0])]
    return pairs if split.parts == 1 else [(left[1], right[0]), (left[0], right[1]), *pairs]


def add_stretch(ops: Any, a: Array, b: Array, total: Array | None, start: int, stop: int) -> Array:
    """Give ``total`` and the product of a stretch of both, by the products that ``ops`` makes."""
    a, b = a[:, start:stop], b[:, start:stop]
    if ops.product not in SPLITS or a.dtype != ops.xp.float32:
        return ops.add_product(total, a, b)
    split = SPLITS[ops.product]
    for left, right in factors(a, b, split, ops.shortened):
        total = ops.add_short_product(total, left, right, split)
    return total

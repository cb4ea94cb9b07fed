"""Every primitive in nothing but the Array API standard: the laws, and the oracle of the rest.

What is no maths, how arrays come and go, is in `traffic`.
Any compliant array runs on it (array-api-strict, CuPy, ...). A backend of its own is worth a
file where the library does one of these faster, or not at all as the standard says it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import array_api_compat
import array_api_compat.numpy

from gsnn_edges._typing import Array
from gsnn_edges.backends.keys import run_bounds, sum_by_key
from gsnn_edges.backends.paths import host_only
from gsnn_edges.backends.splits import Split, add_stretch, shortened
from gsnn_edges.backends.summation import sum_of_sums
from gsnn_edges.backends.traffic import Traffic
from gsnn_edges.backends.windows import windows

# A device holds about 64 bytes for each value that it ranks: 2**23 keep that to half a gigabyte.
BLOCK_ELEMENTS = 1 << 23


@dataclass(frozen=True)
class GenericBackend(Traffic):
    """The primitives over arrays of one namespace on one device.

    All matrices are (rows, length): sorted, ranked and multiplied along ``length``. What a
    method's docstring says is the law for every backend that overrides it. ``product`` names how
    `matmul` multiplies float32: as it is, or by one of `SPLITS`.
    """

    xp: Any
    device: Any = None
    product: str = "float32"
    name: ClassVar[str] = "generic"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        """Make the backend for a device, or the library's default; here over NumPy's arrays."""
        host_only(device)
        return cls(array_api_compat.numpy)

    @classmethod
    def of(cls, x: Array) -> Self:
        """Make the backend of an array's own library, on the array's device."""
        return cls(array_api_compat.array_namespace(x), array_api_compat.device(x))

    def ranker(self) -> "GenericBackend":
        """Give the backend whose `map_rows` ranks fastest: NumPy's for arrays on a CPU."""
        return self

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        """Sort each row: ``(keys, order)``.

        ``keys`` rise, and two are equal exactly where their values are (-0.0 equals 0.0);
        ``order`` is the stable argsort.
        """
        order = self.xp.argsort(x, axis=1, stable=True)
        return self.xp.take_along_axis(x, order, axis=1), order

    def run_bounds(self, keys: Array) -> tuple[Array, Array]:
        """Bounds ``(start, stop)``, half-open, of the run of equal keys that each element is in.

        The keys of a row rise, as `sort_rows` gives them.
        """
        return run_bounds(keys, self.xp, self.device)

    def scatter_rows(self, order: Array, values: Array) -> Array:
        """``out[r, order[r, k]] = values[r, k]``, where each ``order[r]`` is a permutation."""
        inverse = self.xp.argsort(order, axis=1)
        return self.xp.take_along_axis(values, inverse, axis=1)

    def reordered(self, x: Array, order: Array) -> Array:
        """``out[..., k] = x[..., order[k]]``, where ``order`` is a permutation."""
        return self.xp.take(x, order, axis=-1)

    def sum_by_key(self, keys: Array, weights: Array, length: int) -> Array:
        """``out[r, k]``: the sum of ``weights[j]`` over all j with ``keys[r, j] == k``.

        ``keys`` (rows, n) are whole numbers in [0, length), ``weights`` (n,) whole numbers of any
        dtype; ``out`` (rows, length) has that dtype.
        """
        return sum_by_key(keys, weights, length, self.xp, self.device)

    def matmul(self, a: Array, b: Array) -> Array:
        """Give ``a @ b.T`` in the dtype's full precision, whatever the user has set globally.

        Nor may the error grow with the length. Equal products, as columns of few distinct values
        have them, all round the same way where a library adds them one after another; sums of
        shorter sums do not.

        Where ``product`` is a split, float32 operands are multiplied in short parts.
        """
        return sum_of_sums(partial(add_stretch, self, a, b), a.shape[1], self.product_length())

    def add_product(self, total: Array | None, a: Array, b: Array) -> Array:
        """Give ``total + a @ b.T``, or the product alone; ``total`` is used up."""
        part = self.xp.matmul(a, self.xp.matrix_transpose(b))
        if total is None:
            return part
        total += part
        return total

    def add_short_product(self, total: Array | None, a: Array, b: Array, split: Split) -> Array:
        """`add_product` of what `shortened` gave; by tensor cores where there are some."""
        return self.add_product(total, a, b)

    def shortened(self, x: Array, split: Split) -> Array:
        """Round float32 to short mantissas, in a dtype of which ``x - shortened(x)`` is exact."""
        return shortened(x, split)

    def product_length(self) -> int:
        """How many products the library may add up in one go."""
        return 2048

    def map_rows(
        self, fn: Callable[..., Array], rows: Array, dtype: str, *shared: Array, **options: Any
    ) -> Array:
        """``fn(rows, *shared, ops=..., dtype=dtype, **options)``, in blocks of rows.

        The result has the shape of ``rows``; ``shared`` arrays go whole to every block.
        """
        count, length = rows.shape
        out = self.empty((count, length), getattr(self.xp, dtype))
        limit = max(1, BLOCK_ELEMENTS // max(1, length))
        for start, stop in windows(count if length else 0, limit):
            block = self.call(fn, rows[start:stop, :], *shared, dtype=dtype, **options)
            out = self.write(out, block, start, 0)
        return out

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        """``fn(*arrays, ops=self, **options)``, compiled where the library compiles.

        Products inside it have the dtype's full precision.
        """
        return fn(*arrays, ops=self, **options)

"""Every primitive in nothing but the Array API standard: the laws, and the oracle of the rest.

Any compliant array runs on it (array-api-strict, CuPy, ...). A backend of its own is worth a
file where the library does one of these faster, or not at all as the standard says it.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Self

import array_api_compat
import array_api_compat.numpy
import numpy as np

from gsnn_edges._typing import Array

# A device holds about 64 bytes for each value that it ranks: 2**23 keep that to half a gigabyte.
BLOCK_ELEMENTS = 1 << 23
# So many stretches of a long product are added up before they join the total.
GROUP = 32


@dataclass(frozen=True)
class GenericBackend:
    """The primitives over arrays of one namespace on one device.

    All matrices are (rows, length): sorted, ranked and multiplied along ``length``. What a
    method's docstring says is the law for every backend that overrides it.
    """

    xp: Any
    device: Any = None
    name: ClassVar[str] = "generic"
    # Rows of sources, and of targets, whose products stay in cache until they are reduced.
    tile_rows: ClassVar[int | None] = None

    @classmethod
    def load(cls, device: Any = None) -> Self:
        """Backend of a device, or of the library's default; here over NumPy's arrays."""
        host_only(device)
        return cls(array_api_compat.numpy)

    @classmethod
    def of(cls, x: Array) -> Self:
        """Backend of an array's own library, on the array's device."""
        return cls(array_api_compat.array_namespace(x), array_api_compat.device(x))

    # Ranks.

    def ranker(self) -> "GenericBackend":
        """Backend that ranks, and multiplies chunk by chunk, fastest: NumPy's on a CPU."""
        return self

    def has_kernel(self, x: Array, dtype: str) -> bool:
        """Whether `rank_rows` ranks these values, of any library, and checks them."""
        return False

    def rank_rows(
        self, rows: Array, dtype: str, *, average: bool, standardize: bool, shift: bool
    ) -> Array | None:
        """Ranks of each row by a kernel of its own, or None where there is none.

        The ranks are those of `gsnn_edges.ranks`, to the last bit, and standardized within 2
        units of the last place; as int32 they are rounded down. NaN and infinity are a
        `NonFiniteError` that says no more.
        """
        return None

    def count_above(
        self, rows: Array, removed: np.ndarray, row: np.ndarray, column: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Count the scores of a row above, and level with, its scores at ``(row, column)``.

        ``removed`` are places in the flat rows, rising and different, of what does not count.
        None where a sort is quicker, or no kernel is there.
        """
        return None

    def count_between(
        self, rows: Array, removed: np.ndarray, values: np.ndarray
    ) -> np.ndarray | None:
        """Count the scores below each value and above the one before, and those level with it.

        ``removed`` as of `count_above`; the values rise and differ. An int64 array of shape
        (values + 1, 2), with what is above all values in its last row, or None as there.
        """
        return None

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
        xp, length = self.xp, keys.shape[1]
        first = first_of_runs(keys, xp)
        position = xp.arange(length, device=self.device)[None, :]
        starts = xp.sort(xp.where(first, position, length), axis=1)
        end = xp.full((first.shape[0], 1), length, dtype=starts.dtype, device=self.device)
        bounds = xp.concat([starts, end], axis=1)
        run = xp.cumulative_sum(xp.astype(first, starts.dtype), axis=1) - 1
        return (
            xp.take_along_axis(bounds, run, axis=1),
            xp.take_along_axis(bounds, run + 1, axis=1),
        )

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
        xp, rows = self.xp, keys.shape[0]
        row = xp.arange(rows, device=self.device)[:, None]
        flat = xp.reshape(xp.astype(keys, row.dtype) + row * length, (-1,))
        order = xp.argsort(flat)
        weight = xp.reshape(xp.broadcast_to(weights, keys.shape), (-1,))
        sorted_weights = xp.take(weight, order)
        upto = xp.cumulative_sum(sorted_weights, dtype=weights.dtype, include_initial=True)
        edges = xp.arange(rows * length + 1, device=self.device)
        place = xp.searchsorted(xp.take(flat, order), edges)
        sums = xp.take(upto, place[1:]) - xp.take(upto, place[:-1])
        return xp.reshape(sums, (rows, length))

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

    # Products.

    def matmul(self, a: Array, b: Array) -> Array:
        """Product ``a @ b.T`` in the dtype's full precision, whatever the user has set globally.

        Nor may the error grow with the length. Equal products, as columns of few distinct values
        have them, all round the same way where a library adds them one after another; sums of
        shorter sums do not.
        """
        stretch = partial(self.add_product, a, b)
        return sum_of_sums(stretch, a.shape[1], self.product_length())

    def add_product(self, a: Array, b: Array, total: Array | None, start: int, stop: int) -> Array:
        """Add to ``total``, which is used up, the product of a stretch of the rows of both."""
        product = self.xp.matmul(a[:, start:stop], self.xp.matrix_transpose(b[:, start:stop]))
        if total is None:
            return product
        total += product
        return total

    def product_length(self) -> int:
        """How many products the library may add up in one go."""
        return 2048

    # How arrays come, lie and go.

    def concrete(self, x: Array) -> bool:
        """Whether values can be looked at: false under ``jax.jit`` alone."""
        return True

    def is_sharded(self, x: Array) -> bool:
        """Whether an array lies on several devices, which is for JAX to say."""
        return False

    def columns_as_rows(self, x: Array, low: int, high: int) -> Array:
        """Columns ``low`` to ``high`` of an array of this library, as rows: a view if possible.

        Where NumPy ranks, it may be an array of NumPy's.
        """
        return x[:, low:high].T

    def host(self) -> Self:
        """Backend of this library on the host, or this one where it knows no other."""
        return self

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Room for `write`."""
        return self.xp.empty(shape, dtype=dtype, device=self.device)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        """``out`` with ``block`` at (row, column), in the same memory; ``out`` is used up."""
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        return out

    def fixed_size(self, count: int) -> int:
        """Length, ``count`` or more, for an array whose length changes from call to call.

        A library that compiles for each length gives few.
        """
        return count

    def marked(self, places: np.ndarray, length: int) -> Array:
        """Bool array of that length on this device, true at these places."""
        mask = np.zeros(length, bool)
        mask[places] = True
        return self.take_over(mask)

    def adopt(self, x: Array) -> Array:
        """``x``, of NumPy or of this library, on this device.

        A later write to ``x`` must not change a result that is still being computed.
        """
        return self.xp.asarray(x, device=self.device)

    def adopt_from(self, owner: "GenericBackend", x: Array) -> Array:
        """`adopt` for an array of another library, whose backend is ``owner``."""
        return self.adopt(owner.to_numpy(x))

    def take_over(self, x: np.ndarray) -> Array:
        """`adopt` for a NumPy array that nobody else will write to: shared if it can be."""
        return self.adopt(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        """``x`` as a NumPy array, without a copy where it lies on the host."""
        return np.from_dlpack(x)

    def free_bytes(self) -> int | None:
        """Memory to be had on the device, or None where the library does not tell."""
        return None


def first_of_runs(keys: Array, xp: Any) -> Array:
    """Whether each element of a row, (rows, length), begins a run of equal keys."""
    return xp.concat([keys[:, :1] == keys[:, :1], keys[:, 1:] != keys[:, :-1]], axis=1)


def sum_of_sums(add: Callable[[Array | None, int, int], Array], length: int, limit: int) -> Array:
    """Add up stretches of a range, by groups, so that no running sum has many terms.

    Parameters
    ----------
    add
        ``add(total, start, stop)`` gives ``total`` with the stretch ``start .. stop`` added, or
        that stretch alone where ``total`` is None.
    length, limit
        Of the range, and of a stretch at most.
    """
    total = None
    for begin, end in _parts(0, length, GROUP * limit):
        group = None
        for start, stop in _parts(begin, end, limit):
            group = add(group, start, stop)
        if total is None:
            total = group
        else:
            total += group
    return total


def _parts(start: int, stop: int, limit: int) -> Iterator[tuple[int, int]]:
    """Split a range into the fewest parts that are at most ``limit`` long and about equal."""
    count = max(1, -(-(stop - start) // limit))
    return pairwise(start + (stop - start) * part // count for part in range(count + 1))


def windows(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """Cover ``range(count)`` by the fewest windows of one size, none larger than ``limit``.

    Where the size does not divide ``count`` the last window overlaps its neighbour: that
    repeats less than one window of work and keeps the shape, so nothing is compiled twice.

    >>> list(windows(10, 4))
    [(0, 4), (4, 8), (6, 10)]
    >>> list(windows(10, 9))
    [(0, 5), (5, 10)]
    """
    if count == 0:
        return
    size = -(-count // -(-count // limit))
    for start in range(0, count, size):
        begin = min(start, count - size)
        yield begin, begin + size


def host_only(device: Any) -> None:
    """Reject any device but the host."""
    if device is not None and str(device) not in ("cpu", "host"):
        raise ValueError(f"device must be None or 'cpu' for this backend; got {device!r}")


def path_of_tests() -> str:
    """Which ranks a test asks for on a CPU: "device", "kernel", "plain", or those that are usual.

    "device" are the library's own: it is how the code of GPUs and TPUs is run, and compared, on a
    machine that has neither. "kernel" are those of `cpu_kernels` at any size, "plain" are NumPy's.
    """
    return os.environ.get("GSNN_EDGES_PATH", "")

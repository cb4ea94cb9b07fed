"""NumPy: rows are ranked in cache-sized blocks by all allowed threads.

Large arrays are ranked by the kernels of `cpu_kernels` where numba is installed, all others by
NumPy's sorts. Both hold no lock of Python's, so plain threads scale. torch and JAX arrays on a CPU
are ranked here too, in place: their own sorts are many times slower.
"""

import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Self

import array_api_compat.numpy
import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges._validation import NonFiniteError, dtype_name
from gsnn_edges.backends.generic_backend import GenericBackend, host_only, path_of_tests, windows

# A block whose keys, order and ranks stay in cache. Half of it keeps them nearer, but threads
# then spend more on handing over Python's lock than they gain: measured.
BLOCK_ELEMENTS = 1 << 18
_LINE_ELEMENTS = 16  # float32 values in a cache line: fewer columns of an array waste the rest
# Columns of a tile are read from a C-ordered array while their cache lines are still there.
_TILE = 512
# Of smaller products the threads of another library would spin longer beside ours than they gain.
_LENT_PRODUCTS = 1 << 31
# Of one array; below it, half a second for a load of the kernel is longer than many calls without.
_KERNEL_VALUES = 2_000_000
# Just below the largest allocation from which glibc learns.
_LESSON_BYTES = 31 << 20

# Bins of values at most, by the leading bits of their distance from the least.
_BIN_BITS = 20

_UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class NumpyBackend(GenericBackend):
    """Primitives for NumPy arrays; ``lender`` is a library whose large products are faster."""

    xp: Any = array_api_compat.numpy
    lender: GenericBackend | None = None
    name: ClassVar[str] = "numpy"
    tile_rows: ClassVar[int | None] = 512

    @classmethod
    def load(cls, device: Any = None) -> Self:
        host_only(device)
        return cls()

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls()

    def has_kernel(self, x: Array, dtype: str) -> bool:
        return _kernels(math.prod(x.shape), dtype_name(x), dtype) is not None

    def rank_rows(
        self, rows: np.ndarray, dtype: str, *, average: bool, standardize: bool, shift: bool
    ) -> np.ndarray | None:
        kernels = _kernels(rows.size, dtype_name(rows), dtype)
        if kernels is None:
            return None
        finite = []

        def rank(block: np.ndarray, out: np.ndarray) -> None:
            options = {"average": average, "standardize": standardize, "shift": shift}
            finite.append(kernels.rank_rows(block, out, **options))

        out = _over_threads(rank, rows, dtype)
        if not all(finite):
            raise NonFiniteError
        return out

    def count_above(
        self, rows: np.ndarray, removed: np.ndarray, row: np.ndarray, column: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        kernels = _kernels(rows.size, dtype_name(rows), "counts")
        if kernels is None:
            return None
        # Of 16 bits, NumPy counts instead of comparing.
        order = np.argsort(row.astype(np.min_scalar_type(len(rows))), kind="stable")
        columns, ends = column[order], np.searchsorted(row[order], np.arange(len(rows) + 1))
        counts = np.empty((2, len(row)), np.int64)

        def count(
            bits: np.ndarray, columns_removed: np.ndarray, starts: np.ndarray, top: int
        ) -> None:
            here = ends[top : top + len(starts)]
            kernels.count_above(bits, columns_removed, starts, columns, here, *counts)

        _count_rows(count, rows, removed)
        above, level = np.empty_like(counts)
        above[order], level[order] = counts
        return above, level

    def count_between(
        self, rows: np.ndarray, removed: np.ndarray, values: np.ndarray
    ) -> np.ndarray | None:
        kernels = _kernels(rows.size, dtype_name(rows), "counts")
        if kernels is None:
            return None
        keys = _ordered_keys(values.astype(rows.dtype))
        distance, bits = keys - keys[0], min(_BIN_BITS, rows.size.bit_length())
        shift = keys.dtype.type(max(0, int(distance[-1]).bit_length() - bits))
        sizes = np.bincount((distance >> shift).astype(np.int64))
        bins = np.append(0, np.cumsum(sizes)).astype(np.int32)
        keys = np.append(keys, ~keys.dtype.type(0))
        parts = []

        def count(
            bits: np.ndarray, columns_removed: np.ndarray, starts: np.ndarray, top: int
        ) -> None:
            parts.append(np.zeros((len(keys), 2), np.int64))
            kernels.count_between(bits, columns_removed, starts, keys, bins, shift, parts[-1])

        _count_rows(count, rows, removed)
        total: np.ndarray = np.sum(parts, axis=0)
        return total

    def sort_rows(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # NumPy's own argsort moves an index beside each key and is the slow way.
        return _radix_sort(_ordered_keys(x))

    def run_bounds(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first: Any = np.empty(keys.shape, bool)
        first[:, :1] = True
        np.not_equal(keys[:, 1:], keys[:, :-1], out=first[:, 1:])
        starts = np.flatnonzero(first)
        stops = np.append(starts[1:], first.size)
        # Both bounds in one int64: spreading runs over their members is what costs here.
        both = np.repeat(starts | stops << 32, stops - starts)
        start, stop = (1, 0) if sys.byteorder == "big" else (0, 1)
        bounds = both.view(np.int32).reshape(*first.shape, 2)
        bounds -= np.arange(0, first.size, first.shape[1], dtype=np.int32)[:, None, None]
        return bounds[..., start], bounds[..., stop]

    def scatter_rows(self, order: np.ndarray, values: np.ndarray) -> np.ndarray:
        out = np.empty(values.shape, values.dtype)
        flat = order + np.arange(0, order.size, order.shape[1])[:, None]
        out.reshape(-1)[flat.reshape(-1)] = values.reshape(-1)
        return out

    def sum_by_key(self, keys: np.ndarray, weights: np.ndarray, length: int) -> np.ndarray:
        flat = keys + np.arange(0, len(keys) * length, length)[:, None]
        weight = np.broadcast_to(weights, keys.shape)
        sums = np.bincount(flat.reshape(-1), weight.reshape(-1), len(keys) * length)
        return sums.reshape(len(keys), length).astype(weights.dtype, copy=False)

    def map_rows(
        self,
        fn: Callable[..., Array],
        rows: np.ndarray,
        dtype: str,
        *shared: np.ndarray,
        **options: Any,
    ) -> np.ndarray:
        height = _height(rows.shape[1])

        def call(block: np.ndarray, out: np.ndarray) -> None:
            for low, high in windows(len(block), height):
                part = fn(block[low:high], *shared, ops=self, dtype=dtype, **options)
                out[low:high] = part

        return _over_threads(call, rows, dtype)

    def reordered(self, x: np.ndarray, order: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, len(order))

        def take(block: np.ndarray, out: np.ndarray) -> None:
            np.take(block, order, axis=1, out=out, mode="clip")  # others copy once more

        out: np.ndarray = _over_threads(take, rows, rows.dtype).reshape(x.shape)
        return out

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        host: np.ndarray
        if self.lender is None or len(a) * b.size < _LENT_PRODUCTS:
            host = super().matmul(a, b)
        else:
            product = self.lender.matmul(self.lender.take_over(a), self.lender.take_over(b))
            host = self.lender.to_numpy(product)
        return host

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _aligned(shape, dtype)

    def adopt(self, x: Array) -> np.ndarray:
        return np.asarray(x)

    def to_numpy(self, x: np.ndarray) -> np.ndarray:
        return x

    def free_bytes(self) -> int | None:
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return None


def _kernels(values: int, source: str, result: str) -> ModuleType | None:
    """Module of kernels, if numba is there, and so many values are worth a load of the kernel.

    Nothing else decides, so that the same call gives the same bits whatever ran before it.
    """
    path = path_of_tests()
    if path == "plain" or (values < _KERNEL_VALUES and path != "kernel"):
        return None
    try:
        kernels = import_module(f"{__package__}.cpu_kernels")
    except ImportError:
        return None
    kernels.load(8 if source.endswith("64") else 4, result)
    return kernels


def _ordered_keys(x: np.ndarray) -> np.ndarray:
    """Unsigned integers that compare as the values of ``x`` do; -0.0 equals 0.0."""
    x = np.ascontiguousarray(x)
    if x.dtype.itemsize == 1:
        x = x.astype(np.int16)
    unsigned: Any = _UNSIGNED[x.dtype.itemsize]
    top = unsigned(1 << (8 * x.dtype.itemsize - 1))
    if x.dtype.kind == "u":
        return x
    keys: np.ndarray
    if x.dtype.kind == "i":
        keys = x.view(unsigned) ^ top
        return keys
    # Adding 0.0 turns -0.0 into 0.0. Negative floats fall as their bits rise: flip them all.
    bits = (x + x.dtype.type(0)).view(unsigned)
    signed = bits.view(f"i{x.dtype.itemsize}")
    flip = (signed >> (8 * x.dtype.itemsize - 1)).view(unsigned) | top
    keys = bits ^ flip
    return keys


def _radix_sort(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted keys and their order, by a stable argsort for each 16 bits, which NumPy counts."""
    digits = keys.view(np.uint16).reshape(*keys.shape, -1)
    digits = digits if np.little_endian else digits[..., ::-1]
    # Flat positions: one gather over a block is five times faster than take_along_axis.
    row = np.arange(0, keys.size, keys.shape[1])[:, None]
    order = np.argsort(np.ascontiguousarray(digits[..., 0]), axis=1, kind="stable") + row
    for place in range(1, digits.shape[-1]):
        digit = np.take(digits[..., place].reshape(-1), order)
        step = np.argsort(digit, axis=1, kind="stable")
        step += row
        order = np.take(order.reshape(-1), step)
    values = np.take(keys.reshape(-1), order)
    order -= row
    return values, order


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Have glibc reuse the memory of temporary arrays instead of returning it to the system.

    It learns from what is freed how large such arrays are, once and for all; what it is shown here
    is address space that nothing touches. Without this, each temporary of a megabyte is mapped
    anew, and its page faults cost as much as all else: measured.
    """
    np.empty(_LESSON_BYTES, np.uint8)


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Empty array on a 64-byte border, where JAX takes it over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return np.ndarray(shape, dtype, memory, start)


def _contiguous(rows: np.ndarray) -> np.ndarray:
    """Rows one after another in memory; the columns of a C-ordered array are read by tiles."""
    out = np.empty(rows.shape, rows.dtype)
    for start in range(0, rows.shape[1], _TILE):
        out[:, start : start + _TILE] = rows[:, start : start + _TILE]
    return out


def _over_threads(
    work: Callable[[np.ndarray, np.ndarray], None], rows: np.ndarray, dtype: Any
) -> np.ndarray:
    """Have all allowed threads ``work(block, out)`` on blocks of rows, which lie side by side."""
    count, length = rows.shape
    out = _aligned((count, length), dtype)
    # Columns of a C-ordered array are fetched by whole cache lines.
    limit = height = _height(length)
    if not rows.flags.c_contiguous:
        limit = -(-height // _LINE_ELEMENTS) * _LINE_ELEMENTS
    # Tasks are equal, and every thread gets as many.
    threads = allowed_threads()
    tasks = max(1, -(-count // (limit * threads))) * threads
    panel = max(1, -(-count // tasks))

    def panel_at(top: int) -> None:
        block = rows[top : top + panel]
        if not block.flags.c_contiguous:
            block = _contiguous(block)
        work(block, out[top : top + panel])

    _keep_freed_memory()
    _run_threads(panel_at, range(0, count if length else 0, panel))
    return out


def _count_rows(
    count: Callable[[np.ndarray, np.ndarray, np.ndarray, int], None],
    rows: np.ndarray,
    removed: np.ndarray,
) -> None:
    """Have all allowed threads ``count`` the bits of blocks of rows, with what is removed."""
    height, width = rows.shape
    starts = np.searchsorted(removed, np.arange(height + 1) * width)
    columns = removed % width
    panel = max(1, -(-height // (4 * allowed_threads())))
    if not rows.flags.c_contiguous:
        panel = min(panel, _TILE)

    def panel_at(top: int) -> None:
        block = rows[top : top + panel]
        block = block if block.flags.c_contiguous else _contiguous(block)
        bits = block.view(f"u{rows.itemsize}")
        bits.flags.writeable = False  # numba compiles anew for what is
        count(bits, columns, starts[top : top + panel + 1], top)

    _run_threads(panel_at, range(0, height, panel))


def _height(length: int) -> int:
    """Rows of a block."""
    return max(1, BLOCK_ELEMENTS // max(1, length))


def _run_threads(work: Callable[[int], None], tasks: range) -> None:
    """Call ``work`` on every task, over all allowed threads; the first error comes back."""
    threads = min(len(tasks), allowed_threads())
    if threads <= 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, tasks):
            pass


def allowed_threads() -> int:
    """Processors this process may run on, or fewer where OMP_NUM_THREADS says so."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(limit)) if limit.isdigit() and int(limit) > 0 else processors

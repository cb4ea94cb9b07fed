"""NumPy: rows are ranked in cache-sized blocks by all allowed threads.

NumPy releases its lock while it sorts and gathers, so plain threads scale. torch and JAX arrays
on a CPU are ranked here too, in place: their own sorts are many times slower.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

import array_api_compat.numpy
import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend, host_only, windows

# A block whose keys, order and ranks stay in cache. Half of it keeps them nearer, but threads
# then spend more on handing over Python's lock than they gain: measured.
BLOCK_ELEMENTS = 1 << 18
_LINE_ELEMENTS = 16  # float32 values in a cache line: fewer columns of an array waste the rest
# Columns of a tile are read from a C-ordered array while their cache lines are still there.
_TILE = 512
# Just below the largest allocation from which glibc learns.
_LESSON_BYTES = 31 << 20

_UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class NumpyBackend(GenericBackend):
    """Primitives for NumPy arrays."""

    xp: Any = array_api_compat.numpy
    name: ClassVar[str] = "numpy"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        host_only(device)
        return cls()

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls()

    def sort_rows(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # NumPy's own argsort moves an index beside each key and is the slow way. Both of these
        # are stable, so the choice between them is one of speed alone.
        keys = _ordered_keys(x)
        if keys.dtype.itemsize == 4 and _packed_is_faster():
            return _packed_sort(keys)
        return _radix_sort(keys)

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
        count, length = rows.shape
        out = _aligned((count, length), dtype)
        height = max(1, BLOCK_ELEMENTS // max(1, length))
        # Columns of a C-ordered array are fetched by whole cache lines.
        whole_lines = -(-height // _LINE_ELEMENTS) * _LINE_ELEMENTS
        limit = height if rows.flags.c_contiguous else whole_lines
        # Tasks are equal, and every thread gets as many.
        threads = allowed_threads()
        tasks = max(1, -(-count // (limit * threads))) * threads
        panel = max(1, -(-count // tasks))

        def work(top: int) -> None:
            block = rows[top : top + panel]
            if not block.flags.c_contiguous:
                block = _contiguous(block)
            for low, high in windows(len(block), height):
                part = fn(block[low:high], *shared, ops=self, dtype=dtype, **options)
                out[top + low : top + high] = part

        _keep_freed_memory()
        _run_threads(work, range(0, count if length else 0, panel))
        return out

    def adopt(self, x: Array) -> np.ndarray:
        return np.asarray(x)

    def to_numpy(self, x: np.ndarray) -> np.ndarray:
        return x

    def free_bytes(self) -> int | None:
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return None


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


def _packed_sort(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted 32-bit keys and their order, by one SIMD sort of (key, position) in 64 bits.

    Best where the processor compresses registers to memory quickly (Intel AVX-512, AMD Zen 5,
    AVX2).
    """
    pairs = np.empty((*keys.shape, 2), np.uint32)
    key, position = (1, 0) if np.little_endian else (0, 1)
    pairs[..., key] = keys
    pairs[..., position] = np.arange(keys.shape[1], dtype=np.uint32)
    both = pairs.view(np.uint64)[..., 0]
    both.sort(axis=1)
    return pairs[..., key].copy(), pairs[..., position].astype(np.intp)


def _radix_sort(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted keys and their order, by a stable argsort for each 16 bits, which NumPy counts.

    About twice as fast as `_packed_sort` on AMD Zen 4, and the way for 16- and 64-bit keys.
    """
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
def _packed_is_faster() -> bool:
    """Try both on random keys, once in a process (about 10 ms); the results are the same."""
    keys = np.random.default_rng(0).integers(0, 1 << 32, (2, 10_000), dtype=np.uint32)

    def seconds(sort: Callable[[np.ndarray], object]) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            sort(keys)
            times.append(time.perf_counter() - start)
        return min(times)

    return seconds(_packed_sort) < seconds(_radix_sort)


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Have glibc reuse the memory of temporary arrays instead of returning it to the system.

    It learns from what is freed how large such arrays are, once and for all; what it is shown here
    is address space that nothing touches. Without this, each temporary of a megabyte is mapped
    anew, and its page faults cost as much as all else: measured.
    """
    np.empty(_LESSON_BYTES, np.uint8)


def _aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
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

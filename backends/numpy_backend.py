"""NumPy: rows are ranked in cache-sized blocks by all allowed threads.

NumPy releases its lock while it sorts and gathers, so plain threads scale. Torch and JAX
arrays on a CPU are ranked here too, in place: their own sorts are 7 and 20 times slower.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import array_api_compat.numpy as np_compat
import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend, host_only
from gsnn_edges.backends.sorting import sort_rows

CACHE_ELEMENTS = 1 << 17  # keys, order and ranks of a block stay in a 1 MB second-level cache
LINE_ELEMENTS = 16  # float32 values of one cache line: what a column of a C-ordered array costs
TILE = 512


@dataclass(frozen=True)
class NumpyBackend(GenericBackend):
    """Primitives for NumPy arrays."""

    xp: Any = np_compat
    name = "numpy"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        host_only(device)
        return cls()

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls()

    def sort_rows(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sort_rows(x)

    def run_bounds(self, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, length = first.shape
        starts = np.flatnonzero(first)
        counts = np.diff(starts, append=first.size)
        base = starts - starts % length if rows > 1 else 0
        start = np.repeat((starts - base).astype(np.int32), counts)
        stop = np.repeat((starts - base + counts).astype(np.int32), counts)
        return start.reshape(first.shape), stop.reshape(first.shape)

    def scatter_rows(self, order: np.ndarray, values: np.ndarray) -> np.ndarray:
        out = np.empty(values.shape, values.dtype)
        flat = order + np.arange(0, order.size, order.shape[1])[:, None]
        out.reshape(-1)[flat.reshape(-1)] = values.reshape(-1)
        return out

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a @ b.T

    def map_rows(
        self, fn: Callable[..., Array], rows: np.ndarray, dtype: Any, **options: Any
    ) -> np.ndarray:
        count, length = rows.shape
        out = aligned((count, length), dtype)
        height = max(1, CACHE_ELEMENTS // max(1, length))
        panel = height if rows.flags.c_contiguous else max(LINE_ELEMENTS, height)

        def work(top: int) -> None:
            block = contiguous(rows[top : top + panel])
            for low in range(0, len(block), height):
                done = fn(block[low : low + height], ops=self, dtype=dtype, **options)
                out[top + low : top + low + len(done)] = done

        spread(work, range(0, count, panel))
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


def aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Empty array on a 64-byte border, where JAX takes it over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def contiguous(rows: np.ndarray) -> np.ndarray:
    """Rows one after another in memory; columns of a C-ordered array are read by tiles."""
    if rows.flags.c_contiguous:
        return rows
    out = np.empty(rows.shape, rows.dtype)
    for start in range(0, rows.shape[1], TILE):
        out[:, start : start + TILE] = rows[:, start : start + TILE]
    return out


def spread(work: Callable[[int], None], tasks: range) -> None:
    """Run ``work`` on every task, by as many threads as this process may use."""
    threads = min(len(tasks), allowed_threads())
    if threads <= 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, tasks):
            pass


def allowed_threads() -> int:
    """Count the processors this process may run on, or fewer where OMP_NUM_THREADS says so."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(limit)) if limit.isdigit() and int(limit) > 0 else processors

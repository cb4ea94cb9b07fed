"""NumPy: rows are ranked in cache-sized blocks by all allowed threads.

NumPy releases its lock while it sorts and gathers, so plain threads scale. torch and JAX arrays
on a CPU are ranked here too, in place: their own sorts are many times slower.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import array_api_compat.numpy
import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends.generic_backend import GenericBackend
from gsnn_edges.backends.layout import aligned, contiguous, keep_freed_memory
from gsnn_edges.backends.paths import host_only
from gsnn_edges.backends.sorting import sort_rows
from gsnn_edges.backends.threads import fair_share, spread
from gsnn_edges.backends.windows import windows

# A block whose keys, order and ranks stay in cache. Half of it keeps them nearer, but threads
# then spend more on handing over Python's lock than they gain: measured.
BLOCK_ELEMENTS = 1 << 18
LINE_ELEMENTS = 16  # float32 values in a cache line: fewer columns of an array waste the rest


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
        return sort_rows(x)

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
        out = aligned((count, length), dtype)
        height = max(1, BLOCK_ELEMENTS // max(1, length))
        # Columns of a C-ordered array are fetched by whole cache lines.
        whole_lines = -(-height // LINE_ELEMENTS) * LINE_ELEMENTS
        panel = fair_share(count, height if rows.flags.c_contiguous else whole_lines)

        def work(top: int) -> None:
            block = contiguous(rows[top : top + panel])
            for low, high in windows(len(block), height):
                part = fn(block[low:high], *shared, ops=self, dtype=dtype, **options)
                out[top + low : top + high] = part

        keep_freed_memory()
        spread(work, range(0, count if length else 0, panel))
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

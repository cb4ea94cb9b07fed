"""How blocks lie in host memory."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

# Columns of a tile are read from a C-ordered array while their cache lines are still there.
TILE = 512

# Just below the largest allocation from which glibc learns.
LESSON_BYTES = 31 << 20


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Have glibc reuse the memory of temporary arrays instead of returning it to the system.

    It learns from what is freed how large such arrays are, once and for all; what it is shown here
    is address space that nothing touches. Without this, each temporary of a megabyte is mapped
    anew, and its page faults cost as much as all else: measured.
    """
    np.empty(LESSON_BYTES, np.uint8)


def aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Empty array on a 64-byte border, where JAX takes it over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return np.ndarray(shape, dtype, memory, start)


def contiguous(rows: np.ndarray) -> np.ndarray:
    """Rows one after another in memory; the columns of a C-ordered array are read by tiles."""
    if rows.flags.c_contiguous:
        return rows
    out = np.empty(rows.shape, rows.dtype)
    for start in range(0, rows.shape[1], TILE):
        out[:, start : start + TILE] = rows[:, start : start + TILE]
    return out

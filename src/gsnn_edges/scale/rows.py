"""Standardized rows, held or on disk, read by stretches of observations."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io


@dataclass(frozen=True)
class HeldRows:
    """Rows in memory; ``stretch`` observations are read at a time."""

    rows: np.ndarray
    stretch: int

    @classmethod
    def empty(cls, shape: tuple[int, int], dtype: Any, stretch: int) -> "HeldRows":
        """Room for rows."""
        return cls(np.empty(shape, dtype), stretch)

    @property
    def stretches(self) -> int:
        """Number of stretches."""
        return max(1, -(-int(self.rows.shape[1]) // self.stretch))

    def write(self, low: int, rows: np.ndarray) -> None:
        """Put rows at ``low`` and after it."""
        self.rows[low : low + len(rows)] = rows

    def read(self, number: int, low: int, high: int) -> np.ndarray:
        """Give a stretch of the rows ``low`` to ``high``, a view."""
        start = number * self.stretch
        return self.rows[low:high, start : start + self.stretch]


@dataclass(frozen=True)
class RowFile:
    """Rows in a flat file, stretch after stretch, so that a tile reads its bytes in one go.

    Plain reads and writes: pages of a mapped file count as memory of the process.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    stretch: int

    @property
    def nbytes(self) -> int:
        """Length of the whole file."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def stretches(self) -> int:
        """Number of stretches."""
        return max(1, -(-self.shape[1] // self.stretch))

    def prepare(self) -> None:
        """Make the file, of its full length."""
        with self.path.open("wb") as file:
            file.truncate(self.nbytes)

    def is_whole(self) -> bool:
        """Tell whether the file is there, of its full length."""
        return self.path.is_file() and self.path.stat().st_size == self.nbytes

    def bounds(self, number: int) -> tuple[int, int]:
        """First observation of a stretch, and the one after its last."""
        start = number * self.stretch
        return start, min(start + self.stretch, self.shape[1])

    def write(self, low: int, rows: np.ndarray) -> None:
        """Put rows at ``low`` and after it."""
        with self.path.open("r+b", buffering=0) as file:
            for number in range(self.stretches):
                start, stop = self.bounds(number)
                file.seek(self.place(number, low))
                write_all(file, np.ascontiguousarray(rows[:, start:stop]))

    def flush(self) -> None:
        """Put what was written on the disk itself."""
        _io.flush(self.path)

    def read(self, number: int, low: int, high: int) -> np.ndarray:
        """Give a stretch of the rows ``low`` to ``high``, a new array."""
        start, stop = self.bounds(number)
        out = np.empty((high - low, stop - start), self.dtype)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.place(number, low))
            read_all(file, out)
        return out

    def place(self, number: int, low: int) -> int:
        """Where in the file a stretch of a row begins."""
        start, stop = self.bounds(number)
        return (self.shape[0] * start + low * (stop - start)) * self.dtype.itemsize


def write_all(file: Any, values: np.ndarray) -> None:
    """Write an array; the system may take it in several pieces."""
    left = bytes_in(values)
    while left:
        left = left[file.write(left) :]


def bytes_in(values: np.ndarray) -> memoryview:
    """Give the bytes of an array whose values lie side by side."""
    flat: Any = values.reshape(-1).view(np.uint8)
    return memoryview(flat)


def read_all(file: Any, out: np.ndarray) -> None:
    """Fill an array; the system may give it in several pieces."""
    left = bytes_in(out)
    while left:
        count = file.readinto(left)
        if not count:
            raise OSError(
                f"{os.fspath(file.name)!r} must hold all standardized rows; it was cut short while "
                "it was read: call again with resume=False to make it anew"
            )
        left = left[count:]

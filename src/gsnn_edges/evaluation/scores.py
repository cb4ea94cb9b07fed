"""Scores in memory or on disk: their checks, and their rows some at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.store import StoredMatrix

# Of a matrix on disk that is looked at together.
PANEL_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Table:
    """Scores on the backend that ranks them, read as rows of sources or, axis 1, of targets."""

    cells: Array
    ops: backends.Backend
    axis: int = 0

    @property
    def width(self) -> int:
        """How many scores there are in a row."""
        return int(self.cells.shape[1 - self.axis])

    def rows(self, nodes: np.ndarray) -> Array:
        """Scores of these nodes' rows, as floats."""
        return as_float(self.taken(nodes), self.ops.xp)

    def taken(self, nodes: np.ndarray) -> Array:
        """Scores of these nodes' rows, as they are."""
        rows = self.ops.xp.take(self.cells, self.ops.adopt(nodes), axis=self.axis)
        return rows.T if self.axis else rows


class StoredTable(Table):
    """Scores on disk, of which only these rows, or columns, are read."""

    def taken(self, nodes: np.ndarray) -> np.ndarray:
        """Scores of these nodes' rows, as they are."""
        if self.axis:
            return np.ascontiguousarray(np.asarray(self.cells.columns(nodes)).T)
        return np.asarray(self.cells.rows(nodes))


def table_of(scores: Any, axis: int = 0) -> Table:
    """Give the table of an array, where it is ranked fastest, or of a `StoredMatrix`."""
    if isinstance(scores, StoredMatrix):
        return StoredTable(scores, backends.load("numpy"), axis)
    ops = backends.of(scores).ranker()
    return Table(backends.move(scores, ops), ops, axis)


def as_float(x: Array, xp: Any) -> Array:
    """Whole numbers as floats, so that a removed score can be minus infinity."""
    if xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, xp.float64 if _validation.has_float64(xp) else xp.float32)


def check_matrix(A: Any) -> None:
    """Reject what is no matrix of numbers."""
    if isinstance(A, StoredMatrix):
        _validation.array("A", np.empty(0, A.dtype))
        _validation.ndim(
            "A", np.broadcast_to(np.empty((), A.dtype), A.shape), 2, "(sources, targets)"
        )
        return
    _validation.array("A", A)
    _validation.ndim("A", A, 2, "(sources, targets)")


def check_scores(A: Any) -> None:
    """Reject NaN and infinity, and whole numbers that a float would round; on disk, by blocks."""
    if not isinstance(A, StoredMatrix):
        _validation.finite("A", A)
        _validation.exact_as_float("A", A)
        return
    for rows, columns in panels(A):
        block = np.asarray(A.cells[rows, columns])
        name = f"A[{rows.start}:{rows.stop}, {columns.start}:{columns.stop}]"
        _validation.finite(name, block)
        _validation.exact_as_float(name, block)


def panels(A: StoredMatrix) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix on disk into whole chunks, some side by side, so that each is read once."""
    count, width = A.shape
    height, edge = getattr(A.cells, "chunks", (1, width))
    whole = max(1, PANEL_BYTES // (height * edge * A.dtype.itemsize))
    across = min(whole, -(-width // edge)) * edge
    down = max(1, whole * edge // across) * height
    for top in range(0, count, down):
        for left in range(0, width, across):
            yield slice(top, min(count, top + down)), slice(left, min(width, left + across))

"""How many candidates score above each query, and level with it: one pass over the rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.doubts import found_in
from gsnn_edges.evaluation.scores import Table, table_of


@dataclass(frozen=True, eq=False)
class Counts:
    """What one pass finds for each query.

    Attributes
    ----------
    above, level : int64 arrays of shape (E,)
        Optimistic rank ``1 + above``, pessimistic rank ``1 + above + level``.
    candidates : int64 array of shape (E,)
        How many are ranked, the query among them.
    scores : float64 array of shape (E,)
        The queries' own scores.
    """

    above: np.ndarray
    level: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray


def competitors(
    scores: Array, queries: np.ndarray, truths: np.ndarray, chunk: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count the false edges of each query's source that score above it, and level with it.

    Parameters
    ----------
    scores : (N, N) array or `StoredMatrix`, finite
    queries, truths : (2, E) int64 arrays
    chunk : rows of ``scores`` at a time

    Returns
    -------
    above, level : int64 arrays of shape (E,)
        Optimistic rank ``1 + above``, pessimistic rank ``1 + above + level``.
    """
    counts = count(scores, queries, truths, chunk)
    return counts.above, counts.level


def count(
    scores: Array,
    queries: np.ndarray,
    truths: np.ndarray,
    chunk: int,
    *,
    axis: int = 0,
    pool: Pool | None = None,
) -> Counts:
    """Count for each query ``(s, d)`` among the false edges ``(s, .)``; with axis 1 ``(., d)``.

    Parameters
    ----------
    scores : (N, N) array or `StoredMatrix`, finite
    queries, truths : (2, E) int64 arrays
    chunk : rows (of targets with axis 1) at a time
    axis : 0 to rank targets, 1 to rank sources
    pool : the pairs that compete, all where it is None; it holds every query
    """
    table = table_of(scores, axis)
    anchors, row = np.unique(queries[axis], return_inverse=True)
    found = [np.empty(queries.shape[1], kind) for kind in (np.int64, np.int64, np.int64, float)]
    for start in range(0, len(anchors), chunk):
        here = np.flatnonzero((row >= start) & (row < start + chunk))
        nodes = anchors[start : start + chunk]
        removed = removed_from(table, nodes, truths, axis, pool)
        part = count_rows(table, nodes, row[here] - start, queries[1 - axis, here], removed)
        for whole, values in zip(found, part, strict=True):
            whole[here] = values
    return Counts(*found)


@dataclass(frozen=True, eq=False)
class Removed:
    """What does not compete in some rows.

    Attributes
    ----------
    mask : bool array of the backend that ranks, of the rows' shape
    places : int64 array or None
        Flat places of what is removed, rising, each once; where None, the mask lies on the host.
    """

    mask: Array
    places: np.ndarray | None = None

    def holds(self, cells: np.ndarray) -> np.ndarray:
        """Tell which flat places are removed."""
        if self.places is None:
            return np.asarray(self.mask.reshape(-1)[cells])
        return found_in(cells, self.places)

    def left_over(self) -> np.ndarray:
        """Count what competes in each row."""
        rows, width = self.mask.shape
        if self.places is None:
            return np.asarray(width - np.count_nonzero(self.mask, axis=1))
        return np.asarray(width - np.bincount(self.places // width, minlength=rows))


def removed_from(
    table: Table, nodes: np.ndarray, truths: np.ndarray, axis: int, pool: Pool | None
) -> Removed:
    """Find what does not compete in the (sorted, unique) nodes' rows.

    A device is told the places alone, and marks them itself: a mask is a hundred times as long.
    """
    ops, width = table.ops, table.width
    if pool is not None or ops.name == "numpy":
        return Removed(removed_cells(nodes, truths, width, axis=axis, pool=pool))
    place, known = rows_of(nodes, truths[axis])
    places = np.unique(place[known] * width + truths[1 - axis][known])
    mask = ops.marked(places, len(nodes) * width)
    return Removed(ops.xp.reshape(mask, (len(nodes), width)), places)


def rows_of(nodes: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the row of each anchor among the (sorted, unique) nodes, and whether it has one."""
    place = np.searchsorted(nodes, anchors)
    return place, np.take(nodes, place, mode="clip") == anchors


def count_rows(
    table: Table, nodes: np.ndarray, row: np.ndarray, other: np.ndarray, removed: Removed
) -> tuple[np.ndarray, ...]:
    """Count for the queries at ``(nodes[row], other)``, with these nodes' rows in memory."""
    ops, xp, width = table.ops, table.ops.xp, table.width
    rows = table.rows(nodes)
    cell = row * width + other
    # Few lengths: a library may compile for each of them.
    size = ops.fixed_size(len(cell))
    cells, bases = (ops.adopt(np.pad(x, (0, size - len(x)), "edge")) for x in (cell, cell - other))
    own = xp.take(xp.reshape(rows, (-1,)), cells)
    rows = without(rows, ops.adopt(removed.mask), ops)
    rows = ops.map_rows(sort_each, rows, _validation.dtype_name(rows))
    both = ops.call(search_both, xp.reshape(rows, (-1,)), bases, own, width=width)
    left, right = ops.to_numpy(both)[:, : len(cell)]
    # A query that is not among the true edges is in its own row, level with itself.
    itself = ~removed.holds(cell)
    return (
        width - right,
        right - left - itself,
        removed.left_over()[row] + 1 - itself,
        as_float64(own, ops)[: len(cell)],
    )


def removed_cells(
    nodes: np.ndarray, truths: np.ndarray, width: int, *, axis: int = 0, pool: Pool | None = None
) -> np.ndarray:
    """Mark what does not compete in the (sorted, unique) nodes' rows: true, or not in the pool."""
    mask = np.zeros((len(nodes), width), bool) if pool is None else ~pool.rows(nodes, axis)
    place, known = rows_of(nodes, truths[axis])
    mask[place[known], truths[1 - axis][known]] = True
    return mask


def without(rows: Array, removed: Array, ops: backends.Backend) -> Array:
    """Put minus infinity, which is below every score, where a cell is removed."""
    lowest = ops.xp.asarray(-np.inf, dtype=rows.dtype, device=ops.device)
    return ops.xp.where(removed, lowest, rows)


def as_float64(x: Array, ops: backends.Backend) -> np.ndarray:
    """Floats of any width as float64 on the host, none changed."""
    known = _validation.dtype_name(x) in ("float32", "float64")
    return ops.to_numpy(x if known else ops.xp.astype(x, ops.xp.float32)).astype(np.float64)


def sort_each(rows: Array, *, ops: backends.Backend, dtype: str) -> Array:
    """Sort each row."""
    return ops.xp.sort(rows, axis=1, stable=False)


def search_both(
    flat: Array, base: Array, values: Array, *, ops: backends.Backend, width: int
) -> Array:
    """Give `search` from the left above that from the right."""
    sides = (False, True)
    found = (search(flat, base, values, width, xp=ops.xp, right=right) for right in sides)
    return ops.xp.stack(list(found))


def search(flat: Array, base: Array, values: Array, width: int, *, xp: Any, right: bool) -> Array:
    """Find the insertion point of each value in its own sorted row, counted within the row.

    The standard's ``searchsorted`` knows a single row. ``base`` is where each value's row of
    ``width`` scores begins in ``flat``.
    """
    low, high = base, base + width
    for _ in range(width.bit_length()):
        open_ = low < high
        middle = (low + high) // 2
        found = xp.take(flat, xp.where(open_, middle, base))
        forward = (found <= values) if right else (found < values)
        low = xp.where(open_ & forward, middle + 1, low)
        high = xp.where(open_ & ~forward, middle, high)
    return low - base

"""Filtered ranking of true edges among the false ones, written once for every backend."""

import warnings
from typing import Any

import numpy as np

from gsnn_edges import _checks, backends
from gsnn_edges._typing import Array


def mrr(A: Array, edge_index: Any, all_true_edges: Any, query_chunk_size: int = 2048) -> float:
    """Mean reciprocal rank of true edges among the false edges of the same source.

    Each query edge ``(s, d)`` is ranked by ``A[s, d]`` among all ``A[s, j]`` for which
    ``(s, j)`` is not a true edge: filtered tail ranking. Equal scores share the mean of their
    ranks (the realistic rank).

    Parameters
    ----------
    A : array of shape (N, N)
        Scores: the larger, the stronger the evidence for an edge from row to column. NumPy,
        torch, JAX or another Array API array; torch and JAX arrays are ranked on their device.
    edge_index : array-like of whole numbers, shape (2, E)
        Query edges, sources above targets. Every column counts, duplicates too.
    all_true_edges : array-like of whole numbers, shape (2, E_total)
        All edges known to be true. They never compete with a query; a query that is not among
        them does not compete with itself.
    query_chunk_size : int
        Rows of ``A`` at a time: peak memory is a few copies of ``query_chunk_size * N`` scores.

    Returns
    -------
    float
        In (0, 1]; ``nan``, with a warning, where there is no query.

    Raises
    ------
    TypeError, ValueError
        When ``A`` is not a matrix of finite real numbers, or the edges are not (2, E) whole
        numbers inside it.

    Notes
    -----
    Queries are grouped by their source: one sort of each row that has any, and a binary search
    for each query. Eager only: it does not run under ``jax.jit``. Given as two (source, target)
    pairs in rows, a 2 x 2 ``edge_index`` cannot be told from two columns: give (2, E).

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.2], [0.3, 0.2, 0.1]])
    >>> mrr(A, [[0, 1], [2, 2]], [[0, 1], [2, 2]])
    0.75
    """
    _checks.array("A", A)
    _checks.ndim("A", A, 2, "(sources, targets)")
    chunk = _checks.whole_number("query_chunk_size", query_chunk_size, least=1)
    queries = _checks.edge_index("edge_index", edge_index, A.shape)
    truths = _checks.edge_index("all_true_edges", all_true_edges, A.shape)
    _checks.finite("A", A)
    if queries.shape[1] == 0:
        warnings.warn("mrr: edge_index holds no edge, so the mean is nan", stacklevel=2)
        return float("nan")
    above, level = competitors(A, queries, truths, chunk)
    return float(np.mean(1 / (1 + above + level / 2)))


def competitors(
    scores: Array, queries: np.ndarray, truths: np.ndarray, chunk: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count the false edges of each query's source that score above it, and level with it.

    Parameters
    ----------
    scores : (N, N) array, finite
    queries, truths : (2, E) int64 arrays
    chunk : rows of ``scores`` at a time

    Returns
    -------
    above, level : int64 arrays of shape (E,)
        Optimistic rank ``1 + above``, pessimistic rank ``1 + above + level``.
    """
    ops = backends.of(scores)
    engine = ops.ranker()
    table = as_float(backends.move(scores, engine), engine.xp)
    sources, row = np.unique(queries[0], return_inverse=True)
    counts = np.empty((2, queries.shape[1]), np.int64)
    for start in range(0, len(sources), chunk):
        here = np.flatnonzero((row >= start) & (row < start + chunk))
        counts[:, here] = count_rows(
            table,
            sources[start : start + chunk],
            row[here] - start,
            queries[1, here],
            truths,
            engine,
        )
    return counts[0], counts[1]


def as_float(x: Array, xp: Any) -> Array:
    """Whole numbers as floats, so that a removed score can be minus infinity."""
    if xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, xp.float64 if _checks.has_float64(xp) else xp.float32)


def count_rows(
    table: Array,
    sources: np.ndarray,
    row: np.ndarray,
    target: np.ndarray,
    truths: np.ndarray,
    ops: backends.Backend,
) -> np.ndarray:
    """Competitors of the queries ``(sources[row], target)``, with these sources' rows in memory."""
    xp, width = ops.xp, table.shape[1]
    true = true_mask(sources, truths, width)
    rows = xp.take(table, ops.adopt(sources), axis=0)
    cell = ops.adopt(row * width + target)
    own = xp.take(xp.reshape(rows, (-1,)), cell)
    lowest = xp.asarray(-np.inf, dtype=rows.dtype, device=ops.device)
    rows = ops.map_rows(
        sort_each, xp.where(ops.adopt(true), lowest, rows), _checks.dtype_name(rows)
    )
    flat = xp.reshape(rows, (-1,))
    base = ops.adopt(row * width)
    left = search(flat, base, own, width, xp=xp, right=False)
    right = search(flat, base, own, width, xp=xp, right=True)
    # A query that is not among the true edges is in its own row, level with itself.
    itself = ~true.reshape(-1)[row * width + target]
    return np.stack([width - ops.to_numpy(right), ops.to_numpy(right - left) - itself])


def true_mask(sources: np.ndarray, truths: np.ndarray, width: int) -> np.ndarray:
    """Mark the true edges of the (sorted, unique) sources."""
    mask = np.zeros((len(sources), width), bool)
    place = np.searchsorted(sources, truths[0])
    known = np.take(sources, place, mode="clip") == truths[0]
    mask[place[known], truths[1, known]] = True
    return mask


def sort_each(rows: Array, *, ops: backends.Backend, dtype: str) -> Array:
    """Sort each row."""
    return ops.xp.sort(rows, axis=1, stable=False)


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

"""Ranks of true edges among the false ones, in one pass over the scores: mrr and evaluate_edges."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.candidates import Pool, checked_names, pool_of
from gsnn_edges.evaluation.metrics import Averages, averages, bootstrap, ranks_of, realistic_rank
from gsnn_edges.evaluation.results import LinkRanking, RankedQueries
from gsnn_edges.store import StoredMatrix


def warn_of_queries(caller: str, queries: np.ndarray, truths: np.ndarray, *, square: bool) -> None:
    """Warn of queries that are self-edges, and of queries that are no true edges.

    The warnings name the line that called the public function ``caller``.
    """
    total = queries.shape[1]
    selves = int(np.count_nonzero(queries[0] == queries[1])) if square else 0
    if selves:
        warnings.warn(
            f"{caller}: {selves} of the {total} edges in edge_index are self-edges, from a node "
            "to itself: drop them unless self-edges are what you look for",
            stacklevel=3,
        )
    strays = int(np.count_nonzero(~listed(queries, truths)))
    if strays:
        warnings.warn(
            f"{caller}: {strays} of the {total} edges in edge_index are missing from "
            "all_true_edges, so they compete as false edges with the queries of the same node: "
            "add them to all_true_edges",
            stacklevel=3,
        )


def warn_of_lone_queries(caller: str, candidates: np.ndarray) -> None:
    """Warn of queries that are ranked among themselves alone."""
    lone = int(np.count_nonzero(candidates == 1))
    if lone:
        warnings.warn(
            f"{caller}: {lone} of the {len(candidates)} rankings hold no candidate but the query, "
            "which is rank 1 of 1 whatever the scores: drop these edges, or widen candidates",
            stacklevel=3,
        )


def warn_of_one_unit(caller: str, units: np.ndarray) -> None:
    """Warn where resampling gives the same again and again."""
    if not units.any():
        warnings.warn(
            f"{caller}: one query or cluster has no spread, so the intervals are nan: give more "
            "queries, or skip the intervals by n_resamples=None",
            stacklevel=3,
        )


def listed(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell which edges (2, E) are among the others: bool array of shape (E,).

    >>> listed(np.array([[0, 1], [2, 2]]), np.array([[1], [2]]))
    array([False,  True])
    """
    width = 1 + max((int(part.max()) for part in (edges, others) if part.size), default=0)
    cells, known = (ends[0] * width + ends[1] for ends in (edges, others))
    return found_in(cells, np.sort(known))


def found_in(cells: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Tell which whole numbers are among others, which rise: several times as fast as np.isin.

    Sorted ones are searched near to each other.
    """
    if known.size == 0:
        return np.zeros(cells.shape, bool)
    order = np.argsort(cells)
    rising = cells[order]
    found = np.empty(cells.shape, bool)
    found[order] = np.take(known, np.searchsorted(known, rising), mode="clip") == rising
    return found


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


# Scores that are sorted together: in cache they sort faster, and few blocks need few searches.
BLOCK_SCORES = 1 << 18


@dataclass(frozen=True)
class Separation:
    """How well one threshold for the whole pool parts positives from negatives.

    Attributes
    ----------
    auroc : float
        In [0, 1]: the chance that a positive scores above a negative, ties counting half.
        Random scores reach 0.5 on average.
    average_precision : float
        In (0, 1], ties as in scikit-learn.
    prevalence : float
        Share of positives, about what random scores reach in average precision.
    """

    auroc: float
    average_precision: float
    prevalence: float


def separation(
    scores: Array, queries: np.ndarray, own: np.ndarray, truths: np.ndarray, pool: Pool, chunk: int
) -> Separation:
    """Measure AUROC and average precision, exact with ties, without a copy of the matrix.

    Positives are the queries, duplicates too; negatives the pairs of the pool that are neither
    true edges nor queries. Blocks of ``chunk`` rows are sorted, and each positive is searched in
    them: peak memory is a few copies of ``chunk * N`` scores.

    Parameters
    ----------
    scores : (N, N) array or `StoredMatrix`, finite
    queries, truths : (2, E) int64 arrays
    own : float64 array of shape (E,), the queries' scores
    pool : Pool
    chunk : int

    Returns
    -------
    Separation
        ``auroc`` is nan where there is no negative.
    """
    own = np.sort(own)
    known = np.concatenate([truths, queries], axis=1)
    above, level, negatives = negatives_beside(scores, own, known, pool, chunk)
    found = len(own) - np.searchsorted(own, own)  # positives down to each one's score
    below = negatives - above - level
    with np.errstate(invalid="ignore"):
        wins = np.divide(below + level / 2, negatives)
    return Separation(
        auroc=float(np.mean(wins)),
        average_precision=float(np.mean(found / (found + above + level))),
        prevalence=len(own) / (len(own) + negatives),
    )


def negatives_beside(
    scores: Array, own: np.ndarray, known: np.ndarray, pool: Pool, chunk: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Count the negatives above each of the sorted positives, level with it, and in all."""
    table = table_of(scores)
    ops = table.ops
    above, level = np.zeros((2, len(own)), np.int64)
    negatives = 0
    for start in range(0, pool.nodes, chunk):
        nodes = np.arange(start, min(start + chunk, pool.nodes))
        removed = removed_cells(nodes, known, table.width, pool=pool)
        rows = without(table.rows(nodes), ops.adopt(removed), ops)
        for block in sorted_blocks(rows, ops):
            left, right = places(block, own, ops)
            above += block.shape[0] - right
            level += right - left
        negatives += removed.size - int(np.count_nonzero(removed))
    return above, level, negatives


def sorted_blocks(rows: Array, ops: backends.Backend) -> Iterator[Array]:
    """Sort the scores of a few rows at a time; together the blocks hold all of them."""
    count, width = rows.shape
    height = max(1, BLOCK_SCORES // width)
    whole = count - count % height
    for part, blocks in ((rows[:whole, :], whole // height), (rows[whole:, :], 1)):
        if part.shape[0]:
            joined = ops.xp.reshape(part, (blocks, -1))
            done = ops.map_rows(sort_each, joined, _validation.dtype_name(joined))
            yield from (done[block, :] for block in range(blocks))


def places(block: Array, own: np.ndarray, ops: backends.Backend) -> tuple[np.ndarray, np.ndarray]:
    """Find where host scores belong, left and right, among sorted ones of their own dtype."""
    host = own if _validation.dtype_name(block) == "float64" else own.astype(np.float32)
    values = ops.xp.astype(ops.adopt(host), block.dtype)
    left, right = (
        ops.to_numpy(ops.xp.searchsorted(block, values, side=side)) for side in ("left", "right")
    )
    return left, right


def mrr(A: Array, edge_index: Any, all_true_edges: Any, query_chunk_size: int = 2048) -> float:
    """Mean reciprocal rank of true edges among the false edges of the same source.

    Each query edge ``(s, d)`` is ranked by ``A[s, d]`` among all ``A[s, j]`` for which
    ``(s, j)`` is not a true edge: filtered tail ranking. Equal scores share the mean of their
    ranks (the realistic rank). More metrics, head ranking and candidate pools: `evaluate_edges`.

    Parameters
    ----------
    A : array of shape (N, N), or StoredMatrix
        Scores: the larger, the stronger the evidence for an edge from row to column. NumPy,
        torch, JAX or another Array API array; torch and JAX arrays are ranked on their device.
        Of a W on disk only the rows of sources with queries are held, chunk by chunk; all of it
        is read once to see that it is finite.
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

    Warns
    -----
    UserWarning
        When queries are self-edges or are missing from ``all_true_edges``. The result is what
        it says all the same.

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
    check_matrix(A)
    chunk = _validation.whole_number("query_chunk_size", query_chunk_size, least=1)
    queries = _validation.edge_index("edge_index", edge_index, A.shape)
    truths = _validation.edge_index("all_true_edges", all_true_edges, A.shape)
    check_scores(A)
    if queries.shape[1] == 0:
        warnings.warn("mrr: edge_index holds no edge, so the mean is nan", stacklevel=2)
        return float("nan")
    warn_of_queries("mrr", queries, truths, square=A.shape[0] == A.shape[1])
    above, level = competitors(A, queries, truths, chunk)
    return float(np.mean(1 / realistic_rank(above, level)))


Direction = Literal["tail", "head", "both"]
Cluster = Literal["query", "source"]

AXES = {"tail": (0,), "head": (1,), "both": (0, 1)}
USUAL_KS = (1, 3, 10, 100)


def evaluate_edges(
    A: Array,
    edge_index: Any,
    all_true_edges: Any = None,
    *,
    direction: Direction = "tail",
    ks: Sequence[int] | None = None,
    candidates: Any = None,
    exclude_self: bool = False,
    node_names: Sequence[str] | None = None,
    pool_metrics: bool = True,
    confidence: float = 0.95,
    n_resamples: int | None = 1000,
    cluster: Cluster = "query",
    seed: int | np.random.Generator | None = None,
    query_chunk_size: int = 2048,
) -> LinkRanking:
    """Rank true edges among false ones, and give all metrics of it with intervals.

    A query edge ``(s, d)`` is ranked by ``A[s, d]`` among the false edges of its source (tail),
    of its target (head), or both in turn: the filtered setting. docs/metrics.md has the formula,
    range and source of every metric.

    Parameters
    ----------
    A : array of shape (N, N), or StoredMatrix
        Scores: the larger, the stronger the evidence for an edge from row to column. NumPy,
        torch, JAX or another Array API array; torch and JAX arrays are ranked on their device.
        A W on disk is read chunk by chunk; by columns for head rankings, which from a ``.npy``
        reads short pieces of every row: prefer a ``.zarr`` for those.
    edge_index : array-like of whole numbers, shape (2, E)
        Query edges, sources above targets. Every column counts, duplicates too.
    all_true_edges : array-like of whole numbers, shape (2, E_total), or None
        All edges known to be true. They never compete. None means the queries themselves.
    direction : {"tail", "head", "both"}
        What is ranked: targets of the same source, sources of the same target, or the rankings
        of both kinds pooled.
    ks : whole numbers or None
        For hits@k. None means 1, 3, 10 and 100, without those beyond the largest ranking.
    candidates : None, bool array-like of shape (N, N), str, or list of str
        The pairs that compete, for every metric: all, those marked, or those that a rule
        matches, such as ``"PROTEIN__* -> RNA__*"``: `fnmatch` patterns of the names of source
        and target.
    exclude_self : bool
        Whether pairs ``(i, i)`` are left out.
    node_names : sequence of str or None
        A name for each node, for rules and for the frame.
    pool_metrics : bool
        Whether AUROC and average precision are computed: a sort of all N * N scores.
    confidence : float
        Level of the percentile intervals, between 0 and 1.
    n_resamples : int or None
        Resamples, 100 or more; None for no intervals.
    cluster : {"query", "source"}
        What is resampled: query edges (with both their ranks, where both are ranked), or source
        nodes with all their queries (target nodes where heads are ranked), which is wider where
        the queries of a node resemble each other.
    seed : int, numpy.random.Generator or None
        Makes the resamples repeatable.
    query_chunk_size : int
        Rows of ``A`` at a time: peak memory is a few copies of ``query_chunk_size * N`` scores,
        and some hundred megabytes for resampling.

    Returns
    -------
    LinkRanking
        Its ``mrr`` equals `mrr` to the bit. Ties: optimistic, realistic and pessimistic values
        side by side, the realistic one without suffix. AMRI and adjusted MRR are nan where no
        query has a competitor; AUROC is nan where there is no negative; intervals are nan, with
        a warning, where only one query or cluster is given. Intervals of ``macro`` are given
        with ``cluster="source"`` and one direction: elsewhere nodes are not what is resampled.

    Raises
    ------
    TypeError, ValueError
        When ``A`` is not a square matrix of finite real numbers, edges are not (2, E) whole
        numbers inside it, there is no query, queries lie outside the candidates, a rule matches
        no node, a k is beyond the largest ranking, or another argument is not as above.

    Warns
    -----
    UserWarning
        When queries are self-edges, are missing from ``all_true_edges``, or have no competitor
        left, which makes them rank 1 of 1 whatever the scores.

    Notes
    -----
    Counting runs on the library of ``A``, averaging in float64 on the host. Eager only.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.2], [0.3, 0.2, 0.1]])
    >>> found = evaluate_edges(A, [[0, 1], [2, 2]], ks=[1], n_resamples=None)
    >>> found.mrr, found.mean_rank, found.hits
    (0.75, 1.5, {1: 0.5})
    >>> print(found)
    2 rankings, direction tail, among 3 candidates
                        value   macro  by chance
    mrr                0.7500  0.7500     0.6111
    adjusted_mrr       0.3571  0.3571     0.0000
    hits@1             0.5000  0.5000     0.3333
    mean_rank          1.5000  1.5000     2.0000
    median_rank        1.5000
    amri               0.5000  0.5000     0.0000
    auroc              0.7500             0.5000
    average_precision  0.4500             0.2222
    """
    nodes = square(A)
    chunk = _validation.whole_number("query_chunk_size", query_chunk_size, least=1)
    _validation.choice("direction", direction, AXES)
    _validation.choice("cluster", cluster, ("query", "source"))
    _validation.flag("pool_metrics", pool_metrics)
    level, draws = checked_level(confidence), checked_draws(n_resamples)
    names = checked_names(node_names, nodes)
    pool = pool_of(candidates, nodes, exclude_self=exclude_self, node_names=names)
    edges = _validation.edge_index("edge_index", edge_index, A.shape)
    given = edge_index if all_true_edges is None else all_true_edges
    truths = _validation.edge_index("all_true_edges", given, A.shape)
    reject_outside(edges, pool)
    check_scores(A)
    warn_of_queries("evaluate_edges", edges, truths, square=True)

    axes = AXES[direction]
    found = [count(A, edges, truths, chunk, axis=axis, pool=pool) for axis in axes]
    queries = ranked(edges, axes, found)
    warn_of_lone_queries("evaluate_edges", queries.candidates)
    depths = checked_ks(ks, int(queries.candidates.max()))
    units = units_of(edges, axes, cluster)
    if draws is not None:
        warn_of_one_unit("evaluate_edges", units)
    rng = np.random.default_rng(checked_seed(seed))

    def averaged(weights: np.ndarray | None, resample: bool) -> Averages:
        ranks, sizes = queries.ranks, queries.candidates
        intervals = (
            bootstrap(
                ranks, sizes, depths, units, draws, weights=weights, confidence=level, rng=rng
            )
            if resample and draws is not None
            else None
        )
        return averages(ranks, sizes, depths, weights, intervals)

    nested = cluster == "source" and len(axes) == 1
    return LinkRanking(
        **vars(averaged(None, True)),
        macro=averaged(node_weights(edges, axes), nested),
        median_rank=float(np.median(queries.ranks.realistic)),
        separation=(
            separation(A, edges, found[0].scores, truths, pool, chunk) if pool_metrics else None
        ),
        queries=queries,
        direction=direction,
        confidence=level,
        node_names=names,
    )


def ranked(edges: np.ndarray, axes: Sequence[int], found: Sequence[Counts]) -> RankedQueries:
    """Join the rankings of all directions."""
    above, level, sizes, scores = (
        np.concatenate([getattr(part, name) for part in found])
        for name in ("above", "level", "candidates", "scores")
    )
    return RankedQueries(
        edges=np.tile(edges, len(axes)),
        head=np.repeat(np.array(axes, bool), edges.shape[1]),
        scores=scores,
        candidates=sizes,
        ranks=ranks_of(above, level),
    )


def node_weights(edges: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Weigh every ranking so that the rankings of a node weigh 1 together."""
    parts = []
    for axis in axes:
        _, node, size = np.unique(edges[axis], return_inverse=True, return_counts=True)
        parts.append(1 / size[node])
    return np.concatenate(parts)


def units_of(edges: np.ndarray, axes: Sequence[int], cluster: str) -> np.ndarray:
    """Give every ranking the number, from 0, of what it is resampled with."""
    if cluster == "query":
        return np.tile(np.arange(edges.shape[1]), len(axes))
    unit: np.ndarray = np.unique(edges[axes[0]], return_inverse=True)[1]
    return np.tile(unit, len(axes))


def square(A: Array) -> int:
    """Reject what is not a square matrix of numbers, and give N."""
    check_matrix(A)
    if A.shape[0] != A.shape[1]:
        raise ValueError(
            f"A must be square, with a row and a column for each node; got {tuple(A.shape)}"
        )
    return int(A.shape[0])


def reject_outside(edges: np.ndarray, pool: Pool) -> None:
    """Reject no query at all, and queries that are no candidates."""
    if edges.shape[1] == 0:
        raise ValueError("edge_index must hold at least one edge; got none: nothing can be ranked")
    outside = np.flatnonzero(~pool.holds(edges))
    if outside.size:
        raise ValueError(
            f"edge_index must hold candidates; {outside.size} of its {edges.shape[1]} edges are "
            f"not, in columns {_validation.listing(outside)}: drop them, or widen candidates and "
            "exclude_self"
        )


def checked_level(confidence: Any) -> float:
    """Give a number between 0 and 1."""
    level = _validation.fraction("confidence", confidence)
    if level == 0:
        raise ValueError("confidence must be above 0; got 0: 0.95 is usual")
    return level


def checked_draws(n_resamples: Any) -> int | None:
    """Give a number of resamples that has percentiles, or None."""
    if n_resamples is None:
        return None
    return _validation.whole_number(
        "n_resamples", n_resamples, least=100, hint="; None skips the intervals"
    )


def checked_seed(seed: Any) -> Any:
    """Give a seed that `numpy.random.default_rng` takes."""
    if seed is None or isinstance(seed, np.random.Generator):
        return seed
    return _validation.whole_number("seed", seed, least=0)


def checked_ks(ks: Any, largest: int) -> tuple[int, ...]:
    """Give the depths in rising order, none beyond the largest ranking."""
    if ks is None:
        return tuple(k for k in USUAL_KS if k <= largest)
    if isinstance(ks, str) or not hasattr(ks, "__iter__"):
        raise TypeError(f"ks must be a list of whole numbers; got {ks!r}")
    depths = sorted({_validation.whole_number("ks", k, least=1) for k in ks})
    if depths and depths[-1] > largest:
        raise ValueError(
            f"ks must not exceed {largest}, the most candidates of a query; got {depths[-1]}: "
            "every query is a hit there"
        )
    return tuple(depths)

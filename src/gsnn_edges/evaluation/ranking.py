"""Ranks of true edges among the false ones, in one pass over the rows of the scores.

`mrr` and `evaluate_edges`; written once for every backend, in memory and on disk.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._tables import as_edges, as_square
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.candidates import Pool, candidate_pool, listed
from gsnn_edges.evaluation.metrics import Separation, averages, bootstrap, ranks_of
from gsnn_edges.evaluation.results import LinkRanking, RankedQueries
from gsnn_edges.store import StoredMatrix

Direction = Literal["tail", "head", "both"]
Cluster = Literal["query", "source"]

_AXES = {"tail": (0,), "head": (1,), "both": (0, 1)}
_USUAL_KS = (1, 3, 10, 100)
# Of a matrix on disk that is checked together.
_PANEL_BYTES = 1 << 24
# Scores that are sorted together: in cache they sort faster, and few blocks need few searches.
_BLOCK_SCORES = 1 << 18


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
    for each query; or, from 4 million scores on a CPU with numba, a count of the row for each of
    up to 200 queries. Eager only: it does not run under ``jax.jit``. Given as two (source, target)
    pairs in rows, a 2 x 2 ``edge_index`` cannot be told from two columns: give (2, E).

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.2], [0.3, 0.2, 0.1]])
    >>> mrr(A, [[0, 1], [2, 2]], [[0, 1], [2, 2]])
    0.75
    """
    A, names = as_square("A", A)
    if not isinstance(A, StoredMatrix):
        _validation.array("A", A)
        _validation.ndim("A", A, 2, "(sources, targets)")
    chunk = _validation.whole_number("query_chunk_size", query_chunk_size, least=1)
    queries = _checked_edges("edge_index", edge_index, A, names)
    truths = _checked_edges("all_true_edges", all_true_edges, A, names)
    _check_scores(A)
    if queries.shape[1] == 0:
        _validation.warn("mrr: edge_index holds no edge, so the mean is nan")
        return float("nan")
    strays = ~listed(queries, truths)
    _warn_of_queries("mrr", queries, strays, square=A.shape[0] == A.shape[1])
    return float(np.mean(1 / rank_queries(A, queries, truths, strays, chunk).ranks.realistic))


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
    of its target (head), or both in turn: the filtered setting. docs/evaluation.md has the formula,
    range and source of every metric.

    Parameters
    ----------
    A : array of shape (N, N), or StoredMatrix
        Scores: the larger, the stronger the evidence for an edge from row to column. NumPy,
        torch, JAX or another Array API array; torch and JAX arrays are ranked on their device.
        A W on disk is read chunk by chunk; by columns for head rankings, which from a ``.npy``
        reads short pieces of every row: prefer a ``.zarr`` for those. The columns of a DataFrame
        are the names of the nodes.
    edge_index : array-like of whole numbers, shape (2, E)
        Query edges, sources above targets. Every column counts, duplicates too. Or a DataFrame
        with the columns source and target, of indices or of names of nodes.
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
        Whether AUROC and average precision are computed: a sort of all N * N scores, or a count
        as of `mrr`.
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
    A, node_names = as_square("A", A, node_names)
    nodes = A.shape[0] if isinstance(A, StoredMatrix) else _validation.square("A", A)
    chunk = _validation.whole_number("query_chunk_size", query_chunk_size, least=1)
    _validation.choice("direction", direction, _AXES)
    _validation.choice("cluster", cluster, ("query", "source"))
    _validation.flag("pool_metrics", pool_metrics)
    confidence = _validation.level("confidence", confidence)
    rng = _generator(seed)
    if n_resamples is not None:
        n_resamples = _validation.whole_number(
            "n_resamples", n_resamples, least=100, hint="; None skips the intervals"
        )
    names = _validation.node_names(node_names, nodes)
    pool = candidate_pool(candidates, nodes, exclude_self=exclude_self, node_names=names)
    edges = _checked_edges("edge_index", edge_index, A, names)
    truths = edges
    if all_true_edges is not None:
        truths = _checked_edges("all_true_edges", all_true_edges, A, names)
    _reject_outside(edges, pool)
    _check_scores(A)
    strays = ~listed(edges, truths)
    _warn_of_queries("evaluate_edges", edges, strays, square=True)

    axes = _AXES[direction]
    queries = rank_queries(A, edges, truths, strays, chunk, axes, pool)
    ranks, sizes = queries.ranks, queries.candidates
    lone = int(np.count_nonzero(sizes == 1))
    if lone:
        _validation.warn(
            f"evaluate_edges: {lone} of the {len(sizes)} rankings hold no candidate but the "
            "query, which is rank 1 of 1 whatever the scores: drop these edges, or widen "
            "candidates"
        )
    depths = _checked_ks(ks, int(sizes.max()))
    # Both ranks of an edge, and all queries of a node, are drawn together.
    unit = np.arange(edges.shape[1])
    if cluster == "source":
        unit = np.unique(edges[axes[0]], return_inverse=True)[1]
    resample = None
    if n_resamples is not None:
        if not unit.any():
            _validation.warn(
                "evaluate_edges: one query or cluster cannot be resampled, so the intervals are "
                "nan: give more queries, or skip the intervals by n_resamples=None"
            )
        units = np.tile(unit, len(axes))
        resample = partial(
            bootstrap, ranks, sizes, depths, units, n_resamples, confidence=confidence, rng=rng
        )
    micro = averages(ranks, sizes, depths, None, resample)
    nested = cluster == "source" and len(axes) == 1
    macro = averages(ranks, sizes, depths, _node_weights(edges, axes), resample if nested else None)
    positives = queries.scores[: edges.shape[1]]
    return LinkRanking(
        **vars(micro),
        macro=macro,
        median_rank=float(np.median(ranks.realistic)),
        separation=_separation(A, edges, positives, truths, pool, chunk) if pool_metrics else None,
        queries=queries,
        direction=direction,
        confidence=confidence,
        node_names=names,
    )


def _checked_edges(name: str, edges: Any, A: Any, names: Sequence[str] | None) -> np.ndarray:
    return _validation.edge_index(name, as_edges(name, edges, names), A.shape)


def _node_weights(edges: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Weights of the rankings, so that those of a node weigh 1 together."""
    parts = []
    for axis in axes:
        _, node, size = np.unique(edges[axis], return_inverse=True, return_counts=True)
        parts.append(1 / size[node])
    return np.concatenate(parts)


def _generator(seed: Any) -> np.random.Generator:
    if seed is not None and not isinstance(seed, np.random.Generator):
        seed = _validation.whole_number("seed", seed, least=0)
    return np.random.default_rng(seed)


def _checked_ks(ks: Any, largest: int) -> tuple[int, ...]:
    """Depths in rising order, none beyond the largest ranking."""
    if ks is None:
        return tuple(k for k in _USUAL_KS if k <= largest)
    if isinstance(ks, str) or not hasattr(ks, "__iter__"):
        raise TypeError(f"ks must be a list of whole numbers; got {ks!r}")
    depths = sorted({_validation.whole_number("ks", k, least=1) for k in ks})
    if depths and depths[-1] > largest:
        raise ValueError(
            f"ks must not exceed {largest}, the most candidates of a query; got {depths[-1]}: "
            "every query is a hit there"
        )
    return tuple(depths)


def _reject_outside(edges: np.ndarray, pool: Pool) -> None:
    """Reject no query at all, and queries that are no candidates."""
    if edges.shape[1] == 0:
        raise ValueError("edge_index must hold at least one edge; got none: nothing can be ranked")
    outside = np.flatnonzero(~pool.holds(*edges))
    if outside.size:
        raise ValueError(
            f"edge_index must hold candidates; {outside.size} of its {edges.shape[1]} edges are "
            f"not, in columns {_validation.listing(outside)}: drop them, or widen candidates and "
            "exclude_self"
        )


def _warn_of_queries(caller: str, queries: np.ndarray, strays: np.ndarray, *, square: bool) -> None:
    """Warn, at the line that called the public function, of self-edges and of untrue queries."""
    total = queries.shape[1]
    selves = int(np.count_nonzero(queries[0] == queries[1])) if square else 0
    if selves:
        _validation.warn(
            f"{caller}: {selves} of the {total} edges in edge_index are self-edges, from a node "
            "to itself: drop them unless self-edges are what you look for"
        )
    if strays.any():
        _validation.warn(
            f"{caller}: {np.count_nonzero(strays)} of the {total} edges in edge_index are missing "
            "from all_true_edges, so they compete as false edges with the queries of the same "
            "node: add them to all_true_edges"
        )


def _check_scores(A: Any) -> None:
    """Reject NaN and infinity, and whole numbers that a float would round; on disk, by blocks."""
    if not isinstance(A, StoredMatrix):
        _validation.finite("A", A)
        _validation.exact_as_float("A", A)
        return
    for rows, columns in _panels(A):
        name = f"A[{rows.start}:{rows.stop}, {columns.start}:{columns.stop}]"
        _validation.finite(name, np.asarray(A.cells[rows, columns]))


def _panels(A: StoredMatrix) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix on disk into whole chunks, some side by side, so that each is read once."""
    count, width = A.shape
    height, edge = getattr(A.cells, "chunks", (1, width))
    whole = max(1, _PANEL_BYTES // (height * edge * A.dtype.itemsize))
    across = min(whole, -(-width // edge)) * edge
    down = max(1, whole * edge // across) * height
    for top in range(0, count, down):
        for left in range(0, width, across):
            yield slice(top, min(count, top + down)), slice(left, min(width, left + across))


@dataclass(frozen=True, eq=False)
class _Table:
    """Scores and the backend that ranks them, read as rows of sources or, axis 1, of targets."""

    cells: Array
    ops: backends.Backend
    axis: int

    @classmethod
    def of(cls, scores: Any, axis: int = 0) -> "_Table":
        if isinstance(scores, StoredMatrix):
            return cls(scores, backends.load("numpy"), axis)
        ops = backends.of(scores).ranker()
        return cls(backends.move(scores, ops), ops, axis)

    def rows(self, nodes: np.ndarray) -> Array:
        """Rows of (sorted) nodes as floats, so that a score can be minus infinity."""
        cells, xp = self.cells, self.ops.xp
        if isinstance(cells, StoredMatrix):
            rows = np.ascontiguousarray(cells.columns(nodes).T) if self.axis else cells.rows(nodes)
        elif self.ops.name == "numpy" and nodes[-1] - nodes[0] == len(nodes) - 1:  # a view
            rows = (cells.T if self.axis else cells)[nodes[0] : nodes[-1] + 1]
        else:
            rows = xp.take(cells, self.ops.adopt(nodes), axis=self.axis)
            rows = rows.T if self.axis else rows
        if xp.isdtype(rows.dtype, "real floating"):
            return rows
        return xp.astype(rows, xp.float64 if _validation.has_float64(xp) else xp.float32)

    def removed(self, nodes: np.ndarray, truths: np.ndarray, pool: Pool | None) -> np.ndarray:
        """Places in the rows of (sorted, unique) nodes where nothing competes, in rising order.

        True edges and what is not in the pool do not compete.
        """
        width = self.cells.shape[1 - self.axis]
        row = np.full(self.cells.shape[self.axis], -1)
        row[nodes] = np.arange(len(nodes))
        row = row[truths[self.axis]]
        known = row >= 0
        places = row[known] * width + truths[1 - self.axis][known]
        if pool is None or (pool.mask is None and not pool.rules):
            if pool is not None and pool.exclude_self:
                places = np.append(places, np.arange(len(nodes)) * width + nodes)
            places.sort()  # `np.unique` takes twice as long
            different: np.ndarray = places[np.diff(places, prepend=-1) > 0]
            return different
        mask = ~pool.rows(nodes, self.axis)
        mask.reshape(-1)[places] = True
        return np.flatnonzero(mask)

    def competing(self, rows: Array, removed: np.ndarray) -> Array:
        """Rows with minus infinity where nothing competes.

        A device is sent the places, and makes the mask itself: a mask is mostly far longer.
        """
        xp = self.ops.xp
        mask = xp.reshape(self.ops.marked(removed, math.prod(rows.shape)), rows.shape)
        lowest = xp.asarray(-np.inf, dtype=rows.dtype, device=self.ops.device)
        return xp.where(mask, lowest, rows)


def rank_queries(
    scores: Array,
    queries: np.ndarray,
    truths: np.ndarray,
    strays: np.ndarray,
    chunk: int,
    axes: Sequence[int] = (0,),
    pool: Pool | None = None,
) -> RankedQueries:
    """Rank each query ``(s, d)`` among the false edges ``(s, .)``, and on axis 1 ``(., d)``.

    Parameters
    ----------
    scores : (N, N) array or `StoredMatrix`, finite
    queries, truths : (2, E) int64 arrays
    strays : bool array, the queries that are not among the truths
    chunk : rows (of targets on axis 1) at a time
    axes : 0 to rank targets, 1 to rank sources, or both
    pool : the pairs that compete, all where it is None; it holds every query
    """
    count = queries.shape[1]
    above, level, candidates = np.empty((3, len(axes) * count), np.int64)
    values = np.empty(len(axes) * count)
    for part, axis in enumerate(axes):
        table = _Table.of(scores, axis)
        anchored = np.zeros(table.cells.shape[axis], bool)
        anchored[queries[axis]] = True
        anchors, row = np.flatnonzero(anchored), (np.cumsum(anchored) - 1)[queries[axis]]
        for start in range(0, len(anchors), chunk):
            here = np.flatnonzero((row >= start) & (row < start + chunk))
            nodes, place = anchors[start : start + chunk], row[here] - start
            rows, column = table.rows(nodes), queries[1 - axis, here]
            removed = table.removed(nodes, truths, pool)
            there = part * count + here
            counts = table.ops.count_above(rows, removed, place, column)
            if counts is None:
                competing = table.competing(rows, removed)
                higher, equal, score = _search_rows(rows, competing, place, column, table.ops)
            else:
                (higher, equal), score = counts, rows[place, column]
            above[there], level[there], values[there] = higher, equal, score
            width = rows.shape[1]
            ends = np.searchsorted(removed, np.arange(len(nodes) + 1) * width)
            candidates[there] = width + 1 - np.diff(ends)[place]
    # A query that is not among the true edges is in its own row, level with itself.
    itself = np.tile(strays, len(axes))
    return RankedQueries(
        edges=np.tile(queries, len(axes)),
        head=np.repeat(np.array(axes, bool), count),
        scores=values,
        candidates=candidates - itself,
        ranks=ranks_of(above, level - itself),
    )


def _search_rows(
    rows: Array, competing: Array, row: np.ndarray, column: np.ndarray, ops: backends.Backend
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Competitors above and level with the scores at ``(row, column)``, and these scores."""
    xp, width = ops.xp, rows.shape[1]
    cell = row * width + column
    # Few lengths: a library may compile for each of them.
    size = ops.fixed_size(len(cell))
    cells, bases = (ops.adopt(np.pad(x, (0, size - len(x)), "edge")) for x in (cell, cell - column))
    values = xp.take(xp.reshape(rows, (-1,)), cells)
    ordered = ops.map_rows(_sort_each, competing, _validation.dtype_name(rows))
    both = ops.call(_search_both, xp.reshape(ordered, (-1,)), bases, values, width=width)
    left, right = ops.to_numpy(both)[:, : len(cell)]
    if _validation.dtype_name(values) not in ("float32", "float64"):
        values = xp.astype(values, xp.float32)
    return width - right, right - left, ops.to_numpy(values).astype(np.float64)[: len(cell)]


def _sort_each(rows: Array, *, ops: backends.Backend, dtype: str) -> Array:
    return ops.xp.sort(rows, axis=1, stable=False)


def _search_both(
    flat: Array, base: Array, values: Array, *, ops: backends.Backend, width: int
) -> Array:
    """Insertion points from the left above those from the right."""
    sides = (_search(flat, base, values, width, xp=ops.xp, right=right) for right in (False, True))
    return ops.xp.stack(list(sides))


def _search(flat: Array, base: Array, values: Array, width: int, *, xp: Any, right: bool) -> Array:
    """Insertion point of each value in its own sorted row, counted within the row.

    The standard's ``searchsorted`` knows a single row. ``base`` is where each value's row of
    ``width`` scores begins in ``flat``.
    """
    low, high = base, base + width
    for _ in range(width.bit_length()):
        open_ = low < high
        middle = (low + high) // 2
        score = xp.take(flat, xp.where(open_, middle, base))
        forward = (score <= values) if right else (score < values)
        low = xp.where(open_ & forward, middle + 1, low)
        high = xp.where(open_ & ~forward, middle, high)
    return low - base


def _separation(
    A: Array, queries: np.ndarray, positives: np.ndarray, truths: np.ndarray, pool: Pool, chunk: int
) -> Separation:
    """AUROC and average precision, exact with ties, without a copy of the matrix.

    Positives are the scores of the queries, duplicates too; negatives the pairs of the pool that
    are neither true edges nor queries. Blocks of ``chunk`` rows are sorted, and each positive is
    searched in them, or their scores are counted between the sorted positives: peak memory is a
    few copies of ``chunk * N`` scores.
    """
    table, positives = _Table.of(A), np.sort(positives)
    values, place = np.unique(positives, return_inverse=True)
    known = np.concatenate([truths, queries], axis=1)
    above, level = np.zeros((2, len(positives)), np.int64)
    negatives = 0
    for start in range(0, pool.nodes, chunk):
        nodes = np.arange(start, min(start + chunk, pool.nodes))
        rows, removed = table.rows(nodes), table.removed(nodes, known, pool)
        negatives += math.prod(rows.shape) - len(removed)
        counts = table.ops.count_between(rows, removed, values)
        if counts is None:
            for block in _sorted_blocks(table.competing(rows, removed), table.ops):
                low, high = _places(block, positives, table.ops)
                above += block.shape[0] - high
                level += high - low
        else:
            higher = np.cumsum(counts.sum(1)[:0:-1])[::-1]
            above += higher[place]
            level += counts[place, 1]
    true_positives = len(positives) - np.searchsorted(positives, positives)
    with np.errstate(invalid="ignore"):
        wins = np.divide(negatives - above - level / 2, negatives)
    return Separation(
        auroc=float(np.mean(wins)),
        average_precision=float(np.mean(true_positives / (true_positives + above + level))),
        prevalence=len(positives) / (len(positives) + negatives),
    )


def _sorted_blocks(rows: Array, ops: backends.Backend) -> Iterator[Array]:
    """Sorted scores of a few rows at a time; together the blocks hold all of them."""
    count, width = rows.shape
    height = max(1, _BLOCK_SCORES // width)
    whole = count - count % height
    for part, blocks in ((rows[:whole, :], whole // height), (rows[whole:, :], 1)):
        if part.shape[0]:
            joined = ops.xp.reshape(part, (blocks, -1))
            ordered = ops.map_rows(_sort_each, joined, _validation.dtype_name(joined))
            yield from (ordered[block, :] for block in range(blocks))


def _places(
    block: Array, scores: np.ndarray, ops: backends.Backend
) -> tuple[np.ndarray, np.ndarray]:
    """Insertion points, left and right, of host scores among sorted ones of a backend."""
    host = scores if _validation.dtype_name(block) == "float64" else scores.astype(np.float32)
    values = ops.xp.astype(ops.adopt(host), block.dtype)
    left, right = (
        ops.to_numpy(ops.xp.searchsorted(block, values, side=side)) for side in ("left", "right")
    )
    return left, right

"""All link-ranking metrics of held-out edges, from one pass over the scores."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.evaluation import doubts
from gsnn_edges.evaluation.candidates import Pool, checked_names, pool_of
from gsnn_edges.evaluation.intervals import bootstrap
from gsnn_edges.evaluation.metrics import Averages, averages
from gsnn_edges.evaluation.ranking import Counts, count
from gsnn_edges.evaluation.results import LinkRanking, RankedQueries
from gsnn_edges.evaluation.scores import check_matrix, check_scores
from gsnn_edges.evaluation.separation import separation
from gsnn_edges.evaluation.ties import ranks_of

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
    doubts.warn_of_queries("evaluate_edges", edges, truths, square=True)

    axes = AXES[direction]
    found = [count(A, edges, truths, chunk, axis=axis, pool=pool) for axis in axes]
    queries = ranked(edges, axes, found)
    doubts.warn_of_lone_queries("evaluate_edges", queries.candidates)
    depths = checked_ks(ks, int(queries.candidates.max()))
    units = units_of(edges, axes, cluster)
    if draws is not None:
        doubts.warn_of_one_unit("evaluate_edges", units)
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

"""The strongest pairs of a matrix of scores, in an order that is always the same."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges.evaluation.candidates import pool_of
from gsnn_edges.evidence.arguments import Indices, Mask


class ScoredEdge(NamedTuple):
    """A pair of nodes with its score.

    Attributes
    ----------
    source, target : int
        Indices of the nodes.
    source_name, target_name : str or None
        Their names, where there are names.
    score : float
    rank : int
        Place in the list, from 1.
    """

    source: int
    target: int
    source_name: str | None
    target_name: str | None
    score: float
    rank: int


def pool_mask(
    nodes: int,
    node_names: list[str] | None,
    known: Indices | None,
    *,
    exclude_self: bool,
    candidates: Any,
) -> Mask:
    """Mark the pairs to choose from, (N, N): candidates alone, no self-edges, no known ones."""
    pool = pool_of(candidates, nodes, exclude_self=exclude_self, node_names=node_names)
    mask: Mask = pool.rows(np.arange(nodes), 0)
    if known is not None:
        mask[known[0], known[1]] = False
    return mask


def strongest(scores: NDArray[Any], pool: Mask, k: int | None) -> Indices:
    """Find the k best cells of the pool: flat indices, best first.

    Equal scores stand in the order of the flat index: by source, then by target. All cells of the
    pool where there are fewer than k, or no k. Peak memory is a copy of the scores, and 16 bytes
    for each cell that is given back.
    """
    count = int(np.count_nonzero(pool))
    if k is not None and k < count:
        pool = at_least(scores, pool, k, count)
    cells = np.flatnonzero(pool)
    # A stable sort of the reversed list, reversed: falling, and equal scores as they stood.
    order = np.argsort(scores.reshape(-1)[cells[::-1]], kind="stable")[::-1]
    chosen: Indices = cells[::-1][order][:k]
    return chosen


def at_least(scores: NDArray[Any], pool: Mask, k: int, count: int) -> Mask:
    """Narrow the pool to the k best cells and those that tie with the last of them."""
    in_pool = scores[pool]
    in_pool.partition(count - k)
    reached: Mask = pool & (scores >= in_pool[count - k])
    return reached


def scored_edges(
    scores: NDArray[Any], cells: Indices, node_names: list[str] | None
) -> list[ScoredEdge]:
    """List the cells as `ScoredEdge`, ranked as they stand."""
    sources, targets = np.divmod(cells, max(len(scores), 1))
    names: list[Any] = node_names or [None] * len(scores)
    rows = zip(sources.tolist(), targets.tolist(), scores.reshape(-1)[cells].tolist(), strict=True)
    return [
        ScoredEdge(source, target, names[source], names[target], float(score), place + 1)
        for place, (source, target, score) in enumerate(rows)
    ]

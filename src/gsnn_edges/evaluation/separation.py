"""AUROC and average precision of the queries among all candidate pairs that are no true edges."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.ranking import removed_cells, sort_each, without
from gsnn_edges.evaluation.scores import table_of

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

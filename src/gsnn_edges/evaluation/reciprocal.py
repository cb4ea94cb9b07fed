"""The filtered mean reciprocal rank alone."""

import warnings
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.doubts import warn_of_queries
from gsnn_edges.evaluation.ranking import competitors
from gsnn_edges.evaluation.scores import check_matrix, check_scores
from gsnn_edges.evaluation.ties import realistic_rank


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

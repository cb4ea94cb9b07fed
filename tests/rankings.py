"""Problems to rank, and their slow answers."""

import warnings

import numpy as np
from oracles import rivals

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of PyKEEN's own imports
    import pykeen.metrics.ranking as pykeen_metrics
    from pykeen.evaluation.ranks import Ranks as PykeenRanks

__all__ = ["PykeenRanks", "counts", "problem", "proper_problem", "pykeen_metrics"]


def problem(seed, nodes=20, queries=60, levels=12):
    """Tied scores, duplicate queries, self-edges, queries that are not among the true edges."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (nodes, nodes)).astype(np.float32)
    edges = rng.integers(0, nodes, (2, queries))
    edges[1, :3] = edges[0, :3]
    edges[:, -5:] = edges[:, :5]
    return scores, edges, np.concatenate([edges[:, ::2], rng.integers(0, nodes, (2, 30))], axis=1)


def proper_problem(seed, nodes=20, queries=40, levels=12):
    """Tied scores and true edges off the diagonal, of which the first are the queries."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (nodes, nodes)).astype(np.float32)
    true_edges = np.argwhere(~np.eye(nodes, dtype=bool)).T
    drawn = rng.permutation(true_edges.shape[1])[: 2 * queries]
    return scores, true_edges[:, drawn[:queries]], true_edges[:, drawn]


def counts(*problem, **options):
    """Above, level and candidates of every query, one at a time: (3, E)."""
    above, level, others = np.transpose(rivals(*problem, **options))
    return np.stack([above, level, 1 + others])

"""Slow, obvious answers: those of the acceptance tests, by SciPy or by a loop, for all rooms."""

import numpy as np
from acceptance.slow import channel_score, correlation, layered, partial, rivals, standardized

__all__ = [
    "channel_score",
    "correlation",
    "given_parents",
    "layered",
    "partial",
    "reciprocal_ranks",
    "rivals",
    "standardized",
]


def reciprocal_ranks(scores, edges, true_edges):
    """Reciprocal rank of every query edge among the false edges of its source."""
    counts = rivals(scores, edges, true_edges)
    return np.array([1 / (1 + above + level / 2) for above, level, _ in counts])


def given_parents(a, g, edges, method="spearman", sources=None):
    """Partial correlations given the other parents of each target, for some of the sources."""
    sources = np.arange(a.shape[1]) if sources is None else np.asarray(sources)
    columns = standardized(a, method)

    def held(i, j):
        return columns[:, np.setdiff1d(edges[0][edges[1] == j], sources[i])]

    return partial(a[:, sources], g, held, method)

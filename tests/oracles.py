"""Slow, obvious answers, by SciPy or by a loop."""

import numpy as np
import scipy.stats


def correlation(a, g, method="spearman", ties="average"):
    """Cross-correlate in float64 by SciPy's ranks; a constant column gives 0."""
    a, g = (np.asarray(x).astype(np.float64) for x in (a, g))
    constant = [np.ptp(x, axis=0) == 0 for x in (a, g)]
    if method == "spearman":
        a, g = (scipy.stats.rankdata(x, axis=0, method=ties) for x in (a, g))
    else:
        # Correlations do not see a factor; squares of extreme values would not fit float64.
        a, g = (
            x / np.where(c, 1, np.abs(x).max(axis=0))
            for x, c in zip((a, g), constant, strict=False)
        )
    a, g = (x - x.mean(axis=0) for x in (a, g))
    lengths = [
        np.where(c, np.inf, np.linalg.norm(x, axis=0))
        for x, c in zip((a, g), constant, strict=True)
    ]
    return (a / lengths[0]).T @ (g / lengths[1])


def reciprocal_ranks(scores, edges, true_edges):
    """Rank every query edge among the false edges of its source, one at a time."""
    true = set(zip(*np.asarray(true_edges).tolist(), strict=True))
    found = []
    for source, target in zip(*np.asarray(edges).tolist(), strict=True):
        own = scores[source, target]
        rivals = [
            scores[source, other]
            for other in range(scores.shape[1])
            if other != target and (source, other) not in true
        ]
        above = sum(rival > own for rival in rivals)
        level = sum(rival == own for rival in rivals)
        found.append(1 / (1 + above + level / 2))
    return np.array(found)

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


def hub(parents, rows, extra=5, seed=0):
    """A target of many parents, one of which is constant, and two alike; sources beside them."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, parents + extra)) + rng.standard_normal((rows, 1))
    a[:, 1], a[:, 2] = 4.0, 3 * a[:, 0]
    a[:, 3] = np.maximum(a[:, 3], 0)
    g = a[:, :parents].mean(axis=1, keepdims=True) + 0.2 * rng.standard_normal((rows, 1))
    edges = np.stack([np.arange(parents), np.zeros(parents, int)])
    return a.astype(np.float32), g.astype(np.float32), edges


def regressed(a, g, edges, sources):
    """Partial correlations of some sources with target 0, by two regressions each."""
    a, g = (scipy.stats.rankdata(x, axis=0) for x in (a, g))
    return np.array(
        [by_residuals(a[:, i], g[:, 0], a[:, np.setdiff1d(edges[0], i)]) for i in sources]
    )


def by_residuals(x, y, held):
    design = np.column_stack([np.ones(len(x)), held])
    x, y = (z - design @ np.linalg.lstsq(design, z, rcond=1e-9)[0] for z in (x, y))
    if min(np.linalg.norm(x), np.linalg.norm(y)) < 1e-8 * len(x):
        return 0.0
    return scipy.stats.pearsonr(x, y).statistic

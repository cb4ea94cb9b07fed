"""Percentile bootstrap over queries, or over nodes with all their queries."""

from collections.abc import Sequence

import numpy as np

from gsnn_edges.evaluation import chance
from gsnn_edges.evaluation.metrics import Interval
from gsnn_edges.evaluation.ties import Ranks
from gsnn_edges.resampling import drawn_counts

# Draws held at a time: 2**22 indices and counts keep a block below some hundred megabytes.
BLOCK_DRAWS = 1 << 22


def bootstrap(
    ranks: Ranks,
    candidates: np.ndarray,
    ks: Sequence[int],
    units: np.ndarray,
    n_resamples: int,
    *,
    weights: np.ndarray | None,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """Resample units with replacement, and take percentiles (Efron & Tibshirani 1993, ch. 13).

    Parameters
    ----------
    ranks : Ranks of E queries
    candidates : int array of shape (E,)
    ks : whole numbers
    units : int array of shape (E,), from 0
        Queries of the same unit are drawn together.
    n_resamples : number of resamples
    weights : float array of shape (E,) or None
        Weight of each query in every mean.
    confidence : float in (0, 1)
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to Interval
        For "mrr", "adjusted_mrr", "mean_rank", "amri" and each "hits@k"; nan where there
        is one unit only, which has no spread. Peak memory is some hundred megabytes, or a few
        counts for each unit where there are more than 2**22.
    """
    terms = terms_of(ranks, candidates, ks, weights)
    count = int(units.max()) + 1
    if count == 1:
        return dict.fromkeys(metrics_of(terms[:1], ks), Interval(float("nan"), float("nan")))
    sums = np.stack([np.bincount(units, term, count) for term in terms.T], axis=1)
    found = metrics_of(resampled_sums(sums, n_resamples, rng), ks)
    tail = 50 * (1 - confidence)
    return {
        name: Interval(*(float(edge) for edge in np.percentile(values, [tail, 100 - tail])))
        for name, values in found.items()
    }


def terms_of(
    ranks: Ranks, candidates: np.ndarray, ks: Sequence[int], weights: np.ndarray | None
) -> np.ndarray:
    """List what is summed over queries, a column each: all metrics are ratios of these sums."""
    rank = ranks.realistic
    weight = np.ones(len(rank)) if weights is None else weights
    columns = [
        np.ones(len(rank)),
        1 / rank,
        chance.expected_reciprocal(candidates),
        rank,
        chance.expected_rank(candidates),
        *((rank <= k).astype(np.float64) for k in ks),
    ]
    return np.asarray(np.stack(columns, axis=1) * weight[:, None])


def resampled_sums(sums: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Sum over each resample of the units: (n_resamples, terms)."""
    count = len(sums)
    block = max(1, BLOCK_DRAWS // count)
    parts = []
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        parts.append(drawn_counts(count, rows, rng).astype(np.float64) @ sums)
    return np.concatenate(parts)


def metrics_of(sums: np.ndarray, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Give each metric of sums that lie in rows as `terms_of` lists them."""
    reciprocal, by_chance, rank, rank_by_chance, *hits = sums[:, 1:].T / sums[:, 0]
    return {
        "mrr": reciprocal,
        "adjusted_mrr": chance.adjusted(reciprocal, by_chance),
        "mean_rank": rank,
        "amri": chance.rank_index(rank, rank_by_chance),
        **{f"hits@{k}": values for k, values in zip(ks, hits, strict=True)},
    }

"""Metrics of ranks, what random scores reach in them, and their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gsnn_edges.draws import drawn_counts

# From here on the expansion of digamma below is exact to rounding.
FAR = 16
NEAR_SUMS = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, FAR))])


def reciprocal_sums(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sum 1/r over the whole numbers r from ``first`` to ``last``, each at least 1.

    Ranks below 16 come from a table. The rest is a difference of digamma functions,
    psi(last + 1) - psi(first), by the asymptotic expansion 6.3.18 of Abramowitz and Stegun
    (1964). Relative error below 1e-12; memory of a few arrays of the same shape.

    Examples
    --------
    >>> reciprocal_sums(np.array([1.0, 2.0]), np.array([2.0, 4.0])).round(4)
    array([1.5   , 1.0833])
    """
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    near = [np.minimum(x, FAR - 1).astype(np.int64) for x in (first - 1, last)]
    low, high = np.maximum(first, FAR), np.maximum(last + 1, FAR)
    # log1p of the difference, as the logarithms of two large ranks would cancel.
    far = np.log1p((high - low) / low) + (_tail(high) - _tail(low))
    return np.asarray(NEAR_SUMS[near[1]] - NEAR_SUMS[near[0]] + far)


def _tail(x: np.ndarray) -> np.ndarray:
    """psi(x) - log(x) for x of at least 16."""
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return np.asarray(-1 / (2 * x) - series)


def expected_rank(candidates: np.ndarray) -> np.ndarray:
    """Expect a rank of (n + 1) / 2 among n candidates.

    >>> expected_rank(np.array([1, 4]))
    array([1. , 2.5])
    """
    return (candidates + 1) / 2


def expected_reciprocal(candidates: np.ndarray) -> np.ndarray:
    """Expect a reciprocal rank of H(n) / n among n candidates, H the harmonic number.

    >>> expected_reciprocal(np.array([1, 2]))
    array([1.  , 0.75])
    """
    return np.asarray(reciprocal_sums(np.ones(len(candidates)), candidates) / candidates)


def expected_hit(candidates: np.ndarray, k: int) -> np.ndarray:
    """Expect a hit among the first k of n candidates with probability min(k / n, 1).

    >>> expected_hit(np.array([1, 4]), 3)
    array([1.  , 0.75])
    """
    return np.minimum(k / candidates, 1)


def rank_index(mean_rank: ArrayLike, expected: ArrayLike) -> np.ndarray:
    """Give the adjusted mean rank index: 1 for rank 1 everywhere, 0 for random scores.

    1 - (mean rank - 1) / (expected mean rank - 1); nan where no query has a competitor.

    >>> float(rank_index(2, 5))
    0.75
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - np.divide(np.subtract(mean_rank, 1), np.subtract(expected, 1)))


def adjusted(mean: ArrayLike, expected: ArrayLike) -> np.ndarray:
    """Rescale a mean whose best is 1 so that random scores reach 0 on average.

    (mean - expected) / (1 - expected); nan where no query has a competitor.

    >>> float(adjusted(0.75, 0.5))
    0.5
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(np.subtract(mean, expected), np.subtract(1, expected)))


# The ways to rank a tied query, and the one that has no suffix.
TIE_TYPES = ("optimistic", "realistic", "pessimistic")


def realistic_rank(above: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Mean of the ranks that tied candidates share (Berrendorf et al. 2020)."""
    return 1 + above + level / 2


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of E queries, 1 the best, as float64 arrays of shape (E,).

    Attributes
    ----------
    optimistic, realistic, pessimistic
        The query before its ties, in their middle, behind them.
    tie_reciprocal
        Mean of 1/rank over all places among the ties: what random tie-breaking gives on average.
    """

    optimistic: np.ndarray
    realistic: np.ndarray
    pessimistic: np.ndarray
    tie_reciprocal: np.ndarray


def ranks_of(above: np.ndarray, level: np.ndarray) -> Ranks:
    """Give all ranks of queries with so many candidates above and level.

    Examples
    --------
    >>> found = ranks_of(np.array([0, 1]), np.array([2, 0]))
    >>> found.optimistic, found.realistic, found.pessimistic
    (array([1., 2.]), array([2., 2.]), array([3., 2.]))
    >>> found.tie_reciprocal.round(4)  # (1/1 + 1/2 + 1/3) / 3 and 1/2
    array([0.6111, 0.5   ])
    """
    best = 1.0 + above
    worst = best + level
    # Untied, 1 / rank to the bit.
    means = np.where(level == 0, 1 / best, reciprocal_sums(best, worst) / (1 + level))
    return Ranks(best, realistic_rank(above, level), worst, means)


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Averages:
    """Rank metrics over queries, each by the realistic rank where its name says nothing else.

    Attributes
    ----------
    mrr, mrr_optimistic, mrr_pessimistic : float
        Mean reciprocal rank, in (0, 1]; larger is better.
    mrr_random_ties : float
        Mean of 1/rank over all orders of tied candidates, exact.
    mean_rank, mean_rank_optimistic, mean_rank_pessimistic : float
        At least 1; smaller is better.
    amri : float
        Adjusted mean rank index, in [-1, 1]: 1 best, 0 random; nan where no query has a
        competitor.
    adjusted_mrr : float
        Up to 1: 1 best, 0 random; nan where no query has a competitor.
    hits, hits_optimistic, hits_pessimistic : dict of int to float
        Share of queries of rank k or better, for each k.
    expected_mrr, expected_mean_rank : float
        What random scores reach on average.
    expected_hits : dict of int to float
        The same for each k.
    intervals : dict of str to Interval
        Confidence intervals of "mrr", "adjusted_mrr", "mean_rank", "amri" and "hits@k"; empty
        where none were asked for.
    """

    mrr: float
    mrr_optimistic: float
    mrr_pessimistic: float
    mrr_random_ties: float
    mean_rank: float
    mean_rank_optimistic: float
    mean_rank_pessimistic: float
    amri: float
    adjusted_mrr: float
    hits: dict[int, float]
    hits_optimistic: dict[int, float]
    hits_pessimistic: dict[int, float]
    expected_mrr: float
    expected_mean_rank: float
    expected_hits: dict[int, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)


def averages(
    ranks: Ranks,
    candidates: np.ndarray,
    ks: Sequence[int],
    weights: np.ndarray | None = None,
    intervals: Mapping[str, Interval] | None = None,
) -> Averages:
    """Average over queries, each with its weight; without weights all count alike.

    Parameters
    ----------
    ranks : Ranks of E queries
    candidates : int array of shape (E,)
        How many candidates each query is ranked among, itself included.
    ks : whole numbers
    weights : float array of shape (E,), positive
    intervals : handed on
    """

    def mean(values: np.ndarray) -> float:
        if weights is None:
            return float(np.mean(values))
        return float(np.sum(values * weights) / np.sum(weights))

    by_type = {kind: getattr(ranks, kind) for kind in TIE_TYPES}
    reciprocal = {kind: mean(1 / values) for kind, values in by_type.items()}
    rank = {kind: mean(values) for kind, values in by_type.items()}
    hits = {kind: {k: mean(values <= k) for k in ks} for kind, values in by_type.items()}
    expected_mrr = mean(expected_reciprocal(candidates))
    expected_rank = mean(expected_rank(candidates))
    return Averages(
        mrr=reciprocal["realistic"],
        mrr_optimistic=reciprocal["optimistic"],
        mrr_pessimistic=reciprocal["pessimistic"],
        mrr_random_ties=mean(ranks.tie_reciprocal),
        mean_rank=rank["realistic"],
        mean_rank_optimistic=rank["optimistic"],
        mean_rank_pessimistic=rank["pessimistic"],
        amri=float(rank_index(rank["realistic"], expected_rank)),
        adjusted_mrr=float(adjusted(reciprocal["realistic"], expected_mrr)),
        hits=hits["realistic"],
        hits_optimistic=hits["optimistic"],
        hits_pessimistic=hits["pessimistic"],
        expected_mrr=expected_mrr,
        expected_mean_rank=expected_rank,
        expected_hits={k: mean(expected_hit(candidates, k)) for k in ks},
        intervals=dict(intervals or {}),
    )


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
        expected_reciprocal(candidates),
        rank,
        expected_rank(candidates),
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
        "adjusted_mrr": adjusted(reciprocal, by_chance),
        "mean_rank": rank,
        "amri": rank_index(rank, rank_by_chance),
        **{f"hits@{k}": values for k, values in zip(ks, hits, strict=True)},
    }

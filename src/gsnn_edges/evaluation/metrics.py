"""Metrics of ranks, what random scores reach in them, and their bootstrap intervals.

Without information each of a query's n candidates is as likely to be first as any other, so its
rank is uniform over 1 .. n (Berrendorf et al. 2020; Hoyt et al. 2022).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gsnn_edges.resampling import drawn_counts

# From here on the expansion of digamma below is exact to rounding.
_FAR = 16
_NEAR_SUMS = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, _FAR))])

# Draws held at a time: 2**22 indices and counts keep a block below some hundred megabytes.
_BLOCK_DRAWS = 1 << 22


def reciprocal_sums(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums of 1/r over the whole numbers r from ``first`` to ``last``, each at least 1.

    Ranks below 16 come from a table. The rest is a difference of digamma functions,
    psi(last + 1) - psi(first), by the asymptotic expansion 6.3.18 of Abramowitz and Stegun
    (1964). Relative error below 1e-12; memory of a few arrays of the same shape.

    Examples
    --------
    >>> reciprocal_sums(np.array([1.0, 2.0]), np.array([2.0, 4.0])).round(4)
    array([1.5   , 1.0833])
    """
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    near = [np.minimum(x, _FAR - 1).astype(np.int64) for x in (first - 1, last)]
    low, high = np.maximum(first, _FAR), np.maximum(last + 1, _FAR)
    # log1p of the difference, as the logarithms of two large ranks would cancel.
    far = np.log1p((high - low) / low) + (_digamma_tail(high) - _digamma_tail(low))
    return np.asarray(_NEAR_SUMS[near[1]] - _NEAR_SUMS[near[0]] + far)


def _digamma_tail(x: np.ndarray) -> np.ndarray:
    """psi(x) - log(x) for x of at least 16."""
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return np.asarray(-1 / (2 * x) - series)


def expected_reciprocal_rank(candidates: np.ndarray) -> np.ndarray:
    """Expected 1/rank of random scores: H(n) / n among n candidates, H the harmonic number.

    >>> expected_reciprocal_rank(np.array([1, 2]))
    array([1.  , 0.75])
    """
    return np.asarray(reciprocal_sums(np.ones(len(candidates)), candidates) / candidates)


def rank_index(mean_rank: ArrayLike, expected: ArrayLike) -> np.ndarray:
    """Adjusted mean rank index: 1 for rank 1 everywhere, 0 for random scores.

    1 - (mean rank - 1) / (expected mean rank - 1); nan where no query has a competitor.

    >>> float(rank_index(2, 5))
    0.75
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - np.divide(np.subtract(mean_rank, 1), np.subtract(expected, 1)))


def adjusted(mean: ArrayLike, expected: ArrayLike) -> np.ndarray:
    """A mean whose best is 1, rescaled so that random scores reach 0 on average.

    (mean - expected) / (1 - expected); nan where no query has a competitor.

    >>> float(adjusted(0.75, 0.5))
    0.5
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(np.subtract(mean, expected), np.subtract(1, expected)))


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of E queries, 1 the best, as float64 arrays of shape (E,).

    Attributes
    ----------
    optimistic, realistic, pessimistic
        The query before its ties, in their middle (Berrendorf et al. 2020), behind them.
    tie_reciprocal
        Mean of 1/rank over all places among the ties: what random tie-breaking gives on average.
    """

    optimistic: np.ndarray
    realistic: np.ndarray
    pessimistic: np.ndarray
    tie_reciprocal: np.ndarray


def ranks_of(above: np.ndarray, level: np.ndarray) -> Ranks:
    """Ranks of queries with so many candidates above them and level with them.

    Examples
    --------
    >>> ranks = ranks_of(np.array([0, 1]), np.array([2, 0]))
    >>> ranks.optimistic, ranks.realistic, ranks.pessimistic
    (array([1., 2.]), array([2., 2.]), array([3., 2.]))
    >>> ranks.tie_reciprocal.round(4)  # (1/1 + 1/2 + 1/3) / 3 and 1/2
    array([0.6111, 0.5   ])
    """
    best = 1.0 + above
    worst = best + level
    # Untied, 1 / rank to the bit.
    means, tied = 1 / best, level > 0
    means[tied] = reciprocal_sums(best[tied], worst[tied]) / (1 + level[tied])
    return Ranks(best, 1 + above + level / 2, worst, means)


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float

    @classmethod
    def of(cls, resampled: np.ndarray, confidence: float) -> "Interval":
        """Percentile interval of resampled values."""
        tail = 50 * (1 - confidence)
        return cls(*np.percentile(resampled, [tail, 100 - tail]).tolist())


NO_INTERVAL = Interval(float("nan"), float("nan"))


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
        where nothing was resampled.
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
    resample: Callable[[np.ndarray | None], Mapping[str, Interval]] | None = None,
) -> Averages:
    """Averages over queries, each with its weight; without weights all count alike.

    Parameters
    ----------
    ranks : Ranks of E queries
    candidates : int array of shape (E,)
        How many candidates each query is ranked among, itself included.
    ks : whole numbers
    weights : float array of shape (E,), positive
    resample : callable
        Intervals by the weights, as of `bootstrap`.
    """

    def mean(values: np.ndarray) -> float:
        return float(np.average(values, weights=weights))

    values: dict[str, Any] = {}
    by_ties = {
        "": ranks.realistic,
        "_optimistic": ranks.optimistic,
        "_pessimistic": ranks.pessimistic,
    }
    for suffix, rank in by_ties.items():
        values[f"mrr{suffix}"] = mean(1 / rank)
        values[f"mean_rank{suffix}"] = mean(rank)
        values[f"hits{suffix}"] = {k: mean(rank <= k) for k in ks}
    expected_mrr = mean(expected_reciprocal_rank(candidates))
    expected_rank = mean((candidates + 1) / 2)
    return Averages(
        **values,
        mrr_random_ties=mean(ranks.tie_reciprocal),
        amri=float(rank_index(values["mean_rank"], expected_rank)),
        adjusted_mrr=float(adjusted(values["mrr"], expected_mrr)),
        expected_mrr=expected_mrr,
        expected_mean_rank=expected_rank,
        expected_hits={k: mean(np.minimum(k / candidates, 1)) for k in ks},
        intervals={} if resample is None else resample(weights),
    )


def bootstrap(
    ranks: Ranks,
    candidates: np.ndarray,
    ks: Sequence[int],
    units: np.ndarray,
    n_resamples: int,
    weights: np.ndarray | None,
    *,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """Percentile intervals of resampled units (Efron & Tibshirani 1993, ch. 13).

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
        is one unit only, whose resamples are all the same. Peak memory is some hundred
        megabytes, or a few counts for each unit where there are more than 2**22.
    """
    rank = ranks.realistic
    terms = [
        np.ones(len(rank)),
        1 / rank,
        expected_reciprocal_rank(candidates),
        rank,
        (candidates + 1) / 2,
        *(rank <= k for k in ks),
    ]
    weight = np.ones(len(rank)) if weights is None else weights
    # All metrics are ratios of sums of these terms.
    sums = np.stack([np.bincount(units, term * weight) for term in terms], axis=1)
    one_unit = len(sums) == 1
    resampled = sums if one_unit else resampled_sums(sums, n_resamples, rng)
    reciprocal, by_chance, mean_rank, rank_by_chance, *hits = resampled[:, 1:].T / resampled[:, 0]
    metrics = {
        "mrr": reciprocal,
        "adjusted_mrr": adjusted(reciprocal, by_chance),
        "mean_rank": mean_rank,
        "amri": rank_index(mean_rank, rank_by_chance),
        **{f"hits@{k}": values for k, values in zip(ks, hits, strict=True)},
    }
    return {
        name: NO_INTERVAL if one_unit else Interval.of(values, confidence)
        for name, values in metrics.items()
    }


def resampled_sums(sums: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Sums over resamples of the units, (n_resamples, terms), from (units, terms)."""
    count = len(sums)
    block = max(1, _BLOCK_DRAWS // count)
    parts = []
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        parts.append(drawn_counts(count, rows, rng).astype(np.float64) @ sums)
    return np.concatenate(parts)


@dataclass(frozen=True)
class Separation:
    """How well one threshold for the whole pool separates positives from negatives.

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

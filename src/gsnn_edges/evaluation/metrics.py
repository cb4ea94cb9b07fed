"""Averages of the ranks of all queries, beside what random scores reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gsnn_edges.evaluation import chance
from gsnn_edges.evaluation.ties import TIE_TYPES, Ranks


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
    expected_mrr = mean(chance.expected_reciprocal(candidates))
    expected_rank = mean(chance.expected_rank(candidates))
    return Averages(
        mrr=reciprocal["realistic"],
        mrr_optimistic=reciprocal["optimistic"],
        mrr_pessimistic=reciprocal["pessimistic"],
        mrr_random_ties=mean(ranks.tie_reciprocal),
        mean_rank=rank["realistic"],
        mean_rank_optimistic=rank["optimistic"],
        mean_rank_pessimistic=rank["pessimistic"],
        amri=float(chance.rank_index(rank["realistic"], expected_rank)),
        adjusted_mrr=float(chance.adjusted(reciprocal["realistic"], expected_mrr)),
        hits=hits["realistic"],
        hits_optimistic=hits["optimistic"],
        hits_pessimistic=hits["pessimistic"],
        expected_mrr=expected_mrr,
        expected_mean_rank=expected_rank,
        expected_hits={k: mean(chance.expected_hit(candidates, k)) for k in ks},
        intervals=dict(intervals or {}),
    )

"""The rank of a query among candidates of the same score: best, mean, worst, and all orders."""

from dataclasses import dataclass

import numpy as np

from gsnn_edges.evaluation.harmonic import reciprocal_sums

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

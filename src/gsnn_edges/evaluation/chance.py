"""What random scores reach: expectations in closed form, and scores adjusted by them.

Without information each of a query's n candidates is as likely to be first as any other, so its
rank is uniform over 1 .. n (Berrendorf et al. 2020; Hoyt et al. 2022).
"""

import numpy as np
from numpy.typing import ArrayLike

from gsnn_edges.evaluation.harmonic import reciprocal_sums


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

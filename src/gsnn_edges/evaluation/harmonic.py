"""Sums of 1/r over runs of ranks, exact to rounding however long the run."""

import numpy as np

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
    far = np.log1p((high - low) / low) + (tail(high) - tail(low))
    return np.asarray(NEAR_SUMS[near[1]] - NEAR_SUMS[near[0]] + far)


def tail(x: np.ndarray) -> np.ndarray:
    """psi(x) - log(x) for x of at least 16."""
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return np.asarray(-1 / (2 * x) - series)

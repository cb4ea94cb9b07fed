"""How much better one score ranks the same queries than others, with an interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gsnn_edges.evaluation.metrics import Interval
from gsnn_edges.resampling import drawn_counts

Values = NDArray[np.float64]
# Draws held at a time: 2**22 counts keep a block below some hundred megabytes.
BLOCK_DRAWS = 1 << 22


@dataclass(frozen=True)
class MrrDifference:
    """A difference of two mean reciprocal ranks.

    Attributes
    ----------
    value : float
        In (-1, 1); above 0 the first is better.
    interval : Interval or None
        Between percentiles of resampled differences; nan where one edge is all there is to
        resample, None where no interval was asked for.
    """

    value: float
    interval: Interval | None = None


def compare_mrr(
    ranked: Values,
    others: Values,
    units: NDArray[np.int64],
    n_resamples: int | None,
    *,
    confidence: float,
    rng: np.random.Generator,
) -> MrrDifference:
    """Subtract the mean over others and queries from the mean over queries.

    Parameters
    ----------
    ranked : float64 array of shape (Q,)
        Reciprocal rank of each ranking.
    others : float64 array of shape (S, Q)
        Those of the same rankings by S other scores: one, or untrained models of several seeds.
    units : int64 array of shape (Q,), from 0
        Rankings of the same unit are drawn together.
    n_resamples : int or None
        Resamples. Units are drawn with replacement, the same for both sides: a paired bootstrap
        [1]_. The mean over S others, of S >= 2, moves by their standard error times a draw of
        Student's t with S - 1 degrees of freedom: drawn with replacement, as few as five would
        look surer than they are.
    confidence : float in (0, 1)
    rng : numpy.random.Generator

    Returns
    -------
    MrrDifference

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap. Chapman & Hall,
       chapters 8 and 13.

    Examples
    --------
    >>> ranked, others = np.array([1.0, 0.5]), np.array([[0.5, 0.5], [0.25, 0.25]])
    >>> rng, units = np.random.default_rng(0), np.array([0, 1])
    >>> compare_mrr(ranked, others, units, None, confidence=0.95, rng=rng)
    MrrDifference(value=0.375, interval=None)
    """
    value = float(ranked.mean() - others.mean())
    if n_resamples is None:
        return MrrDifference(value)
    count = int(units.max()) + 1
    if count == 1:
        return MrrDifference(value, Interval(float("nan"), float("nan")))
    drawn = resampled_differences(ranked, others, units, n_resamples, rng)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return MrrDifference(value, Interval(float(low), float(high)))


def resampled_differences(
    ranked: Values,
    others: Values,
    units: NDArray[np.int64],
    n_resamples: int,
    rng: np.random.Generator,
) -> Values:
    """Give the difference for each resample."""
    size = np.bincount(units)
    sums = np.stack([np.bincount(units, row) for row in (ranked, *others)], axis=1)
    block = max(1, BLOCK_DRAWS // (len(size) + len(others)))
    parts = []
    for start in range(0, n_resamples, block):
        times = drawn_counts(len(size), min(block, n_resamples - start), rng)
        means = (times @ sums) / (times @ size)[:, None]
        parts.append(means[:, 0] - redrawn_mean(means[:, 1:], rng))
    return np.concatenate(parts)


def redrawn_mean(others: Values, rng: np.random.Generator) -> Values:
    """Mean of each row, as it might have been by other seeds; of one seed nothing is known."""
    count = others.shape[1]
    mean = others.mean(axis=1)
    if count == 1:
        return np.asarray(mean)
    error = others.std(axis=1, ddof=1) / np.sqrt(count)
    return np.asarray(mean + error * rng.standard_t(count - 1, len(others)))

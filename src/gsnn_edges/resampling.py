"""Bootstrap draws: their counts, correlations of each draw on one sort, and running moments."""

from collections.abc import Iterator

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import Operand, backend_and_dtype, multiply
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.ranks import correlation_dtype, key_rows


def drawn_counts(
    things: int, draws: int, rng: np.random.Generator, *, size: int | None = None
) -> np.ndarray:
    """Count how often each of so many things stands in each draw.

    Parameters
    ----------
    things, draws : int
    rng : numpy.random.Generator
        Asked for ``size`` numbers below ``things`` a draw, so that whoever asks it for the same
        numbers draws the same things.
    size : int, optional
        Things in a draw; as many as there are by default, a bootstrap resample.

    Returns
    -------
    int64 ndarray of shape (draws, things)
        Each row sums to ``size``.

    Examples
    --------
    >>> drawn_counts(4, 2, np.random.default_rng(0)).sum(axis=1)
    array([4, 4])
    """
    size = things if size is None else size
    picks = (rng.integers(0, things, size) for _ in range(draws))
    return np.stack([np.bincount(pick, minlength=things) for pick in picks])


def resampled_correlations(
    a: Array, g: Array, counts: np.ndarray, options: CorrelationOptions
) -> Iterator[Array]:
    """Cross-correlations of draws of observations, with average ties.

    Each column is sorted once. A draw is how often each observation stands in it: ranks then need
    no sort, and products run over the observations that were drawn, each once.

    Parameters
    ----------
    a, g : arrays of shape (M, Na) and (M, Ng), as `cross_correlation` takes them
    counts : whole numbers of shape (draws, M)
        How often each observation stands in each draw; at least two in all of each draw.
    options : CorrelationOptions

    Yields
    ------
    array of shape (Na, Ng)
        What `cross_correlation` gives for the rows of a draw, within rounding.

    Notes
    -----
    Peak memory: that of `cross_correlation`, and once more the bytes of ``a`` and ``g``.
    """
    ops, _ = backend_and_dtype(a, g, options)
    dtype = correlation_dtype(ops.xp, options.precision, int(counts.sum(axis=1).max()))
    engine = ops.ranker()
    a, g = (_sorted_once(x, engine, options.method) for x in (a, g))
    width = np.count_nonzero(counts, axis=1).max()
    for count in counts:
        pick, weights = _picked(count, width)
        draw = engine.adopt(pick), engine.adopt(weights)
        sources, targets = (
            Operand(x, ops, dtype, options, shift, draw=draw)
            for x, shift in ((a, False), (g, True))
        )
        yield multiply(sources, targets)


def _sorted_once(x: Array, engine: Backend, method: str) -> Array:
    """Columns side by side in memory; for Spearman, whole numbers in the order of their values."""
    rows = backends.move(x.T, engine)
    if method == "pearson":
        return engine.map_rows(_as_they_are, rows, _validation.dtype_name(rows)).T
    return key_rows(rows, engine).T


def _as_they_are(x: Array, *, ops: Backend, dtype: str) -> Array:
    return x


def _picked(count: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations that were drawn, and how often; padded to the width of the widest draw.

    JAX compiles for each width. What is added stands there 0 times, and was drawn, so that it is
    no extreme of its own.
    """
    drawn = np.flatnonzero(count)
    pick, weights = np.full(width, drawn[0]), np.zeros(width, np.float32)
    pick[: len(drawn)] = drawn
    weights[: len(drawn)] = count[drawn]
    return pick, weights


class Moments:
    """Mean and sums of squared differences from it, by Welford's recurrence [1]_.

    It takes no difference of large sums. ``first`` is used up: it becomes the mean, and is
    written to where arrays can be. Peak memory is five arrays of its size, one of which is that
    which is added.

    References
    ----------
    .. [1] B. P. Welford (1962). Note on a method for calculating corrected sums of squares and
       products. Technometrics 4(3), 419-420.

    Examples
    --------
    >>> import numpy as np
    >>> moments = Moments(np.array([1.0, 5.0]))
    >>> moments.add(np.array([3.0, 5.0]))
    >>> moments.mean, moments.variance
    (array([2., 5.]), array([2., 0.]))
    """

    def __init__(self, first: Array) -> None:
        self.count = 1
        self.mean = first
        self.squares: Array | None = None

    def add(self, values: Array) -> None:
        """Take one more array, of any dtype that the first one's can hold."""
        self.count += 1
        difference = values - self.mean
        # In place, but for arrays that cannot be written to: these are bound anew.
        self.mean += difference / self.count
        difference *= values - self.mean
        if self.squares is None:
            self.squares = difference
        else:
            self.squares += difference

    @property
    def variance(self) -> Array | None:
        """Variance of a sample (ddof 1); None after one array, which has none."""
        return None if self.squares is None else self.squares / (self.count - 1)
